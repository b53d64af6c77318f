/* o2m_layer_norm_s16.c - layer normalisation, s16 input. */
#include "o2m_layer_norm.h"

static o2m_layer_norm_moments moments_of(const int16_t *x, const o2m_layer_norm_params *p) {
  const int32_t c = p->features;
  o2m_layer_norm_moments m = {0, 0};
  int32_t i = 0;
  for (; i + 4 <= c; i += 4, x += 4) { /* two squares fit u32 */
    const int32_t v0 = x[0], v1 = x[1], v2 = x[2], v3 = x[3];
    m.sum += v0 + v1 + v2 + v3;
    m.squares += (uint32_t)(v0 * v0) + (uint32_t)(v1 * v1);
    m.squares += (uint32_t)(v2 * v2) + (uint32_t)(v3 * v3);
  }
  for (; i < c; ++i, ++x) {
    m.sum += *x;
    m.squares += (uint32_t)(*x * *x);
  }
  return m;
}

static inline int8_t value(int32_t x, o2m_layer_norm_row row, const int32_t *gain, const int32_t *offset,
                           int32_t shift) {
  return o2m_saturate_s8(o2m_layer_norm_y(o2m_layer_norm_t(x, row), *gain, *offset, shift));
}

static inline void write_mode(const int16_t *x, int8_t *y, o2m_layer_norm_row row, const o2m_layer_norm_params *p) {
  const int32_t *gain = p->gain, *offset = p->offset;
  const int32_t shift = p->shift, c = p->features;
  int32_t i = 0;
  for (; i + 4 <= c; i += 4, x += 4, y += 4, gain += 4, offset += 4) {
    const int32_t v0 = x[0], v1 = x[1], v2 = x[2], v3 = x[3];
    y[0] = value(v0, row, gain, offset, shift);
    y[1] = value(v1, row, gain + 1, offset + 1, shift);
    y[2] = value(v2, row, gain + 2, offset + 2, shift);
    y[3] = value(v3, row, gain + 3, offset + 3, shift);
  }
  for (; i < c; ++i) *y++ = value(*x++, row, gain++, offset++, shift);
}

/* Expanded once for wide rows, once for narrow ones. */
static void write_row(const int16_t *x, int8_t *y, o2m_layer_norm_row row, const o2m_layer_norm_params *p) {
  if (row.wide) {
    row.wide = 1;
    write_mode(x, y, row, p);
  } else {
    write_mode(x, y, row, p);
  }
}

/* x [rows][C] -> y [rows][C] */
void O2M_SYM(o2m_layer_norm_s16)(const int16_t *x, void *y, int32_t rows, const o2m_layer_norm_params *p) {
  const int32_t dense = o2m_layer_norm_is_dense(p);
  for (int32_t r = 0; r < rows; ++r) {
    const int16_t *const from = x + r * p->x_row;
    int8_t *const to = (int8_t *)y + r * p->y_row * p->y_bytes;
    const o2m_layer_norm_row row =
        o2m_layer_norm_row_s16(dense ? moments_of(from, p) : o2m_layer_norm_moments_of(from, 2, p), p);
    if (dense) {
      write_row(from, to, row, p);
    } else {
      o2m_layer_norm_write(from, 2, to, row, p);
    }
  }
}
