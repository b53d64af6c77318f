#include "o2m_unary_s32.h"

/* The last stair that starts at x or below. */
static int32_t stair_of(int32_t x, const o2m_unary_s32_params *p) {
  int32_t i = 0;
  for (int32_t leap = p->leap; leap > 0; leap /= 2) {
    if (i + leap < p->stairs && p->start[i + leap] <= x) i += leap;
  }
  return i;
}

void O2M_SYM(o2m_unary_s32)(const int32_t *x, int8_t *y, int32_t rows, const o2m_unary_s32_params *p) {
  for (int32_t r = 0; r < rows; ++r) {
    for (int32_t i = 0; i < p->count; ++i)
      y[r * p->y_row + i * p->y_step] = p->value[stair_of(x[r * p->x_row + i * p->x_step], p)];
  }
}
