/* o2m_add_mve.h - the loops of o2m_add.h, Armv8.1-M with MVE: four values at once, tails by predication. */
#ifndef O2M_ADD_MVE_H_
#define O2M_ADD_MVE_H_
#include "o2m_add_loops.h"

#if defined(__ARM_FEATURE_MVE)
/* q0 = A + bias; q3: a_multiplier */
#define O2M_ADD_MVE_A_s8       \
  "vldrb.s32 q0, [%[a]], #4\n" \
  "vmlas.s32 q0, q3, %[bias]\n"
#define O2M_ADD_MVE_A_s16      \
  "vldrh.s32 q0, [%[a]], #8\n" \
  "vshl.i32 q0, q0, #16\n"     \
  "vmulh.s32 q0, q0, q3\n"     \
  "vadd.i32 q0, q0, %[bias]\n"
/* q0 = q0 + B; q2: b_multiplier */
#define O2M_ADD_MVE_B_s8       \
  "vldrb.s32 q1, [%[b]], #4\n" \
  "vmla.s32 q0, q1, %[b_multiplier]\n"
#define O2M_ADD_MVE_B_s16      \
  "vldrh.s32 q1, [%[b]], #8\n" \
  "vshl.i32 q1, q1, #16\n"     \
  "vmulh.s32 q1, q1, q2\n"     \
  "vadd.i32 q0, q0, q1\n"
/* y = q0 */
#define O2M_ADD_MVE_Y_s8 \
  "vqmovnb.s32 q0, q0\n" \
  "vqmovnb.s16 q0, q0\n" \
  "vstrb.32 q0, [%[y]], #4\n"
#define O2M_ADD_MVE_Y_s16 \
  "vqmovnb.s32 q0, q0\n"  \
  "vstrh.32 q0, [%[y]], #8\n"

/* Function NAME_mve; NAME_row is the loop in C. */
#define O2M_ADD_MVE(NAME, A, B, Y)                                                                               \
  O2M_ADD_ROW(NAME, A, B, Y)                                                                                     \
  static void NAME##_dense(const o2m_add_##A##_t *a, const o2m_add_##B##_t *b, o2m_add_##Y##_t *y,               \
                           const o2m_add_params *p) {                                                            \
    __asm__ volatile(                                                                                            \
        "vdup.32 q3, %[a_multiplier]\n"                                                                          \
        "vdup.32 q2, %[b_multiplier]\n"                                                                          \
        "dlstp.32 lr, %[count]\n"                                                                                \
        "1:\n" O2M_ADD_MVE_A_##A O2M_ADD_MVE_B_##B "vshl.s32 q0, %[up]\n" O2M_ADD_MVE_Y_##Y "letp lr, 1b\n"      \
        : [a] "+l"(a), [b] "+l"(b), [y] "+l"(y)                                                                  \
        : [a_multiplier] "r"(p->a_multiplier), [b_multiplier] "r"(p->b_multiplier), [bias] "r"(p->bias),         \
          [up] "r"(-p->shift), [count] "r"(p->count)                                                             \
        : "lr", "q0", "q1", "q2", "q3", "memory");                                                               \
  }                                                                                                              \
  void O2M_SYM(NAME##_mve)(const o2m_add_##A##_t *a, const o2m_add_##B##_t *b, o2m_add_##Y##_t *y, int32_t rows, \
                           const o2m_add_params *p) {                                                            \
    const int32_t dense = p->a_step == 1 && p->b_step == 1 && p->y_step == 1;                                    \
    for (int32_t r = 0; r < rows; ++r) {                                                                         \
      if (dense) NAME##_dense(a + r * p->a_row, b + r * p->b_row, y + r * p->y_row, p);                          \
      if (!dense) NAME##_row(a + r * p->a_row, b + r * p->b_row, y + r * p->y_row, p);                           \
    }                                                                                                            \
  }
#else /* not compiled for such a core: the same bytes from C */
#define O2M_ADD_MVE(NAME, A, B, Y) O2M_ADD_ROW(NAME, A, B, Y) O2M_ADD_ROWS(NAME, NAME##_mve, A, B, Y)
#endif

#endif
