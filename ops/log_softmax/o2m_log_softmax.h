/* o2m_log_softmax.h - y = x - max - log(sum exp(x - max)) of each row of s8.
 *
 *   sum = sum of exponential[max - x], 2^23 times exp of the difference; rounded when the table was made
 *   L   = log2(sum / 2^23), 16 bits behind the point, cut off
 *   y   = y_zero + floor(((x - max) * x_multiplier - L * log_multiplier) / 2^shift + 1/2), saturated */
#ifndef O2M_LOG_SOFTMAX_H_
#define O2M_LOG_SOFTMAX_H_
#include <stdint.h>

#include "o2m_fixedpoint.h"
#include "o2m_sym.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef struct o2m_log_softmax_params {
  int32_t features;
  int32_t x_row, x_column; /* strides in elements */
  int32_t y_row, y_column;
  int32_t y_bytes;                      /* 1: s8, 2: s16 */
  int32_t x_multiplier, log_multiplier; /* below 2^30 */
  int32_t shift, y_zero;
} o2m_log_softmax_params;

/* exponential: 256 entries, by max - x. */
void O2M_SYM(o2m_log_softmax_s8)(const int8_t *x, void *y, int32_t rows, const o2m_log_softmax_params *p,
                                 const int32_t *exponential);

#ifdef __cplusplus
}
#endif
#endif
