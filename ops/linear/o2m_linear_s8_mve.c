/* o2m_linear_s8_mve.c - linear layer, s8 input, on cores with Helium (Cortex-M55): tiles of 2 rows by 4 columns, 16 k
 * at a time. The sums stay in the eight even registers, where VMLADAVA adds; VLD4 takes the blocks of four columns
 * apart. Where the compiler is not given such a core, plain C gives the same bytes. */
#include "o2m_linear.h"

enum { STORE_S8, STORE_TABLE, STORE_S16, STORE_S32 };

/* Some pairs of rows by one group of columns. Offsets are the assembly's. */
typedef struct tiles {
  const int8_t *x;       /*  0 */
  int32_t x_row;         /*  4: 0 for a row alone, which is then taken twice */
  const int8_t *weights; /*  8 */
  int32_t depth;         /* 12 */
  const int32_t *bias;   /* 16: [4] */
  const int32_t *multiplier;
  int32_t zero; /* 24 */
  int8_t *y;
  int32_t y_row;    /* 32: bytes; 0 for a row alone */
  int32_t y_column; /* 36: bytes */
  const int8_t *table;
  int32_t up;    /* 44: 31 - shift */
  int32_t pairs; /* 48 */
  int32_t valid; /* 52: columns of the group that exist */
  int32_t store; /* 56 */
  int32_t plain; /* 60: four bytes side by side, nothing to shift up: 1, or with a table 2; else 0 */
} tiles;

#if defined(__ARM_FEATURE_MVE) && defined(__thumb2__)

/* The frame: tiles, then what is computed from it. */
#define X_ROW "[sp, #4]"
#define X_STEP "[sp, #0]" /* from the end of row 0 to the row after the next */
#define WEIGHTS "[sp, #8]"
#define ROUNDS "[sp, #12]"
#define ZERO "[sp, #24]"
#define Y_ROW "[sp, #32]"
#define TABLE "[sp, #40]"
#define UP "[sp, #44]"
#define VALID "[sp, #52]"
#define STORE "[sp, #56]"
#define FINISH "[sp, #60]"
#define ENTRY "[sp, #64]" /* of the first 16 k, */
#define NEXT "[sp, #68]"  /* of those that follow, */
#define LAST "[sp, #72]"  /* and what follows them: a rest below 16, or FINISH */
#define REST "[sp, #76]"
#define OFFSETS "[sp, #80]" /* of four columns */

/* 128 products: 16 k of x0 (r1) and x1 (r3) by four columns (r5) */
#define PRODUCTS(mladav)                 \
  "  vld40.32 {q0, q1, q2, q3}, [r5]\n"  \
  "  vld41.32 {q0, q1, q2, q3}, [r5]\n"  \
  "  vld42.32 {q0, q1, q2, q3}, [r5]\n"  \
  "  vld43.32 {q0, q1, q2, q3}, [r5]!\n" \
  "  " mladav                            \
  ".s8 r0, q4, q0\n"                     \
  "  " mladav                            \
  ".s8 r8, q5, q0\n"                     \
  "  " mladav                            \
  ".s8 r2, q4, q1\n"                     \
  "  " mladav                            \
  ".s8 r10, q5, q1\n"                    \
  "  " mladav                            \
  ".s8 r4, q4, q2\n"                     \
  "  " mladav                            \
  ".s8 r12, q5, q2\n"                    \
  "  " mladav                            \
  ".s8 r6, q4, q3\n"                     \
  "  " mladav ".s8 lr, q5, q3\n"
#define BLOCK(mladav)         \
  "  vldrb.8 q4, [r1], #16\n" \
  "  vldrb.8 q5, [r3], #16\n" PRODUCTS(mladav)
/* Fewer than 16 k: zeros behind them. */
#define REST_BLOCK(mladav) \
  "  ldr r9, " REST        \
  "\n"                     \
  "  vctp.8 r9\n"          \
  "  vpstt\n"              \
  "  vldrbt.8 q4, [r1]\n"  \
  "  vldrbt.8 q5, [r3]\n" PRODUCTS(mladav)
