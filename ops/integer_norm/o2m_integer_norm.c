#include "o2m_integer_norm.h"

static int32_t value_at(const void *x, int32_t at, int32_t i, const o2m_integer_norm_params *p) {
  return o2m_integer_at(x, at + i * p->x_column, p->x_type);
}

static int32_t deviation_of(const void *x, int32_t at, int32_t mean, const o2m_integer_norm_params *p) {
  uint64_t squares = 0;
  for (int32_t i = 0; i < p->features; ++i) {
    const int64_t d = (int64_t)value_at(x, at, i, p) - mean;
    squares += (uint64_t)(d * d);
  }
  return (int32_t)o2m_sqrt(squares / (uint32_t)p->features + 1);
}

static void normalise_row(const void *x, int32_t x_at, void *y, int32_t y_at, const o2m_integer_norm_params *p) {
  int64_t sum = 0;
  for (int32_t i = 0; i < p->features && p->centred; ++i) sum += value_at(x, x_at, i, p);
  const int32_t mean = (int32_t)(sum / p->features), deviation = deviation_of(x, x_at, mean, p);
  for (int32_t i = 0; i < p->features; ++i) {
    const int64_t d = (int64_t)value_at(x, x_at, i, p) - mean;
    const int64_t scaled = p->narrow ? (int32_t)d * p->weights[i] / deviation : d * p->weights[i] / deviation;
    const int64_t biased = scaled + (p->bias ? p->bias[i] : 0);
    const int64_t q = p->shift >= 0 ? o2m_floor_shift(biased, p->shift) : o2m_integer_floor_div(biased, p->div);
    o2m_integer_put(y, y_at + i * p->y_column, p->y_type, q < p->low ? p->low : q > p->high ? p->high : (int32_t)q);
  }
}

void O2M_SYM(o2m_integer_norm)(const void *x, void *y, int32_t rows, const o2m_integer_norm_params *p) {
  for (int32_t r = 0; r < rows; ++r) normalise_row(x, r * p->x_row, y, r * p->y_row, p);
}
