/* clang-format off */ /* onnx2mcu_op.h -- the one interface between the compiler and every operator.
 * Built-in ops (ops/) and third-party ops (plugins/) implement exactly this.
 * Standalone: includes only freestanding headers. All strings are NUL-terminated UTF-8.
 * Versioning: a major change breaks; a minor one appends fields at the end of a struct that opens with struct_size, adds
 * a value to an enum or an extension id ("o2m.NAME/REV"), and nothing else. struct_size is set by whoever owns the
 * struct: who reads or fills it looks there before touching a field that 1.0 did not have, and steps from one to the
 * next in an array of them by struct_size of the first. Structs without struct_size never change: REV is raised. */
#ifndef ONNX2MCU_OP_H_
#define ONNX2MCU_OP_H_
#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

#define O2M_ABI_MAJOR 1
#define O2M_ABI_MINOR 1
#define O2M_EXPORT __attribute__((visibility("default")))
enum { O2M_MAX_RANK = 8, O2M_MAX_OPERANDS = 16, O2M_MAX_CONSTANTS = 8, O2M_NONE = -1 };

enum { O2M_OK = 0, O2M_NO_MATCH = 1, O2M_INVALID_ARGUMENT = 3, O2M_UNIMPLEMENTED = 12, O2M_INTERNAL = 13 };
typedef int32_t o2m_status; /* values equal absl::StatusCode, except NO_MATCH, which is not an error */

/* half, bfloat16 and double constants reach an op as F32 */
enum { O2M_ANY = 0, O2M_F32 = 1, O2M_S8 = 2, O2M_S16 = 3, O2M_S32 = 4, O2M_S64 = 5, O2M_U8 = 6, O2M_BOOL = 7 };
typedef int32_t o2m_dtype;

/* real = scale[c] * (q - zero_point[c]);  count == 1: per tensor, else per channel along axis */
typedef struct o2m_quant { const float *scale; const int32_t *zero_point; int32_t count, axis; } o2m_quant;

typedef struct o2m_tensor {
  uint32_t struct_size;
  const char *name;
  o2m_dtype dtype;
  int32_t rank, dims[O2M_MAX_RANK]; /* static shapes only */
  int64_t strides[O2M_MAX_RANK];    /* elements; dense unless the op accepts views (o2m_access.layout). Final from
                                       memory() on: a head's columns, V written transposed, split, concat */
  int32_t token_axis;               /* O2M_NONE if the tensor has no token axis */
  o2m_quant quant;
  int32_t is_constant;
  const void *data;                 /* constants; NULL also for a constant when only a price is asked */
} o2m_tensor;

/* What an op derives from its constants: packed or sparse weights, folded bias, multipliers, tables. infer() sets
 * hint, dtype, count (flash is priced from these); the host allocates; pack() fills data; run() and emit() read it. */
typedef struct o2m_constant { const char *hint; o2m_dtype dtype; int64_t count; void *data; } o2m_constant;

/* y = table[q + 128] on every value q of output 0, q quantised by `in`; outputs[0]->quant is that of y. */
typedef struct o2m_epilogue { o2m_quant in; const int8_t *table; } o2m_epilogue;

typedef struct o2m_node {
  uint32_t struct_size;             /* owned by the host, valid during the call */
  const char *name;
  int32_t input_count, output_count;
  const o2m_tensor *const *inputs;  /* pointers, since the struct may grow */
  o2m_tensor *const *outputs;       /* infer() fills rank, dims; dtype and quant too unless preset (dtype != O2M_ANY,
                                       quant.count > 0): then it obeys or rejects. So s16 residuals, QDQ, s32 parts */
  void *params;                     /* op->params_size bytes, plain data: attributes from match(), the rest by infer() */
  int32_t variant;                  /* index into "o2m.variants/1"; 0 without it */
  const o2m_epilogue *epilogue;     /* NULL unless the op has O2M_TAKES_EPILOGUE */
  o2m_constant *constants;          /* [O2M_MAX_CONSTANTS]; count 0 ends the list */
} o2m_node;

