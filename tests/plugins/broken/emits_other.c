/* The emitted call has another multiplier than run(). */
#include "scale_op.h"

static o2m_status emit(const o2m_host *host, const o2m_target *target, const o2m_node *node, const o2m_emitter *e) {
  (void)host, (void)target;
  return scale_emit_with(node, e, kernel_text, ((const scale_params *)node->params)->multiplier + 1);
}

SCALE_PLUGIN(scale_infer, scale_memory, scale_run, emit)
