/* o2m_linear_s16_dsp.c - linear layer, s16 input, on cores with DSP instructions: tiles of rows, widened in scratch. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("Os") /* the loops are in assembly; what is around them is to be small */
#endif
#include <string.h>

#include "o2m_linear_dsp.h"

enum { BLOCKS = 120 }; /* s32 holds that many blocks of s16 times [-127, 127], and a bias below 2^27 */

/* Whether the sum fits s32 before it is shifted down, and |acc| stays below 2^(shift - 1). acc_shift is the least with
 * |acc| <= 2^30, zero point of x and bias included: linear_layer.hpp. */
static int32_t is_narrow(const o2m_linear_params *p) {
  const int64_t most = (int64_t)p->depth * 127 * 32768 + (1 << 27);
  return p->acc_shift <= 1 && o2m_floor_shift(most, p->acc_shift) + 1 < (int64_t)1 << (p->shift - 1);
}

/* sums[4 * row + column] of two rows, without bias; d->weights: a group of constants. */
static void sums_of(const uint32_t *panel, int32_t blocks, o2m_dot_dsp *d, int64_t sums[8]) {
  const char *const group = (const char *)d->weights;
  int32_t part[8];
  d->y = part;
  for (int32_t i = 0; i < 8; ++i) sums[i] = 0;
  for (int32_t b = 0; b < blocks; b += BLOCKS) {
    d->blocks = o2m_min(BLOCKS, blocks - b);
    d->weights = group + 16 * b;
    O2M_SYM(o2m_dot_dsp_prepare)(d);
    O2M_SYM(o2m_dot_dsp_run)(panel + 4 * b, panel + 4 * (b + d->blocks), d);
    for (int32_t i = 0; i < 8; ++i) sums[i] += part[i];
  }
  d->weights = group;
}

/* All columns of deep sums, or with factors that the tile's one multiplication cannot take. */
static void store_wide(const uint32_t *panels, int32_t rows, void *y, const o2m_linear_params *p) {
  const int32_t blocks = o2m_dot_dsp_blocks(p->depth);
  o2m_dot_dsp d;
  memset(&d, 0, sizeof d);
  d.row_bytes = 16;
  d.column_bytes = 4;
  d.packed = 1;
  d.store = O2M_DOT_DSP_RAW;
  for (int32_t n = 0; n < p->columns; n += 4) {
    d.weights = o2m_linear_group(p, n);
    for (int32_t r = 0; r < rows; r += 2) {
      int64_t sums[8];
      sums_of(panels + r * 2 * blocks, blocks, &d, sums);
      for (int32_t i = 0; i < 8; ++i) {
        const int32_t row = r + i / 4, column = n + i % 4;
        if (row >= rows || column >= p->columns) continue;
        o2m_linear_store(p, y, row * p->y_row + column * p->y_column, column,
                         o2m_linear_acc(p, sums[i] + p->bias[column]));
      }
    }
  }
}

/* x [rows][depth] -> y [rows][columns]. scratch: panels of p->tile rows; from O2M_LINEAR_DSP_WIDEN rows on, a panel of
 * 4 columns. */
void O2M_SYM(o2m_linear_s16_dsp)(const int16_t *x, void *y, int32_t rows, const o2m_linear_params *p, void *scratch) {
  uint32_t *const panels = (uint32_t *)scratch, *const widened = o2m_linear_dsp_widened(p, scratch);
  for (int32_t t = 0; t < rows; t += p->tile) {
    const int32_t count = o2m_min(p->tile, rows - t);
    O2M_SYM(o2m_dot_dsp_rows_s16)(x + t * p->x_row, p->x_row, p->x_column, count, p->depth, panels);
    void *const to = (char *)y + t * p->y_row * p->y_bytes;
    if (is_narrow(p)) {
      O2M_SYM(o2m_linear_dsp)(panels, count, 32768, to, p, widened);
    } else {
      store_wide(panels, count, to, p);
    }
  }
}
