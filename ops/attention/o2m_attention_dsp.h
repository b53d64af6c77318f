/* o2m_attention_dsp.h - the inner loops of attention for Armv7E-M with DSP (Cortex-M4, M7, M33).
 *
 * Elements are widened to s16 and come in groups of four: a word holds elements 0 and 2 of a group, or 1 and 3, as
 * SXTB16 leaves them. A block holds two rows, word by word row 0 and row 1, then a trailer for the epilogue. Lines are
 * the four vectors that every row is multiplied with, word by word lines 0, 1, 2, 3. Three LDRD and eight SMLAD make 16
 * products.
 *
 * r0 block, r1 lines, r2 r3 a word of rows 0 and 1, r12 lr a word of two lines, r4-r7 sums of row 0, r8-r11 of row 1.
 */
#ifndef O2M_ATTENTION_DSP_H_
#define O2M_ATTENTION_DSP_H_
#include <stdint.h>
#include <string.h>

#include "o2m_fixedpoint.h"

#if defined(__ARM_FEATURE_DSP) && defined(__thumb2__)

/* ---- Words ---- */

static inline uint32_t o2m_load_word(const int8_t *at) {
  uint32_t word;
  memcpy(&word, at, 4);
  return word;
}

/* sum + bytes 0 and 2, sign-extended; bytes 1 and 3 */
static inline uint32_t o2m_sxtab16(uint32_t sum, uint32_t bytes) {
  uint32_t result;
  __asm__("sxtab16 %0, %1, %2" : "=r"(result) : "r"(sum), "r"(bytes));
  return result;
}
static inline uint32_t o2m_sxtab16_ror8(uint32_t sum, uint32_t bytes) {
  uint32_t result;
  __asm__("sxtab16 %0, %1, %2, ror #8" : "=r"(result) : "r"(sum), "r"(bytes));
  return result;
}
/* The low halves of a and b; a's comes first. */
static inline uint32_t o2m_low_halves(uint32_t a, uint32_t b) {
  uint32_t result;
  __asm__("pkhbt %0, %1, %2, lsl #16" : "=r"(result) : "r"(a), "r"(b));
  return result;
}
static inline uint32_t o2m_twice(int32_t half) { return (uint32_t)(uint16_t)half * 0x10001u; }

/* Up to four bytes, `step` apart; the others hold `fill`. */
static inline uint32_t o2m_gather(const int8_t *at, int32_t step, int32_t count, int32_t fill) {
  uint32_t word = 0;
  for (int32_t i = 0; i < 4; ++i) word |= (uint32_t)(uint8_t)(i < count ? at[i * step] : fill) << 8 * i;
  return word;
}

/* ---- Widening: `count` elements, `step` apart, less their zero point; a last group is filled with zeros ---- */

/* Groups of two rows, to the end of a block's words. r4-r7: the group. */
static inline void o2m_widen_two(const int8_t *at0, const int8_t *at1, uint32_t zeros, uint32_t *words,
                                 const uint32_t *words_end) {
  register const int8_t *row0 __asm__("r0") = at0, *row1 __asm__("r1") = at1;
  register uint32_t offset __asm__("r2") = zeros, *to __asm__("r3") = words;
  register const uint32_t *end __asm__("r12") = words_end;
  __asm__ volatile(
      "push {r4-r7}\n"
      "b 2f\n"
      "1: ldr r6, [r0], #4\n"
      "ldr r7, [r1], #4\n"
      "sxtab16 r4, r2, r6\n"
      "sxtab16 r5, r2, r7\n"
      "sxtab16 r6, r2, r6, ror #8\n"
      "sxtab16 r7, r2, r7, ror #8\n"
      "stm r3!, {r4-r7}\n"
      "2: cmp r3, r12\n"
      "bne 1b\n"
      "pop {r4-r7}\n"
      : "+r"(row0), "+r"(row1), "+r"(to)
      : "r"(offset), "r"(end)
      : "cc", "memory");
}

