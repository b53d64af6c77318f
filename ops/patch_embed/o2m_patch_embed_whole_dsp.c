/* o2m_patch_embed_whole_dsp.c - patch embedding on cores with DSP instructions where one piece is the whole patch: the
 * tile requantises and stores. o2m_patch_is_whole() tells where it may be called. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("Os") /* the loops are in assembly; what is around them is to be small */
#endif
#include <string.h>

#include "o2m_patch_pairs_dsp.h"

static void store_tiles(const o2m_patch_pair *a, void *y, const o2m_patch_embed_params *p) {
  const int32_t depth = o2m_patch_gather(a, 0, 0, p);
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
  o2m_patch_panel(a, depth, p);
  for (int32_t o = 0; o < p->outputs; o += 4) {
    d.weights = p->weights + 4 * o * d.blocks;
    d.bias = p->bias + o;
    d.multiplier = p->multiplier + o;
    d.y = (char *)y + (a->y_at + o * p->y_channel) * p->y_bytes;
    O2M_SYM(o2m_dot_dsp_run)(a->panel, a->panel + 4 * d.blocks, &d);
  }
}

void O2M_SYM(o2m_patch_embed_whole_dsp)(const void *x, void *y, int32_t rows, void *scratch,
                                        const o2m_patch_embed_params *p) {
  o2m_patch_each_pair(x, y, rows, scratch, p, store_tiles);
}
