/* o2m_layer_norm.h - layer normalisation and RMS normalisation over the last dimension, C features.
 *
 *   LayerNorm: y = (x - mean) / sqrt(variance + epsilon) * gamma + beta
 *   RMSNorm:   y = x / sqrt(mean(x^2) + epsilon) * gamma
 *
 * In integers, with S = sum x and D = C sum x^2 - S^2 = C^2 variance (RMS: S = C zero, D = C sum (x - zero)^2):
 *
 *   E = (D << fraction) + epsilon                            epsilon in units of D / 2^fraction
 *   t = (C x - S) / sqrt(E)                                  scaled to t_bits fraction bits; |t| < 2^31
 *   y = (offset[c] + floor(t * gain[c] / 2^32)) >> shift     gamma, beta, y's scale, zero point and rounding folded in
 *
 * D is exact and the reciprocal root has 28 bits, so y is within 1 LSB of the correctly rounded real result (0.51 LSB
 * of the real one). y may be written over x where it is not wider. */
#ifndef O2M_LAYER_NORM_H_
#define O2M_LAYER_NORM_H_
#include <stdint.h>

#include "o2m_fixedpoint.h"
#include "o2m_sym.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct o2m_layer_norm_params {
  int32_t features;        /* C */
  int32_t x_row, x_column; /* strides in elements */
  int32_t y_row, y_column;
  int32_t y_bytes;  /* 1: s8, 2: s16 */
  int32_t rms;      /* 1: RMSNorm */
  int32_t x_zero;   /* RMS only */
  int32_t fraction; /* even */
  int64_t epsilon;
  int32_t t_bits, shift;
  const int32_t *gain, *offset; /* [C] */
} o2m_layer_norm_params;

void O2M_SYM(o2m_layer_norm_s8)(const int8_t *x, void *y, int32_t rows, const o2m_layer_norm_params *p);
void O2M_SYM(o2m_layer_norm_s16)(const int16_t *x, void *y, int32_t rows, const o2m_layer_norm_params *p);

/* t = (x * factor + addend) / 2^shift */
typedef struct o2m_layer_norm_row {
  int64_t factor, addend;
  int32_t shift;
} o2m_layer_norm_row;

/* From a row's sum and sum of squares. */
static inline o2m_layer_norm_row o2m_layer_norm_scale(int64_t sum, int64_t squares, const o2m_layer_norm_params *p) {
  const int64_t c = p->features, zero = p->x_zero;
  const int64_t centre = p->rms ? c * zero : sum; /* c times what is subtracted from x */
  const int64_t d = p->rms ? c * (squares - 2 * zero * sum + c * zero * zero) : c * squares - sum * sum;
  uint64_t e = ((uint64_t)d << p->fraction) + (uint64_t)p->epsilon;
  if (e == 0) e = 1;
  const int32_t bits = o2m_bits(e), even = (bits - 31) & ~1; /* 31 or 32 bits are left; even may be negative */
  const int64_t root = o2m_rsqrt((uint32_t)(even >= 0 ? e >> even : e << -even)); /* 2^(45 + even / 2) / sqrt(e) */
  const int32_t shift = 45 + even / 2 - p->t_bits - p->fraction / 2;
  const int64_t unit = shift < 0 ? (int64_t)1 << -shift : 1;
  const o2m_layer_norm_row row = {c * root * unit, -centre * root * unit, shift < 0 ? 0 : shift};
  return row;
}

/* Feature i of a row, from t. */
static inline void o2m_layer_norm_store(const o2m_layer_norm_params *p, void *y, int32_t at, int32_t i, int32_t t) {
  const int32_t scaled = (int32_t)o2m_floor_shift((int64_t)t * p->gain[i], 32);
  const int32_t q = o2m_floor_shift32(p->offset[i] + scaled, p->shift);
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
