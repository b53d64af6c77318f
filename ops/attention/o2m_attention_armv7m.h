/* o2m_attention_armv7m.h - the inner loops of attention for plain Armv7-M (Cortex-M3): sums of the products of two or
 * three rows, queries or their exponentials, with lines of k or v where those lie. The rows lie side by side in
 * scratch, element by element. */
#ifndef O2M_ATTENTION_ARMV7M_H_
#define O2M_ATTENTION_ARMV7M_H_
#include <stdint.h>

#include "o2m_fixedpoint.h"

#if defined(__ARM_ARCH) && __ARM_ARCH >= 7 && defined(__thumb2__)

#define NOINLINE __attribute__((noinline)) /* scores, exponentials and rows show up apart in a profile */

/* ---- Three rows of s32 by two lines ---- */

enum { THREE = 3, THREE_SUMS = 2 * THREE };

/* Line by line the sums of all rows, which begin at `start`. Offsets are the assembly's. */
typedef struct three_call {
  const int32_t *rows;   /*  0: [count][THREE] */
  const int8_t *line[2]; /*  4: the second is `step`, where two lines lie side by side */
  const int32_t *rounds; /* 12: the end of whole rounds of ROUND elements */
  const int32_t *end;    /* 16 */
  int32_t step;          /* 20: from one element of a line to the next, for three_strided() */
  const int32_t *start;  /* 24: [THREE_SUMS] */
  int32_t *to;           /* 28: [THREE_SUMS] */
} three_call;
enum { ROUND = 8 };

/* r0 rows, r1 r2 lines, r12 where to stop, r3-r5 an element of each row, lr of a line, r6-r8 the sums of line 0, r9-r11
 * of line 1. Stack: the call. */
#define CALL(text)                                       \
  register const three_call *first __asm__("r0") = call; \
  __asm__ volatile(                                      \
      "push {r0, r4-r11, lr}\n"                          \
      "ldr lr, [r0, #24]\n"                              \
      "ldm lr, {r6-r11}\n"                               \
      "ldm r0, {r0, r1, r2, r12}\n" text                 \
      "ldr r0, [sp]\n"                                   \
      "ldr r0, [r0, #28]\n"                              \
      "stm r0, {r6-r11}\n"                               \
      "pop {r0, r4-r11, lr}\n"                           \
      : "+r"(first)                                      \
      :                                                  \
      : "r1", "r2", "r3", "r12", "cc", "memory")
#define THREE_ROWS(at0, at1) \
  "ldm r0!, {r3-r5}\n"       \
  "ldrsb lr, " at0           \
  "\n"                       \
  "mla r6, r3, lr, r6\n"     \
  "mla r7, r4, lr, r7\n"     \
  "mla r8, r5, lr, r8\n"     \
  "ldrsb lr, " at1           \
  "\n"                       \
  "mla r9, r3, lr, r9\n"     \
  "mla r10, r4, lr, r10\n"   \
  "mla r11, r5, lr, r11\n"
#define THREE_DENSE THREE_ROWS("[r1], #1", "[r2], #1")
#define THREE_ADJACENT THREE_ROWS("[r1]", "[r1, #1]") "add r1, r1, r2\n"
#define TWICE(text) text text
/* Round by round, then one by one. */
#define ROUNDS(one) \
  "b 2f\n"                                   \
  "1:\n" TWICE(TWICE(TWICE(one)))            \
  "2: cmp r0, r12\n"                         \
  "bne 1b\n"                                 \
  "ldr r12, [sp]\n"                          \
  "ldr r12, [r12, #16]\n"                    \
  "b 4f\n"                                   \
  "3:\n" one                                 \
  "4: cmp r0, r12\n"                         \
  "bne 3b\n"

