#include "o2m_matmul.h"

/* row[k] = a[k] - zero; returns the sum of the row, which the zero point of b is multiplied by. */
static int32_t widen(const void *a, int32_t at, int32_t *row, const o2m_matmul_params *p) {
  int32_t sum = 0;
  for (int32_t k = 0; k < p->depth; ++k, at += p->a_step) {
    const int32_t value = p->a_type == O2M_MATMUL_S8   ? ((const int8_t *)a)[at]
                          : p->a_type == O2M_MATMUL_U8 ? ((const uint8_t *)a)[at]
                                                       : ((const int16_t *)a)[at];
    row[k] = value - p->a_zero;
    sum += row[k];
  }
  return sum;
}

/* The sum of row[k] * b[k], by the type of b and the width of the sum. */
#define O2M_DOT(NAME, B, ACC)                                                                  \
  static ACC NAME(const int32_t *row, const void *b, int32_t at, const o2m_matmul_params *p) { \
    const B *values = (const B *)b;                                                            \
    ACC acc = 0;                                                                               \
    for (int32_t k = 0; k < p->depth; ++k, at += p->b_step) acc += (ACC)row[k] * values[at];   \
    return acc;                                                                                \
  }
O2M_DOT(dot_s8, int8_t, int32_t)
O2M_DOT(dot_u8, uint8_t, int32_t)
O2M_DOT(dot_wide_s8, int8_t, int64_t)
O2M_DOT(dot_wide_u8, uint8_t, int64_t)
O2M_DOT(dot_wide_s16, int16_t, int64_t)

static int32_t sum_of(const int32_t *row, int32_t row_sum, const void *b, int32_t at, const o2m_matmul_params *p) {
  if (p->acc_shift == 0) {
    const int32_t acc = p->b_type == O2M_MATMUL_S8 ? dot_s8(row, b, at, p) : dot_u8(row, b, at, p);
    return acc - row_sum * p->b_zero;
  }
  const int64_t acc = p->b_type == O2M_MATMUL_S8   ? dot_wide_s8(row, b, at, p)
                      : p->b_type == O2M_MATMUL_U8 ? dot_wide_u8(row, b, at, p)
                                                   : dot_wide_s16(row, b, at, p);
  return (int32_t)o2m_round_shift(acc - (int64_t)row_sum * p->b_zero, p->acc_shift);
}

static void store(void *y, int32_t at, int32_t acc, const o2m_matmul_params *p) {
  const int32_t q = p->y_zero + o2m_requantize(acc, p->multiplier, p->shift);
  if (p->y_bytes == 2) {
    ((int16_t *)y)[at] = o2m_saturate_s16(q);
  } else {
    ((int8_t *)y)[at] = o2m_saturate_s8(q);
  }
}

static void multiply(const void *a, int32_t a_at, const void *b, int32_t b_at, void *y, int32_t y_at, int32_t rows,
                     int32_t *scratch, const o2m_matmul_params *p) {
  for (int32_t m = 0; m < rows; ++m) {
    const int32_t row_sum = widen(a, a_at + m * p->a_row, scratch, p);
    for (int32_t n = 0; n < p->columns; ++n) {
      const int32_t acc = sum_of(scratch, row_sum, b, b_at + n * p->b_column, p);
      store(y, y_at + m * p->y_row + n * p->y_column, acc, p);
    }
  }
}

void O2M_SYM(o2m_matmul)(const void *a, const void *b, void *y, int32_t rows, int32_t *scratch,
                         const o2m_matmul_params *p) {
  for (int32_t i = 0; i < p->batches[0]; ++i) {
    for (int32_t j = 0; j < p->batches[1]; ++j) {
      multiply(a, i * p->a_batch[0] + j * p->a_batch[1], b, i * p->b_batch[0] + j * p->b_batch[1], y,
               i * p->y_batch[0] + j * p->y_batch[1], rows, scratch, p);
    }
  }
}
