#include "o2m_conv2d.h"

/* The part of the kernel that lies inside the image at one output: rows [i0, i1), columns [j0, j1); `x` is the input
 * value under kernel row 0 and column 0, which may itself lie outside. */
typedef struct o2m_conv2d_window {
  int32_t i0, i1, j0, j1, x;
} o2m_conv2d_window;

/* First k >= 0 with at + k * dilation >= 0, and first k <= kernel with at + k * dilation >= size. */
static int32_t first_inside(int32_t at, int32_t dilation) { return at >= 0 ? 0 : (dilation - 1 - at) / dilation; }
static int32_t first_behind(int32_t at, int32_t dilation, int32_t size, int32_t kernel) {
  return at >= size ? 0 : o2m_min(kernel, (size - at + dilation - 1) / dilation);
}

/* x ^ 128 - 128 reads the byte as signed, x ^ 0 - 0 as unsigned; either way minus the zero point. */
#define O2M_PIXEL(x) (((x) ^ sign) - zero)

/* Sums of four outputs whose weights lie `next` apart. */
static void sum4(const uint8_t *x, const int8_t *weights, int32_t next, const o2m_conv2d_window *window, int32_t acc[4],
                 const o2m_conv2d_params *p) {
  const int32_t sign = p->x_signed ? 128 : 0, zero = sign + p->x_zero, channels = p->group_inputs;
  int32_t s0 = acc[0], s1 = acc[1], s2 = acc[2], s3 = acc[3];
  for (int32_t i = window->i0; i < window->i1; ++i) {
    for (int32_t j = window->j0; j < window->j1; ++j) {
      int32_t at = window->x + i * p->dilation_h * p->x_row + j * p->dilation_w * p->x_column;
      const int8_t *w0 = weights + (i * p->kernel_w + j) * channels, *w1 = w0 + next, *w2 = w1 + next, *w3 = w2 + next;
      for (int32_t c = 0; c < channels; ++c, at += p->x_channel) {
        const int32_t pixel = O2M_PIXEL(x[at]);
        s0 += pixel * w0[c];
        s1 += pixel * w1[c];
        s2 += pixel * w2[c];
        s3 += pixel * w3[c];
      }
    }
  }
  acc[0] = s0;
  acc[1] = s1;
  acc[2] = s2;
  acc[3] = s3;
}

/* The sum of one output: the rest of four, depthwise. */
static int32_t sum1(const uint8_t *x, const int8_t *weights, const o2m_conv2d_window *window, int32_t acc,
                    const o2m_conv2d_params *p) {
  const int32_t sign = p->x_signed ? 128 : 0, zero = sign + p->x_zero, channels = p->group_inputs;
  for (int32_t i = window->i0; i < window->i1; ++i) {
    for (int32_t j = window->j0; j < window->j1; ++j) {
      int32_t at = window->x + i * p->dilation_h * p->x_row + j * p->dilation_w * p->x_column;
      const int8_t *w = weights + (i * p->kernel_w + j) * channels;
      for (int32_t c = 0; c < channels; ++c, at += p->x_channel) acc += O2M_PIXEL(x[at]) * w[c];
    }
  }
  return acc;
}

static void store(const o2m_conv2d_params *p, void *y, int32_t at, int32_t o, int32_t acc) {
  const int32_t q = p->y_zero + o2m_requantize(acc, p->multiplier[o], p->shift);
  if (p->y_bytes == 2) {
    ((int16_t *)y)[at] = o2m_saturate_s16(q);
  } else {
    const int8_t s = o2m_saturate_s8(q);
    ((int8_t *)y)[at] = p->table ? p->table[s + 128] : s;
  }
}

/* All outputs of one group at one place; y is where channel 0 of that place lies. */
static void group_outputs(const uint8_t *x, void *y, int32_t at, int32_t group, o2m_conv2d_window window,
                          const o2m_conv2d_params *p) {
  const int32_t depth = p->kernel_h * p->kernel_w * p->group_inputs, end = (group + 1) * p->group_outputs;
  int32_t o = group * p->group_outputs;
  window.x += group * p->group_inputs * p->x_channel;
  for (; o + 4 <= end; o += 4) {
    int32_t acc[4] = {p->bias[o], p->bias[o + 1], p->bias[o + 2], p->bias[o + 3]};
    sum4(x, p->weights + o * depth, depth, &window, acc, p);
    for (int32_t k = 0; k < 4; ++k) store(p, y, at + (o + k) * p->y_channel, o + k, acc[k]);
  }
  for (; o < end; ++o) {
    store(p, y, at + o * p->y_channel, o, sum1(x, p->weights + o * depth, &window, p->bias[o], p));
  }
}

void O2M_SYM(o2m_conv2d)(const void *x, void *y, int32_t first, int32_t rows, const o2m_conv2d_params *p) {
  const int32_t x_first = o2m_max(0, first * p->stride_h - p->pad_top); /* the image row that x points at */
  for (int32_t r = 0; r < rows; ++r) {
    const int32_t row = (first + r) * p->stride_h - p->pad_top;
    for (int32_t t = 0; t < p->y_w; ++t) {
      const int32_t column = t * p->stride_w - p->pad_left;
      const o2m_conv2d_window window = {
          first_inside(row, p->dilation_h), first_behind(row, p->dilation_h, p->x_h, p->kernel_h),
          first_inside(column, p->dilation_w), first_behind(column, p->dilation_w, p->x_w, p->kernel_w),
          (row - x_first) * p->x_row + column * p->x_column};
      for (int32_t g = 0; g < p->groups; ++g) {
        group_outputs((const uint8_t *)x, y, r * p->y_row + t * p->y_column, g, window, p);
      }
    }
  }
}
