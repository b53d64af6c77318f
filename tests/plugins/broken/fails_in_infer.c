/* Refuses its own cases. */
#include "scale_op.h"

static o2m_status infer(const o2m_host *host, const o2m_target *target, o2m_node *node) {
  (void)target, (void)node;
  host->error(host, "input 0 has the wrong colour;\nblue would work");
  return O2M_INVALID_ARGUMENT;
}

SCALE_PLUGIN(infer, scale_memory, scale_run, scale_emit)
