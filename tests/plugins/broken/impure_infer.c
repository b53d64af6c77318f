/* Every second call gives other params. */
#include "scale_op.h"

static int32_t calls;

static o2m_status infer(const o2m_host *host, const o2m_target *target, o2m_node *node) {
  ((scale_params *)node->params)->multiplier += calls++ & 1;
  return scale_infer(host, target, node);
}

SCALE_PLUGIN(infer, scale_memory, scale_run, scale_emit)
