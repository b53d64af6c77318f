/* o2m_integer_norm.h - layer and RMS normalisation of integerised models, over rows; exact.
 *
 *   mean = sum(x) / n towards zero, 0 for RMS;  d = floor(sqrt(floor(sum((x - mean)^2) / n) + 1))
 *   y = clip(floor(((x - mean) w / d towards zero + bias) / div), low, high) */
#ifndef O2M_INTEGER_NORM_H_
#define O2M_INTEGER_NORM_H_
#include <stdint.h>

#include "o2m_integers.h"
#include "o2m_sym.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef struct o2m_integer_norm_params {
  int32_t features;
  int32_t x_row, x_column, y_row, y_column; /* strides in elements */
  int32_t x_type, y_type;                   /* O2M_INTEGER_... */
  int32_t centred;                          /* 0: RMS */
  int32_t narrow;                           /* (x - mean) w fits 32 bits */
  int32_t shift, div;                       /* 2^shift is div; shift -1: it is no power of two */
  int32_t low, high;
  const int32_t *weights, *bias; /* [features]; bias may be 0 */
} o2m_integer_norm_params;

void O2M_SYM(o2m_integer_norm)(const void *x, void *y, int32_t rows, const o2m_integer_norm_params *p);

#ifdef __cplusplus
}
#endif
#endif
