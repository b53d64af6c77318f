/* o2m_integers.h - what the kernels of integerised models share: values of four types at scale 1, and the
 * requantisation that such models are exported with, which is exact:
 *
 *   requantise(v) = clip(floor((v * mul + add) / div), low, high)
 *
 * Rounding is in mul, add and div: floor(v mul / div + 1/2) is floor((v mul + div / 2) / div). */
#ifndef O2M_INTEGERS_H_
#define O2M_INTEGERS_H_
#include <stdint.h>

#include "o2m_fixedpoint.h"

enum { O2M_INTEGER_S8 = 0, O2M_INTEGER_U8 = 1, O2M_INTEGER_S16 = 2, O2M_INTEGER_S32 = 3 };

typedef struct o2m_integer_requant {
  int32_t on;    /* 0: values are stored as they are */
  int32_t shift; /* div is 2^shift; -1: it is `div` */
  int32_t div;
  int32_t low, high;
  int32_t narrow; /* 1: v * mul + add fits 32 bits */
} o2m_integer_requant;

static inline int32_t o2m_integer_at(const void *x, int32_t at, int32_t type) {
  if (type == O2M_INTEGER_S8) return ((const int8_t *)x)[at];
  if (type == O2M_INTEGER_U8) return ((const uint8_t *)x)[at];
  if (type == O2M_INTEGER_S16) return ((const int16_t *)x)[at];
  return ((const int32_t *)x)[at];
}

/* Precondition: the value fits the type. */
static inline void o2m_integer_put(void *y, int32_t at, int32_t type, int32_t value) {
  if (type == O2M_INTEGER_S8) {
    ((int8_t *)y)[at] = (int8_t)value;
  } else if (type == O2M_INTEGER_U8) {
    ((uint8_t *)y)[at] = (uint8_t)value;
  } else if (type == O2M_INTEGER_S16) {
    ((int16_t *)y)[at] = (int16_t)value;
  } else {
    ((int32_t *)y)[at] = value;
  }
}

/* out[i] = x[at + i * step] */
static inline void o2m_integer_widen(const void *x, int32_t at, int32_t step, int32_t type, int32_t count,
                                     int32_t *out) {
  if (type == O2M_INTEGER_S8) {
    const int8_t *const from = (const int8_t *)x + at;
    for (int32_t i = 0; i < count; ++i) out[i] = from[i * step];
  } else if (type == O2M_INTEGER_U8) {
    const uint8_t *const from = (const uint8_t *)x + at;
    for (int32_t i = 0; i < count; ++i) out[i] = from[i * step];
  } else {
    for (int32_t i = 0; i < count; ++i) out[i] = o2m_integer_at(x, at + i * step, type);
  }
}

/* floor(a / b), b > 0 */
static inline int64_t o2m_integer_floor_div(int64_t a, int64_t b) { return a >= 0 ? a / b : -((b - 1 - a) / b); }

/* Precondition: |v * mul + add| < 2^63, below 2^31 where p is narrow. */
static inline int32_t o2m_integer_requantise(int64_t v, int32_t mul, int32_t add, const o2m_integer_requant *p) {
  if (p->narrow) return o2m_clamp(o2m_floor_shift32((int32_t)v * mul + add, p->shift), p->low, p->high);
  const int64_t scaled = v * mul + add;
  const int64_t q = p->shift >= 0 ? o2m_floor_shift(scaled, p->shift) : o2m_integer_floor_div(scaled, p->div);
  return q < p->low ? p->low : q > p->high ? p->high : (int32_t)q;
}
#endif
