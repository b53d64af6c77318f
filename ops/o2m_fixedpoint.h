/* o2m_fixedpoint.h - the one definition of rounding, saturation and integer roots that every kernel shares.
 *
 * A real factor s is held as multiplier / 2^shift. Rounding is always to nearest, halves up:
 *   requantize(acc) = floor(acc * multiplier / 2^shift + 1/2)
 * With an odd multiplier and |acc| < 2^(shift - 1) no half can occur, so that every core's rounding instruction gives
 * these bits too. This is the only file that shifts negative numbers right (an arithmetic shift on every compiler
 * we support, which the assertion below checks). */
#ifndef O2M_FIXEDPOINT_H_
#define O2M_FIXEDPOINT_H_
#include <stdint.h>

typedef char o2m_right_shift_is_arithmetic[(-3 >> 1) == -2 ? 1 : -1];

/* floor(x / 2^shift), 0 <= shift <= 63 */
static inline int64_t o2m_floor_shift(int64_t x, int32_t shift) { return x >> shift; }
static inline int32_t o2m_floor_shift32(int32_t x, int32_t shift) { return x >> shift; }

/* floor(x / 2^shift) modulo 2^32, 0 <= shift <= 31: fewer instructions than a 64-bit shift on 32-bit cores */
static inline uint32_t o2m_low_shift(int64_t x, int32_t shift) {
  return (uint32_t)x >> shift | (uint32_t)((uint64_t)x >> 32) << 1 << (31 - shift);
}

/* The same products by four short multiplications, for cores without a long one: fewer instructions than a call. */
static inline int32_t o2m_high_product_by_halves(int32_t a, int32_t b) {
  const int32_t a1 = a >> 16, a0 = a & 0xffff, b1 = b >> 16, b0 = b & 0xffff;
  const int32_t m1 = a1 * b0 + (int32_t)((uint32_t)a0 * (uint32_t)b0 >> 16), m0 = a0 * b1 + (m1 & 0xffff);
  return a1 * b1 + (m1 >> 16) + (m0 >> 16);
}
static inline uint64_t o2m_long_product_by_halves(uint32_t a, uint32_t b) {
  const uint32_t a1 = a >> 16, a0 = a & 0xffff, b1 = b >> 16, b0 = b & 0xffff, low = a0 * b0;
  const uint32_t m1 = a1 * b0 + (low >> 16), m0 = a0 * b1 + (m1 & 0xffff);
  return (uint64_t)(a1 * b1 + (m1 >> 16) + (m0 >> 16)) << 32 | m0 << 16 | (low & 0xffff);
}

/* floor(a * multiplier / 2^shift + 1/2) modulo 2^32, 1 <= shift <= 62 */
static inline int32_t o2m_requantize_by_halves(int32_t a, int32_t multiplier, int32_t shift) {
  const int32_t high = o2m_high_product_by_halves(a, multiplier);
  const uint32_t low = (uint32_t)a * (uint32_t)multiplier;
  if (shift > 32) return ((high >> (shift - 33)) + 1) >> 1; /* |high| <= 2^30 */
  if (shift == 32) return high + (int32_t)(low >> 31);
  return (int32_t)(((uint32_t)high << (32 - shift) | low >> shift) + (low >> (shift - 1) & 1));
}

/* floor(a * b / 2^32), and a * b */
#if defined(__ARM_ARCH_6M__)
static inline int32_t o2m_high_product(int32_t a, int32_t b) { return o2m_high_product_by_halves(a, b); }
static inline uint64_t o2m_long_product(uint32_t a, uint32_t b) { return o2m_long_product_by_halves(a, b); }
#else
static inline int32_t o2m_high_product(int32_t a, int32_t b) { return (int32_t)(((int64_t)a * b) >> 32); }
static inline uint64_t o2m_long_product(uint32_t a, uint32_t b) { return (uint64_t)a * b; }
#endif

/* floor(a * b / 2^16) of an s16 b */
static inline int32_t o2m_product_16(int32_t a, int32_t b) {
#if defined(__ARM_FEATURE_DSP) && defined(__GNUC__)
  int32_t product;
  __asm__("smulwb %0, %1, %2" : "=r"(product) : "r"(a), "r"(b));
  return product;
#else
  return o2m_high_product(a, (int32_t)((uint32_t)b << 16));
#endif
}

/* floor(x / 2^shift + 1/2), 1 <= shift <= 62, |x| < 2^62 */
static inline int64_t o2m_round_shift(int64_t x, int32_t shift) { return (x + ((int64_t)1 << (shift - 1))) >> shift; }

