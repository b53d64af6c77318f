#include "o2m_patch_embed.h"

/* pixels[h][w][C] of a piece, widened to s16. x ^ 128 - 128 reads the byte as signed, x ^ 0 - 0 as unsigned. */
static void gather(const uint8_t *x, int16_t *pixels, int32_t h, int32_t w, const o2m_patch_embed_params *p) {
  const int32_t sign = p->x_signed ? 128 : 0;
  for (int32_t i = 0; i < h; ++i) {
    for (int32_t j = 0; j < w; ++j) {
      const uint8_t *pixel = x + i * p->x_row + j * p->x_column;
      for (int32_t c = 0; c < p->channels; ++c) *pixels++ = (int16_t)((pixel[c * p->x_channel] ^ sign) - sign);
    }
  }
}

/* acc[o] += sum_k weights[o][k] * pixels[k], four outputs at a time. Returns the weights of the next piece. */
static const int8_t *add_piece(const int16_t *pixels, int32_t count, const int8_t *weights, int32_t outputs,
                               int32_t *acc) {
  int32_t o = 0;
  for (; o + 4 <= outputs; o += 4) {
    const int8_t *w0 = weights, *w1 = w0 + count, *w2 = w1 + count, *w3 = w2 + count;
    int32_t s0 = acc[o], s1 = acc[o + 1], s2 = acc[o + 2], s3 = acc[o + 3];
    for (int32_t k = 0; k < count; ++k) {
      const int32_t pixel = pixels[k];
      s0 += pixel * w0[k];
      s1 += pixel * w1[k];
      s2 += pixel * w2[k];
      s3 += pixel * w3[k];
    }
    acc[o] = s0;
    acc[o + 1] = s1;
    acc[o + 2] = s2;
    acc[o + 3] = s3;
    weights += 4 * count;
  }
  for (; o < outputs; ++o) {
    for (int32_t k = 0; k < count; ++k) acc[o] += pixels[k] * weights[k];
    weights += count;
  }
  return weights;
}

static void store_token(const int32_t *acc, void *y, int32_t at, const o2m_patch_embed_params *p) {
  for (int32_t o = 0; o < p->outputs; ++o, at += p->y_channel) {
    const int32_t q = p->y_zero + o2m_requantize(acc[o], p->multiplier[o], p->shift);
    if (p->y_bytes == 2) {
      ((int16_t *)y)[at] = o2m_saturate_s16(q);
    } else {
      const int8_t s = o2m_saturate_s8(q);
      ((int8_t *)y)[at] = p->table ? p->table[s + 128] : s;
    }
  }
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
      store_token(acc, y, r * p->y_row + t * p->y_column, p);
    }
  }
}