/* Read-only view of the imported graph, for match() only. Getters return NULL / O2M_NONE / 0 when there is none. */
typedef struct o2m_graph {
  uint32_t struct_size;
  void *graph_data;
  const char *(*op_type)(const struct o2m_graph *, int32_t node);           /* "MatMul" */
  const char *(*domain)(const struct o2m_graph *, int32_t node);            /* "", "com.microsoft" */
  int32_t (*opset)(const struct o2m_graph *, int32_t node);                 /* of that domain */
  int32_t (*input_count)(const struct o2m_graph *, int32_t node);
  int32_t (*input_tensor)(const struct o2m_graph *, int32_t node, int32_t i);
  int32_t (*output_count)(const struct o2m_graph *, int32_t node);
  int32_t (*output_tensor)(const struct o2m_graph *, int32_t node, int32_t i);
  int32_t (*producer)(const struct o2m_graph *, int32_t tensor);            /* node or O2M_NONE */
  int32_t (*consumer_count)(const struct o2m_graph *, int32_t tensor);      /* graph outputs count as one */
  int32_t (*consumer)(const struct o2m_graph *, int32_t tensor, int32_t i); /* O2M_NONE: the graph output */
  const o2m_tensor *(*tensor)(const struct o2m_graph *, int32_t tensor);
  int (*attr_i)(const struct o2m_graph *, int32_t node, const char *key, int64_t *value);
  int (*attr_f)(const struct o2m_graph *, int32_t node, const char *key, float *value);
  const char *(*attr_s)(const struct o2m_graph *, int32_t node, const char *key);
  const int64_t *(*attr_ints)(const struct o2m_graph *, int32_t node, const char *key, int32_t *count);
} o2m_graph;

typedef struct o2m_match {          /* the subgraph an op takes over; the arrays are the host's, sized by capacity */
  uint32_t struct_size;
  int32_t capacity;                 /* of nodes; inputs and outputs hold O2M_MAX_OPERANDS */
  int32_t *nodes, node_count;
  int32_t *inputs, input_count;     /* tensor ids, in the op's own operand order */
  int32_t *outputs, output_count;   /* zero: the outputs of the root node */
  void *params;                     /* op->params_size zeroed bytes: copy attributes here, infer() sees no graph */
} o2m_match;

/* Memory contract. The planner walks an op upward through its steps (tokens, bands of patches, image rows), `rows`
 * steps per call. Step u touches rows [u*step - before, u*step - before + extent) of an operand along `axis`, cut off
 * at the tensor's ends: token-wise is {axis, 1, 1, 0}, a band of 16-pixel patches {H, 16, 16, 0} -> {tokens, 14, 14, 0},
 * a 3x3 convolution of stride 2 {H, 2, 3, 1}. extent 0: whole, live from the first to the last step.
 * Where every stepped operand has extent = step and before = 0, a step must depend on its rows alone, not on its number:
 * steps that nobody needs are left out, and `first` then counts from what is left.
 * A zeroed struct is therefore always safe. O2M_ROW_STRIDED: the stride of `axis` is free, the other axes are dense. */
enum { O2M_DENSE = 0, O2M_ROW_STRIDED = 1, O2M_ANY_STRIDES = 2 };
typedef struct o2m_access { int32_t layout, axis, step, extent, before; } o2m_access;
typedef struct o2m_memory {
  uint32_t struct_size;
  int32_t steps;                    /* 0: one call does all */
  o2m_access inputs[O2M_MAX_OPERANDS], outputs[O2M_MAX_OPERANDS];
  uint32_t in_place_inputs;         /* bit i: output 0 of a step may be written over input i of that step: the kernel
                                       buffers the row, or walks it upward with no wider outputs */
  int64_t scratch_bytes;            /* for `rows` steps; one block, 16-aligned, undefined on entry, dead on return */
  int64_t state_bytes;              /* kept from the first step to the last (sums, partial results); zero at first */
} o2m_memory;

