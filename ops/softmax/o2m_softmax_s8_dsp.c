/* o2m_softmax_s8_dsp.c - softmax, s8 input, Armv7E-M: the maximum of four values at once, product and zero point in one
 * instruction. */
#include "o2m_softmax.h"

#if defined(__ARM_FEATURE_DSP) && defined(__thumb2__)

/* m: four running maxima; SSUB8 sets the flags of the bytes that SEL chooses by. */
static int32_t largest_of(const int8_t *x, int32_t c) {
  const int8_t *const end = x + c, *const blocks = x + (c & ~7);
  uint32_t m = 0x80808080u, a, b;
  while (x != blocks) {
    __asm__ volatile(
        "ldr %[a], [%[x]], #4\n"
        "ldr %[b], [%[x]], #4\n"
        "ssub8 r12, %[a], %[m]\n"
        "sel %[m], %[a], %[m]\n"
        "ssub8 r12, %[b], %[m]\n"
        "sel %[m], %[b], %[m]\n"
        : [x] "+r"(x), [m] "+r"(m), [a] "=&r"(a), [b] "=&r"(b)
        :
        : "r12", "cc", "memory");
  }
  int32_t largest = o2m_max(o2m_max((int8_t)m, (int8_t)(m >> 8)), o2m_max((int8_t)(m >> 16), (int8_t)(m >> 24)));
  for (; x != end; ++x) largest = o2m_max(largest, *x);
  return largest;
}

/* e: the table's place of x = 0 */
#define TWO_ADDED                    \
  "ldrsb %[a], [%[x]], #1\n"         \
  "ldrsb %[b], [%[x]], #1\n"         \
  "ldr %[a], [%[e], %[a], lsl #2]\n" \
  "ldr %[b], [%[e], %[b], lsl #2]\n" \
  "add %[part], %[a]\n"              \
  "add %[part], %[b]\n"

static uint64_t sum_of(const int8_t *x, int32_t c, const int32_t *e) {
  uint64_t sum = 0;
  while (c > 0) { /* up to 256 exponentials fit 32 bits */
    const int32_t n = o2m_min(c, 256);
    const int8_t *const end = x + n, *const blocks = x + (n & ~7);
    uint32_t part = 0, a, b;
    while (x != blocks) {
      __asm__ volatile(TWO_ADDED TWO_ADDED TWO_ADDED TWO_ADDED
                       : [x] "+r"(x), [part] "+r"(part), [a] "=&r"(a), [b] "=&r"(b)
                       : [e] "r"(e)
                       : "memory");
    }
    while (x != end) part += (uint32_t)e[*x++];
    sum += part;
    c -= n;
  }
  return sum;
}

#define TWO_WRITTEN                   \
  "ldrsb %[a], [%[x]], #1\n"          \
  "ldrsb %[b], [%[x]], #1\n"          \
  "ldr %[a], [%[e], %[a], lsl #2]\n"  \
  "ldr %[b], [%[e], %[b], lsl #2]\n"  \
  "smmla %[a], %[a], %[v], %[zero]\n" \
  "smmla %[b], %[b], %[v], %[zero]\n" \
  "asr %[a], %[a], #4\n"              \
  "asr %[b], %[b], #4\n"              \
  "strb %[a], [%[y]], #1\n"           \
  "strb %[b], [%[y]], #1\n"

static void write_row(const int8_t *x, int8_t *y, const int32_t *e, int32_t v, const o2m_softmax_params *p) {
  const int8_t *const end = x + p->features, *const blocks = x + (p->features & ~7);
  const int32_t zero = 16 * p->y_zero + 8;
  uint32_t a, b;
  while (x != blocks) {
    __asm__ volatile(TWO_WRITTEN TWO_WRITTEN TWO_WRITTEN TWO_WRITTEN
                     : [x] "+r"(x), [y] "+r"(y), [a] "=&r"(a), [b] "=&r"(b)
                     : [e] "r"(e), [v] "r"(v), [zero] "r"(zero)
                     : "memory");
  }
  while (x != end) *y++ = (int8_t)o2m_softmax_y(e[*x++], v, zero);
}

/* A row of dense s8 output. */
static void dense_row(const int8_t *x, int8_t *y, const o2m_softmax_params *p) {
  const int32_t *const e = p->low + 255 - largest_of(x, p->features);
  write_row(x, y, e, o2m_softmax_factor(sum_of(x, p->features, e), p), p);
}

#else /* not compiled for such a core: the same bytes from C */
static void dense_row(const int8_t *x, int8_t *y, const o2m_softmax_params *p) { o2m_softmax_row(x, 1, y, p); }
#endif

/* x [rows][C] -> y [rows][C] */
void O2M_SYM(o2m_softmax_s8_dsp)(const int8_t *x, void *y, int32_t rows, const o2m_softmax_params *p) {
  const int32_t dense = o2m_softmax_is_dense(p);
  for (int32_t r = 0; r < rows; ++r) {
    const int8_t *const from = x + r * p->x_row;
    int8_t *const to = (int8_t *)y + r * p->y_row * p->y_bytes;
    if (dense) {
      dense_row(from, to, p);
    } else {
      o2m_softmax_row(from, 1, to, p);
    }
  }
}
