/* o2m_layer_norm_s16.c - layer normalisation, s16 input. */
#include "o2m_layer_norm.h"

static o2m_layer_norm_row row_scale(const int16_t *x, const o2m_layer_norm_params *p) {
  int32_t sum = 0; /* C <= 32768 */
  int64_t squares = 0;
  for (int32_t i = 0; i < p->features; ++i) {
    const int32_t v = x[i * p->x_column];
    sum += v;
    squares += v * v;
  }
  return o2m_layer_norm_scale(sum, squares, p);
}

/* x [rows][C] -> y [rows][C] */
void O2M_SYM(o2m_layer_norm_s16)(const int16_t *x, void *y, int32_t rows, const o2m_layer_norm_params *p) {
  for (int32_t r = 0; r < rows; ++r) {
    const int16_t *const from = x + r * p->x_row;
    const o2m_layer_norm_row row = row_scale(from, p);
    for (int32_t i = 0; i < p->features; ++i) {
      const int32_t t = (int32_t)o2m_floor_shift(from[i * p->x_column] * row.factor + row.addend, row.shift);
      o2m_layer_norm_store(p, y, r * p->y_row + i * p->y_column, i, t);
    }
  }
}
