/* o2m_layer_norm_s32.h - the normalisation of o2m_layer_norm.h where x or y is s32: what a model leaves in float
 * between its own roundings. With m the mean (RMS: 0), rounded to 1/4096, and sums over a row:
 *
 *   d = (x - m) / 2^k                                        30 bits for the largest, 25 for the squares
 *   E = sum d^2 + C epsilon                                  C (variance + epsilon), below 2^63
 *   t = d / sqrt(E)                                          30 bits, |t| <= 1
 *   y = (t * gain[c] + (offset[c] << offset_shift)) >> shift in 64 bits; gamma sqrt(C), beta, y's scale and the
 * rounding half are folded in
 *
 * t errs by less than 2^-25. y may be written over x. */
#ifndef O2M_LAYER_NORM_S32_H_
#define O2M_LAYER_NORM_S32_H_
#include <stdint.h>

#include "o2m_fixedpoint.h"
#include "o2m_sym.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef struct o2m_layer_norm_s32_params {
  int32_t features;        /* C, at most 4096 */
  int32_t x_row, x_column; /* strides in elements */
  int32_t y_row, y_column;
  int32_t x_zero;
  int32_t x_bytes, y_bytes;      /* 1: s8, 2: s16, 4: s32 */
  int32_t rms;                   /* 1: RMSNorm */
  int32_t epsilon, epsilon_bits; /* C epsilon in units of x^2 is epsilon * 2^epsilon_bits */
  int32_t shift, offset_shift;
  const int32_t *gain, *offset; /* [C] */
} o2m_layer_norm_s32_params;

/* x [rows][C] -> y [rows][C] */
void O2M_SYM(o2m_layer_norm_s32)(const void *x, void *y, int32_t rows, const o2m_layer_norm_s32_params *p);

#ifdef __cplusplus
}
#endif
#endif
