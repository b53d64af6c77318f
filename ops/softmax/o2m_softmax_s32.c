#include "o2m_softmax_s32.h"

/* e in Q30; d = max(x) - x[i] */
static int64_t exponential(int64_t d, const o2m_softmax_s32_params *p) {
  const int64_t u = o2m_floor_shift(d * p->multiplier, p->shift);
  if (u >= (int64_t)31 << 24) return 0;
  const int32_t whole = (int32_t)(u >> 24), rest = (int32_t)(u & 255);
  const int64_t e = o2m_floor_shift((int64_t)p->high[u >> 16 & 255] * p->low[u >> 8 & 255], 30);
  return o2m_floor_shift(e - o2m_floor_shift(e * rest * 11629080, 48), whole); /* ln 2 / 2^24 is 11629080 / 2^48 */
}

static void normalise(const int32_t *x, void *y, const o2m_softmax_s32_params *p) {
  int64_t largest = INT32_MIN, sum = 0;
  for (int32_t i = 0; i < p->features; ++i) {
    if (x[i * p->x_column] > largest) largest = x[i * p->x_column];
  }
  for (int32_t i = 0; i < p->features; ++i) sum += exponential(largest - x[i * p->x_column], p);
  const int64_t inverse = ((int64_t)1 << 61) / sum; /* sum is at least 2^30, so at most 2^31 */
  for (int32_t i = 0; i < p->features; ++i) {
    const int64_t e = exponential(largest - x[i * p->x_column], p);
    const int64_t quotient = o2m_floor_shift(e * inverse, 31); /* Q30 */
    const int32_t q = o2m_saturate_s32(p->y_zero + o2m_round_shift(quotient * p->y_multiplier, p->y_shift));
    if (p->y_bytes == 1) {
      ((int8_t *)y)[i * p->y_column] = o2m_saturate_s8(q);
    } else {
      ((int16_t *)y)[i * p->y_column] = o2m_saturate_s16(q);
    }
  }
}

void O2M_SYM(o2m_softmax_s32)(const int32_t *x, void *y, int32_t rows, const o2m_softmax_s32_params *p) {
  for (int32_t r = 0; r < rows; ++r) normalise(x + r * p->x_row, (int8_t *)y + r * p->y_row * p->y_bytes, p);
}
