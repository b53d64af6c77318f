#include "o2m_mul_wide.h"

#include "o2m_wide.h"

void O2M_SYM(o2m_mul_wide)(const void *a, const void *b, void *y, int32_t rows, const o2m_mul_wide_params *p) {
  for (int32_t r = 0; r < rows; ++r) {
    for (int32_t i = 0; i < p->count; ++i) {
      const int64_t left = (int64_t)o2m_load(a, r * p->a_row + i * p->a_step, p->a_bytes) - p->a_zero;
      const int64_t right = (int64_t)o2m_load(b, r * p->b_row + i * p->b_step, p->b_bytes) - p->b_zero;
      const int64_t product = o2m_floor_shift(left * right, p->drop) * p->multiplier;
      const int64_t value = p->y_zero + o2m_round_shift(product, p->shift);
      o2m_store(y, r * p->y_row + i * p->y_step, p->y_bytes, o2m_saturate_s32(value));
    }
  }
}
