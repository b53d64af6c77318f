/* o2m_layer_norm_s8.c - layer normalisation, s8 input. */
#include "o2m_layer_norm.h"

static o2m_layer_norm_row row_scale(const int8_t *x, const o2m_layer_norm_params *p) {
  int32_t sum = 0, squares = 0; /* C <= 32768 */
  if (p->x_column == 1) {
    for (int32_t i = 0; i < p->features; ++i) {
      sum += x[i];
      squares += x[i] * x[i];
    }
  } else {
    for (int32_t i = 0; i < p->features; ++i) {
      const int32_t v = x[i * p->x_column];
      sum += v;
      squares += v * v;
    }
  }
  return o2m_layer_norm_scale(sum, squares, p);
}

/* x [rows][C] -> y [rows][C]. t fits s32 although its two terms may not, so they are added modulo 2^32. */
void O2M_SYM(o2m_layer_norm_s8)(const int8_t *x, void *y, int32_t rows, const o2m_layer_norm_params *p) {
  for (int32_t r = 0; r < rows; ++r) {
    const int8_t *const from = x + r * p->x_row;
    const o2m_layer_norm_row row = row_scale(from, p);
    const int64_t half = row.shift > 0 ? (int64_t)1 << (row.shift - 1) : 0;
    const uint32_t factor = (uint32_t)o2m_floor_shift(row.factor + half, row.shift);
    const uint32_t addend = (uint32_t)o2m_floor_shift(row.addend + half, row.shift);
    for (int32_t i = 0; i < p->features; ++i) {
      const int32_t t = (int32_t)((uint32_t)from[i * p->x_column] * factor + addend);
      o2m_layer_norm_store(p, y, r * p->y_row + i * p->y_column, i, t);
    }
  }
}
