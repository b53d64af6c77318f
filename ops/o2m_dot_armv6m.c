/* o2m_dot_armv6m.c - the products of o2m_dot_armv6m.h in assembly, for their registers and for carries. Where the
 * compiler is not given such a core, plain C gives the same bytes. */
#include "o2m_dot_armv6m.h"

#include "o2m_fixedpoint.h"

typedef struct tiles {
  const uint32_t *panel; /*  0 */
  const int32_t *line;   /*  4 */
  int32_t blocks;        /*  8: of 4 k, > 0 */
  int32_t bias;          /* 12 */
  int32_t *sums;         /* 16: 4 per tile, the last two of which are nothing where a tile is one pair */
  int32_t count;         /* 20: tiles, > 0 */
  int32_t kind;          /* 24: O2M_DOT_ARMV6M_WIDE or not, and 2 where a tile is one pair */
} tiles;
enum { ONE_PAIR = 2 };

#if defined(__ARM_ARCH_6M__)

#ifdef __clang__
#define NAKED __attribute__((naked, noinline, aligned(4)))
#else
#define NAKED __attribute__((naked, noipa, aligned(4))) /* no clones: the parameters are in r0 ..; ADR: aligned */
#endif
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"

/* r2, r3: w of two k; r4, r5: a pair of rows. 14 bytes of code and 18 */
#define NARROW(a, b)      \
  "  ldm r0!, {r4, r5}\n" \
  "  muls r4, r2\n"       \
  "  muls r5, r3\n"       \
  "  adds r4, r4, r5\n"   \
  "  add " a              \
  ", r4\n"                \
  "  asrs r4, r4, #16\n"  \
  "  adcs " b ", r4\n"
#define WIDE(a, b)        \
  "  ldm r0!, {r4, r5}\n" \
  "  muls r4, r2\n"       \
  "  add " a              \
  ", r4\n"                \
  "  asrs r4, r4, #16\n"  \
  "  adcs " b             \
  ", r4\n"                \
  "  muls r5, r3\n"       \
  "  add " a              \
  ", r5\n"                \
  "  asrs r5, r5, #16\n"  \
  "  adcs " b ", r5\n"
#define TWO_K "  ldm r1!, {r2, r3}\n"
#define BLOCK(tile) TWO_K tile TWO_K tile
#define NARROW_FOUR BLOCK(NARROW("r8", "r6") NARROW("r9", "r7"))
#define WIDE_FOUR BLOCK(WIDE("r8", "r6") WIDE("r9", "r7"))
#define NARROW_TWO BLOCK(NARROW("r8", "r6"))
#define WIDE_TWO BLOCK(WIDE("r8", "r6"))
#define LOOP(label, blocks)        \
  ".balign 4\n" label ":\n" blocks \
  "  cmp r1, r10\n"                \
  "  bne " label                   \
  "b\n"                            \
  "  b 5f\n"
/* Begins in the loop at `label`, which does `unroll` blocks of `bytes` of code, so late that rounds are whole. */
#define ENTER(label, unroll, bytes) \
  "  movs r3, #" unroll             \
  " - 1\n"                          \
  "  movs r4, #" bytes              \
  "\n"                              \
  "  adr r5, " label                \
  "f\n"                             \
  "  b 7f\n"

/* r0: panel; r1: line; r6, r8 and r7, r9: B and A of two pairs; r10: end of the line, r12: its beginning; r11: bias;
 * lr: where a tile begins. Stack: sums, count. */
