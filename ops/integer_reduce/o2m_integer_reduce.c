#include "o2m_integer_reduce.h"

static int64_t reduce(const void *x, int32_t at, const o2m_integer_reduce_params *p) {
  int64_t acc = p->kind == O2M_INTEGER_MAX ? INT32_MIN : 0;
  for (int32_t i = 0; i < p->reduced[0]; ++i) {
    for (int32_t j = 0; j < p->reduced[1]; ++j) {
      int32_t from = at + i * p->x_reduced[0] + j * p->x_reduced[1];
      for (int32_t k = 0; k < p->reduced[2]; ++k, from += p->x_reduced[2]) {
        const int32_t value = o2m_integer_at(x, from, p->x_type);
        acc = p->kind != O2M_INTEGER_MAX ? acc + value : value > acc ? value : acc;
      }
    }
  }
  return acc;
}

void O2M_SYM(o2m_integer_reduce)(const void *x, void *y, const o2m_integer_reduce_params *p) {
  const int64_t count = (int64_t)p->reduced[0] * p->reduced[1] * p->reduced[2];
  for (int32_t i = 0; i < p->kept[0]; ++i) {
    for (int32_t j = 0; j < p->kept[1]; ++j) {
      for (int32_t k = 0; k < p->kept[2]; ++k) {
        int64_t acc = reduce(x, i * p->x_kept[0] + j * p->x_kept[1] + k * p->x_kept[2], p);
        if (p->kind == O2M_INTEGER_MEAN) acc = o2m_divide_round(acc, count);
        o2m_integer_put(y, i * p->y_kept[0] + j * p->y_kept[1] + k * p->y_kept[2], p->y_type, (int32_t)acc);
      }
    }
  }
}