typedef struct o2m_target {
  uint32_t struct_size;
  const char *id;                   /* "cortex-m4" */
  uint32_t features;
  int32_t flash_wait;               /* thousandths of an instruction that the core waits per byte of constants, where
                                       those lie in external flash; 0: it does not */
  int32_t call_price;               /* instructions that a schedule is charged for every place that calls a kernel, where
                                       code is to be less; 0: none. Of no concern to ops */
} o2m_target;
enum { O2M_FEATURE_DSP = 1u << 0, O2M_FEATURE_MVE = 1u << 1, O2M_FEATURE_FPU = 1u << 2, O2M_FEATURE_LONG_MUL = 1u << 3,
       O2M_FEATURE_UNALIGNED = 1u << 4, O2M_FEATURE_RV32 = 1u << 5, O2M_FEATURE_DUAL_ISSUE = 1u << 6,
       O2M_FEATURE_ARMV6M = 1u << 7, O2M_FEATURE_ARMV7M = 1u << 8 }; /* a core has those of the sets it contains */

typedef struct o2m_call {
  uint32_t struct_size;
  const void *const *inputs;        /* stepped operands: the first existing row this call touches; else the start */
  void *const *outputs;
  void *scratch, *state;
  int32_t first, rows;              /* steps [first, first + rows); the last call may be shorter */
} o2m_call;

/* What emit() may write. Every call is deterministic; strings live until emit() returns. External symbols in kernel
 * sources are written O2M_SYM(name), so that two models link together. */
typedef struct o2m_emitter {
  uint32_t struct_size;
  void *emitter_data;
  void (*source)(const struct o2m_emitter *, const char *file_name, const char *text); /* .h or .c, once per name */
  const char *(*constant)(const struct o2m_emitter *, int32_t slot); /* C name of node->constants[slot].data */
  const char *(*object)(const struct o2m_emitter *, const char *c_type, const char *initializer); /* static const; its name */
  const char *(*operand)(const struct o2m_emitter *, int32_t index); /* C expression; inputs, then outputs, as in o2m_call */
  const char *(*scratch)(const struct o2m_emitter *);
  const char *(*state)(const struct o2m_emitter *);
  const char *(*first)(const struct o2m_emitter *);                  /* C expressions for o2m_call.first and .rows */
  const char *(*rows)(const struct o2m_emitter *);
  int32_t max_rows;                                                  /* what memory() was asked for */
  void (*line)(const struct o2m_emitter *, const char *text);        /* one statement at the call site */
} o2m_emitter;

typedef struct o2m_host {
  uint32_t struct_size;
  uint32_t abi_major, abi_minor;
  void *host_data;
  /* Explains the status the op is about to return. One sentence: what, which operand, what would work. */
  void (*error)(const struct o2m_host *, const char *message);
  const void *(*get_extension)(const struct o2m_host *, const char *id); /* NULL if absent */
} o2m_host;

/* Extension of the host, "o2m.options/1": the command line as an op may read it, in infer() and pack().
 * get() returns the value of a compile option ("gelu" -> "lut"), or NULL if it was not given. */
typedef struct o2m_options { const char *(*get)(const o2m_host *, const char *key); } o2m_options;

