#include "scale_op.h"

static int32_t calls;

static void memory(const o2m_target *target, const o2m_node *node, int32_t rows, o2m_memory *contract) {
  scale_memory(target, node, rows, contract);
  contract->scratch_bytes += calls++;
}

SCALE_PLUGIN(scale_infer, memory, scale_run, scale_emit)
