/* Skips a row of a last call that has fewer rows than the others. */
#include "scale_op.h"

static void run(const o2m_node *node, const o2m_call *call) {
  o2m_call shorter = *call;
  const int32_t end = call->first + call->rows;
  if (end == scale_rows_of(node->inputs[0]) && call->first % call->rows != 0) shorter.rows--;
  scale_run(node, &shorter);
}

SCALE_PLUGIN(scale_infer, scale_memory, run, scale_emit)