enum { O2M_TAKES_EPILOGUE = 1u << 0 };
typedef struct o2m_op {
  uint32_t struct_size;
  const char *id;                   /* "o2m.int_gelu"; third parties: "com.example.name" */
  uint32_t params_size, flags;
  /* Import: may this op take over the subgraph that ends in `root`?  The largest match wins. */
  o2m_status (*match)(const o2m_host *, const o2m_graph *, int32_t root, o2m_match *);
  /* Check everything checkable; set output dtype, shape, quant; params; sizes of constants. The only call that may
   * reject. Pure: called again for other targets, variants, presets, epilogues and parts. */
  o2m_status (*infer)(const o2m_host *, const o2m_target *, o2m_node *);
  /* Optional (NULL: all operands whole and dense, no scratch). Pure. */
  void (*memory)(const o2m_target *, const o2m_node *, int32_t rows, o2m_memory *);
  /* Optional (NULL: no derived constants). Once, when target, variant, epilogue and strides are final. */
  o2m_status (*pack)(const o2m_host *, const o2m_target *, o2m_node *);
  /* Run the very kernel that emit() ships, in its scalar form, on the host. Bit-exact with every variant. */
  void (*run)(const o2m_node *, const o2m_call *);
  /* Write the call, the constants and the kernel sources for `target`. */
  o2m_status (*emit)(const o2m_host *, const o2m_target *, const o2m_node *, const o2m_emitter *);
  const void *(*get_extension)(const char *id); /* optional; the structs below */
} o2m_op;

/* ---- Extensions of an op, all optional ---- */

/* "o2m.cases/1": one list for conformance, unit test, fuzz and bench. */
typedef struct o2m_case {
  const char *name;
  int32_t input_count, output_count;
  const o2m_tensor *inputs, *outputs; /* data NULL and not constant: the host fills it at random and with corners */
  const void *params;                 /* as match() leaves them */
} o2m_case;
typedef struct o2m_cases { int32_t count; const o2m_case *(*get)(int32_t index); } o2m_cases;

/* "o2m.random_cases/1": as many cases as anyone wants, each a function of its seed: shapes with every kind of tail, strides,
 * types, quantisation, constants, params. infer() accepts them for every target. `take` sees the case during the call. */
typedef struct o2m_random_cases {
  void (*make)(uint64_t seed, void *taker, void (*take)(void *taker, const o2m_case *));
} o2m_random_cases;
/* "o2m.worst_cases/1": an o2m_cases of the deepest sums and the ends of all factors that infer() admits; see op_cases.hpp. */
/* "o2m.unary_table/1": this node is y = f(q) on s8; write its 256 entries, index q + 128. */
typedef struct o2m_unary_table { o2m_status (*fill)(const o2m_node *, int8_t *table); } o2m_unary_table;

/* "o2m.split/1": the node equals `parts` nodes of the same op side by side (heads; columns of a linear layer). Operand
 * i is cut into equal pieces along its axis, or goes whole to every part (O2M_NONE). sum: the parts' outputs are s32
 * partial results that add up (slices of K). Choices are numbered from 0; O2M_NO_MATCH ends them. */
typedef struct o2m_split { int32_t parts, sum, input_axis[O2M_MAX_OPERANDS], output_axis[O2M_MAX_OPERANDS]; } o2m_split;
typedef struct o2m_splitter { o2m_status (*split)(const o2m_node *, int32_t choice, o2m_split *); } o2m_splitter;

/* "o2m.projection/1": output 0 = x W + b with constants W [K, N] and b [N] (or O2M_NONE): operands by index, b last. The
 * host may make more nodes of this op with constants of its own. O2M_NO_MATCH: this node is none. */
typedef struct o2m_projection { int32_t x, weights, bias; } o2m_projection;
typedef struct o2m_projector { o2m_status (*projection)(const o2m_node *, o2m_projection *); } o2m_projector;

/* "o2m.mixing/1": output 0 = f(q k) v with q [.., N, P], k [.., P, M], v [.., M, R]; f works on rows, ignores a number
 * added to a whole row, and its rows sum to 1 (softmax). So a projection of k or v may be done on the other side:
 * q (x W + b)^T = (q W^T) x^T but for a number per row, and f(..) (x W + b) = (f(..) x) W + b. Operands by index. */
typedef struct o2m_mixing { int32_t q, k, v; } o2m_mixing;
typedef struct o2m_mixer { o2m_status (*mixing)(const o2m_node *, o2m_mixing *); } o2m_mixer;

