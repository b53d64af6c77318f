/* o2m_add_loops.h - the loops of o2m_add.h in C, for any types and strides. */
#ifndef O2M_ADD_LOOPS_H_
#define O2M_ADD_LOOPS_H_
#include "o2m_add.h"

typedef int8_t o2m_add_s8_t;
typedef int16_t o2m_add_s16_t;

/* A, or B */
static inline int32_t o2m_add_term_s8(int32_t x, int32_t multiplier) { return x * multiplier; }
static inline int32_t o2m_add_term_s16(int32_t x, int32_t multiplier) { return o2m_product_16(multiplier, x); }

/* The sum of a[ia] and b[ib], of types A and B, s8 or s16, as y of type Y. */
#define O2M_ADD_SUM(A, B, Y, ia, ib) \
  o2m_saturate_##Y(                  \
      o2m_floor_shift32(o2m_add_term_##A(a[ia], a_multiplier) + o2m_add_term_##B(b[ib], b_multiplier) + bias, shift))

/* Function NAME_row; values that lie side by side go four at a time. */
#define O2M_ADD_ROW(NAME, A, B, Y)                                                                                  \
  static void NAME##_row(const o2m_add_##A##_t *a, const o2m_add_##B##_t *b, o2m_add_##Y##_t *y,                    \
                         const o2m_add_params *p) {                                                                 \
    const int32_t a_multiplier = p->a_multiplier, b_multiplier = p->b_multiplier, bias = p->bias, shift = p->shift; \
    const int32_t count = p->count, a_step = p->a_step, b_step = p->b_step, y_step = p->y_step;                     \
    int32_t i = 0;                                                                                                  \
    if (a_step == 1 && b_step == 1 && y_step == 1) {                                                                \
      for (; i + 4 <= count; i += 4, a += 4, b += 4, y += 4) {                                                      \
        y[0] = O2M_ADD_SUM(A, B, Y, 0, 0);                                                                          \
        y[1] = O2M_ADD_SUM(A, B, Y, 1, 1);                                                                          \
        y[2] = O2M_ADD_SUM(A, B, Y, 2, 2);                                                                          \
        y[3] = O2M_ADD_SUM(A, B, Y, 3, 3);                                                                          \
      }                                                                                                             \
    }                                                                                                               \
    for (; i < count; ++i, a += a_step, b += b_step, y += y_step) *y = O2M_ADD_SUM(A, B, Y, 0, 0);                  \
  }

/* Function SYMBOL, of all rows. */
#define O2M_ADD_ROWS(NAME, SYMBOL, A, B, Y)                                                                  \
  void O2M_SYM(SYMBOL)(const o2m_add_##A##_t *a, const o2m_add_##B##_t *b, o2m_add_##Y##_t *y, int32_t rows, \
                       const o2m_add_params *p) {                                                            \
    for (int32_t r = 0; r < rows; ++r) NAME##_row(a + r * p->a_row, b + r * p->b_row, y + r * p->y_row, p);  \
  }
#define O2M_ADD(NAME, A, B, Y) O2M_ADD_ROW(NAME, A, B, Y) O2M_ADD_ROWS(NAME, NAME, A, B, Y)

#endif