/* The last group, 1 to 3 elements, of `count` side by side, 4 or more; `fill` in the bytes of the others. */
static inline uint32_t o2m_last_group(const int8_t *at, int32_t count, int32_t fill) {
  const int32_t missing = 4 - (count & 3);
  return o2m_load_word(at + count - 4) >> 8 * missing | ((uint32_t)(uint8_t)fill * 0x01010101u) << 8 * (4 - missing);
}

/* A group of a vector whose layout is any. */
static inline uint32_t o2m_group(const int8_t *at, int32_t step, int32_t n, int32_t count, int32_t fill) {
  return step == 1 && count >= 4 ? o2m_last_group(at, count, fill) : o2m_gather(at + n * step, step, count - n, fill);
}

static inline void o2m_widen_rows(const int8_t *row0, const int8_t *row1, int32_t step, int32_t count, int32_t zero,
                                  uint32_t *block) {
  const uint32_t offset = o2m_twice(-zero);
  const int32_t dense = step == 1 ? count & ~3 : 0;
  o2m_widen_two(row0, row1, offset, block, block + dense);
  for (int32_t n = dense; n < count; n += 4) {
    const uint32_t a = o2m_group(row0, step, n, count, zero), b = o2m_group(row1, step, n, count, zero);
    block[n] = o2m_sxtab16(offset, a);
    block[n + 1] = o2m_sxtab16(offset, b);
    block[n + 2] = o2m_sxtab16_ror8(offset, a);
    block[n + 3] = o2m_sxtab16_ror8(offset, b);
  }
}

/* Lines of dense elements: keys, or columns of a v that lies transposed. r0, r3, r12, lr: the lines; r8-r11: a word of
 * each; r4-r11: the group. */
static inline void o2m_widen_dense(const int8_t *const lines[4], uint32_t zeros, uint32_t *words,
                                   const uint32_t *words_end) {
  register const int8_t *const *first __asm__("r0") = lines;
  register uint32_t *to __asm__("r1") = words;
  register uint32_t offset __asm__("r2") = zeros;
  register const uint32_t *end __asm__("r3") = words_end;
  __asm__ volatile(
      "push {r3-r11, lr}\n"
      "ldm r0, {r0, r3, r12, lr}\n"
      "b 2f\n"
      "1: ldr r8, [r0], #4\n"
      "ldr r9, [r3], #4\n"
      "ldr r10, [r12], #4\n"
      "ldr r11, [lr], #4\n"
      "sxtab16 r4, r2, r8\n"
      "sxtab16 r5, r2, r9\n"
      "sxtab16 r6, r2, r10\n"
      "sxtab16 r7, r2, r11\n"
      "sxtab16 r8, r2, r8, ror #8\n"
      "sxtab16 r9, r2, r9, ror #8\n"
      "sxtab16 r10, r2, r10, ror #8\n"
      "sxtab16 r11, r2, r11, ror #8\n"
      "stm r1!, {r4-r11}\n"
      "2: ldr r4, [sp]\n"
      "cmp r1, r4\n"
      "bne 1b\n"
      "pop {r3-r11, lr}\n"
      : "+r"(first), "+r"(to)
      : "r"(offset), "r"(end)
      : "r12", "cc", "memory");
}

/* Lines side by side: columns of v, or keys of a k that lies transposed. A word of one element of each line becomes,
 * with the one of the element two further, a word of each line. r3, r7: one step and three; r8-r11: elements 0, 2,
 * 1, 3. */
#define O2M_TRANSPOSE(a, b)      \
  "sxtab16 r4, r2, " a           \
  "\n"                           \
  "sxtab16 r5, r2, " a           \
  ", ror #8\n"                   \
  "sxtab16 r12, r2, " b          \
  "\n"                           \
  "sxtab16 lr, r2, " b           \
  ", ror #8\n"                   \
  "pkhtb r6, r12, r4, asr #16\n" \
  "pkhtb " b                     \
  ", lr, r5, asr #16\n"          \
  "pkhbt r4, r4, r12, lsl #16\n" \
  "pkhbt r5, r5, lr, lsl #16\n"  \
  "stm r1!, {r4, r5, r6, " b "}\n"
