#include "o2m_unary_s16.h"

void O2M_SYM(o2m_unary_s8_s16)(const void *x, int16_t *y, int32_t rows, const o2m_unary_s8_s16_params *p) {
  const uint8_t *const bytes = (const uint8_t *)x;
  for (int32_t r = 0; r < rows; ++r) {
    const uint8_t *const from = bytes + r * p->x_row;
    int16_t *const to = y + r * p->y_row;
    for (int32_t i = 0; i < p->count; ++i) to[i * p->y_step] = p->table[from[i * p->x_step] ^ p->flip];
  }
}
