#include "example_hardswish_s8.h"

void O2M_SYM(example_hardswish_s8)(const int8_t *x, int32_t x_stride, int8_t *y, int32_t y_stride, int32_t rows,
                                   int32_t cols, const int8_t *table) {
  for (int32_t r = 0; r < rows; r++, x += x_stride, y += y_stride) {
    for (int32_t c = 0; c < cols; c++) y[c] = table[x[c] + 128];
  }
}
