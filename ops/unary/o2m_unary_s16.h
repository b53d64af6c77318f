/* o2m_unary_s16.h - y = f(x) where x or y is s16. */
#ifndef O2M_UNARY_S16_H_
#define O2M_UNARY_S16_H_
#include <stdint.h>

#include "o2m_fixedpoint.h"
#include "o2m_sym.h"
#ifdef __cplusplus
extern "C" {
#endif

/* f as lines: from start[i] up to the next, y = floor((base[i] + slope[i] * (x - start[i])) / 2^14 + 1/2), saturated;
 * 2^22 where y is s8. start ascends from -32768. Every base and base + product lies within y's range, give or take a
 * step. */
typedef struct o2m_unary_s16_params {
  int32_t count;         /* values of a row */
  int32_t x_row, x_step; /* strides in elements: from row to row, from value to value */
  int32_t y_row, y_step;
  int32_t y_bytes;  /* 1: s8, 2: s16 */
  int32_t segments; /* 1 .. 65536 */
  int32_t leap;     /* the largest power of two below `segments`, 0 for one */
  const int16_t *start;
  const int32_t *base, *slope;
} o2m_unary_s16_params;

/* Walks upward, so y may be x. */
void O2M_SYM(o2m_unary_s16)(const int16_t *x, void *y, int32_t rows, const o2m_unary_s16_params *p);

typedef struct o2m_unary_s8_s16_params {
  int32_t count;
  int32_t x_row, x_step;
  int32_t y_row, y_step;
  int32_t flip;         /* 128: x is s8, 0: u8; a byte becomes its place in the table by x ^ flip */
  const int16_t *table; /* [256], from the lowest byte on */
} o2m_unary_s8_s16_params;

void O2M_SYM(o2m_unary_s8_s16)(const void *x, int16_t *y, int32_t rows, const o2m_unary_s8_s16_params *p);

#ifdef __cplusplus
}
#endif
#endif
