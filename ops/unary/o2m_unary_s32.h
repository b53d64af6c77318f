/* o2m_unary_s32.h - y = f(x) where x or y is s32: what a model leaves in float between its own roundings. */
#ifndef O2M_UNARY_S32_H_
#define O2M_UNARY_S32_H_
#include <stdint.h>

#include "o2m_sym.h"
#ifdef __cplusplus
extern "C" {
#endif

/* f of an s32 into bytes as a staircase: y = value[i] from start[i] up to the next. start ascends from -2^31. Every y
 * is the correctly rounded one. */
typedef struct o2m_unary_s32_params {
  int32_t count;         /* values of a row */
  int32_t x_row, x_step; /* strides in elements: from row to row, from value to value */
  int32_t y_row, y_step;
  int32_t stairs;
  int32_t leap; /* the largest power of two below `stairs`, 0 for one */
  const int32_t *start;
  const int8_t *value;
} o2m_unary_s32_params;

/* Walks upward, so y may be x. */
void O2M_SYM(o2m_unary_s32)(const int32_t *x, int8_t *y, int32_t rows, const o2m_unary_s32_params *p);

typedef struct o2m_unary_s8_s32_params {
  int32_t count;
  int32_t x_row, x_step;
  int32_t y_row, y_step;
  int32_t flip;         /* 128: x is s8, 0: u8; a byte becomes its place in the table by x ^ flip */
  const int32_t *table; /* [256], from the lowest byte on */
} o2m_unary_s8_s32_params;

void O2M_SYM(o2m_unary_s8_s32)(const void *x, int32_t *y, int32_t rows, const o2m_unary_s8_s32_params *p);

#ifdef __cplusplus
}
#endif
#endif
