/* The kernel keeps a counter that changes nothing: two threads would still race. */
#define SCALE_OWN_KERNEL
#include <stdint.h>

#define scale_body                                                    \
  for (int32_t r = 0; r < rows; r++, x += x_stride, y += y_stride)    \
    for (int32_t c = 0; c < cols; c++) {                              \
      const int32_t v = x[c] * multiplier / 8;                        \
      const int8_t q = (int8_t)(v < -128 ? -128 : v > 127 ? 127 : v); \
      y[c] = table ? table[q + 128] : q;                              \
    }
static void scale_rows(const int8_t *x, int32_t x_stride, int8_t *y, int32_t y_stride, int32_t rows, int32_t cols,
                       int32_t multiplier, const int8_t *table) {
  scale_body
}
#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)
static const char kernel_text[] =
    "int32_t O2M_SYM(scale_calls);\n"
    "void O2M_SYM(scale_rows)(const int8_t *x, int32_t x_stride, int8_t *y, int32_t y_stride, int8_t *scratch,\n"
    "                         int32_t rows, int32_t cols, int32_t multiplier, const int8_t *table) {\n"
    "  (void)scratch;\n"
    "  O2M_SYM(scale_calls)++;\n" TEXT(scale_body) "}\n";
#include "scale_op.h"

static void run(const o2m_node *node, const o2m_call *call) {
  const o2m_tensor *x = node->inputs[0], *y = node->outputs[0];
  scale_rows((const int8_t *)call->inputs[0], scale_stride_of(x), (int8_t *)call->outputs[0], scale_stride_of(y),
             call->rows, scale_cols_of(x), ((const scale_params *)node->params)->multiplier,
             node->epilogue ? (const int8_t *)node->constants[0].data : NULL);
}

SCALE_PLUGIN(scale_infer, scale_memory, run, scale_emit)