/* The sums to q0 and q1, bias (q6) added. */
#define COLLECT                    \
  "  vmov q0[2], q0[0], r0, r4\n"  \
  "  vmov q0[3], q0[1], r2, r6\n"  \
  "  vmov q1[2], q1[0], r8, r12\n" \
  "  vmov q1[3], q1[1], r10, lr\n" \
  "  vadd.i32 q0, q0, q6\n"        \
  "  vadd.i32 q1, q1, q6\n"        \
  "  ldr r4, " ZERO                \
  "\n"                             \
  "  ldr r9, " Y_ROW               \
  "\n"                             \
  "  add r2, r7, r9\n"
/* floor(acc * multiplier (q7) / 2^31 + 1/2) + zero */
#define REQUANTIZE               \
  "  vqrdmlash.s32 q0, q7, r4\n" \
  "  vqrdmlash.s32 q1, q7, r4\n"
#define SATURATE_S8        \
  "  vqmovnb.s32 q0, q0\n" \
  "  vqmovnb.s32 q1, q1\n" \
  "  vqmovnb.s16 q0, q0\n" \
  "  vqmovnb.s16 q1, q1\n"
/* table[clamp(q, 0, 255)] to q2 and q3 */
#define LOOK_UP                \
  "  ldr r0, " TABLE           \
  "\n"                         \
  "  vqshlu.s32 q0, q0, #24\n" \
  "  vqshlu.s32 q1, q1, #24\n" \
  "  vshr.u32 q0, q0, #24\n"   \
  "  vshr.u32 q1, q1, #24\n"   \
  "  vldrb.u32 q2, [r0, q0]\n" \
  "  vldrb.u32 q3, [r0, q1]\n"
#define LOOP           \
  "  add r7, r2, r9\n" \
  "  subs r11, #1\n"   \
  "  bne.w 1b\n"       \
  "  b.w 9f\n"
#define OFFSETS_AND_COLUMNS \
  "  ldr r0, " VALID        \
  "\n"                      \
  "  vctp.32 r0\n"          \
  "  vldrw.32 q4, " OFFSETS \
  "\n"                      \
  "  vpstt\n"

