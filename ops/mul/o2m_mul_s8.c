#include "o2m_mul.h"

void O2M_SYM(o2m_mul_s8)(const int8_t *a, const int8_t *b, int8_t *y, int32_t rows, const o2m_mul_params *p) {
  const int32_t count = p->count, a_step = p->a_step, b_step = p->b_step, y_step = p->y_step;
  for (int32_t r = 0; r < rows; ++r) {
    int32_t ia = r * p->a_row, ib = r * p->b_row, iy = r * p->y_row;
    for (int32_t i = 0; i < count; ++i) {
      const int32_t product = (a[ia] - p->a_zero) * (b[ib] - p->b_zero);
      const int64_t q = p->y_zero + o2m_round_shift((int64_t)product * p->multiplier, p->shift);
      y[iy] = o2m_saturate_s8(o2m_saturate_s32(q));
      ia += a_step;
      ib += b_step;
      iy += y_step;
    }
  }
}
