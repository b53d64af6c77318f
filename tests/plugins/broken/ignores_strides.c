/* Says that it takes strided rows and walks dense ones. */
#include "scale_op.h"

static void run(const o2m_node *node, const o2m_call *call) {
  const int32_t cols = scale_cols_of(node->inputs[0]);
  scale_rows((const int8_t *)call->inputs[0], cols, (int8_t *)call->outputs[0], cols, (int8_t *)call->scratch,
             call->rows, cols, ((const scale_params *)node->params)->multiplier,
             node->epilogue ? (const int8_t *)node->constants[0].data : NULL);
}

SCALE_PLUGIN(scale_infer, scale_memory, run, scale_emit)
