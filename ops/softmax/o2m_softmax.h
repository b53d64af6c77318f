/* o2m_softmax.h - softmax over the last dimension, C features.
 *
 *   d = max(x) - x[i]
 *   e = exp(-d * scale_x) in Q23, from tables: s8 low[d] (Q23), s16 low[d % 256] * high[d / 256] (Q30 each)
 *   y = y_zero + round(e / sum e / scale_y), one reciprocal per row
 *
 * Exponentials are looked up twice, so that a row needs no scratch and y may be written over x where it is not wider.
 */
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
  const int32_t *low, *high; /* [256]; high: s16 only */
} o2m_softmax_params;

void O2M_SYM(o2m_softmax_s8)(const int8_t *x, void *y, int32_t rows, const o2m_softmax_params *p);
void O2M_SYM(o2m_softmax_s16)(const int16_t *x, void *y, int32_t rows, const o2m_softmax_params *p);

/* y - y_zero = round(e * multiplier / 2^shift) */
typedef struct o2m_softmax_factor {
  int32_t multiplier, shift;
} o2m_softmax_factor;

/* 1 / (sum * scale_y), sum >= 2^23. The sum is taken to 31 bits, the factor to 23, so its relative error is below
 * 2^-22. */
static inline o2m_softmax_factor o2m_softmax_reciprocal(uint64_t sum, const o2m_softmax_params *p) {
  const int32_t drop = o2m_bits(sum) - 31;
  const int64_t normal = (int64_t)(drop >= 0 ? sum >> drop : sum << -drop); /* [2^30, 2^31) */
  const o2m_softmax_factor factor = {(int32_t)o2m_divide_round((int64_t)p->multiplier << 23, normal),
                                     p->shift + 23 + drop};
  return factor;
}

static inline void o2m_softmax_store(const o2m_softmax_params *p, void *y, int32_t at, int32_t e,
                                     o2m_softmax_factor factor) {
  const int32_t q = p->y_zero + o2m_requantize(e, factor.multiplier, factor.shift);
  if (p->y_bytes == 1) {
    ((int8_t *)y)[at] = o2m_saturate_s8(q);
  } else {
    ((int16_t *)y)[at] = o2m_saturate_s16(q);
  }
}

#ifdef __cplusplus
}
#endif
#endif
