/* o2m_linear.h - linear layer: y = x W + b for rows of x, weights s8 with one scale per output column.
 *
 *   acc = bias[n] + sum_k x[t][k] * weights[n][k]
 *   q   = y_zero + floor(acc * multiplier[n] / 2^shift + 1/2), saturated to y's type
 *   y[t][n] = table ? table[q + 128] : q
 *
 * Weights lie in groups of four columns, and a group in blocks of four k: a tile reads them in one stream, the
 * instruction sets by whole words.
 * The zero point of x is folded into bias; multiplier[n] / 2^shift = scale_x * scale_w[n] / scale_y.
 * x and y may have any strides: columns of a wider matrix, or y transposed (y_row 1, y_column N). */
#ifndef O2M_LINEAR_H_
#define O2M_LINEAR_H_
#include <stdint.h>

#include "o2m_fixedpoint.h"
#include "o2m_sym.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct o2m_linear_params {
  int32_t depth, columns;  /* K, N */
  int32_t x_row, x_column; /* strides in elements */
  int32_t y_row, y_column;
  int16_t y_zero; /* zero point of q */
  int8_t y_bytes; /* 1: s8, 2: s16, 4: s32 */
  int8_t shift;
  int8_t acc_shift;          /* s16 input only: acc is rounded to acc / 2^acc_shift before the multiplication */
  int8_t tile;               /* rows that share one widening of the weights, where a kernel widens them */
  const int8_t *weights;     /* [ceil(N / 4)][ceil(K / 4)][4 columns][4 k], zero beyond N and K */
  const int32_t *bias;       /* [N] */
  const int32_t *multiplier; /* [N] */
  const int8_t *table;       /* [256], or null */
} o2m_linear_params;

void O2M_SYM(o2m_linear_s8)(const int8_t *x, void *y, int32_t rows, const o2m_linear_params *p, void *scratch);
void O2M_SYM(o2m_linear_s16)(const int16_t *x, void *y, int32_t rows, const o2m_linear_params *p, void *scratch);
void O2M_SYM(o2m_linear_s8_dsp)(const int8_t *x, void *y, int32_t rows, const o2m_linear_params *p, void *scratch);
void O2M_SYM(o2m_linear_s8_mve)(const int8_t *x, void *y, int32_t rows, const o2m_linear_params *p, void *scratch);
void O2M_SYM(o2m_linear_s8_rv32)(const int8_t *x, void *y, int32_t rows, const o2m_linear_params *p, void *scratch);
void O2M_SYM(o2m_linear_s8_armv7m)(const int8_t *x, void *y, int32_t rows, const o2m_linear_params *p, void *scratch);
void O2M_SYM(o2m_linear_s8_armv6m)(const int8_t *x, void *y, int32_t rows, const o2m_linear_params *p, void *scratch);
void O2M_SYM(o2m_linear_s16_dsp)(const int16_t *x, void *y, int32_t rows, const o2m_linear_params *p, void *scratch);

/* The group of columns n .. n + 3, and in it the weight of its first column for k. */
static inline const int8_t *o2m_linear_group(const o2m_linear_params *p, int32_t n) {
  return p->weights + n * ((p->depth + 3) / 4 * 4);
}
static inline int32_t o2m_linear_at(int32_t k) { return 4 * k - 3 * (k & 3); }

/* s[i] += a * w[4 * i]: one k of four columns. */
static inline void o2m_linear_add(int32_t a, const int8_t *w, int32_t s[4]) {
  s[0] += a * w[0];
  s[1] += a * w[4];
  s[2] += a * w[8];
  s[3] += a * w[12];
}

/* The accumulator of a sum, bias included. */
static inline int32_t o2m_linear_acc(const o2m_linear_params *p, int64_t sum) {
  return p->acc_shift > 0 ? (int32_t)o2m_round_shift(sum, p->acc_shift) : (int32_t)sum;
}

