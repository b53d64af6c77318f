#include "o2m_binary.h"

static int32_t load(const void *x, int32_t at, int32_t bytes) {
  return bytes == 1 ? ((const int8_t *)x)[at] : ((const int16_t *)x)[at];
}

static void store(void *y, int32_t at, int64_t value, const o2m_binary_params *p) {
  const int32_t q = o2m_saturate_s32(p->y_zero + value);
  if (p->y_bytes == 2) {
    ((int16_t *)y)[at] = o2m_saturate_s16(q);
  } else {
    ((int8_t *)y)[at] = o2m_saturate_s8(q);
  }
}

static int64_t quotient(int32_t a, int32_t b, const o2m_binary_params *p) {
  const int64_t numerator = (int64_t)(b < 0 ? -a : a) * p->a_multiplier;
  const int64_t denominator = (int64_t)(b < 0 ? -b : b) << p->shift;
  if (b == 0) return a > 0 ? INT32_MAX : a < 0 ? INT32_MIN : 0;
  return o2m_divide_round(numerator, denominator);
}

static int64_t combine(int32_t a, int32_t b, const o2m_binary_params *p) {
  const int64_t left = (int64_t)a * p->a_multiplier, right = (int64_t)b * p->b_multiplier;
  if (p->kind == O2M_BINARY_DIV) return quotient(a, b, p);
  if (p->kind == O2M_BINARY_MAX) return o2m_round_shift(left > right ? left : right, p->shift);
  return o2m_round_shift(left < right ? left : right, p->shift);
}

void O2M_SYM(o2m_binary)(const void *a, const void *b, void *y, int32_t rows, const o2m_binary_params *p) {
  for (int32_t r = 0; r < rows; ++r) {
    int32_t ia = r * p->a_row, ib = r * p->b_row, iy = r * p->y_row;
    for (int32_t i = 0; i < p->count; ++i) {
      const int32_t left = load(a, ia, p->a_bytes) - p->a_zero, right = load(b, ib, p->b_bytes) - p->b_zero;
      store(y, iy, combine(left, right, p), p);
      ia += p->a_step;
      ib += p->b_step;
      iy += p->y_step;
    }
  }
}
