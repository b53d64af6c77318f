/* o2m_integer_conv_loops.h - the body of both kernels, for a file that defines SUM, the type of a sum; else empty. */
#include "o2m_integer_conv.h"

#ifdef SUM
/* What one output sees of a group, [kernel_h][kernel_w][channels]; zeros where it looks past the image. */
static void gather(const void *x, int32_t top, int32_t base, int32_t left, int32_t channel, int32_t *patch,
                   const o2m_integer_conv_params *p) {
  for (int32_t i = 0; i < p->kernel_h; ++i) {
    const int32_t row = top + i * p->dilation_h;
    for (int32_t j = 0; j < p->kernel_w; ++j, patch += p->channels) {
      const int32_t column = left + j * p->dilation_w;
      if (row < 0 || row >= p->x_h || column < 0 || column >= p->x_w) {
        for (int32_t c = 0; c < p->channels; ++c) patch[c] = 0;
        continue;
      }
      const int32_t at = (row - base) * p->x_row + column * p->x_column + channel * p->x_channel;
      o2m_integer_widen(x, at, p->x_channel, p->x_type, p->channels, patch);
    }
  }
}

/* Sums of patch[k] * weights[k] for the outputs from `at` on: four where as many are left, each value being read once.
 */
#define O2M_DOTS(NAME, W)                                                                                              \
  static int32_t NAME(const int32_t *patch, const void *weights, int32_t at, int32_t depth, int32_t left, SUM *sums) { \
    const W *const w0 = (const W *)weights + at * depth;                                                               \
    SUM s0 = 0, s1 = 0, s2 = 0, s3 = 0;                                                                                \
    if (left < 4) {                                                                                                    \
      for (int32_t k = 0; k < depth; ++k) s0 += (SUM)patch[k] * w0[k];                                                 \
      sums[0] = s0;                                                                                                    \
      return 1;                                                                                                        \
    }                                                                                                                  \
    const W *const w1 = w0 + depth, *const w2 = w1 + depth, *const w3 = w2 + depth;                                    \
    for (int32_t k = 0; k < depth; ++k) {                                                                              \
      const SUM value = patch[k];                                                                                      \
      s0 += value * w0[k];                                                                                             \
      s1 += value * w1[k];                                                                                             \
      s2 += value * w2[k];                                                                                             \
      s3 += value * w3[k];                                                                                             \
    }                                                                                                                  \
    sums[0] = s0;                                                                                                      \
    sums[1] = s1;                                                                                                      \
    sums[2] = s2;                                                                                                      \
    sums[3] = s3;                                                                                                      \
    return 4;                                                                                                          \
  }
O2M_DOTS(dots_s8, int8_t)
O2M_DOTS(dots_s16, int16_t)
O2M_DOTS(dots_s32, int32_t)

static void store(void *y, int32_t y_at, int32_t o, SUM sum, const o2m_integer_conv_params *p) {
  const SUM biased = p->bias ? sum + p->bias[o] : sum;
  const int32_t q = p->requant.on ? o2m_integer_requantise(biased, p->mul[o], p->add[o], &p->requant) : (int32_t)biased;
  o2m_integer_put(y, y_at + o * p->y_channel, p->y_type, q);
}

/* All outputs of group g at one place. */
static void group_outputs(const int32_t *patch, void *y, int32_t y_at, int32_t g, const o2m_integer_conv_params *p) {
  const int32_t depth = p->kernel_h * p->kernel_w * p->channels, end = (g + 1) * p->outputs;
  for (int32_t o = g * p->outputs; o < end;) {
    SUM sums[4];
    const int32_t done = p->w_type == O2M_INTEGER_S8    ? dots_s8(patch, p->weights, o, depth, end - o, sums)
                         : p->w_type == O2M_INTEGER_S16 ? dots_s16(patch, p->weights, o, depth, end - o, sums)
                                                        : dots_s32(patch, p->weights, o, depth, end - o, sums);
    for (int32_t i = 0; i < done; ++i, ++o) store(y, y_at, o, sums[i], p);
  }
}

static inline void all_rows(const void *x, void *y, int32_t first, int32_t rows, int32_t *patch,
                            const o2m_integer_conv_params *p) {
  const int32_t base = p->whole ? 0 : o2m_max(first * p->stride_h - p->pad_top, 0);
  for (int32_t r = 0; r < rows; ++r) {
    const int32_t top = (first + r) * p->stride_h - p->pad_top;
    for (int32_t c = 0; c < p->y_w; ++c) {
      for (int32_t g = 0; g < p->groups; ++g) {
        gather(x, top, base, c * p->stride_w - p->pad_left, g * p->channels, patch, p);
        group_outputs(patch, y, r * p->y_row + c * p->y_column, g, p);
      }
    }
  }
}
#endif