/* Stores q at y[at]. */
static inline void o2m_linear_store_q(const o2m_linear_params *p, void *y, int32_t at, int32_t q) {
  if (p->y_bytes == 1) {
    const int8_t s = o2m_saturate_s8(q);
    ((int8_t *)y)[at] = p->table ? p->table[s + 128] : s;
  } else if (p->y_bytes == 2) {
    ((int16_t *)y)[at] = o2m_saturate_s16(q);
  } else {
    ((int32_t *)y)[at] = q;
  }
}

/* Requantises the accumulator of column n and stores it at y[at]. */
static inline void o2m_linear_store(const o2m_linear_params *p, void *y, int32_t at, int32_t n, int32_t acc) {
  o2m_linear_store_q(p, y, at, p->y_zero + o2m_requantize(acc, p->multiplier[n], p->shift));
}

/* ---- One or two rows of s8, where their k lie ---- */

/* sums[i] = sum_k x[k * step] * w[k][i] for 4 columns. */
static inline void o2m_linear_dot_1x4(const int8_t *x, int32_t step, const int8_t *w, int32_t depth, int32_t sums[4]) {
  int32_t s[4] = {0, 0, 0, 0}, k = 0;
  for (; k + 4 <= depth; k += 4, w += 16, x += 4 * step) {
    o2m_linear_add(x[0], w, s);
    o2m_linear_add(x[step], w + 1, s);
    o2m_linear_add(x[2 * step], w + 2, s);
    o2m_linear_add(x[3 * step], w + 3, s);
  }
  for (; k < depth; ++k, ++w, x += step) o2m_linear_add(x[0], w, s);
  for (int32_t i = 0; i < 4; ++i) sums[i] = s[i];
}

/* The same for 2 rows of k side by side: sums[4 * row + i]. */
static inline void o2m_linear_dot_2x4(const int8_t *x0, const int8_t *x1, const int8_t *w, int32_t depth,
                                      int32_t sums[8]) {
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

/* Columns n .. n + 3 of rows first .. first + count - 1 of y, from sums[4 * row + i]. up: 32 - shift where |acc| is
 * below 2^(shift - 1), so that the upper half of a product is all it takes; else below 0. */
static inline void o2m_linear_store_few(const int32_t *sums, void *y, int32_t first, int32_t count, int32_t n,
                                        int32_t up, const o2m_linear_params *p) {
  const int32_t valid = o2m_min(4, p->columns - n), zero = p->y_zero, step = p->y_column;
  const int32_t *const bias = p->bias + n, *const multiplier = p->multiplier + n;
  for (int32_t r = 0; r < count; ++r, sums += 4) {
    int32_t at = (first + r) * p->y_row + n * step;
    for (int32_t i = 0; i < valid; ++i, at += step) {
      const int32_t acc = bias[i] + sums[i];
      if (up >= 0) {
        const int64_t product = (int64_t)(int32_t)((uint32_t)acc << up) * multiplier[i];
        o2m_linear_store_q(p, y, at, zero + (int32_t)o2m_floor_shift(product + 0x80000000, 32));
      } else {
        o2m_linear_store(p, y, at, n + i, acc);
      }
    }
  }
}

/* Rows first .. first + count - 1 (1 or 2 of them) of x to those of y, without scratch. */
static inline void o2m_linear_few_rows(const int8_t *x, void *y, int32_t first, int32_t count, int32_t up,
                                       const o2m_linear_params *p) {
  const int8_t *const from = x + first * p->x_row;
  for (int32_t n = 0; n < p->columns; n += 4) {
    const int8_t *const w = o2m_linear_group(p, n);
    int32_t sums[8];
    if (p->x_column == 1 && count == 2) {
      o2m_linear_dot_2x4(from, from + p->x_row, w, p->depth, sums);
    } else {
      for (int32_t r = 0; r < count; ++r) {
        o2m_linear_dot_1x4(from + r * p->x_row, p->x_column, w, p->depth, sums + 4 * r);
      }
    }
    o2m_linear_store_few(sums, y, first, count, n, up, p);
  }
}

#ifdef __cplusplus
}
#endif
#endif
