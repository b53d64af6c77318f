/* o2m_softmax.h - softmax over the last dimension, C features.
 *
 *   d = max(x) - x[i]
 *   e = exp(-d * scale_x) in Q23, from tables: s8 low[255 - d]; s16 floor(low[d % 256] * high[d / 256] / 2^32)
 *   v = 2^36 / (sum e * scale_y)                             one 32-bit division per row
 *   y = y_zero + floor(e * v / 2^36 + 1/2)
 *
 * v is rounded to an integer, which is at most 2^-14 LSB of y, whatever its scale. Exponentials are looked up twice, so
 * that a row needs no scratch and y may be written over x where it is not wider. */
#ifndef O2M_SOFTMAX_H_
#define O2M_SOFTMAX_H_
#include <stdint.h>

#include "o2m_fixedpoint.h"
#include "o2m_sym.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct o2m_softmax_params {
  int32_t features;        /* C */
  int32_t x_row, x_column; /* strides in elements */
  int32_t y_row, y_column;
  int32_t y_bytes; /* 1: s8, 2: s16 */
  int32_t y_zero;
  int32_t multiplier, shift; /* 1 / scale_y = multiplier / 2^shift, multiplier in [2^30, 2^31) */
  int32_t most;              /* limit of v: where y's range ends at 1 or less than an LSB below, no y exceeds it then */
  int32_t saturates;         /* 1: y's range ends before that */
  const int32_t *low, *high; /* [256], s8: Q23, s16: Q30; [256], s16 only: Q25 */
} o2m_softmax_params;

void O2M_SYM(o2m_softmax_s8)(const int8_t *x, void *y, int32_t rows, const o2m_softmax_params *p);
void O2M_SYM(o2m_softmax_s16)(const int16_t *x, void *y, int32_t rows, const o2m_softmax_params *p);
void O2M_SYM(o2m_softmax_s8_dsp)(const int8_t *x, void *y, int32_t rows, const o2m_softmax_params *p);
void O2M_SYM(o2m_softmax_s8_mve)(const int8_t *x, void *y, int32_t rows, const o2m_softmax_params *p);

/* v, below 2^31. sum: of Q23, at least 2^23. 1 / sum takes 16 bits by a division, the rest by a step of Newton's. */
static inline int32_t o2m_softmax_factor(uint64_t sum, const o2m_softmax_params *p) {
  const int32_t bits = o2m_bits(sum);
  const uint32_t d = (uint32_t)(bits > 32 ? sum >> (bits - 32) : sum << (32 - bits)); /* [2^31, 2^32) */
  uint32_t r = (0xffffffffu / (d >> 16)) << 14;                                       /* 2^62 / d */
  const int32_t error = (int32_t)(0x40000000u - (uint32_t)(o2m_long_product(r, d) >> 32));
  r += (uint32_t)(int32_t)o2m_floor_shift((int64_t)r * error, 30);
  const int32_t product = (int32_t)(o2m_long_product(r, (uint32_t)p->multiplier) >> 32); /* v = product / 2^drop */
  const int32_t drop = p->shift + bits - 38;                                             /* 0 to 33 */
  if (drop > 30) return 0;
  return o2m_min(drop > 0 ? (product + (1 << (drop - 1))) >> drop : product, p->most);
}

/* y from e; zero = 16 y_zero + 8 */
static inline int32_t o2m_softmax_y(int32_t e, int32_t v, int32_t zero) {
  return o2m_floor_shift32(o2m_high_product(e, v) + zero, 4);
}

/* Side by side, s8 out, nothing to saturate: what kernels are quick at. */
static inline int32_t o2m_softmax_is_dense(const o2m_softmax_params *p) {
  return p->x_column == 1 && p->y_column == 1 && p->y_bytes == 1 && !p->saturates;
}

/* A row of any strides and types; x_bytes is 1 or 2. */
static inline int32_t o2m_softmax_x(const void *x, int32_t x_bytes, int32_t at) {
  return x_bytes == 1 ? ((const int8_t *)x)[at] : ((const int16_t *)x)[at];
}
static inline int32_t o2m_softmax_e(int32_t d, int32_t x_bytes, const o2m_softmax_params *p) {
  return x_bytes == 1 ? p->low[255 - d] : o2m_high_product(p->low[d & 255], p->high[d >> 8]);
}
static inline void o2m_softmax_row(const void *x, int32_t x_bytes, void *y, const o2m_softmax_params *p) {
  const int32_t c = p->features, zero = 16 * p->y_zero + 8;
  int32_t largest = -32768;
  uint64_t sum = 0;
  for (int32_t i = 0; i < c; ++i) largest = o2m_max(largest, o2m_softmax_x(x, x_bytes, i * p->x_column));
  for (int32_t i = 0; i < c; ++i) {
    sum += (uint32_t)o2m_softmax_e(largest - o2m_softmax_x(x, x_bytes, i * p->x_column), x_bytes, p);
  }
  const int32_t v = o2m_softmax_factor(sum, p);
  for (int32_t i = 0; i < c; ++i) {
    const int32_t e = o2m_softmax_e(largest - o2m_softmax_x(x, x_bytes, i * p->x_column), x_bytes, p);
    const int32_t q = o2m_softmax_y(e, v, zero), at = i * p->y_column;
    if (p->y_bytes == 1) {
      ((int8_t *)y)[at] = o2m_saturate_s8(q);
    } else {
      ((int16_t *)y)[at] = o2m_saturate_s16(q);
    }
  }
}

#ifdef __cplusplus
}
#endif
#endif
