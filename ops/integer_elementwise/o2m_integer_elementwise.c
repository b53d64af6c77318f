#include "o2m_integer_elementwise.h"

static int64_t divide(int64_t a, int64_t b, const o2m_integer_elementwise_params *p) {
  const int64_t numerator = a * p->delta * p->eta, denominator = b * p->eta + p->eps;
  if (denominator == 0) return 0;
  return denominator > 0 ? o2m_divide_round(numerator, denominator) : o2m_divide_round(-numerator, -denominator);
}

static int64_t gelu(int64_t a, const o2m_integer_elementwise_params *p) {
  const int64_t magnitude = a < 0 ? -a : a, q = (magnitude < -p->bound ? magnitude : -p->bound) + p->bound;
  const int64_t l = a == 0 ? 0 : a > 0 ? p->one - q * q : q * q - p->one;
  return a * o2m_floor_shift(p->one + l, 1);
}

static int64_t hard_swish(int64_t a, const o2m_integer_elementwise_params *p) {
  const int64_t moved = a + p->three, clipped = moved < 0 ? 0 : moved > p->six ? p->six : moved;
  return a * clipped * p->one_over_six;
}

static int64_t value_of(int64_t a, const void *b, int32_t at, const o2m_integer_elementwise_params *p) {
  if (p->kind == O2M_INTEGER_ADD) return a + o2m_integer_at(b, at, p->b_type);
  if (p->kind == O2M_INTEGER_SUB) return a - o2m_integer_at(b, at, p->b_type);
  if (p->kind == O2M_INTEGER_MUL) return a * o2m_integer_at(b, at, p->b_type);
  if (p->kind == O2M_INTEGER_DIV) return divide(a, o2m_integer_at(b, at, p->b_type), p);
  if (p->kind == O2M_INTEGER_GELU) return gelu(a, p);
  if (p->kind == O2M_INTEGER_HARD_SWISH) return hard_swish(a, p);
  return a;
}

void O2M_SYM(o2m_integer_elementwise)(const void *a, const void *b, const int32_t *mul, const int32_t *add, void *y,
                                      int32_t rows, const o2m_integer_elementwise_params *p) {
  for (int32_t r = 0; r < rows; ++r) {
    int32_t a_at = r * p->a_row, b_at = r * p->b_row, y_at = r * p->y_row, at = r * p->factor_row;
    for (int32_t i = 0; i < p->count; ++i) {
      const int64_t value = value_of(o2m_integer_at(a, a_at, p->a_type), b, b_at, p);
      const int32_t q = p->requant.on ? o2m_integer_requantise(value, mul[at], add[at], &p->requant) : (int32_t)value;
      o2m_integer_put(y, y_at, p->y_type, q);
      a_at += p->a_step;
      b_at += p->b_step;
      y_at += p->y_step;
      at += p->factor_step;
    }
  }
}
