/* o2m_panels_dsp.c - s8 and s16 widened to the panels of o2m_panels_dsp.h, in assembly: STM writes a whole block at
 * once. Where the compiler is not given a core with DSP instructions, plain C makes them. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("Os") /* the loops are in assembly; what is around them is to be small */
#endif
#include "o2m_panels_dsp.h"

#include <string.h>

#include "o2m_fixedpoint.h"

static int32_t element(const void *x, int32_t at, int32_t type) {
  if (type == O2M_DOT_DSP_FROM_S16) return ((const int16_t *)x)[at];
  return type == O2M_DOT_DSP_FROM_S8 ? ((const int8_t *)x)[at] : ((const uint8_t *)x)[at];
}

static uint32_t pair(int32_t low, int32_t high) { return ((uint32_t)low & 0xffffu) | (uint32_t)high << 16; }

/* Block `b` of a vector whose elements are `k` apart: its two pairs to to[0] and to[distance]; zeros behind the end. */
static void put_block(const void *x, int32_t k, int32_t type, int32_t b, int32_t depth, int32_t zero, uint32_t *to,
                      int32_t distance) {
  int32_t v[4];
  for (int32_t i = 0; i < 4; ++i) v[i] = 4 * b + i < depth ? element(x, (4 * b + i) * k, type) - zero : 0;
  to[0] = pair(v[0], v[2]);
  to[distance] = pair(v[1], v[3]);
}

#if defined(__ARM_FEATURE_DSP) && defined(__thumb2__)
/* The parameters are in r0 .. r3 whatever the callers pass: no clones. Aligned: ADR counts from a multiple of 4. */
#ifdef __clang__
#define NAKED __attribute__((naked, noinline, aligned(4)))
#else
#define NAKED __attribute__((naked, noipa, aligned(4)))
#endif
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"

/* r0, r1: two rows; r2: where to; r3: the end of row 0; r5: the zero point, negated, twice. r6 .. r9: the four words of
 * a block. */
#define TWO_ROWS(block)  \
  "push {r4-r9, lr}\n"   \
  "ldr r5, [sp, #28]\n"  \
  "1:\n" block           \
  "  stm r2!, {r6-r9}\n" \
  "  cmp r0, r3\n"       \
  "  bne 1b\n"           \
  "pop {r4-r9, pc}\n"
#define WIDEN_TWO(extend) \
  "  ldr r8, [r0], #4\n"  \
  "  ldr r9, [r1], #4\n"  \
  "  " extend             \
  " r6, r5, r8\n"         \
  "  " extend             \
  " r7, r5, r9\n"         \
  "  " extend             \
  " r8, r5, r8, ror #8\n" \
  "  " extend " r9, r5, r9, ror #8\n"
NAKED static void dot_rows_s8(const void *x0, const void *x1, uint32_t *to, const void *end, uint32_t offset) {
  __asm__ volatile(TWO_ROWS(WIDEN_TWO("sxtab16")));
}
NAKED static void dot_rows_u8(const void *x0, const void *x1, uint32_t *to, const void *end, uint32_t offset) {
  __asm__ volatile(TWO_ROWS(WIDEN_TWO("uxtab16")));
}
NAKED static void dot_rows_s16(const void *x0, const void *x1, uint32_t *to, const void *end, uint32_t offset) {
  __asm__ volatile(
      TWO_ROWS("  ldr r4, [r0], #4\n"
               "  ldr r8, [r0], #4\n"
               "  ldr r5, [r1], #4\n"
               "  ldr r9, [r1], #4\n"
               "  pkhbt r6, r4, r8, lsl #16\n"
               "  pkhbt r7, r5, r9, lsl #16\n"
               "  pkhtb r8, r8, r4, asr #16\n"
               "  pkhtb r9, r9, r5, asr #16\n"));
}

/* r0: constants, which may lie unaligned; r1: where to; r2: the end of that. r4 .. r7: the pairs (k0, k2) of four
 * columns, whose words are in r8 .. r11; then those of (k1, k3). */
