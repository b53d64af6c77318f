/* o2m_patch_embed.h - a convolution whose patches do not overlap and have no padding: patches of pixels to tokens.
 *
 * The patch is read in pieces (MCUFormer, Liang et al. 2023, section 3.3: 4 x 4 pixels): the pixels of one piece are
 * gathered in scratch, its products are added to s32 sums of all outputs, also in scratch. So scratch is bounded by the
 * piece, not by the patch. The pieces change the order of the sums only: same bytes for any piece.
 *
 *   acc[o] = bias[o] + sum over pieces, rows, columns, channels of weight * pixel
 *   q      = y_zero + floor(acc[o] * multiplier[o] / 2^shift + 1/2), saturated to y's type
 *   y      = table ? table[q + 128] : q
 *
 * The zero point of x is folded into bias; so is 128 where pixels of u8 are taken as x - 128 (x_less), for cores that
 * multiply signed bytes. */
#ifndef O2M_PATCH_EMBED_H_
#define O2M_PATCH_EMBED_H_
#include <stdint.h>

#include "o2m_fixedpoint.h"
#include "o2m_sym.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef struct o2m_patch_embed_params {
  int32_t channels, outputs, columns; /* C, O, patches side by side */
  int32_t kernel_h, kernel_w;
  int32_t stride_h, stride_w;         /* no less than the kernel */
  int32_t piece_h, piece_w;           /* the last piece of a patch may be smaller */
  int32_t x_channel, x_row, x_column; /* strides of the image, elements */
  int32_t y_channel, y_row, y_column; /* strides of the tokens, elements; y_row from one row of patches to the next */
  int32_t x_signed;                   /* 1: pixels are s8, 0: u8 */
  int32_t x_less;                     /* 0 or 128: what is taken from a pixel; for _mve 128 where they are u8, else 0 */
  int32_t y_bytes;                    /* 1: s8, 2: s16 */
  int32_t y_zero;
  int32_t shift;
  const int8_t *weights;     /* piece after piece, each [ceil(O / 4)][ceil(K / 4)][4 outputs][4 k], K = [h][w][C] */
  const int32_t *bias;       /* [O] */
  const int32_t *multiplier; /* [O] */
  const int8_t *table;       /* [256], or null */
} o2m_patch_embed_params;

/* `rows` rows of patches. scratch: O s32 sums, then one piece of s16 pixels; _dsp: sums of two patches, a panel of
 * o2m_dot_dsp.h, and two pieces of bytes; _mve: sums of two patches, and two pieces of whole blocks of 16 bytes. */
void O2M_SYM(o2m_patch_embed)(const void *x, void *y, int32_t rows, void *scratch, const o2m_patch_embed_params *p);
void O2M_SYM(o2m_patch_embed_dsp)(const void *x, void *y, int32_t rows, void *scratch, const o2m_patch_embed_params *p);
void O2M_SYM(o2m_patch_embed_mve)(const void *x, void *y, int32_t rows, void *scratch, const o2m_patch_embed_params *p);
void O2M_SYM(o2m_patch_embed_whole_dsp)(const void *x, void *y, int32_t rows, void *scratch,
                                        const o2m_patch_embed_params *p);

/* Whether o2m_patch_embed_whole_dsp() does, whose tiles multiply once: whole groups of outputs, and |acc| below
 * 2^(shift - 1), acc being sums of bytes times [-127, 127], zero points and a bias below 2^26. */
static inline int32_t o2m_patch_is_whole(const o2m_patch_embed_params *p) {
  const int32_t depth = p->kernel_h * p->kernel_w * p->channels;
  const int64_t most = (int64_t)510 * 127 * depth + (1 << 26);
  return p->outputs % 4 == 0 && p->piece_h >= p->kernel_h && p->piece_w >= p->kernel_w &&
         most < (int64_t)1 << (p->shift - 1);
}

/* Requantises the sum of output o and stores it at y[at]. */
static inline void o2m_patch_embed_store(const o2m_patch_embed_params *p, void *y, int32_t at, int32_t o, int32_t acc) {
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
