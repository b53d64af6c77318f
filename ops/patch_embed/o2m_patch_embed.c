#include "o2m_patch_embed.h"

/* pixels[h][w][C] of a piece, widened to s16. x ^ 128 - 128 reads the byte as signed, x ^ 0 - 0 as unsigned. */
static void gather(const uint8_t *x, int16_t *pixels, int32_t h, int32_t w, const o2m_patch_embed_params *p) {
  const int32_t sign = p->x_signed ? 128 : 0, less = sign + p->x_less;
  for (int32_t i = 0; i < h; ++i) {
    for (int32_t j = 0; j < w; ++j) {
      const uint8_t *pixel = x + i * p->x_row + j * p->x_column;
      for (int32_t c = 0; c < p->channels; ++c) *pixels++ = (int16_t)((pixel[c * p->x_channel] ^ sign) - less);
    }
  }
}

/* s[i] += pixel * w[4 * i] for 4 outputs */
static inline void add_pixel(int32_t pixel, const int8_t *w, int32_t s[4]) {
  s[0] += pixel * w[0];
  s[1] += pixel * w[4];
  s[2] += pixel * w[8];
  s[3] += pixel * w[12];
}

/* sums[i] = sum_k pixels[k] * w[k / 4][i][k % 4] for 4 outputs */
static void sum_four(const int16_t *pixels, int32_t count, const int8_t *w, int32_t sums[4]) {
  int32_t s[4] = {0, 0, 0, 0}, k = 0;
  for (; k + 4 <= count; k += 4, w += 16) {
    add_pixel(pixels[k], w, s);
    add_pixel(pixels[k + 1], w + 1, s);
    add_pixel(pixels[k + 2], w + 2, s);
    add_pixel(pixels[k + 3], w + 3, s);
  }
  for (; k < count; ++k, ++w) add_pixel(pixels[k], w, s);
  for (int32_t i = 0; i < 4; ++i) sums[i] = s[i];
}

/* acc[o] += sum_k weights[o][k] * pixels[k]. Returns the weights of the next piece. */
static const int8_t *add_piece(const int16_t *pixels, int32_t count, const int8_t *weights, int32_t outputs,
                               int32_t *acc) {
  for (int32_t o = 0; o < outputs; o += 4) {
    const int32_t valid = o2m_min(4, outputs - o);
    int32_t sums[4];
    sum_four(pixels, count, weights, sums);
    for (int32_t i = 0; i < valid; ++i) acc[o + i] += sums[i];
    weights += 16 * ((count + 3) / 4);
  }
  return weights;
}

void O2M_SYM(o2m_patch_embed)(const void *x, void *y, int32_t rows, void *scratch, const o2m_patch_embed_params *p) {
  int32_t *acc = (int32_t *)scratch;
  int16_t *pixels = (int16_t *)(acc + p->outputs);
  for (int32_t r = 0; r < rows; ++r) {
    for (int32_t t = 0; t < p->columns; ++t) {
      const uint8_t *patch = (const uint8_t *)x + r * p->stride_h * p->x_row + t * p->stride_w * p->x_column;
      const int8_t *weights = p->weights;
      for (int32_t o = 0; o < p->outputs; ++o) acc[o] = p->bias[o];
      for (int32_t i = 0; i < p->kernel_h; i += p->piece_h) {
        for (int32_t j = 0; j < p->kernel_w; j += p->piece_w) {
          const int32_t h = o2m_min(p->piece_h, p->kernel_h - i), w = o2m_min(p->piece_w, p->kernel_w - j);
          gather(patch + i * p->x_row + j * p->x_column, pixels, h, w, p);
          weights = add_piece(pixels, h * w * p->channels, weights, p->outputs, acc);
        }
      }
      for (int32_t o = 0; o < p->outputs; ++o) {
        o2m_patch_embed_store(p, y, r * p->y_row + t * p->y_column + o * p->y_channel, o, acc[o]);
      }
    }
  }
}
