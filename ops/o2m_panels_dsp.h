/* o2m_panels_dsp.h - matrices widened to s16 pairs for the tiles of o2m_dot_dsp.h.
 *
 * Both sides of a product are widened in scratch: x once per use, w once per tile of tokens. Depth goes in blocks of 4.
 * A block holds the pairs (k0, k2) and (k1, k3), as SXTB16 makes them of a word:
 *
 *   x, 2 rows per panel:   block -> row 0 (k0, k2), row 1 (k0, k2), row 0 (k1, k3), row 1 (k1, k3)       4 words
 *   w, 4 columns per panel: block -> columns 0 .. 3 (k0, k2), columns 0 .. 3 (k1, k3)                     8 words
 *
 * Weights that are constants lie in groups of 4 columns: [blocks][4 columns][4 k] bytes. Widening a group takes about
 * 0.8 instructions per weight, so it pays from 4 rows of x on. */
#ifndef O2M_PANELS_DSP_H_
#define O2M_PANELS_DSP_H_
#include <stdint.h>

#include "o2m_sym.h"

#ifdef __cplusplus
extern "C" {
#endif

static inline int32_t o2m_dot_dsp_blocks(int32_t depth) { return (depth + 3) / 4; }
/* Words of a panel of 2 rows of x, and of 4 columns of w. */
static inline int32_t o2m_dot_dsp_row_words(int32_t depth) { return 4 * o2m_dot_dsp_blocks(depth); }
static inline int32_t o2m_dot_dsp_column_words(int32_t depth) { return 8 * o2m_dot_dsp_blocks(depth); }

/* Panels of x: `rows` rows, `row` and `column` apart (elements), less `zero`, which is 0 but for s8. An odd last row
 * stands in its panel twice. */
enum { O2M_DOT_DSP_FROM_S8, O2M_DOT_DSP_FROM_U8, O2M_DOT_DSP_FROM_S16 };
void O2M_SYM(o2m_dot_dsp_rows)(const void *x, int32_t type, int32_t row, int32_t column, int32_t rows, int32_t depth,
                               int32_t zero, uint32_t *to);
static inline void O2M_SYM(o2m_dot_dsp_rows_s8)(const int8_t *x, int32_t row, int32_t column, int32_t rows,
                                                int32_t depth, uint32_t *to) {
  O2M_SYM(o2m_dot_dsp_rows)(x, O2M_DOT_DSP_FROM_S8, row, column, rows, depth, 0, to);
}
static inline void O2M_SYM(o2m_dot_dsp_rows_s16)(const int16_t *x, int32_t row, int32_t column, int32_t rows,
                                                 int32_t depth, uint32_t *to) {
  O2M_SYM(o2m_dot_dsp_rows)(x, O2M_DOT_DSP_FROM_S16, row, column, rows, depth, 0, to);
}

/* One panel of w: from a group of constants; or from up to 4 columns, `column` apart, whose elements are `k` apart,
 * less `zero`. Columns beyond `columns` are like the last, elements behind the end are any: those of x are zero. */
void O2M_SYM(o2m_dot_dsp_widen)(const int8_t *group, int32_t blocks, uint32_t *to);
void O2M_SYM(o2m_dot_dsp_columns)(const int8_t *w, int32_t column, int32_t k, int32_t columns, int32_t depth,
                                  int32_t zero, uint32_t *to);

#ifdef __cplusplus
}
#endif
#endif
