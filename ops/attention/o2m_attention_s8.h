/* o2m_attention_s8.h - y = softmax(q k^T factor + mask) v, two query rows at a time, never N x N scores.
 *
 * Shapes per head: q [N][P], k [M][P], v [M][R], y [N][R]; any strides, so k and v may lie transposed.
 *
 *   score[m] = floor(sum_p (q[p] - zero_q) (k[m][p] - zero_k) * score_multiplier / 2^score_shift + 1/2) + mask[m]
 *              s16, in units of 1/64, so |score| <= 512
 *   e[m]     = round(255 exp((score[m] - max(score)) / 64)), from a table, u8
 *   y[r]     = zero_y + round(sum_m e[m] (v[m][r] - zero_v) * scale_v / scale_y / sum_m e[m])
 *              with one reciprocal per row: round(y_multiplier * 2^b / sum e) / 2^(y_shift + b), 2^b <= sum e < 2^(b+1)
 *
 * The division is late: one reciprocal per row, after the sums. Exponentials straight from a table and a late division
 * lose less than normalised 8-bit probabilities do. y may be written over q where both have the same layout. */
#ifndef O2M_ATTENTION_S8_H_
#define O2M_ATTENTION_S8_H_
#include <stdint.h>

#include "o2m_fixedpoint.h"
#include "o2m_sym.h"

#ifdef __cplusplus
extern "C" {
#endif

/* In elements, of a matrix per head: head h of group g starts at g * group + h * head. */
typedef struct o2m_attention_layout {
  int32_t group, head, row, column;
} o2m_attention_layout;

typedef struct o2m_attention_params {
  int32_t groups, heads;
  int32_t keys, depth, columns; /* M, P, R */
  o2m_attention_layout q, k, v, y;
  int32_t q_zero, k_zero, v_zero, y_zero;
  int32_t y_bytes; /* 1: s8, 2: s16 */
  int32_t score_multiplier, score_shift;
  int32_t y_multiplier, y_shift;    /* scale_v / scale_y, multiplier in [2^30, 2^31) */
  const int16_t *mask;              /* or null; rows of M */
  o2m_attention_layout mask_layout; /* 0 where the mask repeats; row: per query */
} o2m_attention_params;

/* Query rows first .. first + rows - 1 of every head; q and y point at the first of them.
 * scratch, where pairs is half of min(rows, 16), rounded up:
 *   scalar  int16_t [min(rows, 2)][P + M]
 *   _dsp    pairs (M' + 8) + max(pairs (P' + 2) + 2 P', 2 M' if pairs > 1) words; P' and M': rounded up to fours
 *   _mve    2 pairs (M' + max(M', 32)) + max(2 pairs (P' + 16) + 4 P', 4 M') bytes; rounded up to 16
 *   _rv32   int16_t [M + P][4]
 *   _armv7m int16_t [M + P][2]
 *   _armv6m pairs (M' + P') + max(M', P') words */
void O2M_SYM(o2m_attention_s8)(const int8_t *q, const int8_t *k, const int8_t *v, void *y, int32_t first, int32_t rows,
                               void *scratch, const o2m_attention_params *p);
void O2M_SYM(o2m_attention_s8_dsp)(const int8_t *q, const int8_t *k, const int8_t *v, void *y, int32_t first,
                                   int32_t rows, void *scratch, const o2m_attention_params *p);
void O2M_SYM(o2m_attention_s8_armv7m)(const int8_t *q, const int8_t *k, const int8_t *v, void *y, int32_t first,
                                      int32_t rows, void *scratch, const o2m_attention_params *p);
void O2M_SYM(o2m_attention_s8_armv6m)(const int8_t *q, const int8_t *k, const int8_t *v, void *y, int32_t first,
                                      int32_t rows, void *scratch, const o2m_attention_params *p);
void O2M_SYM(o2m_attention_s8_rv32)(const int8_t *q, const int8_t *k, const int8_t *v, void *y, int32_t first,
                                    int32_t rows, void *scratch, const o2m_attention_params *p);
void O2M_SYM(o2m_attention_s8_mve)(const int8_t *q, const int8_t *k, const int8_t *v, void *y, int32_t first,
                                   int32_t rows, void *scratch, const o2m_attention_params *p);

#ifdef __cplusplus
}
#endif
#endif
