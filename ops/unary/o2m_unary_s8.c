#include "o2m_unary_s8.h"

/* flip: as in o2m_unary_params */
static inline void dense_row(const uint8_t *x, int8_t *y, int32_t count, const int8_t *table, int32_t flip) {
  int32_t i = 0;
  for (; i + 4 <= count; i += 4, x += 4, y += 4) {
    y[0] = table[x[0] ^ flip];
    y[1] = table[x[1] ^ flip];
    y[2] = table[x[2] ^ flip];
    y[3] = table[x[3] ^ flip];
  }
  for (; i < count; ++i) *y++ = table[*x++ ^ flip];
}

void O2M_SYM(o2m_unary_s8)(const void *x, int8_t *y, int32_t rows, const int8_t table[256], const o2m_unary_params *p) {
  const uint8_t *bytes = (const uint8_t *)x;
  const int32_t count = p->count, x_step = p->x_step, y_step = p->y_step, flip = p->flip;
  for (int32_t r = 0; r < rows; ++r) {
    const uint8_t *from = bytes + r * p->x_row;
    int8_t *to = y + r * p->y_row;
    if (x_step == 1 && y_step == 1) {
      dense_row(from, to, count, table, flip);
      continue;
    }
    for (int32_t i = 0; i < count; ++i) to[i * y_step] = table[from[i * x_step] ^ flip];
  }
}
