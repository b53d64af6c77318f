/* o2m_linear_s8_armv7m.c - linear layer, s8 input, on Armv7-M without DSP instructions (Cortex-M3): tiles of 2 rows by
 * 4 columns, whose 8 sums stay in registers; rows are widened to s32 in scratch, weights read where they lie, as is a
 * row alone. Where the compiler is not given such a core, plain C gives the same bytes. */
#include "o2m_linear.h"

/* s8, or through the table; either after a shift up; or the sums of one group. */
enum { FINISH_S8, FINISH_TABLE, FINISH_SHIFTED, FINISH_SUMS };

/* Two rows by some groups of columns. Offsets are the assembly's. */
typedef struct tiles {
  const int32_t *x;      /*  0: [blocks][4 k][2 rows] */
  int32_t blocks;        /*  4 */
  const int8_t *weights; /*  8: goes on with the columns, as do bias, multiplier and y */
  const int32_t *bias;   /* 12 */
  const int32_t *multiplier;
  int32_t zero;        /* 20 */
  int8_t *y;           /* 24 */
  int32_t row;         /* 28: bytes from row 0 to row 1 */
  int32_t column;      /* 32: bytes from one column to the next */
  const int8_t *table; /* 36: or null */
  int32_t up;          /* 40: 32 - shift */
  int32_t groups;      /* 44: > 0 */
  int32_t *sums;       /* 48: [2 rows][4 columns], for FINISH_SUMS */
  int32_t finish;      /* 52 */
} tiles;

#if defined(__thumb2__) && defined(__ARM_ARCH) && __ARM_ARCH >= 7

#define X "[sp]"
#define X_END "[sp, #4]"
#define WEIGHTS "[sp, #8]"
#define BIAS "[sp, #12]"
#define MULTIPLIER "[sp, #16]"
#define ZERO "[sp, #20]"
#define Y "[sp, #24]"
#define ROW "[sp, #28]"
#define COLUMN "[sp, #32]"
#define TABLE "[sp, #36]"
#define UP "[sp, #40]"
#define GROUPS "[sp, #44]"
#define SUMS "[sp, #48]"
#define ENTRY "[sp, #56]"
#define FINISH_AT "[sp, #60]"

/* One k of two rows (r0) by four columns (r1): 52 bytes of code */
#define ONE_K(w0, w1, w2, w3) \
  "  ldrd r2, r3, [r0], #8\n" \
  "  ldrsb r12, [r1" w0       \
  "\n"                        \
  "  ldrsb lr, [r1" w1        \
  "\n"                        \
  "  mla r4, r2, r12, r4\n"   \
  "  mla r8, r3, r12, r8\n"   \
  "  mla r5, r2, lr, r5\n"    \
  "  mla r9, r3, lr, r9\n"    \
  "  ldrsb r12, [r1" w2       \
  "\n"                        \
  "  ldrsb lr, [r1" w3        \
  "\n"                        \
  "  mla r6, r2, r12, r6\n"   \
  "  mla r10, r3, r12, r10\n" \
  "  mla r7, r2, lr, r7\n"    \
  "  mla r11, r3, lr, r11\n"
/* r1 points at the last weight of the block, so that the last load can move on. */
#define BLOCK                                     \
  ONE_K(", #-15]", ", #-11]", ", #-7]", ", #-3]") \
  ONE_K(", #-14]", ", #-10]", ", #-6]", ", #-2]") \
  ONE_K(", #-13]", ", #-9]", ", #-5]", ", #-1]")  \
  ONE_K(", #-12]", ", #-8]", ", #-4]", "], #16")
#define EACH(op) op("r4") op("r5") op("r6") op("r7") op("r8") op("r9") op("r10") op("r11")
#define SHIFT_UP(r) "  lsl " r ", r2\n"
/* lr = zero (r1) + floor(r * m / 2^32 + 1/2) */
#define REQUANTIZE(r, m)     \
  "  mov r12, #0x80000000\n" \
  "  mov lr, r1\n"           \
  "  smlal r12, lr, " r ", " m "\n"
#define TO_S8(r, m) REQUANTIZE(r, m) "  ssat " r ", #8, lr\n"
#define TO_U8(r, m) REQUANTIZE(r, m) "  usat " r ", #8, lr\n"
/* r0: multipliers */
#define FINISH(to)                                                                             \
  "  ldr r1, " ZERO                                                                            \
  "\n"                                                                                         \
  "  ldr r0, " MULTIPLIER                                                                      \
  "\n"                                                                                         \
  "  ldrd r2, r3, [r0], #8\n" to("r4", "r2") to("r8", "r2") to("r5", "r3")                     \
      to("r9", "r3") "  ldrd r2, r3, [r0], #8\n" to("r6", "r2") to("r10", "r2") to("r7", "r3") \
          to("r11", "r3") "  str r0, " MULTIPLIER "\n"
