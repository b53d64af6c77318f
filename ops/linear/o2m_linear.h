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

#ifdef __cplusplus
}
#endif
#endif
