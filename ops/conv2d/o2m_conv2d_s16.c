/* o2m_conv2d_s16.c - convolution of an s16 image. 512 products of s16 and [-127, 127] fit s32; sums are of 64 bits. */
#include "o2m_conv2d.h"

/* Sums of four outputs whose weights lie `next` apart. */
static void sum4(const int16_t *x, const int8_t *weights, int32_t next, const o2m_conv2d_window *window, int64_t acc[4],
                 const o2m_conv2d_params *p) {
  const int32_t channels = p->group_inputs;
  int64_t s0 = acc[0], s1 = acc[1], s2 = acc[2], s3 = acc[3];
  for (int32_t i = window->i0; i < window->i1; ++i) {
    for (int32_t j = window->j0; j < window->j1; ++j) {
      int32_t at = window->x + i * p->dilation_h * p->x_row + j * p->dilation_w * p->x_column;
      const int8_t *w0 = weights + (i * p->kernel_w + j) * channels, *w1 = w0 + next, *w2 = w1 + next, *w3 = w2 + next;
      for (int32_t c = 0; c < channels; ++c, at += p->x_channel) {
        const int32_t pixel = x[at];
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
static int64_t sum1(const int16_t *x, const int8_t *weights, const o2m_conv2d_window *window, int64_t acc,
                    const o2m_conv2d_params *p) {
  const int32_t channels = p->group_inputs;
  for (int32_t i = window->i0; i < window->i1; ++i) {
    for (int32_t j = window->j0; j < window->j1; ++j) {
      int32_t at = window->x + i * p->dilation_h * p->x_row + j * p->dilation_w * p->x_column;
      const int8_t *w = weights + (i * p->kernel_w + j) * channels;
      for (int32_t c = 0; c < channels; ++c, at += p->x_channel) acc += x[at] * w[c];
    }
  }
  return acc;
}

static inline int32_t narrow(int64_t acc, int32_t shift) {
  return shift > 0 ? (int32_t)o2m_round_shift(acc, shift) : (int32_t)acc;
}

/* All outputs of one group at one place; y is where channel 0 of that place lies. */
static void group_outputs(const int16_t *x, void *y, int32_t at, int32_t group, o2m_conv2d_window window,
                          const o2m_conv2d_params *p, int32_t acc_shift) {
  const int32_t depth = p->kernel_h * p->kernel_w * p->group_inputs, end = (group + 1) * p->group_outputs;
  int32_t o = group * p->group_outputs;
  window.x += group * p->group_inputs * p->x_channel;
  for (; o + 4 <= end; o += 4) {
    int64_t acc[4] = {p->bias[o], p->bias[o + 1], p->bias[o + 2], p->bias[o + 3]};
    sum4(x, p->weights + o * depth, depth, &window, acc, p);
    for (int32_t k = 0; k < 4; ++k) {
      o2m_conv2d_store(p, y, at + (o + k) * p->y_channel, o + k, narrow(acc[k], acc_shift));
    }
  }
  for (; o < end; ++o) {
    const int64_t acc = sum1(x, p->weights + o * depth, &window, p->bias[o], p);
    o2m_conv2d_store(p, y, at + o * p->y_channel, o, narrow(acc, acc_shift));
  }
}

void O2M_SYM(o2m_conv2d_s16)(const void *x, void *y, int32_t first, int32_t rows, const o2m_conv2d_params *p,
                             int32_t acc_shift) {
  const int32_t x_first = o2m_conv2d_x_first(first, p);
  for (int32_t r = 0; r < rows; ++r) {
    for (int32_t t = 0; t < p->y_w; ++t) {
      const o2m_conv2d_window window = o2m_conv2d_window_at(first + r, t, x_first, p);
      for (int32_t g = 0; g < p->groups; ++g) {
        group_outputs((const int16_t *)x, y, r * p->y_row + t * p->y_column, g, window, p, acc_shift);
      }
    }
  }
}
