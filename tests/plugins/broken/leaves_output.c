/* Leaves the last element of a call as it was. */
#include "scale_op.h"

static void run(const o2m_node *node, const o2m_call *call) {
  const o2m_tensor *y = node->outputs[0];
  int8_t *last = (int8_t *)call->outputs[0] + (call->rows - 1) * scale_stride_of(y) + scale_cols_of(y) - 1;
  const int8_t before = *last;
  scale_run(node, call);
  *last = before;
}

SCALE_PLUGIN(scale_infer, scale_memory, run, scale_emit)
