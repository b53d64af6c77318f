/* o2m_attention_s8.c - softmax(q k^T factor + mask) v, s8 operands. */
#include "o2m_attention_scalar.h"

void O2M_SYM(o2m_attention_s8)(const int8_t *q, const int8_t *k, const int8_t *v, void *y, int32_t first, int32_t rows,
                               void *scratch, const o2m_attention_params *p) {
  o2m_attention_scalar(q, k, v, y, first, rows, scratch, p);
}
