/* o2m_layer_norm_s32.c - layer normalisation in 64 bits. */
#include "o2m_layer_norm_s32.h"

/* 4096 (x - mean) = 4096 x - centre; k as in the header, for squares. */
typedef struct moments {
  int64_t centre;
  int32_t k;
} moments;

static int32_t load(const void *x, int32_t at, const o2m_layer_norm_s32_params *p) {
  if (p->x_bytes == 1) return ((const int8_t *)x)[at];
  if (p->x_bytes == 2) return ((const int16_t *)x)[at];
  return ((const int32_t *)x)[at];
}

static void store(void *y, int32_t at, int64_t value, const o2m_layer_norm_s32_params *p) {
  const int32_t q = o2m_saturate_s32(value);
  if (p->y_bytes == 1) {
    ((int8_t *)y)[at] = o2m_saturate_s8(q);
  } else if (p->y_bytes == 2) {
    ((int16_t *)y)[at] = o2m_saturate_s16(q);
  } else {
    ((int32_t *)y)[at] = q;
  }
}

/* x / 2^shift, rounded down; shift may be negative. */
static int64_t scaled(int64_t x, int32_t shift) {
  return shift >= 0 ? o2m_floor_shift(x, o2m_min(shift, 62)) : x * ((int64_t)1 << -shift);
}

static moments moments_of(const void *x, const o2m_layer_norm_s32_params *p) {
  int64_t sum = 0, low = INT32_MAX, high = INT32_MIN;
  for (int32_t i = 0; i < p->features; ++i) {
    const int32_t v = load(x, i * p->x_column, p);
    sum += v;
    if (v < low) low = v;
    if (v > high) high = v;
  }
  moments m = {p->rms ? (int64_t)p->x_zero * 4096 : o2m_divide_round(sum * 4096, p->features), 0};
  const int64_t above = high * 4096 - m.centre, below = m.centre - low * 4096, most = above > below ? above : below;
  const int32_t bits = o2m_bits((uint64_t)(most > 0 ? most : 0));
  m.k = o2m_max(bits - 25, (p->epsilon_bits + 24 + 31 - 60) / 2 + 1); /* epsilon below 2^60 */
  return m;
}

/* E, in units of 2^(2 k - 24) of x^2. */
static uint64_t energy_of(const void *x, moments m, const o2m_layer_norm_s32_params *p) {
  uint64_t sum = 0;
  for (int32_t i = 0; i < p->features; ++i) {
    const int64_t d = scaled(load(x, i * p->x_column, p) * (int64_t)4096 - m.centre, m.k);
    sum += (uint64_t)(d * d);
  }
  sum += (uint64_t)scaled(p->epsilon, 2 * m.k - 24 - p->epsilon_bits);
  return sum > 0 ? sum : 1;
}

static void normalise(const void *x, void *y, const o2m_layer_norm_s32_params *p) {
  const moments m = moments_of(x, p);
  const uint64_t e = energy_of(x, m, p);
  const int32_t even = (o2m_bits(e) - 31) & ~1; /* 31 or 32 bits are left; even may be negative */
  const int32_t root = (int32_t)o2m_rsqrt((uint32_t)(even >= 0 ? e >> even : e << -even));
  const int32_t shift = 20 + even / 2; /* of 2^45 / sqrt(e) times 32 d, to 2^30 t */
  for (int32_t i = 0; i < p->features; ++i) {
    const int64_t d = scaled(load(x, i * p->x_column, p) * (int64_t)4096 - m.centre, m.k - 5);
    const int64_t t = o2m_floor_shift(d * root, shift), offset = p->offset[i] * ((int64_t)1 << p->offset_shift);
    store(y, i * p->y_column, o2m_floor_shift(t * p->gain[i] + offset, p->shift), p);
  }
}

void O2M_SYM(o2m_layer_norm_s32)(const void *x, void *y, int32_t rows, const o2m_layer_norm_s32_params *p) {
  for (int32_t r = 0; r < rows; ++r)
    normalise((const int8_t *)x + r * p->x_row * p->x_bytes, (int8_t *)y + r * p->y_row * p->y_bytes, p);
}
