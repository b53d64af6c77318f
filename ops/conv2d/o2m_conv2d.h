/* o2m_conv2d.h - two-dimensional convolution: dense, grouped or depthwise, any kernel, stride, padding and dilation.
 *
 *   acc = bias[o] + sum over rows i, columns j, channels c of (x[c][row][column] - x_zero) * weights[o][i][j][c]
 *   row = r * stride_h - pad_top + i * dilation_h, likewise column; what lies outside of the image counts as zero
 *   q   = y_zero + floor(acc * multiplier[o] / 2^shift + 1/2), saturated to y's type
 *   y   = table ? table[q + 128] : q
 *
 * x and y may have any strides: channels first, channels last, columns of something wider. */
#ifndef O2M_CONV2D_H_
#define O2M_CONV2D_H_
#include <stdint.h>

#include "o2m_fixedpoint.h"
#include "o2m_sym.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef struct o2m_conv2d_params {
  int32_t groups, group_inputs, group_outputs; /* channels of one group */
  int32_t x_h, x_w, y_w;                       /* image height and width, output width */
  int32_t kernel_h, kernel_w;
  int32_t stride_h, stride_w;
  int32_t pad_top, pad_left;
  int32_t dilation_h, dilation_w;
  int32_t x_channel, x_row, x_column; /* strides in elements */
  int32_t y_channel, y_row, y_column;
  int32_t x_signed; /* 1: x is s8, 0: u8 */
  int32_t x_zero;
  int32_t y_bytes; /* 1: s8, 2: s16 */
  int32_t y_zero;
  int32_t shift;
  const int8_t *weights;     /* [O][kh][kw][C / groups] */
  const int32_t *bias;       /* [O] */
  const int32_t *multiplier; /* [O] */
  const int8_t *table;       /* [256], or null */
} o2m_conv2d_params;

/* Output rows [first, first + rows). x points at the first image row that these touch, y at output row `first`. */
void O2M_SYM(o2m_conv2d)(const void *x, void *y, int32_t first, int32_t rows, const o2m_conv2d_params *p);

#ifdef __cplusplus
}
#endif
#endif