NAKED static void dot_group(const int8_t *group, uint32_t *to, const uint32_t *end) {
  __asm__ volatile(
      "push {r4-r11, lr}\n"
      "1:\n"
      "  ldr r8, [r0], #4\n"
      "  ldr r9, [r0], #4\n"
      "  ldr r10, [r0], #4\n"
      "  ldr r11, [r0], #4\n"
      "  sxtb16 r4, r8\n"
      "  sxtb16 r5, r9\n"
      "  sxtb16 r6, r10\n"
      "  sxtb16 r7, r11\n"
      "  sxtb16 r8, r8, ror #8\n"
      "  sxtb16 r9, r9, ror #8\n"
      "  sxtb16 r10, r10, ror #8\n"
      "  sxtb16 r11, r11, ror #8\n"
      "  stm r1!, {r4-r11}\n"
      "  cmp r1, r2\n"
      "  bne 1b\n"
      "pop {r4-r11, pc}\n");
}
/* r0, r3, r12, lr: four columns of dense k; r1: where to; r2: the zero point, negated, twice; on the stack: the end. */
NAKED static void dot_columns(const int8_t *const columns[4], uint32_t *to, uint32_t offset, const uint32_t *end) {
  __asm__ volatile(
      "push {r3-r11, lr}\n"
      "ldm r0, {r0, r3, r12, lr}\n"
      "1:\n"
      "  ldr r8, [r0], #4\n"
      "  ldr r9, [r3], #4\n"
      "  ldr r10, [r12], #4\n"
      "  ldr r11, [lr], #4\n"
      "  sxtab16 r4, r2, r8\n"
      "  sxtab16 r5, r2, r9\n"
      "  sxtab16 r6, r2, r10\n"
      "  sxtab16 r7, r2, r11\n"
      "  sxtab16 r8, r2, r8, ror #8\n"
      "  sxtab16 r9, r2, r9, ror #8\n"
      "  sxtab16 r10, r2, r10, ror #8\n"
      "  sxtab16 r11, r2, r11, ror #8\n"
      "  stm r1!, {r4-r11}\n"
      "  ldr r4, [sp]\n"
      "  cmp r1, r4\n"
      "  bne 1b\n"
      "pop {r3-r11, pc}\n");
}
/* Columns side by side: r0: 4 columns at k, r3: from one k to the next. r4, r5: those at k0, k2 (k1, k3); r6: the zero
 * point, negated, twice. */
#define TRANSPOSE                   \
  "  ldr r4, [r0]\n"                \
  "  ldr r5, [r0, r3, lsl #1]\n"    \
  "  add r0, r3\n"                  \
  "  sxtab16 r8, r6, r4\n"          \
  "  sxtab16 r9, r6, r4, ror #8\n"  \
  "  sxtab16 r12, r6, r5\n"         \
  "  sxtab16 lr, r6, r5, ror #8\n"  \
  "  pkhtb r10, r12, r8, asr #16\n" \
  "  pkhtb r11, lr, r9, asr #16\n"  \
  "  pkhbt r8, r8, r12, lsl #16\n"  \
  "  pkhbt r9, r9, lr, lsl #16\n"   \
  "  stm r1!, {r8-r11}\n"
NAKED static void dot_across(const int8_t *w, uint32_t *to, const uint32_t *end, int32_t k, uint32_t offset) {
  __asm__ volatile(
      "push {r4-r11, lr}\n"
      "ldr r6, [sp, #36]\n"
      "1:\n" TRANSPOSE TRANSPOSE
      "  add r0, r0, r3, lsl #1\n"
      "  cmp r1, r2\n"
      "  bne 1b\n"
      "pop {r4-r11, pc}\n");
}

#pragma GCC diagnostic pop

static uint32_t twice(int32_t half) { return (uint32_t)(uint16_t)half * 0x10001u; }

/* Return how many blocks are done. */
static int32_t whole_rows(const void *x0, const void *x1, int32_t type, int32_t depth, int32_t zero, uint32_t *to) {
  const char *const end = (const char *)x0 + (type == O2M_DOT_DSP_FROM_S16 ? 8 : 4) * (depth / 4);
  if (depth >= 4) {
    (type == O2M_DOT_DSP_FROM_S16  ? dot_rows_s16
     : type == O2M_DOT_DSP_FROM_S8 ? dot_rows_s8
                                   : dot_rows_u8)(x0, x1, to, end, twice(-zero));
  }
  return depth / 4;
}

