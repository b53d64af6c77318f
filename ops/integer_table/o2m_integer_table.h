/* o2m_integer_table.h - y = table[x - first]: any function of 256 integers. x and y of any strides and types. */
#ifndef O2M_INTEGER_TABLE_H_
#define O2M_INTEGER_TABLE_H_
#include <stdint.h>

#include "o2m_integers.h"
#include "o2m_sym.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef struct o2m_integer_table_params {
  int32_t count;         /* values of a row */
  int32_t x_row, x_step; /* strides in elements */
  int32_t y_row, y_step;
  int32_t x_type, y_type; /* O2M_INTEGER_... */
  int32_t first;          /* x of table[0] */
} o2m_integer_table_params;

/* table: 256 values of y's type. x outside of first .. first + 255 counts as the nearer end. Walks upward. */
void O2M_SYM(o2m_integer_table)(const void *x, void *y, int32_t rows, const void *table,
                                const o2m_integer_table_params *p);

#ifdef __cplusplus
}
#endif
#endif
