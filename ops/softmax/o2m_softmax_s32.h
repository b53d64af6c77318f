/* o2m_softmax_s32.h - the softmax of o2m_softmax.h of an s32 input: what a model leaves in float before it.
 *
 *   u = floor((max(x) - x[i]) * multiplier / 2^shift)     the exponent to base 2, 24 bits of fraction
 *   e = 2^-u                                              Q30: two tables of 256 and a line for the last 8 bits
 *   y = y_zero + floor(e / sum e * scale + 1/2)           in 64 bits, one division per row */
#ifndef O2M_SOFTMAX_S32_H_
#define O2M_SOFTMAX_S32_H_
#include <stdint.h>

#include "o2m_fixedpoint.h"
#include "o2m_sym.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef struct o2m_softmax_s32_params {
  int32_t features;        /* C, at most 4096 */
  int32_t x_row, x_column; /* strides in elements */
  int32_t y_row, y_column;
  int32_t y_bytes; /* 1: s8, 2: s16 */
  int32_t y_zero;
  int32_t multiplier, shift;     /* of differences */
  int32_t y_multiplier, y_shift; /* factor / scale_y of a quotient in Q30 */
  const int32_t *high, *low;     /* [256], Q30: 2^(-i / 2^8), 2^(-i / 2^16) */
} o2m_softmax_s32_params;

/* x [rows][C] -> y [rows][C]; y may lie over x. */
void O2M_SYM(o2m_softmax_s32)(const int32_t *x, void *y, int32_t rows, const o2m_softmax_s32_params *p);

#ifdef __cplusplus
}
#endif
#endif
