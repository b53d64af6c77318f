#include "o2m_reduce.h"

static int32_t load(const void *x, int32_t at, int32_t type) {
  if (type == O2M_REDUCE_S8) return ((const int8_t *)x)[at];
  if (type == O2M_REDUCE_U8) return ((const uint8_t *)x)[at];
  return ((const int16_t *)x)[at];
}

static void store(void *y, int32_t at, int32_t acc, const o2m_reduce_params *p) {
  const int32_t q = p->y_zero + o2m_requantize(acc + p->offset, p->multiplier, p->shift);
  if (p->y_bytes == 2) {
    ((int16_t *)y)[at] = o2m_saturate_s16(q);
  } else {
    ((int8_t *)y)[at] = o2m_saturate_s8(q);
  }
}

/* Everything that goes into one output, on top of acc; `first` is how many of the outermost reduced axis there are. */
static int32_t reduce(const void *x, int32_t at, int32_t first, int32_t acc, const o2m_reduce_params *p) {
  for (int32_t i = 0; i < first; ++i) {
    for (int32_t j = 0; j < p->reduced[1]; ++j) {
      int32_t from = at + i * p->x_reduced[0] + j * p->x_reduced[1];
      for (int32_t k = 0; k < p->reduced[2]; ++k, from += p->x_reduced[2]) {
        const int32_t value = load(x, from, p->x_type);
        if (p->kind == O2M_REDUCE_SUM) {
          acc += value;
        } else {
          acc = o2m_max(acc, p->kind == O2M_REDUCE_MAX ? value - p->edge : p->edge - value);
        }
      }
    }
  }
  return acc;
}

void O2M_SYM(o2m_reduce)(const void *x, void *y, int32_t *state, int32_t rows, int32_t last,
                         const o2m_reduce_params *p) {
  const int32_t kept = p->rows_reduced ? p->kept[0] : rows, reduced = p->rows_reduced ? rows : p->reduced[0];
  for (int32_t i = 0; i < kept; ++i) {
    for (int32_t j = 0; j < p->kept[1]; ++j) {
      for (int32_t k = 0; k < p->kept[2]; ++k) {
        const int32_t from = i * p->x_kept[0] + j * p->x_kept[1] + k * p->x_kept[2];
        const int32_t acc = reduce(x, from, reduced, p->rows_reduced ? *state : 0, p);
        if (p->rows_reduced) *state++ = acc;
        if (last) store(y, i * p->y_kept[0] + j * p->y_kept[1] + k * p->y_kept[2], acc, p);
      }
    }
  }
}
