/* o2m_integer_matmul.h - y = requantise(a b + bias) on plain integers, in one or two nested batches, of any strides and
 * types; exact. Without requantisation y holds the sums.
 *
 * b is another activation, or constants as packed: [N][K], b_step 1. */
#ifndef O2M_INTEGER_MATMUL_H_
#define O2M_INTEGER_MATMUL_H_
#include <stdint.h>

#include "o2m_integers.h"
#include "o2m_sym.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef struct o2m_integer_matmul_params {
  int32_t batches[2], depth, columns;   /* K, N */
  int32_t a_batch[2], a_row, a_step;    /* strides in elements; a_step along K */
  int32_t b_batch[2], b_step, b_column; /* b_step along K */
  int32_t y_batch[2], y_row, y_column;
  int32_t a_type, b_type, y_type; /* O2M_INTEGER_... */
  o2m_integer_requant requant;
  const int32_t *bias, *mul, *add; /* [N], or 0 */
} o2m_integer_matmul_params;

/* `rows` rows of a and y in every batch. scratch: K s32, one row of a, then, where b_step is not 1, N sums of 4 bytes;
 * of 8 bytes, from a multiple of 8 on, for the wide one. That one is for sums that do not fit 32 bits. */
void O2M_SYM(o2m_integer_matmul)(const void *a, const void *b, void *y, int32_t rows, int32_t *scratch,
                                 const o2m_integer_matmul_params *p);
void O2M_SYM(o2m_integer_matmul_wide)(const void *a, const void *b, void *y, int32_t rows, int32_t *scratch,
                                      const o2m_integer_matmul_params *p);

#ifdef __cplusplus
}
#endif
#endif