/* Elements of a line side by side. */
static NOINLINE void three_dense(const three_call *call) { CALL(ROUNDS(THREE_DENSE)); }
/* Lines side by side. */
static NOINLINE void three_adjacent(const three_call *call) { CALL(ROUNDS(THREE_ADJACENT)); }
/* Any layout. */
static NOINLINE void three_strided(const three_call *call) {
  CALL(
      "1:\n" THREE_ROWS("[r1]", "[r2]")
      "ldr lr, [sp]\n"
      "ldrd r12, lr, [lr, #16]\n" /* end, step */
      "add r1, r1, lr\n"
      "add r2, r2, lr\n"
      "cmp r0, r12\n"
      "bne 1b\n");
}

/* Sums with the first `lines` (1 or 2) of two lines, `line` apart; of a line that is missing, those of the first. */
static inline void dot_three(three_call *call, const int8_t *at, int32_t line, int32_t lines, int32_t *to) {
  const int32_t next = lines > 1 ? line : 0;
  call->line[0] = at;
  call->line[1] = at + next;
  call->to = to;
  if (call->step == 1) {
    three_dense(call);
  } else if (next == 1) {
    call->line[1] = (const int8_t *)(intptr_t)call->step;
    three_adjacent(call);
  } else {
    three_strided(call);
  }
}

static inline three_call call_of(const int32_t *rows, int32_t count, int32_t step, const int32_t start[THREE_SUMS]) {
  const int32_t *const rounds = rows + THREE * (count - count % ROUND);
  const three_call call = {rows, {0, 0}, rounds, rows + THREE * count, step, start, 0};
  return call;
}

/* ---- Two rows of s16 by three or four lines ---- */

enum { ROWS = 2, LINES = 4, SUMS = ROWS * LINES };

#define TILE(text)                                 \
  register const int16_t *r0 __asm__("r0") = rows; \
  register const void *r1 __asm__("r1") = from;    \
  register const int16_t *r2 __asm__("r2") = end;  \
  register int32_t *r3 __asm__("r3") = sums;       \
  register int32_t r12 __asm__("r12") = step;      \
  __asm__ volatile(text : "+r"(r0), "+r"(r1), "+r"(r2), "+r"(r3), "+r"(r12) : : "cc", "memory")

/* Three lines at r1, r12 and lr; r0 rows, r3 r4 an element of each, r5 of a line, r6-r8 the sums of row 0, r9-r11 of
 * row 1. Stack: the end of the rows, sums. */
#define LINES_OF_THREE(at0, at1, at2) \
  "ldrsh r3, [r0], #2\n"              \
  "ldrsh r4, [r0], #2\n"              \
  "ldrsb r5, [r1]" at0                \
  "\n"                                \
  "mla r6, r3, r5, r6\n"              \
  "mla r9, r4, r5, r9\n"              \
  "ldrsb r5, [r12]" at1               \
  "\n"                                \
  "mla r7, r3, r5, r7\n"              \
  "mla r10, r4, r5, r10\n"            \
  "ldrsb r5, [lr]" at2                \
  "\n"                                \
  "mla r8, r3, r5, r8\n"              \
  "mla r11, r4, r5, r11\n"
#define DENSE LINES_OF_THREE(", #1", ", #1", ", #1")
#define DOT_BEGIN           \
  "push {r2-r11, lr}\n"     \
  "mov r2, r12\n"           \
  "ldm r1, {r1, r12, lr}\n" \
  "mov r6, #0\nmov r7, #0\nmov r8, #0\nmov r9, #0\nmov r10, #0\nmov r11, #0\n"
#define DOT_END        \
  "ldr r3, [sp, #4]\n" \
  "stm r3!, {r6-r8}\n" \
  "add r3, r3, #4\n"   \
  "stm r3, {r9-r11}\n" \
  "pop {r2-r11, lr}\n"

/* Elements of a line side by side; four of them a round. r2: the end of whole rounds. */
static NOINLINE void dot_dense(const int16_t *rows, const int8_t *const *from, int32_t step, const int16_t *end,
                               int32_t sums[SUMS]) {
  TILE(DOT_BEGIN
       "ldr r2, [sp]\n"
       "sub r2, r2, r0\n"
       "bic r2, r2, #15\n"
       "add r2, r2, r0\n"
       "b 2f\n"
       "1:\n" DENSE DENSE DENSE DENSE
       "2: cmp r0, r2\n"
       "bne 1b\n"
       "ldr r2, [sp]\n"
       "b 4f\n"
       "3:\n" DENSE
       "4: cmp r0, r2\n"
       "bne 3b\n" DOT_END);
}

