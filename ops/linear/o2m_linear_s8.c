/* o2m_linear_s8.c - linear layer, s8 input. Tiles of 2 rows by 4 columns: 6 loads per 8 products. */
#include "o2m_linear.h"

/* sums[i] = sum_k x[k * stride] * w[k][i] for 4 columns. */
static void dot_1x4(const int8_t *x, int32_t stride, const int8_t *w, int32_t depth, int32_t sums[4]) {
  int32_t s[4] = {0, 0, 0, 0};
  for (int32_t k = 0; k < depth; ++k) o2m_linear_add(x[k * stride], w + o2m_linear_at(k), s);
  for (int32_t i = 0; i < 4; ++i) sums[i] = s[i];
}

/* The same for 2 rows: sums[4 * row + i]. */
static void dot_2x4(const int8_t *x0, const int8_t *x1, const int8_t *w, int32_t depth, int32_t sums[8]) {
  int32_t a[4] = {0, 0, 0, 0}, b[4] = {0, 0, 0, 0}, k = 0;
  for (; k + 4 <= depth; k += 4, w += 16) {
    o2m_linear_add(x0[k], w, a);
    o2m_linear_add(x1[k], w, b);
    o2m_linear_add(x0[k + 1], w + 1, a);
    o2m_linear_add(x1[k + 1], w + 1, b);
    o2m_linear_add(x0[k + 2], w + 2, a);
    o2m_linear_add(x1[k + 2], w + 2, b);
    o2m_linear_add(x0[k + 3], w + 3, a);
    o2m_linear_add(x1[k + 3], w + 3, b);
  }
  for (; k < depth; ++k, ++w) {
    o2m_linear_add(x0[k], w, a);
    o2m_linear_add(x1[k], w, b);
  }
  for (int32_t i = 0; i < 4; ++i) sums[i] = a[i], sums[4 + i] = b[i];
}

/* Columns n .. n + 3 of `count` (1 or 2) rows. */
static void tile(const int8_t *x, void *y, int32_t y_at, int32_t count, int32_t n, const o2m_linear_params *p) {
  const int8_t *const w = o2m_linear_group(p, n);
  const int32_t valid = o2m_min(4, p->columns - n);
  int32_t sums[8];
  if (p->x_column == 1 && count == 2) {
    dot_2x4(x, x + p->x_row, w, p->depth, sums);
  } else {
    for (int32_t r = 0; r < count; ++r) dot_1x4(x + r * p->x_row, p->x_column, w, p->depth, sums + 4 * r);
  }
  for (int32_t r = 0; r < count; ++r) {
    for (int32_t i = 0; i < valid; ++i) {
      o2m_linear_store(p, y, y_at + r * p->y_row + (n + i) * p->y_column, n + i, p->bias[n + i] + sums[4 * r + i]);
    }
  }
}

/* x [rows][depth] -> y [rows][columns] */
void O2M_SYM(o2m_linear_s8)(const int8_t *x, void *y, int32_t rows, const o2m_linear_params *p, void *scratch) {
  (void)scratch;
  for (int32_t t = 0; t < rows; t += 2) {
    const int32_t count = o2m_min(2, rows - t);
    for (int32_t n = 0; n < p->columns; n += 4) tile(x + t * p->x_row, y, t * p->y_row, count, n, p);
  }
}
