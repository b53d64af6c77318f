#include "o2m_top_k.h"

static int32_t load(const void *x, int32_t at, int32_t type) {
  if (type == O2M_TOP_K_S8) return ((const int8_t *)x)[at];
  if (type == O2M_TOP_K_U8) return ((const uint8_t *)x)[at];
  return ((const int16_t *)x)[at];
}

static void store(void *y, int32_t at, int32_t value, int32_t type) {
  if (type == O2M_TOP_K_S8) {
    ((int8_t *)y)[at] = (int8_t)value;
  } else if (type == O2M_TOP_K_U8) {
    ((uint8_t *)y)[at] = (uint8_t)value;
  } else {
    ((int16_t *)y)[at] = (int16_t)value;
  }
}

/* Whether value a at place i comes before value b at place j. */
static int before(int32_t a, int32_t i, int32_t b, int32_t j, const o2m_top_k_params *p) {
  if (a != b) return p->smallest ? a < b : a > b;
  return p->last ? i > j : i < j;
}

/* The place that comes first of those behind `place`; -1: of all. */
static int32_t next(const void *x, int32_t at, int32_t place, const o2m_top_k_params *p) {
  const int32_t value = place < 0 ? 0 : load(x, at + place * p->x_axis, p->x_type);
  int32_t best = -1, best_value = 0;
  for (int32_t i = 0; i < p->size; ++i) {
    const int32_t v = load(x, at + i * p->x_axis, p->x_type);
    if (i == place || (place >= 0 && before(v, i, value, place, p))) continue;
    if (best < 0 || before(v, i, best_value, best, p)) {
      best = i;
      best_value = v;
    }
  }
  return best;
}

static void line(const void *x, int32_t at, int32_t *indices, void *values, int32_t value_at,
                 const o2m_top_k_params *p) {
  int32_t place = -1;
  for (int32_t i = 0; i < p->k; ++i) {
    place = next(x, at, place, p);
    indices[i * p->index_axis] = place;
    if (values) store(values, value_at + i * p->value_axis, load(x, at + place * p->x_axis, p->x_type), p->x_type);
  }
}

void O2M_SYM(o2m_top_k)(const void *x, int32_t *indices, void *values, const o2m_top_k_params *p) {
  for (int32_t i = 0; i < p->kept[0]; ++i) {
    for (int32_t j = 0; j < p->kept[1]; ++j) {
      for (int32_t k = 0; k < p->kept[2]; ++k) {
        const int32_t at = i * p->x_kept[0] + j * p->x_kept[1] + k * p->x_kept[2];
        const int32_t index_at = i * p->index_kept[0] + j * p->index_kept[1] + k * p->index_kept[2];
        const int32_t value_at = i * p->value_kept[0] + j * p->value_kept[1] + k * p->value_kept[2];
        line(x, at, indices + index_at, values, value_at, p);
      }
    }
  }
}