/* Any layout. r2: step. */
static NOINLINE void dot_strided(const int16_t *rows, const int8_t *const *from, int32_t step, const int16_t *end,
                                 int32_t sums[SUMS]) {
  TILE(DOT_BEGIN "1:\n" LINES_OF_THREE(
      "", "",
      "") "add r1, r1, r2\n"
          "add r12, r12, r2\n"
          "add lr, lr, r2\n"
          "ldr r3, [sp]\n"
          "cmp r0, r3\n"
          "bne 1b\n" DOT_END);
}

/* Four lines side by side at r1, elements r4 apart; r0 rows, r3 lr an element of each, r2 of a line, r5-r8 the sums of
 * row 0, r9-r12 of row 1. Stack: the end of whole rounds of four, of the rows, sums. */
#define FOUR               \
  "ldrsh r3, [r0], #2\n"   \
  "ldrsh lr, [r0], #2\n"   \
  "ldrsb r2, [r1]\n"       \
  "mla r5, r3, r2, r5\n"   \
  "mla r9, lr, r2, r9\n"   \
  "ldrsb r2, [r1, #1]\n"   \
  "mla r6, r3, r2, r6\n"   \
  "mla r10, lr, r2, r10\n" \
  "ldrsb r2, [r1, #2]\n"   \
  "mla r7, r3, r2, r7\n"   \
  "mla r11, lr, r2, r11\n" \
  "ldrsb r2, [r1, #3]\n"   \
  "mla r8, r3, r2, r8\n"   \
  "mla r12, lr, r2, r12\n" \
  "add r1, r1, r4\n"
static NOINLINE void dot_adjacent(const int16_t *rows, const int8_t *from, int32_t step, const int16_t *end,
                                  int32_t sums[SUMS]) {
  TILE(
      "push {r2-r11, lr}\n"
      "mov r4, r12\n"
      "sub r5, r2, r0\n"
      "bic r5, r5, #15\n"
      "add r5, r5, r0\n"
      "push {r5}\n"
      "mov r5, #0\nmov r6, #0\nmov r7, #0\nmov r8, #0\nmov r9, #0\nmov r10, #0\nmov r11, #0\nmov r12, #0\n"
      "b 2f\n"
      "1:\n" FOUR FOUR FOUR FOUR
      "2: ldr r2, [sp]\n"
      "cmp r0, r2\n"
      "bne 1b\n"
      "b 4f\n"
      "3:\n" FOUR
      "4: ldr r2, [sp, #4]\n"
      "cmp r0, r2\n"
      "bne 3b\n"
      "ldr r3, [sp, #8]\n"
      "stm r3, {r5-r12}\n"
      "pop {r5}\n"
      "pop {r2-r11, lr}\n");
}

/* How many of `left` lines the next call takes. */
static int32_t lines_of(int32_t line, int32_t left) {
  return line == 1 && left >= LINES ? o2m_min(LINES, left) : o2m_min(3, left);
}

/* Sums of two rows of `count` elements with `present` lines, as lines_of() has it, `line` apart. */
static void dot(const int16_t *rows, const int8_t *at, int32_t line, int32_t step, int32_t count, int32_t present,
                int32_t sums[SUMS]) {
  const int16_t *const end = rows + ROWS * count;
  const int8_t *lines[3];
  if (present == LINES) {
    dot_adjacent(rows, at, step, end, sums);
    return;
  }
  for (int32_t i = 0; i < 3; ++i) lines[i] = at + o2m_min(i, present - 1) * line;
  if (step == 1) {
    dot_dense(rows, lines, step, end, sums);
  } else {
    dot_strided(rows, lines, step, end, sums);
  }
}
#endif
#endif
