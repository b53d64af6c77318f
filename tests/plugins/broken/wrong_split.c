/* Claims that halves of the input's columns give the whole output. */
#define scale_extension right_extension
#include "scale_op.h"
#undef scale_extension

static o2m_status split(const o2m_node *node, int32_t choice, o2m_split *split) {
  const o2m_status status = scale_split(node, choice, split);
  split->input_axis[0] = O2M_NONE;
  return status;
}
static const o2m_splitter wrong_splitter = {split};

static const void *scale_extension(const char *id) {
  return strcmp(id, "o2m.split/1") == 0 ? &wrong_splitter : right_extension(id);
}

SCALE_PLUGIN(scale_infer, scale_memory, scale_run, scale_emit)
