/* o2m_linear_s8.c - linear layer, s8 input. Tiles of 2 rows by 4 columns: 6 loads per 8 products. */
#include "o2m_linear.h"

/* sums[i] = sum_k x[k] * w[k][i] for 4 columns. */
static void dot_1x4(const int8_t *x, const int8_t *w, int32_t depth, int32_t sums[4]) {
  int32_t s0 = 0, s1 = 0, s2 = 0, s3 = 0;
  for (int32_t k = 0; k < depth; ++k) {
    const int8_t *const v = w + 4 * k;
    s0 += x[k] * v[0];
    s1 += x[k] * v[1];
    s2 += x[k] * v[2];
    s3 += x[k] * v[3];
  }
  sums[0] = s0;
  sums[1] = s1;
  sums[2] = s2;
  sums[3] = s3;
}

/* The same for 2 rows: sums[4 * row + i]. */
static void dot_2x4(const int8_t *x0, const int8_t *x1, const int8_t *w, int32_t depth, int32_t sums[8]) {
  int32_t s00 = 0, s01 = 0, s02 = 0, s03 = 0, s10 = 0, s11 = 0, s12 = 0, s13 = 0;
  for (int32_t k = 0; k < depth; ++k) {
    const int8_t *const v = w + 4 * k;
    const int32_t a = x0[k], b = x1[k];
    s00 += a * v[0];
    s10 += b * v[0];
    s01 += a * v[1];
    s11 += b * v[1];
    s02 += a * v[2];
    s12 += b * v[2];
    s03 += a * v[3];
    s13 += b * v[3];
  }
  sums[0] = s00;
  sums[1] = s01;
  sums[2] = s02;
  sums[3] = s03;
  sums[4] = s10;
  sums[5] = s11;
  sums[6] = s12;
  sums[7] = s13;
}

/* 1x4 over an x whose columns are `stride` elements apart. */
static void dot_1x4_strided(const int8_t *x, int32_t stride, const int8_t *w, int32_t depth, int32_t sums[4]) {
  for (int32_t i = 0; i < 4; ++i) {
    int32_t sum = 0;
    for (int32_t k = 0; k < depth; ++k) sum += x[k * stride] * w[4 * k + i];
    sums[i] = sum;
  }
}

/* Columns n .. n + 3 of `count` (1 or 2) rows. */
static void tile(const int8_t *x, void *y, int32_t y_at, int32_t count, int32_t n, const o2m_linear_params *p) {
  const int8_t *const w = p->weights + n * p->depth;
  const int32_t valid = o2m_min(4, p->columns - n);
  int32_t sums[8];
  if (p->x_column != 1) {
    for (int32_t r = 0; r < count; ++r) dot_1x4_strided(x + r * p->x_row, p->x_column, w, p->depth, sums + 4 * r);
  } else if (count == 2) {
    dot_2x4(x, x + p->x_row, w, p->depth, sums);
  } else {
    dot_1x4(x, w, p->depth, sums);
  }
  for (int32_t r = 0; r < count; ++r) {
    for (int32_t i = 0; i < valid; ++i) {
      o2m_linear_store(p, y, y_at + r * p->y_row + (n + i) * p->y_column, n + i, p->bias[n + i] + sums[4 * r + i]);
    }
  }
}

/* x [rows][depth] -> y [rows][columns] */
void O2M_SYM(o2m_linear_s8)(const int8_t *x, void *y, int32_t rows, const o2m_linear_params *p) {
  for (int32_t t = 0; t < rows; t += 2) {
    const int32_t count = o2m_min(2, rows - t);
    for (int32_t n = 0; n < p->columns; n += 4) tile(x + t * p->x_row, y, t * p->y_row, count, n, p);
  }
}
