#include "o2m_integer_softmax.h"

static int32_t largest(const void *x, int32_t at, const o2m_integer_softmax_params *p) {
  int32_t top = o2m_integer_at(x, at, p->x_type);
  for (int32_t i = 1; i < p->features; ++i) top = o2m_max(top, o2m_integer_at(x, at + i * p->x_column, p->x_type));
  return top;
}

static void narrow_row(const void *x, int32_t x_at, void *y, int32_t y_at, uint32_t *e,
                       const o2m_integer_softmax_params *p) {
  const int32_t top = largest(x, x_at, p);
  uint32_t sum = 0;
  for (int32_t i = 0; i < p->features; ++i) {
    const int32_t d = top - o2m_integer_at(x, x_at + i * p->x_column, p->x_type), z = d / p->log2;
    const int32_t v = z * p->log2 - d + p->b;
    e[i] = (uint32_t)(p->a * v * v + p->c) >> o2m_min(z, 31);
    sum += e[i];
  }
  const uint32_t most = (uint32_t)p->levels - 1;
  for (int32_t i = 0; i < p->features; ++i) {
    o2m_integer_put(y, y_at + i * p->y_column, p->y_type, (int32_t)(e[i] * most / sum));
  }
}

static void wide_row(const void *x, int32_t x_at, void *y, int32_t y_at, int64_t *e,
                     const o2m_integer_softmax_params *p) {
  const int32_t top = largest(x, x_at, p);
  int64_t sum = 0;
  for (int32_t i = 0; i < p->features; ++i) {
    const int64_t d = (int64_t)top - o2m_integer_at(x, x_at + i * p->x_column, p->x_type), z = d / p->log2;
    const int64_t v = z * p->log2 - d + p->b;
    e[i] = o2m_floor_shift(p->a * v * v + p->c, z < 62 ? (int32_t)z : 62);
    sum += e[i];
  }
  for (int32_t i = 0; i < p->features; ++i) {
    const int64_t q = sum > 0 ? e[i] * (p->levels - 1) / sum : 0;
    o2m_integer_put(y, y_at + i * p->y_column, p->y_type, q < 0 ? 0 : q > p->levels - 1 ? p->levels - 1 : (int32_t)q);
  }
}

void O2M_SYM(o2m_integer_softmax)(const void *x, void *y, int32_t rows, void *scratch,
                                  const o2m_integer_softmax_params *p) {
  for (int32_t r = 0; r < rows; ++r) {
    if (p->narrow) {
      narrow_row(x, r * p->x_row, y, r * p->y_row, (uint32_t *)scratch, p);
    } else {
      wide_row(x, r * p->x_row, y, r * p->y_row, (int64_t *)scratch, p);
    }
  }
}
