#include "o2m_integer_softmax.h"

/* How often a value that far below the maximum is halved. */
static int32_t halvings(int32_t below) { return o2m_min(o2m_floor_shift32(below + 16, 5), 31); }

static int32_t value_at(const void *x, int32_t at, int32_t i, const o2m_integer_softmax_params *p) {
  return o2m_integer_at(x, at + i * p->x_column, p->x_type);
}

static int32_t largest(const void *x, int32_t at, int32_t first, int32_t count, const o2m_integer_softmax_params *p) {
  int32_t top = value_at(x, at, first, p);
  for (int32_t i = first + 1; i < first + count; ++i) top = o2m_max(top, value_at(x, at, i, p));
  return top;
}

static uint32_t sum_of(const void *x, int32_t at, int32_t first, int32_t count, int32_t top,
                       const o2m_integer_softmax_params *p) {
  uint32_t sum = 0;
  for (int32_t i = first; i < first + count; ++i) sum += 256u >> halvings(top - value_at(x, at, i, p));
  return sum;
}

static void finish(const void *x, int32_t x_at, void *y, int32_t y_at, int32_t top, uint32_t inverse,
                   const o2m_integer_softmax_params *p) {
  for (int32_t i = 0; i < p->features; ++i) {
    const uint32_t q = inverse >> halvings(top - value_at(x, x_at, i, p));
    o2m_integer_put(y, y_at + i * p->y_column, p->y_type, (int32_t)q);
  }
}

void O2M_SYM(o2m_integer_ita_max)(const void *x, void *y, int32_t rows, const o2m_integer_softmax_params *p) {
  for (int32_t r = 0; r < rows; ++r) {
    const int32_t at = r * p->x_row, top = largest(x, at, 0, p->features, p);
    const uint32_t sum = sum_of(x, at, 0, p->features, top, p);
    finish(x, at, y, r * p->y_row, top, ((uint32_t)p->levels - 1) * 256 / sum, p);
  }
}

void O2M_SYM(o2m_integer_ita_partial_max)(const void *x, void *y, int32_t rows, const o2m_integer_softmax_params *p) {
  for (int32_t r = 0; r < rows; ++r) {
    const int32_t at = r * p->x_row;
    int32_t top = -128;
    uint32_t sum = 0;
    for (int32_t g = 0; g < p->features; g += p->group) {
      const int32_t of_group = largest(x, at, g, p->group, p);
      if (of_group > top) {
        sum >>= halvings(of_group - top);
        top = of_group;
      }
      sum += sum_of(x, at, g, p->group, top, p);
    }
    finish(x, at, y, r * p->y_row, top, ((uint32_t)p->levels / 2 - 1) * 256 / (sum > 0 ? sum : 1), p);
  }
}