static void put_group(const int8_t *group, int32_t blocks, uint32_t *to) { dot_group(group, to, to + 8 * blocks); }

/* Block b of any columns, those that are missing like the last, as 4 k of 4 columns; what is behind the end is any. */
static void put_columns(const int8_t *w, int32_t column, int32_t k, int32_t columns, int32_t b, int32_t depth,
                        uint32_t offset, uint32_t *to) {
  int8_t block[16];
  for (int32_t i = 0; i < 4; ++i) {
    const int8_t *const from = w + o2m_min(4 * b + i, depth - 1) * k;
    if (column == 1 && columns == 4) {
      memcpy(block + 4 * i, from, 4);
    } else {
      for (int32_t c = 0; c < 4; ++c) block[4 * i + c] = from[o2m_min(c, columns - 1) * column];
    }
  }
  dot_across(block, to, to + 8, 4, offset);
}

static void widen_columns(const int8_t *w, int32_t column, int32_t k, int32_t columns, int32_t depth, int32_t zero,
                          uint32_t *to) {
  const uint32_t offset = twice(-zero);
  const int32_t blocks = o2m_dot_dsp_blocks(depth);
  int32_t whole = depth / 4;
  if (whole > 0 && k == 1) {
    const int8_t *const first[4] = {w, w + o2m_min(1, columns - 1) * column, w + o2m_min(2, columns - 1) * column,
                                    w + (columns - 1) * column};
    dot_columns(first, to, offset, to + 8 * whole);
  } else if (whole > 0 && column == 1 && columns == 4) {
    dot_across(w, to, to + 8 * whole, k, offset);
  } else {
    whole = 0;
  }
  for (int32_t b = whole; b < blocks; ++b) put_columns(w, column, k, columns, b, depth, offset, to + 8 * b);
}

#else

static int32_t whole_rows(const void *x0, const void *x1, int32_t type, int32_t depth, int32_t zero, uint32_t *to) {
  (void)x0, (void)x1, (void)type, (void)depth, (void)zero, (void)to;
  return 0;
}

static void put_group(const int8_t *group, int32_t blocks, uint32_t *to) {
  for (int32_t b = 0; b < blocks; ++b) {
    for (int32_t c = 0; c < 4; ++c) {
      put_block(group + 16 * b + 4 * c, 1, O2M_DOT_DSP_FROM_S8, 0, 4, 0, to + 8 * b + c, 4);
    }
  }
}

static void widen_columns(const int8_t *w, int32_t column, int32_t k, int32_t columns, int32_t depth, int32_t zero,
                          uint32_t *to) {
  for (int32_t b = 0; b < o2m_dot_dsp_blocks(depth); ++b) {
    for (int32_t c = 0; c < 4; ++c) {
      const int8_t *const from = w + o2m_min(c, columns - 1) * column;
      put_block(from, k, O2M_DOT_DSP_FROM_S8, b, depth, zero, to + 8 * b + c, 4);
    }
  }
}

#endif

void O2M_SYM(o2m_dot_dsp_rows)(const void *x, int32_t type, int32_t row, int32_t column, int32_t rows, int32_t depth,
                               int32_t zero, uint32_t *to) {
  const int32_t blocks = o2m_dot_dsp_blocks(depth), bytes = type == O2M_DOT_DSP_FROM_S16 ? 2 : 1;
  for (int32_t r = 0; r < rows; r += 2, to += 4 * blocks) {
    const char *const x0 = (const char *)x + r * row * bytes, *const x1 = r + 1 < rows ? x0 + row * bytes : x0;
    for (int32_t b = column == 1 ? whole_rows(x0, x1, type, depth, zero, to) : 0; b < blocks; ++b) {
      put_block(x0, column, type, b, depth, zero, to + 4 * b, 2);
      put_block(x1, column, type, b, depth, zero, to + 4 * b + 1, 2);
    }
  }
}

void O2M_SYM(o2m_dot_dsp_widen)(const int8_t *group, int32_t blocks, uint32_t *to) { put_group(group, blocks, to); }

void O2M_SYM(o2m_dot_dsp_columns)(const int8_t *w, int32_t column, int32_t k, int32_t columns, int32_t depth,
                                  int32_t zero, uint32_t *to) {
  widen_columns(w, column, k, columns, depth, zero, to);
}
