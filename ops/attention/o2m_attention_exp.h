/* o2m_attention_exp.h - what attention kernels share: the table of exponentials, and the reciprocal of their sum. */
#ifndef O2M_ATTENTION_EXP_H_
#define O2M_ATTENTION_EXP_H_
#include <stdint.h>

#include "o2m_fixedpoint.h"

/* floor(255 exp(-i / 64) + 1/2); zero from O2M_EXPONENTIALS on. The size is a power of two: a saturating instruction
 * then keeps an index within it. */
enum { O2M_EXPONENTIALS = 400, O2M_EXPONENTIALS_SIZE = 512 };
static const uint8_t o2m_exponential[O2M_EXPONENTIALS_SIZE] = {
    255, 251, 247, 243, 240, 236, 232, 229, 225, 222, 218, 215, 211, 208, 205, 202, 199, 196, 192, 189, 187, 184, 181,
    178, 175, 173, 170, 167, 165, 162, 160, 157, 155, 152, 150, 148, 145, 143, 141, 139, 136, 134, 132, 130, 128, 126,
    124, 122, 120, 119, 117, 115, 113, 111, 110, 108, 106, 105, 103, 101, 100, 98,  97,  95,  94,  92,  91,  90,  88,
    87,  85,  84,  83,  82,  80,  79,  78,  77,  75,  74,  73,  72,  71,  70,  69,  68,  67,  65,  64,  63,  62,  62,
    61,  60,  59,  58,  57,  56,  55,  54,  53,  53,  52,  51,  50,  49,  49,  48,  47,  46,  46,  45,  44,  44,  43,
    42,  42,  41,  40,  40,  39,  38,  38,  37,  37,  36,  36,  35,  35,  34,  33,  33,  32,  32,  31,  31,  30,  30,
    30,  29,  29,  28,  28,  27,  27,  26,  26,  26,  25,  25,  24,  24,  24,  23,  23,  23,  22,  22,  22,  21,  21,
    21,  20,  20,  20,  19,  19,  19,  18,  18,  18,  18,  17,  17,  17,  17,  16,  16,  16,  16,  15,  15,  15,  15,
    14,  14,  14,  14,  14,  13,  13,  13,  13,  12,  12,  12,  12,  12,  12,  11,  11,  11,  11,  11,  11,  10,  10,
    10,  10,  10,  10,  9,   9,   9,   9,   9,   9,   9,   8,   8,   8,   8,   8,   8,   8,   8,   7,   7,   7,   7,
    7,   7,   7,   7,   7,   6,   6,   6,   6,   6,   6,   6,   6,   6,   6,   6,   5,   5,   5,   5,   5,   5,   5,
    5,   5,   5,   5,   5,   5,   4,   4,   4,   4,   4,   4,   4,   4,   4,   4,   4,   4,   4,   4,   4,   4,   3,
    3,   3,   3,   3,   3,   3,   3,   3,   3,   3,   3,   3,   3,   3,   3,   3,   3,   3,   3,   3,   2,   2,   2,
    2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,
    2,   2,   2,   2,   2,   2,   2,   1,   1,   1,   1,   1,   1,   1,   1,   1,   1,   1,   1,   1,   1,   1,   1,
    1,   1,   1,   1,   1,   1,   1,   1,   1,   1,   1,   1,   1,   1,   1,   1,   1,   1,   1,   1,   1,   1,   1,
    1,   1,   1,   1,   1,   1,   1,   1,   1,   1,   1,   1,   1,   1,   1,   1,   1,   1,   1,   1,   1,   1,   1,
    1,   1,   1,   1,   1,   1,   1,   1,   1,
};

/* round(numerator * 2^bits / denominator), numerator < 2^31, denominator < 2^23, result < 2^31: digit by digit. */
static inline int32_t o2m_divide_scaled(uint32_t numerator, int32_t bits, uint32_t denominator) {
  uint32_t quotient = numerator / denominator, rest = numerator % denominator;
  while (bits > 0) {
    const int32_t digit = o2m_min(bits, 32 - o2m_bits32(denominator));
    rest <<= digit;
    quotient = (quotient << digit) + rest / denominator;
    rest %= denominator;
    bits -= digit;
  }
  return (int32_t)(quotient + (2 * rest >= denominator));
}
#endif