static inline void o2m_widen_adjacent(const int8_t *at, int32_t step, uint32_t zeros, uint32_t *words,
                                      const uint32_t *words_end) {
  register const int8_t *from __asm__("r0") = at;
  register uint32_t *to __asm__("r1") = words;
  register uint32_t offset __asm__("r2") = zeros;
  register int32_t apart __asm__("r3") = step;
  register const uint32_t *end __asm__("r12") = words_end;
  __asm__ volatile(
      "push {r4-r12, lr}\n"
      "add r7, r3, r3, lsl #1\n"
      "b 2f\n"
      "1: ldr r8, [r0]\n"
      "ldr r9, [r0, r3, lsl #1]\n"
      "ldr r10, [r0, r3]\n"
      "ldr r11, [r0, r7]\n"
      "add r0, r0, r3, lsl #2\n"
      O2M_TRANSPOSE("r8", "r9") O2M_TRANSPOSE("r10", "r11")
      "2: ldr r4, [sp, #32]\n"
      "cmp r1, r4\n"
      "bne 1b\n"
      "pop {r4-r12, lr}\n"
      : "+r"(from), "+r"(to)
      : "r"(offset), "r"(apart), "r"(end)
      : "cc", "memory");
}

/* Lines of any layout, from element n on. */
static inline void o2m_widen_strided(const int8_t *const line[4], int32_t step, int32_t n, int32_t count, int32_t zero,
                                     uint32_t *lines) {
  const uint32_t offset = o2m_twice(-zero);
  for (; n < count; n += 4, lines += 8) {
    for (int32_t i = 0; i < 4; ++i) {
      const uint32_t word = o2m_group(line[i], step, n, count, zero);
      lines[i] = o2m_sxtab16(offset, word);
      lines[4 + i] = o2m_sxtab16_ror8(offset, word);
    }
  }
}

/* The last group of lines side by side. Rows are zero where elements are missing, so the last one may stand for them.
 */
static inline void o2m_widen_last_adjacent(const int8_t *at, int32_t step, int32_t present, uint32_t offset,
                                           uint32_t *lines) {
  for (int32_t i = 0; i < 2; ++i, lines += 4) {
    const uint32_t a = o2m_load_word(at + o2m_min(i, present - 1) * step);
    const uint32_t b = o2m_load_word(at + o2m_min(i + 2, present - 1) * step);
    const uint32_t even_a = o2m_sxtab16(offset, a), odd_a = o2m_sxtab16_ror8(offset, a);
    const uint32_t even_b = o2m_sxtab16(offset, b), odd_b = o2m_sxtab16_ror8(offset, b);
    lines[0] = o2m_low_halves(even_a, even_b);
    lines[1] = o2m_low_halves(odd_a, odd_b);
    lines[2] = even_a >> 16 | (even_b & 0xffff0000u);
    lines[3] = odd_a >> 16 | (odd_b & 0xffff0000u);
  }
}

/* The first `present` (1 to 4) of four lines, `line` apart; the last one stands for those that are missing. */
static inline void o2m_dot_widen(const int8_t *at, int32_t line, int32_t step, int32_t count, int32_t present,
                                 int32_t zero, uint32_t *lines) {
  const uint32_t offset = o2m_twice(-zero);
  const int32_t whole = count & ~3;
  uint32_t *const end = lines + 2 * whole;
  if (step != 1 && line == 1 && present == 4) {
    o2m_widen_adjacent(at, step, offset, lines, end);
    if (whole < count) o2m_widen_last_adjacent(at + whole * step, step, count - whole, offset, end);
    return;
  }
  const int8_t *first[4];
  for (int32_t i = 0; i < 4; ++i) first[i] = at + o2m_min(i, present - 1) * line;
  if (step == 1) {
    o2m_widen_dense(first, offset, lines, end);
    o2m_widen_strided(first, step, whole, count, zero, end);
  } else {
    o2m_widen_strided(first, step, 0, count, zero, lines);
  }
}

