/* o2m_layer_norm_s16_mve.c - layer normalisation, s16 input, Armv8.1-M with MVE: moments of eight features at once,
 * then four features at once, tails by predication. */
#include "o2m_layer_norm.h"

#if defined(__ARM_FEATURE_MVE)

static o2m_layer_norm_moments moments_of(const int16_t *x, const o2m_layer_norm_params *p) {
  int32_t sum = 0;
  register uint32_t low __asm__("r4") = 0, high __asm__("r5") = 0; /* VMLALDAVA: an even and an odd register */
  __asm__ volatile(
      "dlstp.16 lr, %[count]\n"
      "1: vldrh.16 q0, [%[x]], #16\n"
      "vaddva.s16 %[sum], q0\n"
      "vmlaldava.s16 %[low], %[high], q0, q0\n"
      "letp lr, 1b\n"
      : [x] "+r"(x), [sum] "+Te"(sum), [low] "+r"(low), [high] "+r"(high)
      : [count] "r"(p->features)
      : "lr", "q0", "memory");
  const o2m_layer_norm_moments moments = {sum, (uint64_t)high << 32 | low};
  return moments;
}

/* y = saturate((floor(t * gain / 2^32) + offset) >> O2M_LAYER_NORM_SHIFT) from t in q0; its last shift is vqshrnb.s32
 * q0, q0, #13, of which binutils 2.40 makes the rounding form */
#define WRITE(T_OF_X)                                                                \
  __asm__ volatile(                                                                  \
      "vdup.32 q3, %[factor]\n"                                                      \
      "dlstp.32 lr, %[count]\n"                                                      \
      "1: vldrh.s32 q0, [%[x]], #8\n"                                                \
      "vldrw.32 q1, [%[gain]], #16\n" T_OF_X                                         \
      "vldrw.32 q2, [%[offset]], #16\n"                                              \
      "vmulh.s32 q0, q0, q1\n"                                                       \
      "vadd.i32 q0, q0, q2\n"                                                        \
      ".inst.w 0xee930f40\n"                                                         \
      "vqmovnb.s16 q0, q0\n"                                                         \
      "vstrb.32 q0, [%[y]], #4\n"                                                    \
      "letp lr, 1b\n"                                                                \
      : [x] "+l"(x), [y] "+l"(y), [gain] "+r"(gain), [offset] "+r"(offset)           \
      : [factor] "r"(row.factor), [addend] "r"(row.addend), [count] "r"(p->features) \
      : "lr", "q0", "q1", "q2", "q3", "memory")

static void write_row(const int16_t *x, int8_t *y, o2m_layer_norm_row row, const o2m_layer_norm_params *p) {
  const int32_t *gain = p->gain, *offset = p->offset;
  if (row.wide) {
    WRITE("vshl.i32 q0, q0, #16\n vmulh.s32 q0, q0, q3\n vadd.i32 q0, q0, %[addend]\n");
  } else {
    WRITE("vmlas.s32 q0, q3, %[addend]\n");
  }
}

#else /* not compiled for such a core: the same bytes from C */
static o2m_layer_norm_moments moments_of(const int16_t *x, const o2m_layer_norm_params *p) {
  return o2m_layer_norm_moments_of(x, 2, p);
}
static void write_row(const int16_t *x, int8_t *y, o2m_layer_norm_row row, const o2m_layer_norm_params *p) {
  o2m_layer_norm_write(x, 2, y, row, p);
}
#endif

/* x [rows][C] -> y [rows][C] */
void O2M_SYM(o2m_layer_norm_s16_mve)(const int16_t *x, void *y, int32_t rows, const o2m_layer_norm_params *p) {
  const int32_t dense = o2m_layer_norm_is_dense(p) && p->shift == O2M_LAYER_NORM_SHIFT;
  for (int32_t r = 0; r < rows; ++r) {
    const int16_t *const from = x + r * p->x_row;
    int8_t *const to = (int8_t *)y + r * p->y_row * p->y_bytes;
    const o2m_layer_norm_row row =
        o2m_layer_norm_row_s16(dense ? moments_of(from, p) : o2m_layer_norm_moments_of(from, 2, p), p);
    if (dense) {
      write_row(from, to, row, p);
    } else {
      o2m_layer_norm_write(from, 2, to, row, p);
    }
  }
}