/* "o2m.variants/1": ways to hold the weights ("dense", "sparse_1x4"): same bytes out, other flash, scratch and time, but
 * for those whose bit is set in `inexact`, which are chosen only where the user allows it ("s4"). Variant 0 always
 * works; infer() refuses another that does not suit the constants of a node. A node whose variant was accepted may be
 * inferred again without data, whole or as a part of itself: params are then as infer() left them. */
typedef struct o2m_variants { int32_t count; const char *const *names; uint32_t inexact; } o2m_variants;

/* "o2m.cost/1": work of one call of `rows` steps. instructions < 0: the host's table for `kernel` decides. */
typedef struct o2m_cost { const char *kernel; int64_t macs, elements, outputs, flash_bytes_read, instructions; } o2m_cost;
typedef struct o2m_coster { void (*cost)(const o2m_target *, const o2m_node *, int32_t rows, o2m_cost *); } o2m_coster;

/* "o2m.terms/1": what the instructions of that call are a sum of, as exact functions of shapes, rows, strides and target:
 * how often an inner block runs, a tile is set up, a value is stored. The host knows what each costs on a core by
 * (kernel, name), from counts of the cases below, and adds one "call" of cost.kernel itself. Where it does not know one
 * of them, cost's instructions decide, then its macs, elements and outputs. Writes at most `capacity`; returns how many.
 * kernel NULL: cost.kernel. */
enum { O2M_MAX_TERMS = 24 };
typedef struct o2m_term { const char *kernel, *name; int64_t count; } o2m_term;
typedef struct o2m_terms {
  int32_t (*terms)(const o2m_target *, const o2m_node *, int32_t rows, o2m_term *terms, int32_t capacity);
} o2m_terms;

/* "o2m.cost_cases/1": an o2m_cases of shapes that are counted to learn what the terms cost, beside the cases of
 * "o2m.cases/1" whose names start with "bench_": what no other case has of tails, strides and types. Absent: all of "o2m.cases/1". */

/* "o2m.quant/1": what the quantiser may choose. Absent: s8 per tensor everywhere. */
typedef struct o2m_quant_rule {
  uint32_t s16_inputs, s16_outputs;                 /* bit i: operand i may be s16 */
  uint32_t per_channel_inputs, per_channel_outputs; /* ... may have one scale per channel */
  uint32_t same_as_input0;                          /* ... outputs that keep input 0's quant */
  float fixed_scale; int32_t fixed_zero_point; o2m_dtype fixed_dtype; /* of output 0; fixed_scale 0: free */
} o2m_quant_rule;
typedef struct o2m_quantizer { void (*rule)(const o2m_node *, o2m_quant_rule *); } o2m_quantizer;

/* "o2m.quant_wide/1": bit i: operand i may be s32 with zero point 0. Absent: none. */
typedef struct o2m_wide_rule { uint32_t s32_inputs, s32_outputs; } o2m_wide_rule;
typedef struct o2m_wide_quantizer { void (*rule)(const o2m_node *, o2m_wide_rule *); } o2m_wide_quantizer;

/* "o2m.float/1": the float meaning, for ops whose ONNX nodes the evaluator does not know. Dense operands. */
typedef struct o2m_float { o2m_status (*run)(const o2m_node *, const float *const *inputs, float *const *outputs); } o2m_float;

typedef struct o2m_plugin {
  uint32_t struct_size;
  uint32_t abi_major, abi_minor;    /* O2M_ABI_MAJOR, O2M_ABI_MINOR */
  const char *name, *version;
  int32_t op_count;
  const o2m_op *const *ops;
} o2m_plugin;

/* The only exported symbol. Pure; returns NULL if it cannot serve this host. */
O2M_EXPORT const o2m_plugin *onnx2mcu_plugin(uint32_t host_abi_major);

#ifdef __cplusplus
}
#endif
#endif
