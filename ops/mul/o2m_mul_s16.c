#include "o2m_mul.h"

/* Every mix of s8 and s16 but the one in o2m_mul_s8.c. */
#define O2M_MUL(NAME, A, B, Y, SATURATE)                                                        \
  void O2M_SYM(NAME)(const A *a, const B *b, Y *y, int32_t rows, const o2m_mul_params *p) {     \
    const int32_t count = p->count, a_step = p->a_step, b_step = p->b_step, y_step = p->y_step; \
    for (int32_t r = 0; r < rows; ++r) {                                                        \
      int32_t ia = r * p->a_row, ib = r * p->b_row, iy = r * p->y_row;                          \
      for (int32_t i = 0; i < count; ++i) {                                                     \
        const int64_t product = (int64_t)(a[ia] - p->a_zero) * (b[ib] - p->b_zero);             \
        const int64_t q = p->y_zero + o2m_round_shift(product * p->multiplier, p->shift);       \
        y[iy] = SATURATE(o2m_saturate_s32(q));                                                  \
        ia += a_step;                                                                           \
        ib += b_step;                                                                           \
        iy += y_step;                                                                           \
      }                                                                                         \
    }                                                                                           \
  }

O2M_MUL(o2m_mul_s8_s8_s16, int8_t, int8_t, int16_t, o2m_saturate_s16)
O2M_MUL(o2m_mul_s8_s16_s8, int8_t, int16_t, int8_t, o2m_saturate_s8)
O2M_MUL(o2m_mul_s8_s16_s16, int8_t, int16_t, int16_t, o2m_saturate_s16)
O2M_MUL(o2m_mul_s16_s8_s8, int16_t, int8_t, int8_t, o2m_saturate_s8)
O2M_MUL(o2m_mul_s16_s8_s16, int16_t, int8_t, int16_t, o2m_saturate_s16)
O2M_MUL(o2m_mul_s16_s16_s8, int16_t, int16_t, int8_t, o2m_saturate_s8)
O2M_MUL(o2m_mul_s16, int16_t, int16_t, int16_t, o2m_saturate_s16)
