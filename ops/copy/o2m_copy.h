/* o2m_copy.h - moves rows of values from one place to another, with other strides, another type or another scale. */
#ifndef O2M_COPY_H_
#define O2M_COPY_H_
#include <stdint.h>

#include "o2m_fixedpoint.h"
#include "o2m_sym.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef struct o2m_copy_params {
  int32_t count;         /* values of a row */
  int32_t x_row, x_step; /* strides in elements: from row to row, from value to value */
  int32_t y_row, y_step;
  int32_t bytes; /* of a value: 1, 2 or 4 */
} o2m_copy_params;

/* y[r][i] = x[r][i], bit by bit. x and y do not overlap. */
void O2M_SYM(o2m_copy)(const void *x, void *y, int32_t rows, const o2m_copy_params *p);

enum { O2M_COPY_S8 = 0, O2M_COPY_U8 = 1, O2M_COPY_S16 = 2, O2M_COPY_S32 = 3 };
typedef struct o2m_requantize_params {
  int32_t count;
  int32_t x_row, x_step;
  int32_t y_row, y_step;
  int32_t x_type, y_type; /* O2M_COPY_... */
  int32_t multiplier, shift;
  int64_t bias;
} o2m_requantize_params;

/* y[r][i] = floor((x[r][i] * multiplier + bias) / 2^shift), saturated to y's type; bias holds both zero points and the
 * rounding half. */
void O2M_SYM(o2m_copy_requantized)(const void *x, void *y, int32_t rows, const o2m_requantize_params *p);

typedef struct o2m_copy_wide_params {
  int32_t count;
  int32_t x_row, x_step;
  int32_t y_row, y_step;
  int32_t x_type, y_type; /* O2M_COPY_... */
  int32_t shift;
  int64_t multiplier, bias;
} o2m_copy_wide_params;

/* The same where x or y is s32: no sum exceeds 2^62. */
void O2M_SYM(o2m_copy_wide)(const void *x, void *y, int32_t rows, const o2m_copy_wide_params *p);

#ifdef __cplusplus
}
#endif
#endif