/* r0: t. r0, r2, r4, r6: sums of row 0; r8, r10, r12, lr: of row 1; r7: y; r11: pairs left. */
#ifdef __clang__
#define NAKED __attribute__((naked, noinline, aligned(4)))
#else
#define NAKED __attribute__((naked, noipa, aligned(4))) /* no clones: the parameters are in r0, r1; ADR: aligned */
#endif
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
NAKED static void run_tiles(const tiles *t, const int32_t *offsets) {
  __asm__ volatile(
      "push {r4-r11, lr}\n"
      "vpush {d8-d15}\n"
      "sub sp, #96\n"
      "vldrw.32 q0, [r0]\n"
      "vldrw.32 q1, [r0, #16]\n"
      "vldrw.32 q2, [r0, #32]\n"
      "vldrw.32 q3, [r0, #48]\n"
      "vldrw.32 q4, [r1]\n"
      "vstrw.32 q0, [sp]\n"
      "vstrw.32 q1, [sp, #16]\n"
      "vstrw.32 q2, [sp, #32]\n"
      "vstrw.32 q3, [sp, #48]\n"
      "vstrw.32 q4, " OFFSETS "\n"
      "ldrd r2, r3, [r0, #16]\n"
      "vldrw.32 q6, [r2]\n"
      "vldrw.32 q7, [r3]\n"
      "ldr r7, [r0, #28]\n"
      "ldr r11, [r0, #48]\n"
      /* where to finish */
      "adr.w r6, 20f\n"
      "ldr r2, [r0, #60]\n" /* plain */
      "ldrh r8, [r6, r2, lsl #1]\n"
      "add r8, r6\n"
      "str r8, " FINISH "\n"
      /* the way through the depth: a first block, the others two by two, a rest */
      "ldr r1, [r0]\n"
      "ldr r2, [r0, #12]\n"
      "and r3, r2, #15\n"
      "str r3, " REST "\n"
      "lsrs r2, r2, #4\n"            /* blocks */
      "itee eq\n"
      "ldrheq r4, [r6, #6]\n"
      "ldrhne r4, [r6, #8]\n"
      "subne r2, #1\n"
      "add r4, r6\n"
      "str r4, " ENTRY "\n"
      "cmp r3, #0\n"
      "ite eq\n"
      "moveq r5, r8\n"
      "ldrhne r5, [r6, #10]\n"
      "it ne\n"
      "addne r5, r6\n"
      "str r5, " LAST "\n"
      "cmp r2, #0\n"
      "beq 10f\n"
      "tst r2, #1\n"
      "ite eq\n"
      "ldrheq r5, [r6, #12]\n"
      "ldrhne r5, [r6, #14]\n"
      "add r5, r6\n"
      "10:\n"
      "str r5, " NEXT "\n"
      "add r2, #1\n"
      "lsr r2, r2, #1\n"
      "str r2, " ROUNDS "\n"
      "ldr r3, [r0, #12]\n"          /* X_STEP = 2 * x_row - 16 * blocks */
      "bic r3, r3, #15\n"
      "ldr r2, [r0, #4]\n"
      "rsb r3, r3, r2, lsl #1\n"
      "str r3, " X_STEP "\n"
      "sub r1, r3\n"
      "b 1f\n"
      ".balign 4\n"
      "20: .hword 32f-20b+1, 30f-20b+1, 31f-20b+1, 4f-20b+1, 2f-20b+1, 5f-20b+1, 6f-20b+1, 7f-20b+1\n"

      "1:\n"                         /* the next pair of rows */
      "  ldrd r0, r2, [sp]\n"
      "  add r1, r0\n"
      "  add r3, r1, r2\n"
      "  ldr r5, " WEIGHTS "\n"
      "  ldr r9, " ROUNDS "\n"
      "  ldr pc, " ENTRY "\n"
      "2:\n" BLOCK("vmladav")
      "  ldr pc, " NEXT "\n"
      "6:\n" BLOCK("vmladava")
      "7:\n" BLOCK("vmladava")
      "  subs r9, #1\n"
      "  bne.w 6b\n"
      "  ldr pc, " LAST "\n"
      "5:\n" REST_BLOCK("vmladava")
      "  ldr pc, " FINISH "\n"
      "4:\n" REST_BLOCK("vmladav")
      "  ldr pc, " FINISH "\n"

      /* row 1 first, so that row 0 remains where both have one place */
      "30:\n" COLLECT REQUANTIZE SATURATE_S8
      "  vstrb.32 q1, [r2]\n"
      "  vstrb.32 q0, [r7]\n" LOOP
      "31:\n" COLLECT REQUANTIZE LOOK_UP
      "  vstrb.32 q3, [r2]\n"
      "  vstrb.32 q2, [r7]\n" LOOP
      "32:\n" COLLECT
      "  ldr r0, " UP "\n"
      "  vshl.s32 q0, r0\n"
      "  vshl.s32 q1, r0\n" REQUANTIZE
      "  ldr r0, " STORE "\n"
      "  cmp r0, #1\n"
      "  beq 41f\n"
      "  cmp r0, #2\n"
      "  beq 42f\n"
      "  bgt 43f\n" SATURATE_S8 OFFSETS_AND_COLUMNS
      "  vstrbt.32 q1, [r2, q4]\n"
      "  vstrbt.32 q0, [r7, q4]\n" LOOP
      "41:\n" LOOK_UP OFFSETS_AND_COLUMNS
      "  vstrbt.32 q3, [r2, q4]\n"
      "  vstrbt.32 q2, [r7, q4]\n" LOOP
      "42:\n"
      "  vqmovnb.s32 q0, q0\n"
      "  vqmovnb.s32 q1, q1\n" OFFSETS_AND_COLUMNS
      "  vstrht.32 q1, [r2, q4]\n"
      "  vstrht.32 q0, [r7, q4]\n" LOOP
      "43:\n" OFFSETS_AND_COLUMNS
      "  vstrwt.32 q1, [r2, q4]\n"
      "  vstrwt.32 q0, [r7, q4]\n" LOOP
      "9:\n"
      "add sp, #96\n"
      "vpop {d8-d15}\n"
      "pop {r4-r11, pc}\n");
}

#pragma GCC diagnostic pop