/* floor(acc * multiplier / 2^shift + 1/2), 1 <= shift <= 62. Precondition: the result fits int32. */
static inline int32_t o2m_requantize(int32_t acc, int32_t multiplier, int32_t shift) {
#if defined(__ARM_ARCH_6M__)
  return o2m_requantize_by_halves(acc, multiplier, shift);
#else
  const int64_t product = (int64_t)acc * multiplier;
  if (shift == 31) return (int32_t)((product + 0x40000000) >> 31); /* the usual case, with constants */
  return (int32_t)(((product >> (shift - 1)) + 1) >> 1);
#endif
}

static inline int32_t o2m_min(int32_t a, int32_t b) { return a < b ? a : b; }
static inline int32_t o2m_max(int32_t a, int32_t b) { return a > b ? a : b; }
static inline int32_t o2m_clamp(int32_t x, int32_t low, int32_t high) { return o2m_min(o2m_max(x, low), high); }
#if defined(__ARM_FEATURE_SAT) && defined(__GNUC__)
/* one instruction, which compilers do not find */
static inline int8_t o2m_saturate_s8(int32_t x) {
  int32_t y;
  __asm__("ssat %0, #8, %1" : "=r"(y) : "r"(x));
  return (int8_t)y;
}
static inline uint8_t o2m_saturate_u8(int32_t x) {
  int32_t y;
  __asm__("usat %0, #8, %1" : "=r"(y) : "r"(x));
  return (uint8_t)y;
}
static inline int16_t o2m_saturate_s16(int32_t x) {
  int32_t y;
  __asm__("ssat %0, #16, %1" : "=r"(y) : "r"(x));
  return (int16_t)y;
}
#else
static inline int8_t o2m_saturate_s8(int32_t x) { return (int8_t)o2m_clamp(x, -128, 127); }
static inline uint8_t o2m_saturate_u8(int32_t x) { return (uint8_t)o2m_clamp(x, 0, 255); }
static inline int16_t o2m_saturate_s16(int32_t x) { return (int16_t)o2m_clamp(x, -32768, 32767); }
#endif
static inline int32_t o2m_saturate_s32(int64_t x) {
  return x < INT32_MIN ? INT32_MIN : x > INT32_MAX ? INT32_MAX : (int32_t)x;
}

/* floor(numerator / denominator + 1/2), denominator > 0, any sign of the numerator, |both| < 2^61 */
static inline int64_t o2m_divide_round(int64_t numerator, int64_t denominator) {
  const int64_t twice = 2 * numerator + denominator, by = 2 * denominator;
  return twice >= 0 ? twice / by : -((by - 1 - twice) / by);
}

/* Bits of x: the n with 2^(n-1) <= x < 2^n; 0 for 0. */
static inline int32_t o2m_bits32(uint32_t x) {
#if defined(__GNUC__)
  return x == 0 ? 0 : 32 - __builtin_clz(x);
#else
  int32_t n = 0;
  for (int32_t step = 16; step > 0; step /= 2) {
    if (x >> step) {
      x >>= step;
      n += step;
    }
  }
  return n + (int32_t)x;
#endif
}
static inline int32_t o2m_bits(uint64_t x) {
  const uint32_t high = (uint32_t)(x >> 32);
  return high > 0 ? 32 + o2m_bits32(high) : o2m_bits32((uint32_t)x);
}

/* floor(sqrt(x)): Newton from above (I-BERT, Kim et al. 2021, algorithm 4), monotone, so the first non-decrease ends.
 */
static inline uint32_t o2m_sqrt(uint64_t x) {
  if (x < 2) return (uint32_t)x;
  uint64_t r = (uint64_t)1 << ((o2m_bits(x) + 1) / 2);
  for (;;) {
    const uint64_t next = (r + x / r) / 2;
    if (next >= r) return (uint32_t)r;
    r = next;
  }
}

/* 2^45 / sqrt(x) for 2^30 <= x < 2^32: a result in (2^29, 2^30], relative error below 2^-27. A linear seed for
 * y ~ 1/sqrt(t), t = x / 2^30 in [1, 4), at most 8.7 % off, then Newton's y += y * (1 - t * y^2) / 2, all in Q30. */
static inline uint32_t o2m_rsqrt(uint32_t x) {
  uint32_t y = 1144608784u - (uint32_t)(o2m_long_product(x, 163208757u) >> 30);
  for (int32_t i = 0; i < 4; ++i) {
    const uint32_t y2 = (uint32_t)(o2m_long_product(y, y) >> 30), t_y2 = (uint32_t)(o2m_long_product(y2, x) >> 30);
    y = (uint32_t)(o2m_long_product(y, 3221225472u - t_y2) >> 31);
  }
  return y;
}
#endif
