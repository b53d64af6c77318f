/* o2m_add.h - y = a + b (or a - b) on quantised tensors of any strides, each with a scale and zero point of its own.
 *
 * One multiplier per operand and one shift, so the sum is rounded once, in 32 bits:
 *   y = floor((A + B + bias) / 2^shift), saturated to y's type
 *   A = a * a_multiplier of an s8 a, floor(a * a_multiplier / 2^16) of an s16 one; B likewise
 * bias holds the zero points and the rounding half; |A + B + bias| <= 2^30. */
#ifndef O2M_ADD_H_
#define O2M_ADD_H_
#include <stdint.h>

#include "o2m_fixedpoint.h"
#include "o2m_sym.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef struct o2m_add_params {
  int32_t count;         /* values of a row */
  int32_t a_row, a_step; /* strides in elements: from row to row, from value to value; 0 where a value repeats */
  int32_t b_row, b_step;
  int32_t y_row, y_step;
  int32_t a_multiplier, b_multiplier, shift, bias;
} o2m_add_params;

/* Named by the types of a, b and y. All walk upward, so y may lie over an operand that is no narrower. */
void O2M_SYM(o2m_add_s8)(const int8_t *a, const int8_t *b, int8_t *y, int32_t rows, const o2m_add_params *p);
void O2M_SYM(o2m_add_s8_s8_s16)(const int8_t *a, const int8_t *b, int16_t *y, int32_t rows, const o2m_add_params *p);
void O2M_SYM(o2m_add_s8_s16_s8)(const int8_t *a, const int16_t *b, int8_t *y, int32_t rows, const o2m_add_params *p);
void O2M_SYM(o2m_add_s8_s16_s16)(const int8_t *a, const int16_t *b, int16_t *y, int32_t rows, const o2m_add_params *p);
void O2M_SYM(o2m_add_s16_s8_s8)(const int16_t *a, const int8_t *b, int8_t *y, int32_t rows, const o2m_add_params *p);
void O2M_SYM(o2m_add_s16_s8_s16)(const int16_t *a, const int8_t *b, int16_t *y, int32_t rows, const o2m_add_params *p);
void O2M_SYM(o2m_add_s16_s16_s8)(const int16_t *a, const int16_t *b, int8_t *y, int32_t rows, const o2m_add_params *p);
void O2M_SYM(o2m_add_s16)(const int16_t *a, const int16_t *b, int16_t *y, int32_t rows, const o2m_add_params *p);

/* The same with MVE instructions. */
void O2M_SYM(o2m_add_s8_mve)(const int8_t *a, const int8_t *b, int8_t *y, int32_t rows, const o2m_add_params *p);
void O2M_SYM(o2m_add_s8_s8_s16_mve)(const int8_t *a, const int8_t *b, int16_t *y, int32_t rows,
                                    const o2m_add_params *p);
void O2M_SYM(o2m_add_s8_s16_s8_mve)(const int8_t *a, const int16_t *b, int8_t *y, int32_t rows,
                                    const o2m_add_params *p);
void O2M_SYM(o2m_add_s8_s16_s16_mve)(const int8_t *a, const int16_t *b, int16_t *y, int32_t rows,
                                     const o2m_add_params *p);
void O2M_SYM(o2m_add_s16_s8_s8_mve)(const int16_t *a, const int8_t *b, int8_t *y, int32_t rows,
                                    const o2m_add_params *p);
void O2M_SYM(o2m_add_s16_s8_s16_mve)(const int16_t *a, const int8_t *b, int16_t *y, int32_t rows,
                                     const o2m_add_params *p);
void O2M_SYM(o2m_add_s16_s16_s8_mve)(const int16_t *a, const int16_t *b, int8_t *y, int32_t rows,
                                     const o2m_add_params *p);
void O2M_SYM(o2m_add_s16_mve)(const int16_t *a, const int16_t *b, int16_t *y, int32_t rows, const o2m_add_params *p);

#ifdef __cplusplus
}
#endif
#endif
