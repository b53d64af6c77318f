#include "o2m_add.h"

void O2M_SYM(o2m_add_s8)(const int8_t *a, const int8_t *b, int8_t *y, int32_t rows, const o2m_add_params *p) {
  const int32_t count = p->count, a_step = p->a_step, b_step = p->b_step, y_step = p->y_step, shift = p->shift;
  const int32_t a_multiplier = p->a_multiplier, b_multiplier = p->b_multiplier, bias = (int32_t)p->bias;
  for (int32_t r = 0; r < rows; ++r) {
    int32_t ia = r * p->a_row, ib = r * p->b_row, iy = r * p->y_row;
    for (int32_t i = 0; i < count; ++i) {
      const int32_t sum = a[ia] * a_multiplier + b[ib] * b_multiplier + bias;
      y[iy] = o2m_saturate_s8(o2m_floor_shift32(sum, shift));
      ia += a_step;
      ib += b_step;
      iy += y_step;
    }
  }
}
