/* o2m_dot_dsp.h - products of integer matrices on cores with the DSP extension of Armv7E-M (Cortex-M4, M7, M33).
 *
 * The kernel of the product is a tile of 2 rows of x by 4 columns of w. SMLAD adds two products of s16 at once, so both
 * sides are widened to pairs of s16 in scratch: once per use of x, and once per tile of tokens for w. Depth goes in
 * blocks of 4, zeros behind the end. A block holds the pairs (k0, k2) and (k1, k3), as SXTB16 makes them of a word:
 *
 *   x, 2 rows per panel:   block -> row 0 (k0, k2), row 1 (k0, k2), row 0 (k1, k3), row 1 (k1, k3)       4 words
 *   w, 4 columns per panel: block -> columns 0 .. 3 (k0, k2), columns 0 .. 3 (k1, k3)                     8 words
 *
 * Weights that are constants lie in groups of 4 columns: [blocks][4 columns][4 k] bytes. Widening a group takes about
 * 0.8 instructions per weight, so it pays from 4 rows of x on; below, the tile reads the group as it is.
 *
 * The accumulators stay in registers from the first product to the last store:
 *   acc = bias[c] + sum_k x[r][k] * w[k][c]                    modulo 2^32
 *   a   = ((acc + half) >> down) << up                         where down or up is not zero
 *   q   = zero + floor(a * multiplier[c] / 2^32 + 1/2)
 *   y   = q saturated to the type of y, or table[clamp(q, 0, 255)], or acc itself
 * With o2m_requantize's shift s: up = 32 - s, for which |acc| >> down must be below 2^(s-1). A table indexed from -128
 * on wants 128 added to zero. */
#ifndef O2M_DOT_DSP_H_
#define O2M_DOT_DSP_H_
#include <stdint.h>

#include "o2m_sym.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { O2M_DOT_DSP_S8, O2M_DOT_DSP_TABLE, O2M_DOT_DSP_S16, O2M_DOT_DSP_S32, O2M_DOT_DSP_RAW };

typedef struct o2m_dot_dsp {
  const void *weights;       /* one panel, word aligned; or, where packed, one group of constants */
  int32_t blocks;            /* depth / 4, rounded up, > 0 */
  const int32_t *bias;       /* [4], word aligned as all of these */
  const int32_t *multiplier; /* [4], not read for O2M_DOT_DSP_RAW */
  int32_t zero;
  void *y;                         /* of row 0, column 0 */
  int32_t row_bytes, column_bytes; /* row_bytes 0, for one row only: the second of the pair leaves nothing */
  const int8_t *table;             /* [256], or null */
  int32_t store;                   /* O2M_DOT_DSP_* */
  int32_t half, down, up;          /* down, up in 0 .. 31 */
  int32_t packed;
} o2m_dot_dsp;

static inline int32_t o2m_dot_dsp_blocks(int32_t depth) { return (depth + 3) / 4; }
/* Words of a panel of 2 rows of x, and of 4 columns of w. */
static inline int32_t o2m_dot_dsp_row_words(int32_t depth) { return 4 * o2m_dot_dsp_blocks(depth); }
static inline int32_t o2m_dot_dsp_column_words(int32_t depth) { return 8 * o2m_dot_dsp_blocks(depth); }

/* Panels of x: `rows` rows, `row` and `column` apart (elements). An odd last row stands in its panel twice. */
void O2M_SYM(o2m_dot_dsp_rows_s8)(const int8_t *x, int32_t row, int32_t column, int32_t rows, int32_t depth,
                                  uint32_t *to);
void O2M_SYM(o2m_dot_dsp_rows_u8)(const uint8_t *x, int32_t row, int32_t column, int32_t rows, int32_t depth,
                                  uint32_t *to);
void O2M_SYM(o2m_dot_dsp_rows_s16)(const int16_t *x, int32_t row, int32_t column, int32_t rows, int32_t depth,
                                   uint32_t *to);

/* One panel of w: from a group of constants, or from up to 4 columns, `column` apart, whose elements are `k` apart.
 * Columns beyond `columns` are zero. */
void O2M_SYM(o2m_dot_dsp_widen)(const int8_t *group, int32_t blocks, uint32_t *to);
void O2M_SYM(o2m_dot_dsp_columns_s8)(const int8_t *w, int32_t column, int32_t k, int32_t columns, int32_t depth,
                                     uint32_t *to);

/* `pairs` panels of x by one panel of w; y goes on by 2 * row_bytes per pair. 96 bytes of stack. */
void O2M_SYM(o2m_dot_dsp_tiles)(const uint32_t *x, int32_t pairs, const o2m_dot_dsp *d);

#ifdef __cplusplus
}
#endif
#endif
