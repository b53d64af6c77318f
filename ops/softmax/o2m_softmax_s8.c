/* o2m_softmax_s8.c - softmax, s8 input. */
#include "o2m_softmax.h"

/* x [rows][C] -> y [rows][C] */
void O2M_SYM(o2m_softmax_s8)(const int8_t *x, void *y, int32_t rows, const o2m_softmax_params *p) {
  for (int32_t r = 0; r < rows; ++r) {
    const int8_t *const from = x + r * p->x_row;
    int32_t largest = -128;
    uint64_t sum = 0;
    for (int32_t i = 0; i < p->features; ++i) largest = o2m_max(largest, from[i * p->x_column]);
    for (int32_t i = 0; i < p->features; ++i) sum += (uint64_t)p->low[largest - from[i * p->x_column]];
    const o2m_softmax_factor factor = o2m_softmax_reciprocal(sum, p);
    for (int32_t i = 0; i < p->features; ++i) {
      const int32_t e = p->low[largest - from[i * p->x_column]];
      o2m_softmax_store(p, y, r * p->y_row + i * p->y_column, e, factor);
    }
  }
}
