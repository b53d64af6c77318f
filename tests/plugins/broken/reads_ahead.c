/* Looks at the row after the call's last one. */
#include "scale_op.h"

static void run(const o2m_node *node, const o2m_call *call) {
  const o2m_tensor *x = node->inputs[0];
  scale_run(node, call);
  if (call->first + call->rows < scale_rows_of(x))
    *(int8_t *)call->outputs[0] = ((const int8_t *)call->inputs[0])[call->rows * scale_stride_of(x)];
}

SCALE_PLUGIN(scale_infer, scale_memory, run, scale_emit)
