#include "o2m_integer_table.h"

/* Bytes to bytes, side by side: first is -128 for s8, whose sign bit is turned over, and 0 for u8. */
static void byte_row(const uint8_t *x, uint8_t *y, const uint8_t *table, uint32_t flip, int32_t count) {
  for (int32_t i = 0; i < count; ++i) y[i] = table[x[i] ^ flip];
}

void O2M_SYM(o2m_integer_table)(const void *x, void *y, int32_t rows, const void *table,
                                const o2m_integer_table_params *p) {
  const int32_t bytes =
      (p->x_type == O2M_INTEGER_S8 && p->first == -128) || (p->x_type == O2M_INTEGER_U8 && p->first == 0);
  const int32_t quick = bytes && p->y_type <= O2M_INTEGER_U8 && p->x_step == 1 && p->y_step == 1;
  for (int32_t r = 0; r < rows; ++r) {
    int32_t x_at = r * p->x_row, y_at = r * p->y_row;
    if (quick) {
      byte_row((const uint8_t *)x + x_at, (uint8_t *)y + y_at, (const uint8_t *)table,
               p->x_type == O2M_INTEGER_S8 ? 128u : 0u, p->count);
      continue;
    }
    for (int32_t i = 0; i < p->count; ++i, x_at += p->x_step, y_at += p->y_step) {
      const int32_t value = o2m_integer_at(x, x_at, p->x_type);
      const int32_t at = value < p->first ? 0 : o2m_min(value - p->first, 255);
      o2m_integer_put(y, y_at, p->y_type, o2m_integer_at(table, at, p->y_type));
    }
  }
}
