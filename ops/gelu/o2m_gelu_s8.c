#include "o2m_gelu_s8.h"

/* middle: the table's place of x = 0 */
static void dense_row(const int8_t *x, int8_t *y, int32_t count, const int8_t *middle) {
  int32_t i = 0;
  for (; i + 4 <= count; i += 4, x += 4, y += 4) {
    y[0] = middle[x[0]];
    y[1] = middle[x[1]];
    y[2] = middle[x[2]];
    y[3] = middle[x[3]];
  }
  for (; i < count; ++i) *y++ = middle[*x++];
}

void O2M_SYM(o2m_gelu_s8)(const int8_t *x, int8_t *y, int32_t rows, const int8_t table[256], const o2m_gelu_params *p) {
  const int32_t count = p->count, x_step = p->x_step, y_step = p->y_step;
  for (int32_t r = 0; r < rows; ++r) {
    const int8_t *from = x + r * p->x_row;
    int8_t *to = y + r * p->y_row;
    if (x_step == 1 && y_step == 1) {
      dense_row(from, to, count, table + 128);
      continue;
    }
    for (int32_t i = 0; i < count; ++i) to[i * y_step] = table[from[i * x_step] + 128];
  }
}
