/* o2m_matmul.h - y = a b for two activations, in one or two nested batches, of any strides and types.
 *
 *   acc = sum over k of (a[m][k] - a_zero) * (b[k][n] - b_zero)
 *   y   = y_zero + floor(acc' * multiplier / 2^shift + 1/2), saturated to y's type
 *
 * acc' is acc, or acc / 2^acc_shift rounded where one of the operands is s16 and the sum needs more than 32 bits. */
#ifndef O2M_MATMUL_H_
#define O2M_MATMUL_H_
#include <stdint.h>

#include "o2m_fixedpoint.h"
#include "o2m_sym.h"
#ifdef __cplusplus
extern "C" {
#endif

enum { O2M_MATMUL_S8 = 0, O2M_MATMUL_U8 = 1, O2M_MATMUL_S16 = 2 };

typedef struct o2m_matmul_params {
  int32_t batches[2], depth, columns;   /* K, N */
  int32_t a_batch[2], a_row, a_step;    /* strides in elements; a_step along K */
  int32_t b_batch[2], b_step, b_column; /* b_step along K */
  int32_t y_batch[2], y_row, y_column;
  int32_t a_type, a_zero;
  int32_t b_type, b_zero;
  int32_t y_bytes, y_zero; /* bytes 1: s8, 2: s16 */
  int32_t acc_shift;       /* 0: sums in 32 bits */
  int32_t multiplier, shift;
} o2m_matmul_params;

/* `rows` rows of a and y in every batch. scratch: K s32, one row of a without its zero point. */
void O2M_SYM(o2m_matmul)(const void *a, const void *b, void *y, int32_t rows, int32_t *scratch,
                         const o2m_matmul_params *p);

/* The same for s8 by s8 with DSP instructions. scratch, K rounded up to 4: 2 K bytes for each of `rows`, an even number
 * up to O2M_MATMUL_TILE, and 8 K. */
enum { O2M_MATMUL_TILE = 16 };
void O2M_SYM(o2m_matmul_dsp)(const void *a, const void *b, void *y, int32_t rows, int32_t *scratch,
                             const o2m_matmul_params *p);

#ifdef __cplusplus
}
#endif
#endif
