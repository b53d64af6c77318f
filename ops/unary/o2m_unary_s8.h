/* o2m_unary_s8.h - y = f(x) on bytes: one look-up per value. */
#ifndef O2M_UNARY_S8_H_
#define O2M_UNARY_S8_H_
#include <stdint.h>

#include "o2m_sym.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef struct o2m_unary_params {
  int32_t count;         /* values of a row */
  int32_t x_row, x_step; /* strides in elements: from row to row, from value to value */
  int32_t y_row, y_step;
  int32_t flip; /* 128: x is s8, 0: u8; a byte becomes its place in the table by x ^ flip */
} o2m_unary_params;

/* y[r][i] = table[x[r][i] counted from the lowest value]. Walks upward, so y may be x. */
void O2M_SYM(o2m_unary_s8)(const void *x, int8_t *y, int32_t rows, const int8_t table[256], const o2m_unary_params *p);

#ifdef __cplusplus
}
#endif
#endif
