#include "o2m_mul_wide.h"

static int32_t load(const void *x, int32_t at, int32_t bytes) {
  if (bytes == 1) return ((const int8_t *)x)[at];
  if (bytes == 2) return ((const int16_t *)x)[at];
  return ((const int32_t *)x)[at];
}

static void store(void *y, int32_t at, int32_t bytes, int32_t value) {
  if (bytes == 1) {
    ((int8_t *)y)[at] = o2m_saturate_s8(value);
  } else if (bytes == 2) {
    ((int16_t *)y)[at] = o2m_saturate_s16(value);
  } else {
    ((int32_t *)y)[at] = value;
  }
}

void O2M_SYM(o2m_mul_wide)(const void *a, const void *b, void *y, int32_t rows, const o2m_mul_wide_params *p) {
  for (int32_t r = 0; r < rows; ++r) {
    for (int32_t i = 0; i < p->count; ++i) {
      const int64_t left = (int64_t)load(a, r * p->a_row + i * p->a_step, p->a_bytes) - p->a_zero;
      const int64_t right = (int64_t)load(b, r * p->b_row + i * p->b_step, p->b_bytes) - p->b_zero;
      const int64_t product = o2m_floor_shift(left * right, p->drop) * p->multiplier;
      const int64_t value = p->y_zero + o2m_round_shift(product, p->shift);
      store(y, r * p->y_row + i * p->y_step, p->y_bytes, o2m_saturate_s32(value));
    }
  }
}
