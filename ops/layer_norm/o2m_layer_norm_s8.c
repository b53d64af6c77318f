/* o2m_layer_norm_s8.c - layer normalisation, s8 input. */
#include "o2m_layer_norm.h"

static o2m_layer_norm_moments moments_of(const int8_t *x, const o2m_layer_norm_params *p) {
  const int32_t c = p->features;
  int32_t sum = 0, squares = 0, i = 0;
  for (; i + 4 <= c; i += 4, x += 4) {
    const int32_t v0 = x[0], v1 = x[1], v2 = x[2], v3 = x[3];
    sum += v0 + v1 + v2 + v3;
    squares += v0 * v0 + v1 * v1 + v2 * v2 + v3 * v3;
  }
  for (; i < c; ++i, ++x) {
    sum += *x;
    squares += *x * *x;
  }
  const o2m_layer_norm_moments moments = {sum, (uint32_t)squares};
  return moments;
}

static inline int8_t value(int32_t x, o2m_layer_norm_row row, const int32_t *gain, const int32_t *offset,
                           int32_t shift) {
  return o2m_saturate_s8(o2m_layer_norm_y(o2m_layer_norm_t(x, row), *gain, *offset, shift));
}

static void write_row(const int8_t *x, int8_t *y, o2m_layer_norm_row row, const o2m_layer_norm_params *p) {
  const int32_t *gain = p->gain, *offset = p->offset;
  const int32_t shift = p->shift, c = p->features;
  int32_t i = 0;
  row.wide = 0;
  for (; i + 4 <= c; i += 4, x += 4, y += 4, gain += 4, offset += 4) {
    y[0] = value(x[0], row, gain, offset, shift);
    y[1] = value(x[1], row, gain + 1, offset + 1, shift);
    y[2] = value(x[2], row, gain + 2, offset + 2, shift);
    y[3] = value(x[3], row, gain + 3, offset + 3, shift);
  }
  for (; i < c; ++i) *y++ = value(*x++, row, gain++, offset++, shift);
}

/* x [rows][C] -> y [rows][C] */
void O2M_SYM(o2m_layer_norm_s8)(const int8_t *x, void *y, int32_t rows, const o2m_layer_norm_params *p) {
  const int32_t dense = o2m_layer_norm_is_dense(p);
  for (int32_t r = 0; r < rows; ++r) {
    const int8_t *const from = x + r * p->x_row;
    int8_t *const to = (int8_t *)y + r * p->y_row * p->y_bytes;
    const o2m_layer_norm_row row =
        o2m_layer_norm_row_s8(dense ? moments_of(from, p) : o2m_layer_norm_moments_of(from, 1, p), p);
    if (dense) {
      write_row(from, to, row, p);
    } else {
      o2m_layer_norm_write(from, 1, to, row, p);
    }
  }
}
