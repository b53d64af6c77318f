/* o2m_mul.h - y = a * b on quantised tensors of any strides, each with a scale and zero point of its own.
 *
 *   y = y_zero + floor((a - a_zero) * (b - b_zero) * multiplier / 2^shift + 1/2), saturated to y's type */
#ifndef O2M_MUL_H_
#define O2M_MUL_H_
#include <stdint.h>

#include "o2m_fixedpoint.h"
#include "o2m_sym.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef struct o2m_mul_params {
  int32_t count;         /* values of a row */
  int32_t a_row, a_step; /* strides in elements: from row to row, from value to value; 0 where a value repeats */
  int32_t b_row, b_step;
  int32_t y_row, y_step;
  int32_t a_zero, b_zero, y_zero;
  int32_t multiplier, shift; /* multiplier <= 2^30 */
} o2m_mul_params;

/* Named by the types of a, b and y. All walk upward, so y may lie over an operand that is no narrower. */
void O2M_SYM(o2m_mul_s8)(const int8_t *a, const int8_t *b, int8_t *y, int32_t rows, const o2m_mul_params *p);
void O2M_SYM(o2m_mul_s8_s8_s16)(const int8_t *a, const int8_t *b, int16_t *y, int32_t rows, const o2m_mul_params *p);
void O2M_SYM(o2m_mul_s8_s16_s8)(const int8_t *a, const int16_t *b, int8_t *y, int32_t rows, const o2m_mul_params *p);
void O2M_SYM(o2m_mul_s8_s16_s16)(const int8_t *a, const int16_t *b, int16_t *y, int32_t rows, const o2m_mul_params *p);
void O2M_SYM(o2m_mul_s16_s8_s8)(const int16_t *a, const int8_t *b, int8_t *y, int32_t rows, const o2m_mul_params *p);
void O2M_SYM(o2m_mul_s16_s8_s16)(const int16_t *a, const int8_t *b, int16_t *y, int32_t rows, const o2m_mul_params *p);
void O2M_SYM(o2m_mul_s16_s16_s8)(const int16_t *a, const int16_t *b, int8_t *y, int32_t rows, const o2m_mul_params *p);
void O2M_SYM(o2m_mul_s16)(const int16_t *a, const int16_t *b, int16_t *y, int32_t rows, const o2m_mul_params *p);

#ifdef __cplusplus
}
#endif
#endif