#define LOOK_UP(r) "  ldrb " r ", [r2, " r "]\n"
/* Row 1 first. r12: row 0, lr: row 1, r2: to the next column. */
#define STORE                      \
  "  ldr r12, " Y                  \
  "\n"                             \
  "  ldrd r1, r2, " ROW            \
  "\n"                             \
  "  add lr, r12, r1\n"            \
  "  add r3, lr, r2\n"             \
  "  strb r8, [lr]\n"              \
  "  strb r9, [lr, r2]\n"          \
  "  strb r10, [lr, r2, lsl #1]\n" \
  "  strb r11, [r3, r2, lsl #1]\n" \
  "  add r3, r12, r2\n"            \
  "  strb r4, [r12]\n"             \
  "  strb r5, [r12, r2]\n"         \
  "  strb r6, [r12, r2, lsl #1]\n" \
  "  strb r7, [r3, r2, lsl #1]\n"  \
  "  add r12, r12, r2, lsl #2\n"   \
  "  str r12, " Y "\n"

#ifdef __clang__
#define NAKED __attribute__((naked, noinline, aligned(4)))
#else
#define NAKED __attribute__((naked, noipa, aligned(4))) /* no clones: the parameter is in r0; ADR: aligned */
#endif
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
/* r0: x; r1: weights; r4 .. r7: sums of row 0; r8 .. r11: of row 1; r2, r3, r12, lr: operands */
NAKED static void run_tiles(const tiles *t) {
  __asm__ volatile(
      "push {r4-r11, lr}\n"
      "sub sp, #64\n"
      "ldm r0!, {r4-r10}\n"
      "stm sp, {r4-r10}\n"
      "add r12, sp, #28\n"
      "ldm r0, {r6-r11, lr}\n"
      "stm r12, {r6-r11, lr}\n"
      "ldr r6, " WEIGHTS
      "\n"
      "add r6, #15\n"
      "str r6, " WEIGHTS
      "\n"
      "add r3, r4, r5, lsl #5\n" /* 32 bytes of x per block */
      "str r3, " X_END
      "\n"
      "rsb r5, r5, #0\n" /* the first round enters the loop of 4 late: blocks left out, 208 bytes each */
      "and r5, r5, #3\n"
      "mov r6, #208\n"
      "adr.w r7, 2f\n"
      "mla r7, r5, r6, r7\n"
      "orr r7, #1\n"
      "str r7, " ENTRY
      "\n"
      "adr.w r7, 8f\n"
      "ldrh r6, [r7, lr, lsl #1]\n"
      "add r7, r6\n"
      "str r7, " FINISH_AT
      "\n"
      "b 1f\n"
      "8: .hword 3f-8b+1, 4f-8b+1, 5f-8b+1, 9f-8b+1\n"
      "1:\n" /* the next four columns */
      "  ldr r2, " BIAS
      "\n"
      "  ldr r0, " X
      "\n"
      "  ldr r1, " WEIGHTS
      "\n"
      "  ldm r2, {r4-r7}\n"
      "  ldm r2!, {r8-r11}\n"
      "  str r2, " BIAS
      "\n"
      "  ldr pc, " ENTRY
      "\n"
      "2:\n" BLOCK BLOCK BLOCK BLOCK "  ldr r2, " X_END
      "\n"
      "  cmp r0, r2\n"
      "  bne.w 2b\n"
      "  str r1, " WEIGHTS
      "\n"
      "  ldr pc, " FINISH_AT
      "\n"
      "5:\n"
      "  ldr r2, " UP "\n" EACH(SHIFT_UP) "  ldr r0, " TABLE
                                          "\n"
                                          "  cmp r0, #0\n"
                                          "  bne.w 4f\n"
                                          "3:\n" FINISH(TO_S8) STORE
      "  b 6f\n"
      "4:\n" FINISH(TO_U8) "  ldr r2, " TABLE "\n" EACH(LOOK_UP) STORE
      "6:\n"
      "  ldr r2, " GROUPS
      "\n"
      "  subs r2, #1\n"
      "  str r2, " GROUPS
      "\n"
      "  bne.w 1b\n"
      "  b 7f\n"
      "9:\n"
      "  ldr r0, " SUMS
      "\n"
      "  stm r0, {r4-r11}\n"
      "7:\n"
      "add sp, #64\n"
      "pop {r4-r11, pc}\n");
}
#pragma GCC diagnostic pop

