/* o2m_layer_norm.h - layer normalisation and RMS normalisation over the last dimension, C features.
 *
 *   LayerNorm: y = (x - mean) / sqrt(variance + epsilon) * gamma + beta
 *   RMSNorm:   y = x / sqrt(mean(x^2) + epsilon) * gamma
 *
 * In integers, with S = sum x and D = C sum x^2 - S^2 = C^2 variance (RMS: S = C zero, D = C sum (x - zero)^2):
 *
 *   E = (D << fraction) + epsilon                            epsilon in units of D / 2^fraction
 *   t = (C x - S) / sqrt(E) = x * factor + addend            scaled to t_bits fraction bits; |t| < 2^31
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

/* The finest shift, and the one that infer() chooses unless gamma is far above y's scale: kernels for one instruction
 * set want it known. */
enum { O2M_LAYER_NORM_SHIFT = 13 };

typedef struct o2m_layer_norm_params {
  int32_t features;        /* C */
  int32_t x_row, x_column; /* strides in elements */
  int32_t y_row, y_column;
  int16_t x_zero;  /* RMS only */
  int8_t y_bytes;  /* 1: s8, 2: s16 */
  int8_t rms;      /* 1: RMSNorm */
  int8_t fraction; /* even */
  int8_t t_bits, shift;
  int64_t epsilon;
  const int32_t *gain, *offset; /* [C] */
} o2m_layer_norm_params;

void O2M_SYM(o2m_layer_norm_s8)(const int8_t *x, void *y, int32_t rows, const o2m_layer_norm_params *p);
void O2M_SYM(o2m_layer_norm_s16)(const int16_t *x, void *y, int32_t rows, const o2m_layer_norm_params *p);
void O2M_SYM(o2m_layer_norm_s8_dsp)(const int8_t *x, void *y, int32_t rows, const o2m_layer_norm_params *p);
void O2M_SYM(o2m_layer_norm_s16_dsp)(const int16_t *x, void *y, int32_t rows, const o2m_layer_norm_params *p);
void O2M_SYM(o2m_layer_norm_s8_mve)(const int8_t *x, void *y, int32_t rows, const o2m_layer_norm_params *p);
void O2M_SYM(o2m_layer_norm_s16_mve)(const int16_t *x, void *y, int32_t rows, const o2m_layer_norm_params *p);

/* Of a row, C <= 4096. */
typedef struct o2m_layer_norm_moments {
  int32_t sum;
  uint64_t squares;
} o2m_layer_norm_moments;

/* C / sqrt(E) in t's unit is C * root / 2^shift; shift may be negative. */
typedef struct o2m_layer_norm_root {
  int32_t root; /* at most 2^30 */
  int32_t shift;
} o2m_layer_norm_root;

static inline o2m_layer_norm_root o2m_layer_norm_root_of(o2m_layer_norm_moments m, const o2m_layer_norm_params *p) {
  uint64_t d = m.squares * (uint32_t)p->features - (uint64_t)((int64_t)m.sum * m.sum);
  if (p->rms) {
    const int64_t c = p->features, zero = p->x_zero;
    d = (uint64_t)(c * ((int64_t)m.squares - 2 * zero * m.sum + c * zero * zero));
  }
  uint64_t e = (d << p->fraction) + (uint64_t)p->epsilon;
  if (e == 0) e = 1;
  const int32_t even = (o2m_bits(e) - 31) & ~1; /* 31 or 32 bits are left; even may be negative */
  const o2m_layer_norm_root result = {
      (int32_t)o2m_rsqrt((uint32_t)(even >= 0 ? e >> even : e << -even)), /* 2^(45 + even / 2) / sqrt(e) */
      45 + even / 2 - p->t_bits - p->fraction / 2};
  return result;
}

/* x / 2^shift, rounded, modulo 2^32, -20 <= shift <= 62 */
static inline uint32_t o2m_layer_norm_scaled(int64_t x, int32_t shift) {
  if (shift >= 1 && shift <= 31) return o2m_low_shift(x + (int64_t)(1u << (shift - 1)), shift);
  return (uint32_t)(shift > 0 ? o2m_round_shift(x, shift) : x * ((int64_t)1 << -shift));
}

/* t = x * factor + addend modulo 2^32, for t fits s32 although its two terms may not; where `wide`,
 * t = floor(x * factor / 2^16) + addend. */
