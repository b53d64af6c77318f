/* o2m_patch_pairs_dsp.h - what patch embedding shares on cores with DSP instructions: two patches by four outputs. */
#ifndef O2M_PATCH_PAIRS_DSP_H_
#define O2M_PATCH_PAIRS_DSP_H_
#include "o2m_dot_dsp.h"
#include "o2m_patch_embed.h"

typedef struct o2m_patch_pair { /* of patches, side by side; `count` is 2 or 1 */
  const uint8_t *x;
  int32_t count, y_at;
  int32_t *acc; /* [outputs / 4][2 patches][4], as the tile leaves them */
  uint32_t *panel;
  uint8_t *pixels; /* [count][h][w][C] */
} o2m_patch_pair;

/* The bytes of the piece at (i, j) of both patches; returns how many there are in one. */
static inline int32_t o2m_patch_gather(const o2m_patch_pair *a, int32_t i, int32_t j, const o2m_patch_embed_params *p) {
  const int32_t h = o2m_min(p->piece_h, p->kernel_h - i), w = o2m_min(p->piece_w, p->kernel_w - j);
  uint8_t *to = a->pixels;
  for (int32_t patch = 0; patch < a->count; ++patch) {
    const uint8_t *const x = a->x + patch * p->stride_w * p->x_column + i * p->x_row + j * p->x_column;
    for (int32_t row = 0; row < h; ++row) {
      for (int32_t column = 0; column < w; ++column) {
        const uint8_t *const pixel = x + row * p->x_row + column * p->x_column;
        for (int32_t c = 0; c < p->channels; ++c) *to++ = pixel[c * p->x_channel];
      }
    }
  }
  return h * w * p->channels;
}

static inline void o2m_patch_panel(const o2m_patch_pair *a, int32_t depth, const o2m_patch_embed_params *p) {
  const int32_t type = p->x_signed ? O2M_DOT_DSP_FROM_S8 : O2M_DOT_DSP_FROM_U8;
  O2M_SYM(o2m_dot_dsp_rows)(a->pixels, type, depth, 1, a->count, depth, 0, a->panel);
}

/* Calls f for the patches of `rows` rows, two by two. */
typedef void o2m_patch_function(const o2m_patch_pair *a, void *y, const o2m_patch_embed_params *p);
static inline void o2m_patch_each_pair(const void *x, void *y, int32_t rows, void *scratch,
                                       const o2m_patch_embed_params *p, o2m_patch_function *f) {
  o2m_patch_pair a;
  a.acc = (int32_t *)scratch;
  a.panel = (uint32_t *)a.acc + 2 * ((p->outputs + 3) & ~3);
  a.pixels = (uint8_t *)(a.panel + o2m_dot_dsp_row_words(p->piece_h * p->piece_w * p->channels));
  for (int32_t r = 0; r < rows; ++r) {
    for (int32_t t = 0; t < p->columns; t += 2) {
      a.x = (const uint8_t *)x + r * p->stride_h * p->x_row + t * p->stride_w * p->x_column;
      a.count = o2m_min(2, p->columns - t);
      a.y_at = r * p->y_row + t * p->y_column;
      f(&a, y, p);
    }
  }
}

#endif
