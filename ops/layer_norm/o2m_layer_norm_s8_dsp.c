/* o2m_layer_norm_s8_dsp.c - layer normalisation, s8 input, Armv7E-M: moments by dual multiply-accumulate, then six
 * instructions per feature. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("Os") /* the loops are in assembly; what is around them is to be small */
#endif
#include "o2m_layer_norm.h"

#if defined(__ARM_FEATURE_DSP) && defined(__thumb2__)

/* sum of x and x^2 of four features; even and odd ones as pairs of s16 */
#define FOUR_MOMENTS                                 \
  "ldr %[odd], [%[x]], #4\n"                         \
  "sxtb16 %[even], %[odd]\n"                         \
  "sxtb16 %[odd], %[odd], ror #8\n"                  \
  "smlad %[sum], %[even], %[one], %[sum]\n"          \
  "smlad %[sum], %[odd], %[one], %[sum]\n"           \
  "smlad %[squares], %[even], %[even], %[squares]\n" \
  "smlad %[squares], %[odd], %[odd], %[squares]\n"

/* The first `eights` features lie side by side: a multiple of eight, or none. */
static o2m_layer_norm_moments moments_of(const int8_t *x, int32_t eights, const o2m_layer_norm_params *p) {
  const int8_t *const blocks = x + eights;
  const uint32_t one = 0x00010001;
  uint32_t even, odd;
  int32_t sum = 0, squares = 0;
  while (x != blocks) {
    __asm__ volatile(FOUR_MOMENTS FOUR_MOMENTS
                     : [x] "+r"(x), [sum] "+r"(sum), [squares] "+r"(squares), [even] "=&r"(even), [odd] "=&r"(odd)
                     : [one] "r"(one)
                     : "memory");
  }
  for (int32_t i = eights; i < p->features; ++i, x += p->x_column) {
    sum += *x;
    squares += *x * *x;
  }
  const o2m_layer_norm_moments moments = {sum, (uint32_t)squares};
  return moments;
}

/* t0, t1: x, then t, then y of two features; g0, g1 their gains, o0, o1 their offsets */
#define TWO_FEATURES                         \
  "ldrd %[g0], %[g1], [%[gain]], #8\n"       \
  "ldrsb %[t0], [%[x]], #1\n"                \
  "ldrsb %[t1], [%[x]], #1\n"                \
  "ldrd %[o0], %[o1], [%[offset]], #8\n"     \
  "mla %[t0], %[t0], %[factor], %[addend]\n" \
  "mla %[t1], %[t1], %[factor], %[addend]\n" \
  "smmla %[t0], %[t0], %[g0], %[o0]\n"       \
  "smmla %[t1], %[t1], %[g1], %[o1]\n"       \
  "ssat %[t0], #8, %[t0], asr %[shift]\n"    \
  "ssat %[t1], #8, %[t1], asr %[shift]\n"    \
  "strb %[t0], [%[y]], #1\n"                 \
  "strb %[t1], [%[y]], #1\n"

static void write_row(const int8_t *x, int8_t *y, int32_t eights, o2m_layer_norm_row row,
                      const o2m_layer_norm_params *p) {
  const int8_t *const blocks = x + eights;
  const int32_t *gain = p->gain, *offset = p->offset;
  int32_t t0, t1, g0, g1, o0, o1;
  row.wide = 0;
  while (x != blocks) {
    __asm__ volatile(TWO_FEATURES TWO_FEATURES TWO_FEATURES TWO_FEATURES
                     : [x] "+r"(x), [y] "+r"(y), [gain] "+r"(gain), [offset] "+r"(offset), [t0] "=&r"(t0),
                       [t1] "=&r"(t1), [g0] "=&r"(g0), [g1] "=&r"(g1), [o0] "=&r"(o0), [o1] "=&r"(o1)
                     : [factor] "r"(row.factor), [addend] "r"(row.addend), [shift] "i"(O2M_LAYER_NORM_SHIFT)
                     : "memory");
  }
  const int32_t y_step = p->y_column * p->y_bytes;
  for (int32_t i = eights; i < p->features; ++i, x += p->x_column, y += y_step) {
    const int32_t q = o2m_layer_norm_y(o2m_layer_norm_t(*x, row), *gain++, *offset++, p->shift);
    if (p->y_bytes == 1) {
      *y = o2m_saturate_s8(q);
    } else {
      *(int16_t *)(void *)y = o2m_saturate_s16(q);
    }
  }
}

#else /* not compiled for such a core: the same bytes from C */
static o2m_layer_norm_moments moments_of(const int8_t *x, int32_t eights, const o2m_layer_norm_params *p) {
  (void)eights;
  return o2m_layer_norm_moments_of(x, 1, p);
}
static void write_row(const int8_t *x, int8_t *y, int32_t eights, o2m_layer_norm_row row,
                      const o2m_layer_norm_params *p) {
  (void)eights;
  o2m_layer_norm_write(x, 1, y, row, p);
}
#endif

/* x [rows][C] -> y [rows][C] */
void O2M_SYM(o2m_layer_norm_s8_dsp)(const int8_t *x, void *y, int32_t rows, const o2m_layer_norm_params *p) {
  const int32_t dense = o2m_layer_norm_is_dense(p) && p->shift == O2M_LAYER_NORM_SHIFT;
  const int32_t eights = dense ? p->features & ~7 : 0;
  for (int32_t r = 0; r < rows; ++r) {
    const int8_t *const from = x + r * p->x_row;
    write_row(from, (int8_t *)y + r * p->y_row * p->y_bytes, eights,
              o2m_layer_norm_row_s8(moments_of(from, eights, p), p), p);
  }
}