typedef struct o2m_layer_norm_row {
  int32_t factor, addend;
  int32_t wide;
} o2m_layer_norm_row;

static inline o2m_layer_norm_row o2m_layer_norm_row_s8(o2m_layer_norm_moments m, const o2m_layer_norm_params *p) {
  const o2m_layer_norm_root r = o2m_layer_norm_root_of(m, p);
  const int32_t centre = p->rms ? p->features * p->x_zero : m.sum; /* C times what is subtracted from x */
  const o2m_layer_norm_row row = {(int32_t)o2m_layer_norm_scaled((int64_t)p->features * r.root, r.shift),
                                  (int32_t)o2m_layer_norm_scaled((int64_t)-centre * r.root, r.shift), 0};
  return row;
}

/* `wide` where the factor has room for 16 more bits: a spread of 4096 or more (C <= 64). Else the factor is rounded to
 * 16 bits or more, so the addend takes the mean times that very factor: the error stays in proportion to x - mean. */
static inline o2m_layer_norm_row o2m_layer_norm_row_s16(o2m_layer_norm_moments m, const o2m_layer_norm_params *p) {
  const o2m_layer_norm_root r = o2m_layer_norm_root_of(m, p);
  const int32_t c = p->features, zero = p->x_zero, mean = p->rms ? zero : m.sum / c;
  const int32_t centre = p->rms ? c * zero : m.sum;
  const int64_t factor = (int64_t)c * r.root;
  if (r.shift >= 16 && factor >> (r.shift - 16) <= INT32_MAX) {
    const o2m_layer_norm_row wide = {(int32_t)(factor >> (r.shift - 16)),
                                     (int32_t)o2m_layer_norm_scaled((int64_t)-centre * r.root, r.shift), 1};
    return wide;
  }
  const uint32_t scaled = o2m_layer_norm_scaled(factor, r.shift);
  const uint32_t rest = o2m_layer_norm_scaled((int64_t)(mean * c - centre) * r.root, r.shift);
  const o2m_layer_norm_row narrow = {(int32_t)scaled, (int32_t)(rest - (uint32_t)mean * scaled), 0};
  return narrow;
}

/* t and y of one feature. */
static inline int32_t o2m_layer_norm_t(int32_t x, o2m_layer_norm_row row) {
  if (row.wide) return o2m_product_16(row.factor, x) + row.addend;
  return (int32_t)((uint32_t)x * (uint32_t)row.factor + (uint32_t)row.addend);
}
static inline int32_t o2m_layer_norm_y(int32_t t, int32_t gain, int32_t offset, int32_t shift) {
  return o2m_floor_shift32(offset + o2m_high_product(t, gain), shift);
}

/* Side by side, s8 out: what networks have, and what kernels are quick at. */
static inline int32_t o2m_layer_norm_is_dense(const o2m_layer_norm_params *p) {
  return p->x_column == 1 && p->y_column == 1 && p->y_bytes == 1;
}

/* The same for rows of any strides and types; x_bytes is 1 or 2. */
static inline int32_t o2m_layer_norm_x(const void *x, int32_t x_bytes, int32_t at) {
  return x_bytes == 1 ? ((const int8_t *)x)[at] : ((const int16_t *)x)[at];
}
static inline o2m_layer_norm_moments o2m_layer_norm_moments_of(const void *x, int32_t x_bytes,
                                                               const o2m_layer_norm_params *p) {
  o2m_layer_norm_moments m = {0, 0};
  for (int32_t i = 0; i < p->features; ++i) {
    const int32_t v = o2m_layer_norm_x(x, x_bytes, i * p->x_column);
    m.sum += v;
    m.squares += (uint32_t)(v * v);
  }
  return m;
}
static inline void o2m_layer_norm_write(const void *x, int32_t x_bytes, void *y, o2m_layer_norm_row row,
                                        const o2m_layer_norm_params *p) {
  for (int32_t i = 0; i < p->features; ++i) {
    const int32_t t = o2m_layer_norm_t(o2m_layer_norm_x(x, x_bytes, i * p->x_column), row), at = i * p->y_column;
    const int32_t q = o2m_layer_norm_y(t, p->gain[i], p->offset[i], p->shift);
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
