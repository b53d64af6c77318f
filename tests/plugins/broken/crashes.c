#include "scale_op.h"

static void run(const o2m_node *node, const o2m_call *call) {
  (void)node, (void)call;
  __builtin_trap();
}

SCALE_PLUGIN(scale_infer, scale_memory, run, scale_emit)
