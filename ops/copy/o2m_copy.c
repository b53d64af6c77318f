#include "o2m_copy.h"

#include <string.h>

static void copy_row(const uint8_t *x, uint8_t *y, const o2m_copy_params *p) {
  const uint32_t bytes = (uint32_t)p->bytes;
  const int32_t x_step = p->x_step * p->bytes, y_step = p->y_step * p->bytes;
  if (p->x_step == 1 && p->y_step == 1) {
    memcpy(y, x, (uint32_t)p->count * bytes);
    return;
  }
  if (bytes == 1) {
    for (int32_t i = 0; i < p->count; ++i) y[i * y_step] = x[i * x_step];
    return;
  }
  for (int32_t i = 0; i < p->count; ++i) memcpy(y + i * y_step, x + i * x_step, bytes);
}

void O2M_SYM(o2m_copy)(const void *x, void *y, int32_t rows, const o2m_copy_params *p) {
  for (int32_t r = 0; r < rows; ++r) {
    copy_row((const uint8_t *)x + r * p->x_row * p->bytes, (uint8_t *)y + r * p->y_row * p->bytes, p);
  }
}