NAKED static void run_tiles(const tiles *t) {
  __asm__ volatile(
      ".syntax unified\n"
      "push {r4-r7, lr}\n"
      "mov r4, r8\n"
      "mov r5, r9\n"
      "mov r6, r10\n"
      "mov r7, r11\n"
      "push {r4-r7}\n"
      "ldm r0!, {r1-r7}\n" /* panel, line, blocks, bias, sums, count, kind */
      "sub sp, #8\n"
      "str r5, [sp]\n"
      "str r6, [sp, #4]\n"
      "mov r0, r1\n"
      "mov r12, r2\n"
      "mov r11, r4\n"
      "lsls r4, r3, #4\n"
      "add r4, r2\n"
      "mov r10, r4\n"
      "negs r2, r3\n"
      "lsls r7, r7, #1\n"
      "add pc, r7\n"
      "nop\n"
      "b 10f\n"
      "b 11f\n"
      "b 12f\n"
      "13:\n" ENTER("4", "4", "40") /* one pair, wide */
      "12:\n" ENTER("3", "4", "32")
      "11:\n" ENTER("2", "2", "76")
      "10:\n" ENTER("1", "4", "60")
      "7:\n"
      "ands r2, r3\n"
      "muls r2, r4\n"
      "adds r5, r2\n"
      "mov lr, r5\n"
      "6:\n" /* the next tile */
      "  mov r1, r12\n"
      "  mov r6, r11\n"
      "  mov r7, r11\n"
      "  lsls r2, r6, #16\n"
      "  adds r2, r2, r6\n"
      "  mov r8, r2\n"
      "  mov r9, r2\n"
      "  mov pc, lr\n"
      LOOP("1", NARROW_FOUR NARROW_FOUR NARROW_FOUR NARROW_FOUR)
      LOOP("2", WIDE_FOUR WIDE_FOUR)
      LOOP("3", NARROW_TWO NARROW_TWO NARROW_TWO NARROW_TWO)
      LOOP("4", WIDE_TWO WIDE_TWO WIDE_TWO WIDE_TWO)
      "5:\n"
      "  lsls r2, r6, #16\n"
      "  mov r3, r8\n"
      "  subs r2, r3, r2\n"
      "  mov r3, r6\n"
      "  lsls r4, r7, #16\n"
      "  mov r5, r9\n"
      "  subs r4, r5, r4\n"
      "  mov r5, r7\n"
      "  ldr r6, [sp]\n"
      "  stm r6!, {r2-r5}\n"
      "  str r6, [sp]\n"
      "  ldr r6, [sp, #4]\n"
      "  subs r6, #1\n"
      "  str r6, [sp, #4]\n"
      "  beq 8f\n"
      "  b 6b\n"
      "8:\n"
      "add sp, #8\n"
      "pop {r4-r7}\n"
      "mov r8, r4\n"
      "mov r9, r5\n"
      "mov r10, r6\n"
      "mov r11, r7\n"
      "pop {r4-r7, pc}\n");
}

/* r0: words, r1: bytes between them, r2: how many, r3: line */
NAKED static void widen(const int8_t *w, int32_t bytes, int32_t blocks, int32_t *line) {
  __asm__ volatile(
      ".syntax unified\n"
      "push {r4-r7, lr}\n"
      "1:\n"
      "  ldrb r4, [r0]\n"
      "  ldrb r5, [r0, #1]\n"
      "  ldrb r6, [r0, #2]\n"
      "  ldrb r7, [r0, #3]\n"
      "  sxtb r4, r4\n"
      "  sxtb r5, r5\n"
      "  sxtb r6, r6\n"
      "  sxtb r7, r7\n"
      "  stm r3!, {r4-r7}\n"
      "  add r0, r1\n"
      "  subs r2, #1\n"
      "  bne 1b\n"
      "pop {r4-r7, pc}\n");
}

/* r0: elements, r1: bytes between them, r2: how many fours, r3: line; returns the sum */
NAKED static int32_t put_fours(const int8_t *from, int32_t step, int32_t fours, int32_t *line) {
  __asm__ volatile(
      ".syntax unified\n"
      "push {r4-r7, lr}\n"
      "mov r12, r2\n"
      "movs r2, #0\n"
      "1:\n"
      "  movs r7, #0\n"
      "  ldrsb r4, [r0, r7]\n"
      "  add r0, r1\n"
      "  adds r2, r2, r4\n"
      "  ldrsb r5, [r0, r7]\n"
      "  add r0, r1\n"
      "  adds r2, r2, r5\n"
      "  ldrsb r6, [r0, r7]\n"
      "  add r0, r1\n"
      "  adds r2, r2, r6\n"
      "  ldrsb r7, [r0, r7]\n"
      "  add r0, r1\n"
      "  adds r2, r2, r7\n"
      "  stm r3!, {r4-r7}\n"
      "  mov r7, r12\n"
      "  subs r7, #1\n"
      "  mov r12, r7\n"
      "  bne 1b\n"
      "mov r0, r2\n"
      "pop {r4-r7, pc}\n");
}

/* r2 = zero + floor(*r0 * multiplier / 2^32 + 1/2). r7, r6: halves of the multiplier; r9: zero */
#define REQUANTIZE       \
  "  ldm r0!, {r2}\n"    \
  "  uxth r3, r2\n"      \
  "  asrs r2, r2, #16\n" \
  "  mov r4, r3\n"       \
  "  muls r4, r6\n"      \
  "  lsrs r4, r4, #16\n" \
  "  mov r5, r2\n"       \
  "  muls r5, r6\n"      \
  "  adds r4, r4, r5\n"  \
  "  muls r2, r7\n"      \
  "  muls r3, r7\n"      \
  "  uxth r5, r4\n"      \
  "  adds r3, r3, r5\n"  \
  "  asrs r4, r4, #16\n" \
  "  adds r2, r2, r4\n"  \
  "  asrs r3, r3, #16\n" \
  "  adcs r2, r3\n"      \
  "  add r2, r9\n"
