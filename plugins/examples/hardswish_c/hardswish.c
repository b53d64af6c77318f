/* hardswish.c - "com.example.hardswish": y = x * min(max(x / 6 + 1/2, 0), 1) (Howard et al. 2019) on s8 tensors, as a
 * table of 256 entries. In C, against onnx2mcu_op.h alone: a template for operators of your own. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "example_hardswish_s8.h"
#include "o2m_sources.h"
#include "onnx2mcu_op.h"

/* What infer() decides where the host presets nothing; o2m_node.outputs points at it. */
typedef struct hardswish_params {
  float scale;
  int32_t zero_point;
} hardswish_params;

static double hardswish(double x) { return x * fmin(fmax(x / 6 + 0.5, 0), 1); }

static int32_t round_to_s8(double x) { return (int32_t)fmin(fmax(floor(x + 0.5), -128), 127); }

/* ---- matching */

static int is(const o2m_graph *g, int32_t node, const char *op_type) {
  return node >= 0 && strcmp(g->op_type(g, node), op_type) == 0 && strcmp(g->domain(g, node), "") == 0;
}

/* HardSigmoid(x) with the slope and offset that make x * HardSigmoid(x) a HardSwish. */
static int is_gate(const o2m_graph *g, int32_t node) {
  float alpha = 0.2f, beta = 0.5f; /* ONNX's defaults */
  if (!is(g, node, "HardSigmoid")) return 0;
  g->attr_f(g, node, "alpha", &alpha);
  g->attr_f(g, node, "beta", &beta);
  return fabsf(alpha - 1.0f / 6) < 1e-6f && fabsf(beta - 0.5f) < 1e-6f;
}

static o2m_status take(o2m_match *match, int32_t input, int32_t root, int32_t gate) {
  const int32_t count = gate == O2M_NONE ? 1 : 2;
  if (match->capacity < count) return O2M_NO_MATCH;
  match->nodes[0] = root;
  if (gate != O2M_NONE) match->nodes[1] = gate;
  match->node_count = count;
  match->inputs[0] = input;
  match->input_count = 1;
  return O2M_OK;
}

/* HardSwish(x), or Mul of x and HardSigmoid(x) in either order. */
static o2m_status match(const o2m_host *host, const o2m_graph *g, int32_t root, o2m_match *match) {
  (void)host;
  if (is(g, root, "HardSwish")) return take(match, g->input_tensor(g, root, 0), root, O2M_NONE);
  if (!is(g, root, "Mul")) return O2M_NO_MATCH;
  for (int32_t i = 0; i < 2; i++) {
    const int32_t x = g->input_tensor(g, root, i), gate = g->producer(g, g->input_tensor(g, root, 1 - i));
    if (is_gate(g, gate) && g->input_tensor(g, gate, 0) == x) return take(match, x, root, gate);
  }
  return O2M_NO_MATCH;
}

/* ---- shapes, scales, memory */

static o2m_status refuse(const o2m_host *host, const char *message) {
  host->error(host, message);
  return O2M_INVALID_ARGUMENT;
}

/* The scale and zero point that just hold the values of y. */
static void choose_quant(const o2m_tensor *x, hardswish_params *p) {
  double low = 0, high = 0;
  for (int32_t q = -128; q < 128; q++) {
    const double y = hardswish((double)x->quant.scale[0] * (q - x->quant.zero_point[0]));
    low = fmin(low, y);
    high = fmax(high, y);
  }
  p->scale = (float)fmax((high - low) / 255, 1e-30);
  p->zero_point = round_to_s8(-128 - low / (double)p->scale);
}

static o2m_status infer(const o2m_host *host, const o2m_target *target, o2m_node *node) {
  hardswish_params *p = (hardswish_params *)node->params;
  (void)target;
  if (node->input_count != 1 || node->output_count != 1) return refuse(host, "hardswish has one input and one output");
  const o2m_tensor *x = node->inputs[0];
  o2m_tensor *y = node->outputs[0];
  if (x->dtype != O2M_S8 || x->quant.count != 1)
    return refuse(host, "the input is not s8 with one scale; a tensor of s8 per tensor would work");
  if (x->rank < 1) return refuse(host, "the input is a scalar; a tensor of one or more axes would work");
  y->rank = x->rank;
  memcpy(y->dims, x->dims, sizeof y->dims);
  if (y->dtype == O2M_ANY) y->dtype = O2M_S8;
  if (y->dtype != O2M_S8 || y->quant.count > 1)
    return refuse(host, "the output is not s8 with one scale; s8 per tensor would work");
  if (y->quant.count == 0) {
    choose_quant(x, p);
    y->quant = (o2m_quant){&p->scale, &p->zero_point, 1, O2M_NONE};
  }
  node->constants[0].hint = "hardswish table";
  node->constants[0].dtype = O2M_S8;
  node->constants[0].count = 256;
  return O2M_OK;
}

/* A row is what follows one index of the first axis longer than one. */
static int32_t row_axis(const o2m_tensor *t) {
  int32_t axis = 0;
  while (axis < t->rank - 1 && t->dims[axis] == 1) axis++;
  return axis;
}

static int32_t row_length(const o2m_tensor *t) {
  int32_t length = 1;
  for (int32_t d = row_axis(t) + 1; d < t->rank; d++) length *= t->dims[d];
  return length;
}

