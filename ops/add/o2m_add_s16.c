#include "o2m_add.h"

/* A residual stream of s16 adds s8 branches and may end in s8: every mix of the two but the one in o2m_add_s8.c. */
#define O2M_ADD(NAME, A, B, Y, SATURATE)                                                        \
  void O2M_SYM(NAME)(const A *a, const B *b, Y *y, int32_t rows, const o2m_add_params *p) {     \
    const int32_t count = p->count, a_step = p->a_step, b_step = p->b_step, y_step = p->y_step; \
    const int64_t a_multiplier = p->a_multiplier, b_multiplier = p->b_multiplier;               \
    for (int32_t r = 0; r < rows; ++r) {                                                        \
      int32_t ia = r * p->a_row, ib = r * p->b_row, iy = r * p->y_row;                          \
      for (int32_t i = 0; i < count; ++i) {                                                     \
        const int64_t sum = a[ia] * a_multiplier + b[ib] * b_multiplier + p->bias;              \
        y[iy] = SATURATE(o2m_saturate_s32(o2m_floor_shift(sum, p->shift)));                     \
        ia += a_step;                                                                           \
        ib += b_step;                                                                           \
        iy += y_step;                                                                           \
      }                                                                                         \
    }                                                                                           \
  }

O2M_ADD(o2m_add_s8_s8_s16, int8_t, int8_t, int16_t, o2m_saturate_s16)
O2M_ADD(o2m_add_s8_s16_s8, int8_t, int16_t, int8_t, o2m_saturate_s8)
O2M_ADD(o2m_add_s8_s16_s16, int8_t, int16_t, int16_t, o2m_saturate_s16)
O2M_ADD(o2m_add_s16_s8_s8, int16_t, int8_t, int8_t, o2m_saturate_s8)
O2M_ADD(o2m_add_s16_s8_s16, int16_t, int8_t, int16_t, o2m_saturate_s16)
O2M_ADD(o2m_add_s16_s16_s8, int16_t, int16_t, int8_t, o2m_saturate_s8)
O2M_ADD(o2m_add_s16, int16_t, int16_t, int16_t, o2m_saturate_s16)
