/* o2m_patch_embed_dsp.c - patch embedding on cores with DSP instructions, pieces of a patch summed in scratch. */
#include <string.h>

#include "o2m_patch_pairs_dsp.h"

/* acc += the products of a piece. */
static void add_piece(const o2m_patch_pair *a, int32_t depth, const int8_t *weights, const o2m_patch_embed_params *p) {
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

static void sum_pieces(const o2m_patch_pair *a, const o2m_patch_embed_params *p) {
  const int8_t *weights = p->weights;
  for (int32_t o = 0; o < ((p->outputs + 3) & ~3); ++o) {
    a->acc[acc_at(0, o)] = a->acc[acc_at(1, o)] = o < p->outputs ? p->bias[o] : 0;
  }
  for (int32_t i = 0; i < p->kernel_h; i += p->piece_h) {
    for (int32_t j = 0; j < p->kernel_w; j += p->piece_w) {
      const int32_t depth = o2m_patch_gather(a, i, j, p);
      o2m_patch_panel(a, depth, p);
      add_piece(a, depth, weights, p);
      weights += (p->outputs + 3) / 4 * 16 * o2m_dot_dsp_blocks(depth);
    }
  }
}

static void store_sums(const o2m_patch_pair *a, void *y, const o2m_patch_embed_params *p) {
  sum_pieces(a, p);
  for (int32_t patch = 0; patch < a->count; ++patch) {
    const int32_t at = a->y_at + patch * p->y_column;
    for (int32_t o = 0; o < p->outputs; ++o) {
      o2m_patch_embed_store(p, y, at + o * p->y_channel, o, a->acc[acc_at(patch, o)]);
    }
  }
}

void O2M_SYM(o2m_patch_embed_dsp)(const void *x, void *y, int32_t rows, void *scratch,
                                  const o2m_patch_embed_params *p) {
  o2m_patch_each_pair(x, y, rows, scratch, p, store_sums);
}
