#include "o2m_unary_s16.h"

/* The last segment that starts at x or below. */
static inline int32_t segment_of(int32_t x, const int16_t *start, int32_t segments, int32_t leap) {
  int32_t i = 0;
  for (; leap > 0; leap /= 2) {
    if (i + leap < segments && start[i + leap] <= x) i += leap;
  }
  return i;
}

void O2M_SYM(o2m_unary_s16)(const int16_t *x, void *y, int32_t rows, const o2m_unary_s16_params *p) {
  const int32_t bits = p->y_bytes == 2 ? 14 : 22, half = 1 << (bits - 1);
  for (int32_t r = 0; r < rows; ++r) {
    for (int32_t n = 0; n < p->count; ++n) {
      const int32_t value = x[r * p->x_row + n * p->x_step], at = r * p->y_row + n * p->y_step;
      const int32_t i = segment_of(value, p->start, p->segments, p->leap);
      const int32_t sum = p->base[i] + p->slope[i] * (value - p->start[i]);
      const int32_t q = o2m_floor_shift32(sum + half, bits);
      if (p->y_bytes == 2) {
        ((int16_t *)y)[at] = o2m_saturate_s16(q);
      } else {
        ((int8_t *)y)[at] = o2m_saturate_s8(q);
      }
    }
  }
}
