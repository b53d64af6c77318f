#include "scale_op.h"

static void run(const o2m_node *node, const o2m_call *call) {
  o2m_node plain = *node;
  plain.epilogue = NULL;
  scale_run(&plain, call);
}

SCALE_PLUGIN(scale_infer, scale_memory, run, scale_emit)
