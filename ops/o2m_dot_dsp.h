/* o2m_dot_dsp.h - products of integer matrices on cores with the DSP extension of Armv7E-M (Cortex-M4, M7, M33).
 *
 * The kernel of the product is a tile of 2 rows of x by 4 columns of w, both widened to panels of s16 pairs in scratch
 * (o2m_panels_dsp.h): SMLAD adds two products at once. Weights that are constants lie in groups of 4 columns, and below
 * 4 rows of x the tile reads the group as it is.
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

#include "o2m_panels_dsp.h"
#include "o2m_sym.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What y is. The last two are attention's, on such cores only; the epilogue's parameters stand behind every panel of x:
 *   SCORES    {uint32_t *to; int32_t multiplier}: s16, floor(acc * multiplier / 2^32 + 1/2) saturated, of both rows, as
 *             a block of a panel of x; `to` goes on by 4 words
 *   AVERAGES  {{int32_t start, multiplier, shift} row[2]; int8_t *y[2]}: s8, (start + floor(acc * multiplier / 2^32))
 *             >> shift saturated, side by side; y goes on by 4 */
enum {
  O2M_DOT_DSP_S8,
  O2M_DOT_DSP_TABLE,
  O2M_DOT_DSP_S16,
  O2M_DOT_DSP_S32,
  O2M_DOT_DSP_RAW,
  O2M_DOT_DSP_SCORES,
  O2M_DOT_DSP_AVERAGES
};

/* Zeroed where nothing else is said. */
typedef struct o2m_dot_dsp {
  const void *weights;       /* one panel, word aligned; or, where packed, one group of constants */
  int32_t weight_bytes;      /* by o2m_dot_dsp_prepare() */
  const int32_t *bias;       /* [4], word aligned as all of these; or null: none */
  const int32_t *multiplier; /* [4], not read from O2M_DOT_DSP_RAW on */
  int32_t zero;
  void *y;                           /* of row 0, column 0 */
  int32_t row_bytes, column_bytes;   /* row_bytes 0, for one row only: the second of the pair leaves nothing */
  const void *start, *finish, *last; /* places in the code, by o2m_dot_dsp_prepare() */
  const int8_t *table;               /* [256], or null */
  int32_t half, down, up;            /* down, up in 0 .. 31 */
  int32_t blocks;                    /* depth / 4, rounded up, > 0 */
  int32_t packed;
  int32_t store; /* O2M_DOT_DSP_* */
} o2m_dot_dsp;

/* To be called before the first run, and whenever blocks, packed, store, down or up have changed, or a bias has come or
 * gone. */
void O2M_SYM(o2m_dot_dsp_prepare)(o2m_dot_dsp *d);

/* Panels of x from `x` up to `x_end`, one at least, by one panel of w; y goes on by 2 * row_bytes per panel. 96 bytes
 * of stack. */
void O2M_SYM(o2m_dot_dsp_run)(const uint32_t *x, const uint32_t *x_end, const o2m_dot_dsp *d);

#ifdef __cplusplus
}
#endif
#endif
