/* o2m_linear_s16.c - linear layer, s16 input. Tiles of 1 row by 4 columns.
 *
 * 512 products of s16 and [-127, 127] fit s32; blocks of that many are summed in 64 bits. */
#include "o2m_linear.h"

enum { BLOCK = 512 };

/* sums[i] += sum_k x[k * stride] * w[k][i], k < depth <= BLOCK */
static void dot_1x4(const int16_t *x, int32_t stride, const int8_t *w, int32_t depth, int64_t sums[4]) {
  int32_t s[4] = {0, 0, 0, 0}, k = 0;
  for (; k + 4 <= depth; k += 4, w += 16, x += 4 * stride) {
    o2m_linear_add(x[0], w, s);
    o2m_linear_add(x[stride], w + 1, s);
    o2m_linear_add(x[2 * stride], w + 2, s);
    o2m_linear_add(x[3 * stride], w + 3, s);
  }
  for (; k < depth; ++k, ++w, x += stride) o2m_linear_add(x[0], w, s);
  for (int32_t i = 0; i < 4; ++i) sums[i] += s[i];
}

/* Columns n .. n + 3 of one row. */
static void tile(const int16_t *x, void *y, int32_t y_at, int32_t n, const o2m_linear_params *p) {
  const int32_t valid = o2m_min(4, p->columns - n);
  int64_t sums[4];
  for (int32_t i = 0; i < 4; ++i) sums[i] = i < valid ? p->bias[n + i] : 0;
  for (int32_t k = 0; k < p->depth; k += BLOCK) {
    dot_1x4(x + k * p->x_column, p->x_column, o2m_linear_group(p, n) + 4 * k, o2m_min(BLOCK, p->depth - k), sums);
  }
  for (int32_t i = 0; i < valid; ++i) {
    o2m_linear_store(p, y, y_at + (n + i) * p->y_column, n + i, o2m_linear_acc(p, sums[i]));
  }
}

/* x [rows][depth] -> y [rows][columns] */
void O2M_SYM(o2m_linear_s16)(const int16_t *x, void *y, int32_t rows, const o2m_linear_params *p, void *scratch) {
  (void)scratch;
  for (int32_t t = 0; t < rows; ++t) {
    for (int32_t n = 0; n < p->columns; n += 4) tile(x + t * p->x_row, y, t * p->y_row, n, p);
  }
}
