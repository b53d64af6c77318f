#include "o2m_unary_s8.h"

void O2M_SYM(o2m_unary_s8)(const void *x, int8_t *y, int32_t rows, const int8_t table[256], const o2m_unary_params *p) {
  const uint8_t *bytes = (const uint8_t *)x;
  const int32_t count = p->count, x_step = p->x_step, y_step = p->y_step, flip = p->flip;
  for (int32_t r = 0; r < rows; ++r) {
    int32_t from = r * p->x_row, to = r * p->y_row;
    for (int32_t i = 0; i < count; ++i) {
      y[to] = table[bytes[from] ^ flip];
      from += x_step;
      to += y_step;
    }
  }
}
