#include "o2m_log_softmax.h"

/* log2(x / 2^23) with 16 bits behind the point, cut off; x >= 2^23. A bit is what squaring carries over 2. */
static int32_t log2_of(uint64_t x) {
  const int32_t whole = o2m_bits(x) - 1;
  uint64_t z = whole > 31 ? x >> (whole - 31) : x << (31 - whole); /* [1, 2), 31 bits behind the point */
  int32_t fraction = 0;
  for (int32_t i = 0; i < 16; ++i) {
    const uint64_t square = (z * z) >> 31;
    const int32_t carry = square >> 32 != 0;
    fraction = 2 * fraction + carry;
    z = square >> carry;
  }
  return (whole - 23) * 65536 + fraction;
}

static void store(void *y, int32_t at, int64_t value, const o2m_log_softmax_params *p) {
  const int32_t q = o2m_saturate_s32(p->y_zero + o2m_round_shift(value, p->shift));
  if (p->y_bytes == 2) {
    ((int16_t *)y)[at] = o2m_saturate_s16(q);
  } else {
    ((int8_t *)y)[at] = o2m_saturate_s8(q);
  }
}

void O2M_SYM(o2m_log_softmax_s8)(const int8_t *x, void *y, int32_t rows, const o2m_log_softmax_params *p,
                                 const int32_t *exponential) {
  for (int32_t r = 0; r < rows; ++r) {
    const int8_t *row = x + r * p->x_row;
    int32_t most = -128;
    uint64_t sum = 0;
    for (int32_t i = 0; i < p->features; ++i) most = o2m_max(most, row[i * p->x_column]);
    for (int32_t i = 0; i < p->features; ++i) sum += (uint32_t)exponential[most - row[i * p->x_column]];
    const int64_t term = (int64_t)log2_of(sum) * p->log_multiplier;
    for (int32_t i = 0; i < p->features; ++i) {
      store(y, r * p->y_row + i * p->y_column, (int64_t)(row[i * p->x_column] - most) * p->x_multiplier - term, p);
    }
  }
}
