/* o2m_pool2d.h - maximum or average of a window that moves over an image, every channel by itself.
 *
 *   maximum: acc = max of x over the part of the window inside the image, n = 1
 *   average: acc = sum of x there, n = places counted (inside the image, or of the padded image where padding counts)
 *   y = y_zero + floor((acc - inside * x_zero) * multiplier[n - 1] / 2^shift + 1/2), saturated to y's type
 *
 * inside is 1 for the maximum, the places summed for the average. An average of no place, n = 1 there, is zero. x and y
 * may have any strides. */
#ifndef O2M_POOL2D_H_
#define O2M_POOL2D_H_
#include <stdint.h>

#include "o2m_fixedpoint.h"
#include "o2m_sym.h"
#ifdef __cplusplus
extern "C" {
#endif

enum { O2M_POOL_S8 = 0, O2M_POOL_U8 = 1, O2M_POOL_S16 = 2 };

typedef struct o2m_pool2d_params {
  int32_t channels, x_h, x_w, y_w;
  int32_t kernel_h, kernel_w;
  int32_t stride_h, stride_w;
  int32_t pad_top, pad_left, pad_bottom, pad_right;
  int32_t dilation_h, dilation_w;
  int32_t x_channel, x_row, x_column; /* strides in elements */
  int32_t y_channel, y_row, y_column;
  int32_t average;   /* 0: maximum */
  int32_t count_pad; /* 1: an average counts padding as zeros */
  int32_t x_type, x_zero;
  int32_t y_bytes; /* 1: s8, 2: s16 */
  int32_t y_zero, shift;
  const int32_t *multiplier; /* [kernel_h * kernel_w] for averages, [1] for the maximum */
} o2m_pool2d_params;

/* Output rows [first, first + rows). x points at the first image row that these touch, y at output row `first`. */
void O2M_SYM(o2m_pool2d)(const void *x, void *y, int32_t first, int32_t rows, const o2m_pool2d_params *p);

#ifdef __cplusplus
}
#endif
#endif
