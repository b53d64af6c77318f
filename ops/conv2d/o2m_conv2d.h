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

/* The same for an s16 image, whose zero point is in the bias: x_zero is not looked at. acc is of 64 bits and becomes
 * floor(acc / 2^acc_shift + 1/2), which fits 31 bits, before it is multiplied; acc_shift in 0 .. 31. */
void O2M_SYM(o2m_conv2d_s16)(const void *x, void *y, int32_t first, int32_t rows, const o2m_conv2d_params *p,
                             int32_t acc_shift);

/* o2m_conv2d with DSP instructions. scratch, for K products per output, rounded up to 4:
 *   o2m_conv2d_dsp             2 K bytes for each of o2m_conv2d_tile() outputs and 10 K
 *   o2m_conv2d_depthwise_dsp   weights as s16 for channels rounded up to 4; one input and one output per group */
void O2M_SYM(o2m_conv2d_dsp)(const void *x, void *y, int32_t first, int32_t rows, const o2m_conv2d_params *p,
                             void *scratch);
void O2M_SYM(o2m_conv2d_depthwise_dsp)(const void *x, void *y, int32_t first, int32_t rows, const o2m_conv2d_params *p,
                                       void *scratch);

/* Neighbouring outputs that share one widening of the weights: fewer where the sums are deep. */
static inline int32_t o2m_conv2d_tile(int32_t depth) { return depth > 256 ? 4 : 8; }

/* Whether one multiplication by 2^-32 requantises the sums (o2m_dot_dsp.h): |acc| stays below 2^(shift - 1). What
 * biases take of it: channel_weights.hpp. */
static inline int32_t o2m_conv2d_is_direct(int32_t depth, int32_t shift) {
  return (int64_t)255 * 127 * depth + (1 << 26) < (int64_t)1 << (shift - 1);
}

/* The part of the kernel that lies inside the image at one output: rows [i0, i1), columns [j0, j1); `x` is the input
 * value under kernel row 0 and column 0, which may itself lie outside. */
typedef struct o2m_conv2d_window {
  int32_t i0, i1, j0, j1, x;
} o2m_conv2d_window;

/* First k >= 0 with at + k * dilation >= 0, and first k <= kernel with at + k * dilation >= size. */
static inline int32_t o2m_conv2d_first_inside(int32_t at, int32_t dilation) {
  return at >= 0 ? 0 : (dilation - 1 - at) / dilation;
}
static inline int32_t o2m_conv2d_first_behind(int32_t at, int32_t dilation, int32_t size, int32_t kernel) {
  return at >= size ? 0 : o2m_min(kernel, (size - at + dilation - 1) / dilation);
}

/* Of output row `r`, column `t`; x_first: the image row that x points at. */
static inline o2m_conv2d_window o2m_conv2d_window_at(int32_t r, int32_t t, int32_t x_first,
                                                     const o2m_conv2d_params *p) {
  const int32_t row = r * p->stride_h - p->pad_top, column = t * p->stride_w - p->pad_left;
  const o2m_conv2d_window window = {o2m_conv2d_first_inside(row, p->dilation_h),
                                    o2m_conv2d_first_behind(row, p->dilation_h, p->x_h, p->kernel_h),
                                    o2m_conv2d_first_inside(column, p->dilation_w),
                                    o2m_conv2d_first_behind(column, p->dilation_w, p->x_w, p->kernel_w),
                                    (row - x_first) * p->x_row + column * p->x_column};
  return window;
}
static inline int32_t o2m_conv2d_x_first(int32_t first, const o2m_conv2d_params *p) {
  return o2m_max(0, first * p->stride_h - p->pad_top);
}

/* Requantises the sum of output channel o and stores it at y[at]. */
static inline void o2m_conv2d_store(const o2m_conv2d_params *p, void *y, int32_t at, int32_t o, int32_t acc) {
  const int32_t q = p->y_zero + o2m_requantize(acc, p->multiplier[o], p->shift);
  if (p->y_bytes == 2) {
    ((int16_t *)y)[at] = o2m_saturate_s16(q);
  } else {
    const int8_t s = o2m_saturate_s8(q);
    ((int8_t *)y)[at] = p->table ? p->table[s + 128] : s;
  }
}

#ifdef __cplusplus
}
#endif
#endif
