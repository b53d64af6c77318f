/* The offered table differs from run() in one entry. */
#define scale_extension right_extension
#include "scale_op.h"
#undef scale_extension

static o2m_status fill(const o2m_node *node, int8_t *table) {
  const o2m_status status = scale_fill(node, table);
  table[3]++;
  return status;
}
static const o2m_unary_table wrong_table = {fill};

static const void *scale_extension(const char *id) {
  return strcmp(id, "o2m.unary_table/1") == 0 ? &wrong_table : right_extension(id);
}

SCALE_PLUGIN(scale_infer, scale_memory, scale_run, scale_emit)
