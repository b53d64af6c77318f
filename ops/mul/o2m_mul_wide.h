/* o2m_mul_wide.h - the product of o2m_mul.h where an operand or the result is s32: what a model computes in float
 * between its own roundings.
 *
 *   p = floor((a - a_zero) * (b - b_zero) / 2^drop)                 below 2^31
 *   y = y_zero + floor(p * multiplier / 2^shift + 1/2), saturated to y's type */
#ifndef O2M_MUL_WIDE_H_
#define O2M_MUL_WIDE_H_
#include <stdint.h>

#include "o2m_fixedpoint.h"
#include "o2m_sym.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef struct o2m_mul_wide_params {
  int32_t count;         /* values of a row */
  int32_t a_row, a_step; /* strides in elements: from row to row, from value to value; 0 where a value repeats */
  int32_t b_row, b_step;
  int32_t y_row, y_step;
  int32_t a_zero, b_zero, y_zero;
  int32_t a_bytes, b_bytes, y_bytes; /* 1: s8, 2: s16, 4: s32 */
  int32_t drop, multiplier, shift;   /* shift at least 1 */
} o2m_mul_wide_params;

/* Walks upward, so y may lie over an operand that is no narrower. */
void O2M_SYM(o2m_mul_wide)(const void *a, const void *b, void *y, int32_t rows, const o2m_mul_wide_params *p);

#ifdef __cplusplus
}
#endif
#endif
