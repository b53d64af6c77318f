/* o2m_linear_dsp.c - all columns of a tile of rows. Whole groups of columns are requantised and stored by the tile
 * itself; the last columns, and factors that its one multiplication cannot take, go through o2m_linear_store(). */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("Os") /* the loops are in assembly; what is around them is to be small */
#endif
#include "o2m_linear_dsp.h"

#include <string.h>

/* Whether |acc| stays below 2^(shift - 1). Biases: linear_layer.hpp. */
static int32_t is_narrow(const o2m_linear_params *p, int32_t most) {
  return most > 128 || (int64_t)2 * p->depth * 127 * 128 + (1 << 26) < (int64_t)1 << (p->shift - 1);
}

/* All but the weights, bias, multipliers and place of four columns. */
static o2m_dot_dsp products_of(const o2m_linear_params *p) {
  o2m_dot_dsp d;
  memset(&d, 0, sizeof d);
  d.blocks = o2m_dot_dsp_blocks(p->depth);
  d.zero = p->y_zero + (p->table ? 128 : 0);
  d.row_bytes = p->y_row * p->y_bytes;
  d.column_bytes = p->y_column * p->y_bytes;
  d.table = p->table;
  d.store = p->table          ? O2M_DOT_DSP_TABLE
            : p->y_bytes == 1 ? O2M_DOT_DSP_S8
            : p->y_bytes == 2 ? O2M_DOT_DSP_S16
                              : O2M_DOT_DSP_S32;
  d.half = p->acc_shift > 0 ? 1 << (p->acc_shift - 1) : 0;
  d.down = p->acc_shift;
  d.up = 32 - p->shift;
  return d;
}

/* Four columns of all rows. */
static void store_tiles(const uint32_t *panels, int32_t rows, o2m_dot_dsp *d) {
  const int32_t row_bytes = d->row_bytes;
  const uint32_t *const last = panels + rows / 2 * 4 * d->blocks;
  if (rows > 1) O2M_SYM(o2m_dot_dsp_run)(panels, last, d);
  if (rows % 2 == 0) return;
  d->y = (char *)d->y + (rows - 1) * row_bytes;
  d->row_bytes = 0;
  O2M_SYM(o2m_dot_dsp_run)(last, last + 4 * d->blocks, d);
  d->row_bytes = row_bytes;
}

/* Columns n .. n + valid - 1 of all rows. */
static void store_sums(const uint32_t *panels, int32_t rows, int32_t n, int32_t valid, const o2m_dot_dsp *products,
                       void *y, const o2m_linear_params *p) {
  int32_t bias[4] = {0, 0, 0, 0}, sums[8]; /* sums[4 * row + column] of two rows */
  o2m_dot_dsp d = *products;
  for (int32_t i = 0; i < valid; ++i) bias[i] = p->bias[n + i];
  d.bias = bias;
  d.y = sums;
  d.row_bytes = 16;
  d.column_bytes = 4;
  d.store = O2M_DOT_DSP_RAW;
  d.down = d.up = 0;
  O2M_SYM(o2m_dot_dsp_prepare)(&d);
  for (int32_t r = 0; r < rows; r += 2, panels += 4 * d.blocks) {
    O2M_SYM(o2m_dot_dsp_run)(panels, panels + 4 * d.blocks, &d);
    for (int32_t i = 0; i < 8; ++i) {
      const int32_t row = r + i / 4, column = n + i % 4;
      if (row >= rows || i % 4 >= valid) continue;
      o2m_linear_store(p, y, row * p->y_row + column * p->y_column, column, o2m_linear_acc(p, sums[i]));
    }
  }
}

void O2M_SYM(o2m_linear_dsp)(const uint32_t *panels, int32_t rows, int32_t most, void *y, const o2m_linear_params *p,
                             uint32_t *widened) {
  const int32_t narrow = is_narrow(p, most);
  o2m_dot_dsp d = products_of(p);
  d.packed = rows < O2M_LINEAR_DSP_WIDEN;
  d.bias = p->bias;
  O2M_SYM(o2m_dot_dsp_prepare)(&d);
  for (int32_t n = 0; n < p->columns; n += 4) {
    const int32_t valid = o2m_min(4, p->columns - n);
    d.weights = o2m_linear_group(p, n);
    if (!d.packed) {
      O2M_SYM(o2m_dot_dsp_widen)((const int8_t *)d.weights, d.blocks, widened);
      d.weights = widened;
    }
    if (!narrow || valid < 4) {
      store_sums(panels, rows, n, valid, &d, y, p);
    } else {
      d.bias = p->bias + n;
      d.multiplier = p->multiplier + n;
      d.y = (char *)y + n * d.column_bytes;
      store_tiles(panels, rows, &d);
    }
  }
}
