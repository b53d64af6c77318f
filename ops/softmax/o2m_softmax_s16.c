/* o2m_softmax_s16.c - softmax, s16 input. */
#include "o2m_softmax.h"

/* exp(-d * scale_x) in Q23, 0 <= d < 65536 */
static int32_t exponential(int32_t d, const o2m_softmax_params *p) {
  return (int32_t)o2m_round_shift((int64_t)p->low[d & 255] * p->high[d >> 8], 37);
}

/* x [rows][C] -> y [rows][C] */
void O2M_SYM(o2m_softmax_s16)(const int16_t *x, void *y, int32_t rows, const o2m_softmax_params *p) {
  for (int32_t r = 0; r < rows; ++r) {
    const int16_t *const from = x + r * p->x_row;
    int32_t largest = -32768;
    uint64_t sum = 0;
    for (int32_t i = 0; i < p->features; ++i) largest = o2m_max(largest, from[i * p->x_column]);
    for (int32_t i = 0; i < p->features; ++i) sum += (uint64_t)exponential(largest - from[i * p->x_column], p);
    const o2m_softmax_factor factor = o2m_softmax_reciprocal(sum, p);
    for (int32_t i = 0; i < p->features; ++i) {
      const int32_t e = exponential(largest - from[i * p->x_column], p);
      o2m_softmax_store(p, y, r * p->y_row + i * p->y_column, e, factor);
    }
  }
}
