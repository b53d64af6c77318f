/* Declares a constant and fills half of it. */
#include "scale_op.h"

static o2m_status infer(const o2m_host *host, const o2m_target *target, o2m_node *node) {
  const o2m_status status = scale_infer(host, target, node);
  node->constants[0].count = 512;
  return status;
}

static o2m_status pack(const o2m_host *host, const o2m_target *target, o2m_node *node) {
  (void)host, (void)target;
  memset(node->constants[0].data, 0, 256);
  return O2M_OK;
}
#define scale_pack pack

SCALE_PLUGIN(infer, scale_memory, scale_run, scale_emit)
