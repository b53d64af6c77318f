/* o2m_dot_armv6m.h - products of integer matrices on Armv6-M (Cortex-M0, M0+), whose one multiplication keeps the lower
 * 32 bits.
 *
 * Two rows of x share it: a word holds x0 + x1 * 2^16, and times w it is a sum of both products. Products of two k are
 * added before the halves part; A sums the words, B their upper halves, so that row 1 is B and row 0 A - B * 2^16.
 * ASR leaves the sign of the lower half in the carry, and ADC takes back what that half borrowed from the upper one.
 * With x in [-128, 127] and w in [-127, 127] two products fit a half; with x in [-127, 128] and w in [-128, 127] too,
 * unless x1 is 128 at an even k and the next (where both w are -128, x1's half would be -2^15 and lend to x0's).
 * O2M_DOT_ARMV6M_WIDE parts them after every k, which any x * w in [-32640, 32640] fits.
 *
 *   panels of x   pairs of rows, two and two, an odd last one alone; of n pairs: [depth / 2][n][2 k] words
 *   a line of w   [depth] s32
 * Depth is rounded up to 4; a line ends in zeros. */
#ifndef O2M_DOT_ARMV6M_H_
#define O2M_DOT_ARMV6M_H_
#include <stdint.h>

#include "o2m_sym.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { O2M_DOT_ARMV6M_NARROW, O2M_DOT_ARMV6M_WIDE };

static inline int32_t o2m_dot_armv6m_depth(int32_t depth) { return (depth + 3) & ~3; }
static inline int32_t o2m_dot_armv6m_pairs(int32_t rows) { return (rows + 1) / 2; }

/* Where pair `pair` of `pairs` begins in panels of `depth` (rounded up), and how many words there are from two of its k
 * to the next two. */
static inline int32_t o2m_dot_armv6m_at(int32_t pair, int32_t depth) { return (pair & ~1) * depth + (pair & 1) * 2; }
static inline int32_t o2m_dot_armv6m_step(int32_t pair, int32_t pairs) { return (pair | 1) < pairs ? 4 : 2; }

/* Panels of `rows` rows, `row` and `column` apart; an odd last row stands in its pair twice. */
void O2M_SYM(o2m_dot_armv6m_rows)(const int8_t *x, int32_t row, int32_t column, int32_t rows, int32_t depth,
                                  uint32_t *to);

/* `blocks` words of 4 k, `bytes` apart, become a line. */
void O2M_SYM(o2m_dot_armv6m_widen)(const int8_t *w, int32_t bytes, int32_t blocks, int32_t *line);

/* `count` elements, `step` apart, become a line; returns their sum. */
int32_t O2M_SYM(o2m_dot_armv6m_line)(const int8_t *from, int32_t step, int32_t count, int32_t *line);

/* sums[r] = bias + sum_k x[r][k] * line[k] of 2 * pairs rows, pairs > 0; depth > 0, rounded up. */
void O2M_SYM(o2m_dot_armv6m)(const uint32_t *panels, int32_t pairs, const int32_t *line, int32_t depth, int32_t bias,
                             int32_t kind, int32_t *sums);

/* y[r] = q saturated to its type, or table[q + 128] where there is a table,
 * q = zero + floor(sums[r] * multiplier / 2^32 + 1/2), of `count` > 0 sums; y goes on by row_bytes. */
typedef struct o2m_dot_armv6m_output {
  int32_t multiplier, zero;
  void *y;
  int32_t row_bytes;
  const int8_t *table; /* or null */
} o2m_dot_armv6m_output;
void O2M_SYM(o2m_dot_armv6m_store_s8)(const int32_t *sums, int32_t count, const o2m_dot_armv6m_output *to);
void O2M_SYM(o2m_dot_armv6m_store_s16)(const int32_t *sums, int32_t count, const o2m_dot_armv6m_output *to);

#ifdef __cplusplus
}
#endif
#endif
