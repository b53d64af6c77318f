#include "o2m_integer_pool.h"

static int32_t largest(const void *x, int32_t at, int32_t top, int32_t base, int32_t left,
                       const o2m_integer_pool_params *p) {
  int32_t most = INT32_MIN;
  for (int32_t i = 0; i < p->kernel_h; ++i) {
    const int32_t row = top + i * p->dilation_h;
    if (row < 0 || row >= p->x_h) continue;
    for (int32_t j = 0; j < p->kernel_w; ++j) {
      const int32_t column = left + j * p->dilation_w;
      if (column < 0 || column >= p->x_w) continue;
      most = o2m_max(most, o2m_integer_at(x, at + (row - base) * p->x_row + column * p->x_column, p->x_type));
    }
  }
  return most;
}

void O2M_SYM(o2m_integer_pool)(const void *x, void *y, int32_t first, int32_t rows, const o2m_integer_pool_params *p) {
  const int32_t base = o2m_max(first * p->stride_h - p->pad_top, 0);
  for (int32_t r = 0; r < rows; ++r) {
    const int32_t top = (first + r) * p->stride_h - p->pad_top;
    for (int32_t c = 0; c < p->y_w; ++c) {
      for (int32_t k = 0; k < p->channels; ++k) {
        const int32_t most = largest(x, k * p->x_channel, top, base, c * p->stride_w - p->pad_left, p);
        o2m_integer_put(y, r * p->y_row + c * p->y_column + k * p->y_channel, p->y_type, most);
      }
    }
  }
}
