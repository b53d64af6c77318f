/* example_hardswish_s8.h - y = table[x + 128] on rows of s8 values. */
#ifndef EXAMPLE_HARDSWISH_S8_H_
#define EXAMPLE_HARDSWISH_S8_H_
#include <stdint.h>

#include "o2m_sym.h"

#ifdef __cplusplus
extern "C" {
#endif

/* x, y: [rows][cols], rows x_stride and y_stride elements apart. y may be x. table: [256]. */
void O2M_SYM(example_hardswish_s8)(const int8_t *x, int32_t x_stride, int8_t *y, int32_t y_stride, int32_t rows,
                                   int32_t cols, const int8_t *table);

#ifdef __cplusplus
}
#endif
#endif
