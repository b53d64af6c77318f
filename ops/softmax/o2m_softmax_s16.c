/* o2m_softmax_s16.c - softmax, s16 input. */
#include "o2m_softmax.h"

/* x [rows][C] -> y [rows][C] */
void O2M_SYM(o2m_softmax_s16)(const int16_t *x, void *y, int32_t rows, const o2m_softmax_params *p) {
  for (int32_t r = 0; r < rows; ++r) {
    o2m_softmax_row(x + r * p->x_row, 2, (int8_t *)y + r * p->y_row * p->y_bytes, p);
  }
}