/* ---- Tiles: every block times four lines ---- */

/* OP r4-r11, ..: two products each; the second and third lines' loads wait until the first ones' words are used up. */
#define O2M_PRODUCTS(OP, SUM)                                                                                   \
  "ldrd r2, r3, [r0], #8\n"                                                                                     \
  "ldrd r12, lr, [r1], #8\n" OP " r4, r2, r12" SUM(r4) OP " r8, r3, r12" SUM(r8) OP " r5, r2, lr" SUM(r5) OP    \
      " r9, r3, lr" SUM(r9) "ldrd r12, lr, [r1], #8\n" OP " r6, r2, r12" SUM(r6) OP " r10, r3, r12" SUM(r10) OP \
      " r7, r2, lr" SUM(r7) OP " r11, r3, lr" SUM(r11)
#define O2M_NO_SUM(r) "\n"
#define O2M_SUM(r) ", " #r "\n"
#define O2M_FIRST_PRODUCTS O2M_PRODUCTS("smuad", O2M_NO_SUM)
#define O2M_MORE_PRODUCTS O2M_PRODUCTS("smlad", O2M_SUM)
#define O2M_GROUP O2M_MORE_PRODUCTS O2M_MORE_PRODUCTS

/* The sums of a block; then comes the epilogue, with r0 at the trailer and r1-r3, r12 and lr free.
 * The first group clears the sums; the loop over the others, four at a time, is entered in its middle.
 * Stack: lines, their end, the place of entry, the end of the blocks. */
enum { O2M_UNROLLED_GROUPS = 4, O2M_GROUP_BYTES = 88 };
#define O2M_TILE_BEGIN                                     \
  "push {r1-r11, lr}\n"                                    \
  ".balign 4\n" /* ADR counts from a multiple of 4 */      \
  "adr.w r12, 3f\n"                                        \
  "sub r12, r12, r3\n"                                     \
  "str r12, [sp, #8]\n"                                    \
  "2: ldr r1, [sp]\n" O2M_FIRST_PRODUCTS O2M_MORE_PRODUCTS \
  "ldr pc, [sp, #8]\n"                                     \
  "1:\n" O2M_GROUP O2M_GROUP O2M_GROUP O2M_GROUP           \
  "3: ldr r2, [sp, #4]\n"                                  \
  "cmp r1, r2\n"                                           \
  "bne 1b\n"
#define O2M_TILE_END    \
  "ldr r2, [sp, #12]\n" \
  "cmp r0, r2\n"        \
  "bne 2b\n"            \
  "pop {r1-r11, lr}\n"

/* Arguments of a tile: blocks up to `end`, trailers included; lines of `groups` of elements. The loop is entered `skip`
 * bytes before its end, where the bit that means Thumb is set. */
#define O2M_TILE_OPERANDS(blocks, lines, groups, end)                                             \
  register uint32_t *block __asm__("r0") = (blocks);                                              \
  register const uint32_t *line __asm__("r1") = (lines);                                          \
  register const uint32_t *line_end __asm__("r2") = (lines) + 8 * (groups);                       \
  register int32_t skip __asm__("r3") = ((groups)-1) % O2M_UNROLLED_GROUPS * O2M_GROUP_BYTES - 1; \
  register const void *last __asm__("r4") = (end)
#define O2M_TILE(epilogue)                                          \
  __asm__ volatile(O2M_TILE_BEGIN epilogue O2M_TILE_END             \
                   : "+r"(block)                                    \
                   : "r"(line), "r"(line_end), "r"(skip), "r"(last) \
                   : "r12", "cc", "memory")
#endif
#endif
