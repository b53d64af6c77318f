/* scale_op.h - a small op that keeps the whole contract: y = multiplier / 8 * x on s8 rows, through a copy of the row
 * in scratch. good/scale.c is this op; each file of broken/ breaks it in one place. */
#ifndef SCALE_OP_H_
#define SCALE_OP_H_
#include <stdio.h>
#include <string.h>

#include "onnx2mcu_op.h"

#define O2M_SYM(name) name

/* Compiled into the plugin, and kept as the text that emit() ships. */
#define KERNEL(...) \
  __VA_ARGS__       \
  static const char kernel_text[] = #__VA_ARGS__;

#ifndef SCALE_OWN_KERNEL
KERNEL(void O2M_SYM(scale_rows)(const int8_t *x, int32_t x_stride, int8_t *y, int32_t y_stride, int8_t *scratch,
                                int32_t rows, int32_t cols, int32_t multiplier, const int8_t *table) {
  for (int32_t r = 0; r < rows; r++, x += x_stride, y += y_stride) {
    for (int32_t c = 0; c < cols; c++) scratch[c] = x[c];
    for (int32_t c = 0; c < cols; c++) {
      const int32_t v = scratch[c] * multiplier / 8;
      const int8_t q = (int8_t)(v < -128 ? -128 : v > 127 ? 127 : v);
      y[c] = table ? table[q + 128] : q;
    }
  }
})
#endif

#define SCALE_PROTOTYPE                                                                                         \
  "void O2M_SYM(scale_rows)(const int8_t *x, int32_t x_stride, int8_t *y, int32_t y_stride, int8_t *scratch,\n" \
  "                         int32_t rows, int32_t cols, int32_t multiplier, const int8_t *table);\n"

typedef struct scale_params {
  int32_t multiplier;
} scale_params;

static inline int32_t scale_axis(const o2m_tensor *t) { return t->rank - 2; }
static inline int32_t scale_rows_of(const o2m_tensor *t) { return t->dims[scale_axis(t)]; }
static inline int32_t scale_cols_of(const o2m_tensor *t) { return t->dims[t->rank - 1]; }
static inline int32_t scale_stride_of(const o2m_tensor *t) { return (int32_t)t->strides[scale_axis(t)]; }

static inline o2m_status scale_match(const o2m_host *host, const o2m_graph *graph, int32_t root, o2m_match *match) {
  (void)host, (void)graph, (void)root, (void)match;
  return O2M_NO_MATCH;
}

static inline o2m_status scale_infer(const o2m_host *host, const o2m_target *target, o2m_node *node) {
  const o2m_tensor *x = node->inputs[0];
  o2m_tensor *y = node->outputs[0];
  (void)target;
  if (x->dtype != O2M_S8 || x->rank < 2) {
    host->error(host, "input 0 is not a matrix of s8");
    return O2M_INVALID_ARGUMENT;
  }
  y->rank = x->rank;
  memcpy(y->dims, x->dims, sizeof y->dims);
  if (y->dtype == O2M_ANY) y->dtype = O2M_S8;
  if (y->quant.count == 0) y->quant = x->quant;
  node->constants[0].hint = "table";
  node->constants[0].dtype = O2M_S8;
  node->constants[0].count = node->epilogue ? 256 : 0;
  return y->dtype == O2M_S8 ? O2M_OK : O2M_INVALID_ARGUMENT;
}

static inline void scale_memory(const o2m_target *target, const o2m_node *node, int32_t rows, o2m_memory *memory) {
  const o2m_access row = {O2M_ROW_STRIDED, scale_axis(node->inputs[0]), 1, 1, 0};
  (void)target, (void)rows;
  memory->steps = scale_rows_of(node->inputs[0]);
  memory->inputs[0] = memory->outputs[0] = row;
  memory->in_place_inputs = 1;
  memory->scratch_bytes = scale_cols_of(node->inputs[0]);
}

static inline o2m_status scale_pack(const o2m_host *host, const o2m_target *target, o2m_node *node) {
  (void)host, (void)target;
  if (node->epilogue) memcpy(node->constants[0].data, node->epilogue->table, 256);
  return O2M_OK;
}

#ifndef SCALE_OWN_KERNEL
static inline void scale_run(const o2m_node *node, const o2m_call *call) {
  const o2m_tensor *x = node->inputs[0], *y = node->outputs[0];
  const scale_params *params = (const scale_params *)node->params;
  scale_rows((const int8_t *)call->inputs[0], scale_stride_of(x), (int8_t *)call->outputs[0], scale_stride_of(y),
             (int8_t *)call->scratch, call->rows, scale_cols_of(x), params->multiplier,
             node->epilogue ? (const int8_t *)node->constants[0].data : NULL);
}
#endif

