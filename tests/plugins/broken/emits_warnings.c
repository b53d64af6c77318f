/* The emitted kernel narrows without a cast. */
#include "scale_op.h"

static o2m_status emit(const o2m_host *host, const o2m_target *target, const o2m_node *node, const o2m_emitter *e) {
  (void)host, (void)target;
  e->source(e, "extra.c", "#include <stdint.h>\nint8_t O2M_SYM_(int32_t);\nint8_t O2M_SYM_(int32_t v) { return v; }\n");
  return scale_emit_with(node, e, kernel_text, ((const scale_params *)node->params)->multiplier);
}

SCALE_PLUGIN(scale_infer, scale_memory, scale_run, emit)
