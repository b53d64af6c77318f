#include "o2m_unary_s32.h"

void O2M_SYM(o2m_unary_s8_s32)(const void *x, int32_t *y, int32_t rows, const o2m_unary_s8_s32_params *p) {
  const uint8_t *const bytes = (const uint8_t *)x;
  for (int32_t r = 0; r < rows; ++r) {
    for (int32_t i = 0; i < p->count; ++i)
      y[r * p->y_row + i * p->y_step] = p->table[bytes[r * p->x_row + i * p->x_step] ^ p->flip];
  }
}
