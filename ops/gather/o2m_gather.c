#include "o2m_gather.h"

#include <string.h>

void O2M_SYM(o2m_gather)(const void *x, void *y, int32_t rows, const o2m_gather_params *p) {
  const uint32_t bytes = (uint32_t)p->bytes;
  for (int32_t r = 0; r < rows; ++r) {
    for (int32_t j = 0; j < p->picked; ++j) {
      const uint8_t *from = (const uint8_t *)x + (r * p->x_row + p->index[j] * p->x_pick) * p->bytes;
      uint8_t *to = (uint8_t *)y + (r * p->y_row + j * p->y_pick) * p->bytes;
      for (int32_t i = 0; i < p->count; ++i) {
        memcpy(to, from, bytes);
        from += p->x_step * p->bytes;
        to += p->y_step * p->bytes;
      }
    }
  }
}