static inline o2m_status scale_emit_with(const o2m_node *node, const o2m_emitter *e, const char *text,
                                         int32_t multiplier) {
  const o2m_tensor *x = node->inputs[0], *y = node->outputs[0];
  char source[2048], line[256];
  e->source(e, "scale.h", "#include <stdint.h>\n#include \"o2m_sym.h\"\n" SCALE_PROTOTYPE);
  snprintf(source, sizeof source, "#include \"scale.h\"\n%s\n", text);
  e->source(e, "scale.c", source);
  snprintf(line, sizeof line, "O2M_SYM(scale_rows)(%s, %d, %s, %d, %s, %s, %d, %d, %s);", e->operand(e, 0),
           scale_stride_of(x), e->operand(e, 1), scale_stride_of(y), e->scratch(e), e->rows(e), scale_cols_of(x),
           multiplier, node->epilogue ? e->constant(e, 0) : "0");
  e->line(e, line);
  return O2M_OK;
}

static inline o2m_status scale_emit(const o2m_host *host, const o2m_target *target, const o2m_node *node,
                                    const o2m_emitter *e) {
  (void)host, (void)target;
  return scale_emit_with(node, e, kernel_text, ((const scale_params *)node->params)->multiplier);
}

/* ---- extensions */

static const float scale_scale = 0.5f;
static const int32_t scale_zero_point = 0;
static const scale_params scale_by_5 = {5}, scale_by_11 = {11};
#define SCALE_TENSOR(text, ...)                                                                                       \
  {                                                                                                                   \
    .struct_size = sizeof(o2m_tensor), .name = text, .dtype = O2M_S8, __VA_ARGS__, .token_axis = O2M_NONE, .quant = { \
      &scale_scale,                                                                                                   \
      &scale_zero_point,                                                                                              \
      1,                                                                                                              \
      O2M_NONE                                                                                                        \
    }                                                                                                                 \
  }
#define SCALE_OPEN \
  { .struct_size = sizeof(o2m_tensor), .name = "y", .token_axis = O2M_NONE }
static const o2m_tensor scale_inputs[] = {SCALE_TENSOR("x", .rank = 3, .dims = {1, 8, 6}, .strides = {48, 6, 1}),
                                          SCALE_TENSOR("x", .rank = 2, .dims = {7, 16}, .strides = {16, 1}),
                                          SCALE_TENSOR("x", .rank = 2, .dims = {1, 12}, .strides = {12, 1})};
static const o2m_tensor scale_outputs[] = {SCALE_OPEN, SCALE_OPEN, SCALE_OPEN};
static const o2m_case scale_case_list[] = {{"8 rows", 1, 1, &scale_inputs[0], &scale_outputs[0], &scale_by_5},
                                           {"7 rows", 1, 1, &scale_inputs[1], &scale_outputs[1], &scale_by_11},
                                           {"one row", 1, 1, &scale_inputs[2], &scale_outputs[2], &scale_by_5}};
static inline const o2m_case *scale_get(int32_t index) { return &scale_case_list[index]; }
static const o2m_cases scale_cases = {3, scale_get};

static inline o2m_status scale_fill(const o2m_node *node, int8_t *table) {
  const int32_t multiplier = ((const scale_params *)node->params)->multiplier;
  for (int32_t q = -128; q < 128; q++) {
    const int32_t v = q * multiplier / 8;
    table[q + 128] = (int8_t)(v < -128 ? -128 : v > 127 ? 127 : v);
  }
  return O2M_OK;
}
static const o2m_unary_table scale_table = {scale_fill};

/* Columns side by side. */
static inline o2m_status scale_split(const o2m_node *node, int32_t choice, o2m_split *split) {
  const o2m_tensor *x = node->inputs[0];
  if (choice > 0) return O2M_NO_MATCH;
  split->parts = 2;
  split->input_axis[0] = split->output_axis[0] = x->rank - 1;
  return O2M_OK;
}
static const o2m_splitter scale_splitter = {scale_split};

static inline const void *scale_extension(const char *id) {
  if (strcmp(id, "o2m.cases/1") == 0) return &scale_cases;
  if (strcmp(id, "o2m.unary_table/1") == 0) return &scale_table;
  if (strcmp(id, "o2m.split/1") == 0) return &scale_splitter;
  return NULL;
}

#define SCALE_OP(name, infer_, memory_, run_, emit_)               \
  static const o2m_op name = {.struct_size = sizeof(o2m_op),       \
                              .id = "test.scale",                  \
                              .params_size = sizeof(scale_params), \
                              .flags = O2M_TAKES_EPILOGUE,         \
                              .match = scale_match,                \
                              .infer = infer_,                     \
                              .memory = memory_,                   \
                              .pack = scale_pack,                  \
                              .run = run_,                         \
                              .emit = emit_,                       \
                              .get_extension = scale_extension};
#define SCALE_ENTRY(abi_major_, ...)                                                                            \
  static const o2m_op *const ops[] = {__VA_ARGS__};                                                             \
  static const o2m_plugin plugin = {                                                                            \
      sizeof(o2m_plugin), abi_major_, O2M_ABI_MINOR, "scale", "1.0", (int32_t)(sizeof ops / sizeof *ops), ops}; \
  O2M_EXPORT const o2m_plugin *onnx2mcu_plugin(uint32_t host_abi_major) {                                       \
    (void)host_abi_major;                                                                                       \
    return &plugin;                                                                                             \
  }
#define SCALE_PLUGIN(infer_, memory_, run_, emit_) \
  SCALE_OP(scale_op, infer_, memory_, run_, emit_) \
  SCALE_ENTRY(O2M_ABI_MAJOR, &scale_op)
#endif
