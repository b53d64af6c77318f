#include "o2m_reduce.h"

static int32_t load(const void *x, int32_t at, int32_t type) {
  if (type == O2M_REDUCE_S8) return ((const int8_t *)x)[at];
  if (type == O2M_REDUCE_U8) return ((const uint8_t *)x)[at];
  return ((const int16_t *)x)[at];
}

/* Of what goes into one output. */
static int64_t sum_of_squares(const void *x, int32_t at, int32_t x_zero, const o2m_reduce_params *p) {
  int64_t sum = 0;
  for (int32_t i = 0; i < p->reduced[0]; ++i) {
    for (int32_t j = 0; j < p->reduced[1]; ++j) {
      int32_t from = at + i * p->x_reduced[0] + j * p->x_reduced[1];
      for (int32_t k = 0; k < p->reduced[2]; ++k, from += p->x_reduced[2]) {
        const int32_t value = load(x, from, p->x_type) - x_zero;
        sum += (int64_t)value * value;
      }
    }
  }
  return sum;
}

void O2M_SYM(o2m_reduce_squares)(const void *x, void *y, int32_t rows, int32_t x_zero, int32_t acc_shift,
                                 const o2m_reduce_params *p) {
  for (int32_t i = 0; i < rows; ++i) {
    for (int32_t j = 0; j < p->kept[1]; ++j) {
      for (int32_t k = 0; k < p->kept[2]; ++k) {
        const int32_t from = i * p->x_kept[0] + j * p->x_kept[1] + k * p->x_kept[2];
        const int32_t to = i * p->y_kept[0] + j * p->y_kept[1] + k * p->y_kept[2];
        const int64_t sum = sum_of_squares(x, from, x_zero, p);
        const int32_t acc = acc_shift > 0 ? (int32_t)o2m_round_shift(sum, acc_shift) : (int32_t)sum;
        const int32_t q = p->y_zero + o2m_requantize(acc, p->multiplier, p->shift);
        if (p->y_bytes == 2) {
          ((int16_t *)y)[to] = o2m_saturate_s16(q);
        } else {
          ((int8_t *)y)[to] = o2m_saturate_s8(q);
        }
      }
    }
  }
}
