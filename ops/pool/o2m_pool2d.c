#include "o2m_pool2d.h"

/* The part of a window inside the image: kernel rows [i0, i1), columns [j0, j1); `x` is where kernel row 0 and column 0
 * would lie, `counted` the n of the formula. */
typedef struct o2m_pool2d_window {
  int32_t i0, i1, j0, j1, x, counted;
} o2m_pool2d_window;

/* First k >= 0 with at + k * dilation >= 0, and first k <= kernel with at + k * dilation >= size. */
static int32_t first_inside(int32_t at, int32_t dilation) { return at >= 0 ? 0 : (dilation - 1 - at) / dilation; }
static int32_t first_behind(int32_t at, int32_t dilation, int32_t size, int32_t kernel) {
  return at >= size ? 0 : o2m_min(kernel, (size - at + dilation - 1) / dilation);
}

static int32_t load(const void *x, int32_t at, int32_t type) {
  if (type == O2M_POOL_S8) return ((const int8_t *)x)[at];
  if (type == O2M_POOL_U8) return ((const uint8_t *)x)[at];
  return ((const int16_t *)x)[at];
}

static int32_t pool(const void *x, int32_t channel, const o2m_pool2d_window *window, const o2m_pool2d_params *p) {
  int32_t acc = p->average ? 0 : INT32_MIN;
  for (int32_t i = window->i0; i < window->i1; ++i) {
    for (int32_t j = window->j0; j < window->j1; ++j) {
      const int32_t at = window->x + i * p->dilation_h * p->x_row + j * p->dilation_w * p->x_column;
      const int32_t value = load(x, at + channel * p->x_channel, p->x_type);
      acc = p->average ? acc + value - p->x_zero : o2m_max(acc, value - p->x_zero);
    }
  }
  return acc;
}

static void store(void *y, int32_t at, int32_t q, const o2m_pool2d_params *p) {
  if (p->y_bytes == 2) {
    ((int16_t *)y)[at] = o2m_saturate_s16(q);
  } else {
    ((int8_t *)y)[at] = o2m_saturate_s8(q);
  }
}

/* n, 1 for a window that holds nothing */
static int32_t counted(const o2m_pool2d_window *w, int32_t row, int32_t column, const o2m_pool2d_params *p) {
  if (!p->average) return 1;
  if (!p->count_pad) return o2m_max(1, (w->i1 - w->i0) * (w->j1 - w->j0));
  return first_behind(row, p->dilation_h, p->x_h + p->pad_bottom, p->kernel_h) *
         first_behind(column, p->dilation_w, p->x_w + p->pad_right, p->kernel_w);
}

void O2M_SYM(o2m_pool2d)(const void *x, void *y, int32_t first, int32_t rows, const o2m_pool2d_params *p) {
  const int32_t x_first = o2m_max(0, first * p->stride_h - p->pad_top); /* the image row that x points at */
  for (int32_t r = 0; r < rows; ++r) {
    const int32_t row = (first + r) * p->stride_h - p->pad_top;
    for (int32_t t = 0; t < p->y_w; ++t) {
      const int32_t column = t * p->stride_w - p->pad_left;
      o2m_pool2d_window window = {first_inside(row, p->dilation_h),
                                  first_behind(row, p->dilation_h, p->x_h, p->kernel_h),
                                  first_inside(column, p->dilation_w),
                                  first_behind(column, p->dilation_w, p->x_w, p->kernel_w),
                                  (row - x_first) * p->x_row + column * p->x_column,
                                  1};
      window.counted = counted(&window, row, column, p);
      for (int32_t c = 0; c < p->channels; ++c) {
        const int32_t acc = pool(x, c, &window, p);
        const int32_t q = p->y_zero + o2m_requantize(acc, p->multiplier[window.counted - 1], p->shift);
        store(y, r * p->y_row + t * p->y_column + c * p->y_channel, q, p);
      }
    }
  }
}