static int32_t row_stride(const o2m_tensor *t) { return (int32_t)t->strides[row_axis(t)]; }

static void memory(const o2m_target *target, const o2m_node *node, int32_t rows, o2m_memory *m) {
  const int32_t axis = row_axis(node->inputs[0]);
  (void)target, (void)rows;
  m->steps = node->inputs[0]->dims[axis];
  m->inputs[0] = m->outputs[0] = (o2m_access){O2M_ROW_STRIDED, axis, 1, 1, 0};
  m->in_place_inputs = 1u << 0; /* each value is read before it is written over */
}

/* ---- the table, the host run, the emitted call */

static o2m_status fill(const o2m_node *node, int8_t *table) {
  const o2m_quant *x = &node->inputs[0]->quant, *y = &node->outputs[0]->quant;
  for (int32_t q = -128; q < 128; q++) {
    const double value = hardswish((double)x->scale[0] * (q - x->zero_point[0]));
    table[q + 128] = (int8_t)round_to_s8(value / (double)y->scale[0] + y->zero_point[0]);
  }
  return O2M_OK;
}

static o2m_status pack(const o2m_host *host, const o2m_target *target, o2m_node *node) {
  (void)host, (void)target;
  return fill(node, (int8_t *)node->constants[0].data);
}

static void run(const o2m_node *node, const o2m_call *call) {
  const o2m_tensor *x = node->inputs[0], *y = node->outputs[0];
  example_hardswish_s8((const int8_t *)call->inputs[0], row_stride(x), (int8_t *)call->outputs[0], row_stride(y),
                       call->rows, row_length(x), (const int8_t *)node->constants[0].data);
}

static o2m_status emit(const o2m_host *host, const o2m_target *target, const o2m_node *node, const o2m_emitter *e) {
  const o2m_tensor *x = node->inputs[0], *y = node->outputs[0];
  char line[512];
  (void)host, (void)target;
  for (int32_t i = 0; i < O2M_SOURCE_COUNT; i++)
    if (strncmp(o2m_sources[i].name, "example_", 8) == 0) e->source(e, o2m_sources[i].name, o2m_sources[i].text);
  snprintf(line, sizeof line, "O2M_SYM(example_hardswish_s8)(%s, %d, %s, %d, %s, %d, %s);", e->operand(e, 0),
           (int)row_stride(x), e->operand(e, 1), (int)row_stride(y), e->rows(e), (int)row_length(x), e->constant(e, 0));
  e->line(e, line);
  return O2M_OK;
}

/* ---- cases: what `onnx2mcu check` runs */

static const float x_scale = 0.05f, y_scale = 0.03f;
static const int32_t x_zero_point = 4, y_zero_point = -113;
#define X(...)                                                                               \
  {                                                                                          \
    .struct_size = sizeof(o2m_tensor), .name = "x", .dtype = O2M_S8, .token_axis = O2M_NONE, \
    .quant = {&x_scale, &x_zero_point, 1, O2M_NONE}, __VA_ARGS__                             \
  }
#define Y(...)                                                                               \
  {                                                                                          \
    .struct_size = sizeof(o2m_tensor), .name = "y", .dtype = O2M_S8, .token_axis = O2M_NONE, \
    .quant = {&y_scale, &y_zero_point, 1, O2M_NONE}, __VA_ARGS__                             \
  }
#define TOKENS .rank = 3, .dims = {1, 50, 32}, .strides = {1600, 32, 1}
#define VECTOR .rank = 1, .dims = {19}, .strides = {1}
#define IMAGE .rank = 4, .dims = {1, 3, 5, 7}, .strides = {105, 35, 7, 1}
static const o2m_tensor xs[] = {X(TOKENS), X(VECTOR), X(IMAGE), X(TOKENS)};
static const o2m_tensor ys[] = {
    Y(TOKENS), Y(VECTOR), Y(IMAGE), {.struct_size = sizeof(o2m_tensor), .name = "y", .token_axis = O2M_NONE}};
static const hardswish_params none = {0, 0};
static const o2m_case case_list[] = {{"tokens", 1, 1, &xs[0], &ys[0], &none},
                                     {"vector", 1, 1, &xs[1], &ys[1], &none},
                                     {"image", 1, 1, &xs[2], &ys[2], &none},
                                     {"scale chosen by infer", 1, 1, &xs[3], &ys[3], &none}};
static const o2m_case *get_case(int32_t index) { return &case_list[index]; }

static const void *get_extension(const char *id) {
  static const o2m_cases cases = {sizeof case_list / sizeof *case_list, get_case};
  return strcmp(id, "o2m.cases/1") == 0 ? &cases : NULL;
}

static const o2m_op op = {
    .struct_size = sizeof(o2m_op),
    .id = "com.example.hardswish",
    .params_size = sizeof(hardswish_params),
    .match = match,
    .infer = infer,
    .memory = memory,
    .pack = pack,
    .run = run,
    .emit = emit,
    .get_extension = get_extension,
};
static const o2m_op *const ops[] = {&op};
static const o2m_plugin plugin = {sizeof(o2m_plugin), O2M_ABI_MAJOR, O2M_ABI_MINOR, "hardswish", "1.0", 1, ops};

const o2m_plugin *onnx2mcu_plugin(uint32_t host_abi_major) { return host_abi_major == O2M_ABI_MAJOR ? &plugin : NULL; }