#else

static void sums_of(const tiles *t, int32_t sums[8]) {
  for (int32_t i = 0; i < 8; ++i) {
    uint32_t sum = (uint32_t)t->bias[i % 4];
    for (int32_t k = 0; k < 4 * t->blocks; ++k) {
      sum += (uint32_t)(t->x[2 * k + i / 4] * t->weights[o2m_linear_at(k) + 4 * (i % 4)]);
    }
    sums[i] = (int32_t)sum;
  }
}

static void run_tiles(const tiles *given) {
  tiles t = *given;
  int32_t sums[8];
  if (t.finish == FINISH_SUMS) {
    sums_of(&t, t.sums);
    return;
  }
  for (; t.groups > 0; --t.groups, t.weights += 16 * t.blocks, t.bias += 4, t.multiplier += 4, t.y += 4 * t.column) {
    sums_of(&t, sums);
    for (int32_t i = 7; i >= 0; --i) {
      const int32_t acc = (int32_t)((uint32_t)sums[i] << t.up);
      const int32_t q = t.zero + o2m_requantize(acc, t.multiplier[i % 4], 32);
      t.y[i / 4 * t.row + i % 4 * t.column] = t.table ? t.table[o2m_saturate_u8(q)] : o2m_saturate_s8(q);
    }
  }
}

#endif

/* Two rows, [k][row]; k beyond the depth is zero. */
static void interleave(const int8_t *x, const o2m_linear_params *p, int32_t *to) {
  const int8_t *x1 = x + p->x_row;
  int32_t k = 0;
  for (; k < p->depth; ++k, to += 2, x += p->x_column, x1 += p->x_column) {
    to[0] = *x;
    to[1] = *x1;
  }
  for (; k % 4 != 0; ++k, to += 2) to[0] = to[1] = 0;
}

/* Columns n .. n + valid - 1 through the sums. */
static void store_sums(tiles *t, int8_t *y, int32_t n, int32_t valid, const o2m_linear_params *p) {
  int32_t bias[4] = {0, 0, 0, 0}, sums[8];
  for (int32_t i = 0; i < valid; ++i) bias[i] = p->bias[n + i];
  t->weights = o2m_linear_group(p, n);
  t->bias = bias;
  t->sums = sums;
  t->finish = FINISH_SUMS;
  run_tiles(t);
  for (int32_t i = 0; i < 8; ++i) {
    const int32_t column = n + i % 4;
    if (i % 4 < valid) o2m_linear_store(p, y, i / 4 * p->y_row + column * p->y_column, column, sums[i]);
  }
}

static void store_groups(tiles *t, int8_t *y, int32_t groups, const o2m_linear_params *p) {
  t->weights = p->weights;
  t->bias = p->bias;
  t->multiplier = p->multiplier;
  t->zero = p->y_zero + (p->table ? 128 : 0);
  t->y = y;
  t->row = p->y_row;
  t->column = p->y_column;
  t->table = p->table;
  t->up = 32 - p->shift;
  t->groups = groups;
  t->finish = t->up > 0 ? FINISH_SHIFTED : p->table ? FINISH_TABLE : FINISH_S8;
  run_tiles(t);
}

/* Whether the tile's multiplication does: bytes out, and |acc| < 2^(shift - 1). */
static int32_t is_direct(const o2m_linear_params *p) {
  const int64_t most = (int64_t)256 * 127 * p->depth + (1 << 26);
  return p->y_bytes == 1 && most < (int64_t)1 << (p->shift - 1);
}

/* x [rows][depth] -> y [rows][columns]. scratch, from two rows on: two rows of x as s32, their depth rounded up to 4.
 */
void O2M_SYM(o2m_linear_s8_armv7m)(const int8_t *x, void *y, int32_t rows, const o2m_linear_params *p, void *scratch) {
  const int32_t direct = is_direct(p), whole = direct ? p->columns / 4 : 0;
  int32_t r = 0;
  tiles t;
  t.sums = 0;
  t.x = (const int32_t *)scratch;
  t.blocks = (p->depth + 3) / 4;
  for (; rows - r >= 2; r += 2) {
    int8_t *const to = (int8_t *)y + r * p->y_row * p->y_bytes;
    interleave(x + r * p->x_row, p, (int32_t *)scratch);
    if (whole > 0) store_groups(&t, to, whole, p);
    for (int32_t n = 4 * whole; n < p->columns; n += 4) store_sums(&t, to, n, o2m_min(4, p->columns - n), p);
  }
  if (r < rows) o2m_linear_few_rows(x, y, r, 1, direct ? 32 - p->shift : -1, p);
}
