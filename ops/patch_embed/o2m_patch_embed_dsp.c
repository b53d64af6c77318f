/* o2m_patch_embed_dsp.c - patch embedding on cores with DSP instructions: two patches by four outputs, o2m_dot_dsp.h.
 * Where one piece is the whole patch the tile requantises and stores; else pieces are summed in scratch. */
#include <string.h>

#include "o2m_dot_dsp.h"
#include "o2m_patch_embed.h"

typedef struct pair { /* of patches, side by side; `count` is 2 or 1 */
  const uint8_t *x;
  int32_t count, y_at;
  int32_t *acc; /* [outputs / 4][2 patches][4], as the tile leaves them */
  uint32_t *panel;
  uint8_t *pixels; /* [count][h][w][C] */
} pair;

/* The bytes of the piece at (i, j) of both patches; returns how many there are in one. */
static int32_t gather(const pair *a, int32_t i, int32_t j, const o2m_patch_embed_params *p) {
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

static void make_panel(const pair *a, int32_t depth, const o2m_patch_embed_params *p) {
  const int32_t type = p->x_signed ? O2M_DOT_DSP_FROM_S8 : O2M_DOT_DSP_FROM_U8;
  O2M_SYM(o2m_dot_dsp_rows)(a->pixels, type, depth, 1, a->count, depth, 0, a->panel);
}

/* acc += the products of a piece. */
static void add_piece(const pair *a, int32_t depth, const int8_t *weights, const o2m_patch_embed_params *p) {
  int32_t sums[8], *acc = a->acc;
  o2m_dot_dsp d;
  memset(&d, 0, sizeof d);
  d.blocks = o2m_dot_dsp_blocks(depth);
  d.packed = 1;
  d.y = sums;
  d.row_bytes = 16;
  d.column_bytes = 4;
  d.store = O2M_DOT_DSP_RAW;
  O2M_SYM(o2m_dot_dsp_prepare)(&d);
  for (int32_t o = 0; o < p->outputs; o += 4, weights += 16 * d.blocks, acc += 8) {
    d.weights = weights;
    O2M_SYM(o2m_dot_dsp_run)(a->panel, a->panel + 4 * d.blocks, &d);
    for (int32_t i = 0; i < 8; ++i) acc[i] += sums[i];
  }
}

/* Where the sum of output o of a patch lies. */
static int32_t acc_at(int32_t patch, int32_t o) { return 2 * (o & ~3) + 4 * patch + (o & 3); }

static void sum_pieces(const pair *a, const o2m_patch_embed_params *p) {
  const int8_t *weights = p->weights;
  for (int32_t o = 0; o < ((p->outputs + 3) & ~3); ++o) {
    a->acc[acc_at(0, o)] = a->acc[acc_at(1, o)] = o < p->outputs ? p->bias[o] : 0;
  }
  for (int32_t i = 0; i < p->kernel_h; i += p->piece_h) {
    for (int32_t j = 0; j < p->kernel_w; j += p->piece_w) {
      const int32_t depth = gather(a, i, j, p);
      make_panel(a, depth, p);
      add_piece(a, depth, weights, p);
      weights += (p->outputs + 3) / 4 * 16 * o2m_dot_dsp_blocks(depth);
    }
  }
}

static void store_sums(const pair *a, void *y, const o2m_patch_embed_params *p) {
  for (int32_t patch = 0; patch < a->count; ++patch) {
    const int32_t at = a->y_at + patch * p->y_column;
    for (int32_t o = 0; o < p->outputs; ++o) {
      o2m_patch_embed_store(p, y, at + o * p->y_channel, o, a->acc[acc_at(patch, o)]);
    }
  }
}

/* Whether the tile's one multiplication does: whole groups of outputs, and |acc| below 2^(shift - 1), acc being sums of
 * bytes times [-127, 127], zero points and a bias below 2^26. */
static int32_t is_direct(const o2m_patch_embed_params *p) {
  const int32_t depth = p->kernel_h * p->kernel_w * p->channels;
  const int64_t most = (int64_t)510 * 127 * depth + (1 << 26);
  return p->outputs % 4 == 0 && p->piece_h >= p->kernel_h && p->piece_w >= p->kernel_w &&
         most < (int64_t)1 << (p->shift - 1);
}

static void store_tiles(const pair *a, void *y, const o2m_patch_embed_params *p) {
  const int32_t depth = gather(a, 0, 0, p);
  o2m_dot_dsp d;
  memset(&d, 0, sizeof d);
  d.blocks = o2m_dot_dsp_blocks(depth);
  d.packed = 1;
  d.zero = p->y_zero + (p->table ? 128 : 0);
  d.row_bytes = a->count > 1 ? p->y_column * p->y_bytes : 0;
  d.column_bytes = p->y_channel * p->y_bytes;
  d.table = p->table;
  d.store = p->table ? O2M_DOT_DSP_TABLE : p->y_bytes == 1 ? O2M_DOT_DSP_S8 : O2M_DOT_DSP_S16;
  d.up = 32 - p->shift;
  d.bias = p->bias;
  O2M_SYM(o2m_dot_dsp_prepare)(&d);
  make_panel(a, depth, p);
  for (int32_t o = 0; o < p->outputs; o += 4) {
    d.weights = p->weights + 4 * o * d.blocks;
    d.bias = p->bias + o;
    d.multiplier = p->multiplier + o;
    d.y = (char *)y + (a->y_at + o * p->y_channel) * p->y_bytes;
    O2M_SYM(o2m_dot_dsp_run)(a->panel, a->panel + 4 * d.blocks, &d);
  }
}

void O2M_SYM(o2m_patch_embed_dsp)(const void *x, void *y, int32_t rows, void *scratch,
                                  const o2m_patch_embed_params *p) {
  const int32_t direct = is_direct(p);
  pair a;
  a.acc = (int32_t *)scratch;
  a.panel = (uint32_t *)a.acc + 2 * ((p->outputs + 3) & ~3);
  a.pixels = (uint8_t *)(a.panel + o2m_dot_dsp_row_words(p->piece_h * p->piece_w * p->channels));
  for (int32_t r = 0; r < rows; ++r) {
    for (int32_t t = 0; t < p->columns; t += 2) {
      a.x = (const uint8_t *)x + r * p->stride_h * p->x_row + t * p->stride_w * p->x_column;
      a.count = o2m_min(2, p->columns - t);
      a.y_at = r * p->y_row + t * p->y_column;
      if (direct) {
        store_tiles(&a, y, p);
      } else {
        sum_pieces(&a, p);
        store_sums(&a, y, p);
      }
    }
  }
}
