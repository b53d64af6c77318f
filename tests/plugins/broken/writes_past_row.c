/* Writes one byte past a row where rows are further apart than they are long. */
#include "scale_op.h"

static void run(const o2m_node *node, const o2m_call *call) {
  const o2m_tensor *y = node->outputs[0];
  scale_run(node, call);
  if (scale_stride_of(y) > scale_cols_of(y)) ((int8_t *)call->outputs[0])[scale_cols_of(y)] = 42;
}

SCALE_PLUGIN(scale_infer, scale_memory, run, scale_emit)
