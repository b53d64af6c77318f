/* o2m_integer_pool.h - the maximum of a window that moves over an image of plain integers, every channel by itself. */
#ifndef O2M_INTEGER_POOL_H_
#define O2M_INTEGER_POOL_H_
#include <stdint.h>

#include "o2m_integers.h"
#include "o2m_sym.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef struct o2m_integer_pool_params {
  int32_t channels, x_h, x_w, y_w;
  int32_t kernel_h, kernel_w;
  int32_t stride_h, stride_w;
  int32_t pad_top, pad_left;
  int32_t dilation_h, dilation_w;
  int32_t x_channel, x_row, x_column; /* strides in elements */
  int32_t y_channel, y_row, y_column;
  int32_t x_type, y_type; /* O2M_INTEGER_... */
} o2m_integer_pool_params;

/* Output rows [first, first + rows). x points to the first existing input row that they see, y to row `first`. Padding
 * does not count; every window sees some of the image. */
void O2M_SYM(o2m_integer_pool)(const void *x, void *y, int32_t first, int32_t rows, const o2m_integer_pool_params *p);

#ifdef __cplusplus
}
#endif
#endif
