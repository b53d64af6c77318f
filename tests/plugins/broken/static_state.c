/* Counts its calls and lets the count show. */
#include "scale_op.h"

static int32_t calls;

static void run(const o2m_node *node, const o2m_call *call) {
  scale_run(node, call);
  if (++calls > 4) *(int8_t *)call->outputs[0] = (int8_t)(calls & 127);
}

SCALE_PLUGIN(scale_infer, scale_memory, run, scale_emit)
