/* o2m_binary.h - the larger, the smaller or the quotient of two quantised tensors of any strides, each s8 or s16.
 *
 *   maximum    y = y_zero + floor(max(A, B) / 2^shift + 1/2),  A = (a - a_zero) * a_multiplier, B likewise
 *   minimum    the same with min
 *   quotient   y = y_zero + round((a - a_zero) * a_multiplier / ((b - b_zero) * 2^shift)), halves up
 *
 * saturated to y's type. A quotient by zero is the end of y's type that has a's sign, and y_zero where a is zero too.
 */
#ifndef O2M_BINARY_H_
#define O2M_BINARY_H_
#include <stdint.h>

#include "o2m_fixedpoint.h"
#include "o2m_sym.h"
#ifdef __cplusplus
extern "C" {
#endif

enum { O2M_BINARY_MAX = 0, O2M_BINARY_MIN = 1, O2M_BINARY_DIV = 2 };

typedef struct o2m_binary_params {
  int32_t count;         /* values of a row */
  int32_t a_row, a_step; /* strides in elements: from row to row, from value to value; 0 where a value repeats */
  int32_t b_row, b_step;
  int32_t y_row, y_step;
  int32_t a_zero, b_zero, y_zero;
  int32_t a_multiplier, b_multiplier, shift; /* multipliers <= 2^30, shift <= 60 - bits of a difference */
  int32_t kind;
  int32_t a_bytes, b_bytes, y_bytes; /* 1: s8, 2: s16 */
} o2m_binary_params;

/* Walks upward, so y may lie over an operand that is no narrower. */
void O2M_SYM(o2m_binary)(const void *a, const void *b, void *y, int32_t rows, const o2m_binary_params *p);

#ifdef __cplusplus
}
#endif
#endif