/* r1: y, r8: row_bytes, r10: end of the sums */
#define NEXT(label) \
  "  add r1, r8\n"  \
  "  cmp r0, r10\n" \
  "  bne " label    \
  "b\n"             \
  "  b 9f\n"
#define STORE_BEGIN                                                \
  ".syntax unified\n"                                              \
  "push {r4-r7, lr}\n"                                             \
  "mov r4, r8\n"                                                   \
  "mov r5, r9\n"                                                   \
  "mov r6, r10\n"                                                  \
  "mov r7, r11\n"                                                  \
  "push {r4-r7}\n"                                                 \
  "lsls r1, r1, #2\n"                                              \
  "add r1, r0\n"                                                   \
  "mov r10, r1\n"                                                  \
  "ldm r2!, {r3-r7}\n" /* multiplier, zero, y, row_bytes, table */ \
  "mov r9, r4\n"                                                   \
  "mov r1, r5\n"                                                   \
  "mov r8, r6\n"                                                   \
  "mov r11, r7\n"                                                  \
  "uxth r6, r3\n"
#define STORE_END \
  "9:\n"          \
  "pop {r4-r7}\n" \
  "mov r8, r4\n"  \
  "mov r9, r5\n"  \
  "mov r10, r6\n" \
  "mov r11, r7\n" \
  "pop {r4-r7, pc}\n"

NAKED static void store_s8(const int32_t *sums, int32_t count, const o2m_dot_armv6m_output *to) {
  __asm__ volatile(
      STORE_BEGIN
      "cmp r7, #0\n"
      "beq 7f\n"
      "asrs r7, r3, #16\n"
      "movs r3, #128\n"
      "add r9, r3\n"
      "2:\n" REQUANTIZE
      "  uxtb r3, r2\n"
      "  cmp r3, r2\n"
      "  beq 3f\n"
      "  asrs r3, r2, #31\n"
      "  mvns r3, r3\n"
      "  uxtb r3, r3\n"
      "3: mov r2, r11\n"
      "  ldrb r3, [r2, r3]\n"
      "  strb r3, [r1]\n"
      NEXT("2")
      "7:\n"
      "asrs r7, r3, #16\n"
      "4:\n" REQUANTIZE
      "  sxtb r3, r2\n"
      "  cmp r3, r2\n"
      "  beq 5f\n"
      "  asrs r3, r2, #31\n"
      "  movs r2, #127\n"
      "  eors r3, r2\n"
      "5: strb r3, [r1]\n"
      NEXT("4") STORE_END);
}

NAKED static void store_s16(const int32_t *sums, int32_t count, const o2m_dot_armv6m_output *to) {
  __asm__ volatile(STORE_BEGIN
                   "asrs r7, r3, #16\n"
                   "4:\n" REQUANTIZE
                   "  sxth r3, r2\n"
                   "  cmp r3, r2\n"
                   "  beq 5f\n"
                   "  asrs r3, r2, #31\n"
                   "  movs r2, #128\n"
                   "  lsls r2, r2, #8\n"
                   "  subs r2, #1\n"
                   "  eors r3, r2\n"
                   "5: strh r3, [r1]\n" NEXT("4") STORE_END);
}

#pragma GCC diagnostic pop

typedef char
    o2m_dot_armv6m_is_as_the_assembly_reads_it[sizeof(tiles) == 28 && sizeof(o2m_dot_armv6m_output) == 20 ? 1 : -1];
#else

/* One pair of `pairs` in a tile: its words times the line, into two sums. */
static void pair_sums(const uint32_t *panel, int32_t pairs, const tiles *t, int32_t sums[2]) {
  uint32_t a = (uint32_t)t->bias * 65537u, b = (uint32_t)t->bias;
  const int32_t together = (t->kind & O2M_DOT_ARMV6M_WIDE) != 0 ? 1 : 2;
  for (int32_t k = 0; k < 4 * t->blocks; k += together) {
    uint32_t sum = 0;
    for (int32_t i = k; i < k + together; ++i) sum += panel[i / 2 * 2 * pairs + i % 2] * (uint32_t)t->line[i];
    a += sum;
    b += (uint32_t)o2m_floor_shift32((int32_t)sum, 16) + (sum >> 15 & 1);
  }
  sums[0] = (int32_t)(a - (b << 16));
  sums[1] = (int32_t)b;
}

