/* o2m_softmax_s8_mve.c - softmax, s8 input, Armv8.1-M with MVE: the maximum of sixteen values at once, then four
 * exponentials gathered at once, tails by predication. */
#include "o2m_softmax.h"

#if defined(__ARM_FEATURE_MVE)

static int32_t largest_of(const int8_t *x, int32_t c) {
  int32_t largest = -128;
  __asm__ volatile(
      "dlstp.8 lr, %[c]\n"
      "1: vldrb.8 q0, [%[x]], #16\n"
      "vmaxv.s8 %[largest], q0\n"
      "letp lr, 1b\n"
      : [x] "+r"(x), [largest] "+r"(largest)
      : [c] "r"(c)
      : "lr", "q0", "memory");
  return largest;
}

/* e: the table's place of x = 0 */
static uint64_t sum_of(const int8_t *x, int32_t c, const int32_t *e) {
  uint64_t sum = 0;
  while (c > 0) { /* up to 256 exponentials fit 32 bits */
    const int32_t n = o2m_min(c, 256);
    uint32_t part = 0;
    __asm__ volatile(
        "dlstp.32 lr, %[n]\n"
        "1: vldrb.s32 q0, [%[x]], #4\n"
        "vldrw.u32 q1, [%[e], q0, uxtw #2]\n"
        "vaddva.u32 %[part], q1\n"
        "letp lr, 1b\n"
        : [x] "+l"(x), [part] "+Te"(part)
        : [n] "r"(n), [e] "r"(e)
        : "lr", "q0", "q1", "memory");
    sum += part;
    c -= n;
  }
  return sum;
}

static void write_row(const int8_t *x, int8_t *y, const int32_t *e, int32_t v, const o2m_softmax_params *p) {
  const int32_t zero = 16 * p->y_zero + 8;
  __asm__ volatile(
      "vdup.32 q2, %[v]\n"
      "dlstp.32 lr, %[c]\n"
      "1: vldrb.s32 q0, [%[x]], #4\n"
      "vldrw.u32 q1, [%[e], q0, uxtw #2]\n"
      "vmulh.s32 q1, q1, q2\n"
      "vadd.i32 q1, q1, %[zero]\n"
      "vshr.s32 q1, q1, #4\n"
      "vstrb.32 q1, [%[y]], #4\n"
      "letp lr, 1b\n"
      : [x] "+l"(x), [y] "+l"(y)
      : [c] "r"(p->features), [e] "r"(e), [v] "r"(v), [zero] "r"(zero)
      : "lr", "q0", "q1", "q2", "memory");
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
void O2M_SYM(o2m_softmax_s8_mve)(const int8_t *x, void *y, int32_t rows, const o2m_softmax_params *p) {
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
