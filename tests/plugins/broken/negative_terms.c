/* States fewer than no blocks from two rows on. */
#define scale_extension right_extension
#include "scale_op.h"
#undef scale_extension

static int32_t terms(const o2m_target *target, const o2m_node *node, int32_t rows, o2m_term *list, int32_t capacity) {
  (void)target, (void)node, (void)capacity;
  list[0].kernel = "scale";
  list[0].name = "blocks";
  list[0].count = 1 - rows / 2 * 2;
  return 1;
}
static const o2m_terms negative_terms = {terms};

static const void *scale_extension(const char *id) {
  return strcmp(id, "o2m.terms/1") == 0 ? &negative_terms : right_extension(id);
}

SCALE_PLUGIN(scale_infer, scale_memory, scale_run, scale_emit)