static void run_tiles(const tiles *t) {
  const int32_t pairs = (t->kind & ONE_PAIR) != 0 ? 1 : 2;
  for (int32_t i = 0; i < t->count; ++i) {
    for (int32_t p = 0; p < pairs; ++p) {
      pair_sums(t->panel + 8 * t->blocks * i + 2 * p, pairs, t, t->sums + 4 * i + 2 * p);
    }
  }
}

static void widen(const int8_t *w, int32_t bytes, int32_t blocks, int32_t *line) {
  for (int32_t i = 0; i < 4 * blocks; ++i) line[i] = w[i / 4 * bytes + i % 4];
}

static int32_t put_fours(const int8_t *from, int32_t step, int32_t fours, int32_t *line) {
  int32_t sum = 0;
  for (int32_t i = 0; i < 4 * fours; ++i) sum += line[i] = from[i * step];
  return sum;
}

static void store_s8(const int32_t *sums, int32_t count, const o2m_dot_armv6m_output *to) {
  int8_t *y = (int8_t *)to->y;
  for (int32_t i = 0; i < count; ++i, y += to->row_bytes) {
    const int32_t q = to->zero + o2m_requantize(sums[i], to->multiplier, 32);
    *y = to->table ? to->table[o2m_saturate_u8(q + 128)] : o2m_saturate_s8(q);
  }
}

static void store_s16(const int32_t *sums, int32_t count, const o2m_dot_armv6m_output *to) {
  for (int32_t i = 0; i < count; ++i) {
    const int32_t q = to->zero + o2m_requantize(sums[i], to->multiplier, 32);
    *(int16_t *)(void *)((char *)to->y + i * to->row_bytes) = o2m_saturate_s16(q);
  }
}

#endif

void O2M_SYM(o2m_dot_armv6m_rows)(const int8_t *x, int32_t row, int32_t column, int32_t rows, int32_t depth,
                                  uint32_t *to) {
  const int32_t pairs = o2m_dot_armv6m_pairs(rows), whole = o2m_dot_armv6m_depth(depth);
  for (int32_t p = 0; p < pairs; ++p) {
    const int8_t *x0 = x + 2 * p * row, *x1 = 2 * p + 1 < rows ? x0 + row : x0;
    const int32_t step = o2m_dot_armv6m_step(p, pairs);
    uint32_t *words = to + o2m_dot_armv6m_at(p, whole);
    int32_t k = 0;
    for (; k + 2 <= depth; k += 2, words += step) {
      words[0] = (uint32_t)(*x0 + *x1 * 65536);
      x0 += column;
      x1 += column;
      words[1] = (uint32_t)(*x0 + *x1 * 65536);
      x0 += column;
      x1 += column;
    }
    for (; k < whole; k += 2, words += step) {
      words[0] = k < depth ? (uint32_t)(*x0 + *x1 * 65536) : 0;
      words[1] = 0;
    }
  }
}

void O2M_SYM(o2m_dot_armv6m_widen)(const int8_t *w, int32_t bytes, int32_t blocks, int32_t *line) {
  widen(w, bytes, blocks, line);
}

int32_t O2M_SYM(o2m_dot_armv6m_line)(const int8_t *from, int32_t step, int32_t count, int32_t *line) {
  int32_t sum = count >= 4 ? put_fours(from, step, count / 4, line) : 0;
  for (int32_t i = count & ~3; i < o2m_dot_armv6m_depth(count); ++i) sum += line[i] = i < count ? from[i * step] : 0;
  return sum;
}

void O2M_SYM(o2m_dot_armv6m)(const uint32_t *panels, int32_t pairs, const int32_t *line, int32_t depth, int32_t bias,
                             int32_t kind, int32_t *sums) {
  tiles t = {panels, line, depth / 4, bias, sums, pairs / 2, kind};
  if (t.count > 0) run_tiles(&t);
  if (pairs % 2 == 0) return;
  int32_t last[4];
  t.panel += o2m_dot_armv6m_at(pairs - 1, depth);
  t.sums = last;
  t.count = 1;
  t.kind |= ONE_PAIR;
  run_tiles(&t);
  sums[2 * pairs - 2] = last[0];
  sums[2 * pairs - 1] = last[1];
}

void O2M_SYM(o2m_dot_armv6m_store_s8)(const int32_t *sums, int32_t count, const o2m_dot_armv6m_output *to) {
  store_s8(sums, count, to);
}
void O2M_SYM(o2m_dot_armv6m_store_s16)(const int32_t *sums, int32_t count, const o2m_dot_armv6m_output *to) {
  store_s16(sums, count, to);
}