/* VLD4 wants whole words. */
static int32_t suits(const tiles *t) { return ((uintptr_t)t->weights & 3) == 0; }

#else

static void run_tiles(const tiles *t, const int32_t *offsets) { (void)t, (void)offsets; }
static int32_t suits(const tiles *t) { return (void)t, 0; }

#endif

/* One row by one column. */
static int32_t sum_of(const int8_t *x, int32_t column, const tiles *t) {
  int32_t sum = t->bias[column];
  for (int32_t k = 0; k < t->depth; ++k) sum += x[k] * t->weights[o2m_linear_at(k) + 4 * column];
  return sum;
}

static void run_plainly(const tiles *t, int32_t rows, const o2m_linear_params *p) {
  for (int32_t r = 0; r < rows; ++r) {
    for (int32_t c = 0; c < t->valid; ++c) {
      int8_t *const y = t->y + r * t->y_row + c * t->y_column;
      const int32_t q = p->y_zero + o2m_requantize(sum_of(t->x + r * t->x_row, c, t), t->multiplier[c], p->shift);
      o2m_linear_store_q(p, y, 0, q);
    }
  }
}

/* Four columns of all rows. */
static void run_group(tiles *t, int32_t rows, const o2m_linear_params *p) {
  const int32_t offsets[4] = {0, t->y_column, 2 * t->y_column, 3 * t->y_column};
  if (!suits(t)) {
    run_plainly(t, rows, p);
    return;
  }
  t->pairs = rows / 2;
  if (t->pairs > 0) run_tiles(t, offsets);
  if (rows % 2 == 0) return;
  t->x += (rows - 1) * t->x_row;
  t->y += (rows - 1) * t->y_row;
  t->x_row = t->y_row = 0;
  t->pairs = 1;
  run_tiles(t, offsets);
}

/* All columns of rows whose k lie side by side. */
static void run_rows(const int8_t *x, int32_t x_row, int8_t *y, int32_t rows, const o2m_linear_params *p) {
  tiles t;
  t.depth = p->depth;
  t.zero = p->y_zero + (p->table ? 128 : 0);
  t.y_column = p->y_column * p->y_bytes;
  t.table = p->table;
  t.up = 31 - p->shift;
  t.store = p->table ? STORE_TABLE : p->y_bytes == 1 ? STORE_S8 : p->y_bytes == 2 ? STORE_S16 : STORE_S32;
  for (int32_t n = 0; n < p->columns; n += 4) {
    int32_t bias[4] = {0, 0, 0, 0}, multiplier[4] = {0, 0, 0, 0};
    t.valid = o2m_min(4, p->columns - n);
    for (int32_t i = 0; i < t.valid; ++i) bias[i] = p->bias[n + i], multiplier[i] = p->multiplier[n + i];
    t.bias = bias;
    t.multiplier = multiplier;
    t.weights = o2m_linear_group(p, n);
    t.x = x;
    t.x_row = x_row;
    t.y = y + n * t.y_column;
    t.y_row = p->y_row * p->y_bytes;
    t.plain = t.up == 0 && t.valid == 4 && t.y_column == 1 && t.store <= STORE_TABLE ? 1 + t.store : 0;
    run_group(&t, rows, p);
  }
}

/* x [rows][depth] -> y [rows][columns]. scratch: two rows of x, where its k do not lie side by side. The weights of the
 * last group are read up to a multiple of 16 k. */
void O2M_SYM(o2m_linear_s8_mve)(const int8_t *x, void *y, int32_t rows, const o2m_linear_params *p, void *scratch) {
  int8_t *const copy = (int8_t *)scratch;
  if (p->x_column == 1) {
    run_rows(x, p->x_row, (int8_t *)y, rows, p);
    return;
  }
  for (int32_t t = 0; t < rows; t += 2) {
    const int32_t count = o2m_min(2, rows - t);
    for (int32_t r = 0; r < count; ++r) {
      for (int32_t k = 0; k < p->depth; ++k) copy[r * p->depth + k] = x[(t + r) * p->x_row + k * p->x_column];
    }
    run_rows(copy, p->depth, (int8_t *)y + t * p->y_row * p->y_bytes, count, p);
  }
}
