/* o2m_dot_dsp.c - the tiles of o2m_dot_dsp.h in assembly, for their registers: GCC spills eight accumulators. Where the
 * compiler is not given a core with DSP instructions, plain C gives the same bytes. */
#include "o2m_dot_dsp.h"

#include "o2m_fixedpoint.h"

enum { S8, U8, S16 };

static int32_t element(const void *x, int32_t at, int32_t type) {
  if (type == S16) return ((const int16_t *)x)[at];
  return type == S8 ? ((const int8_t *)x)[at] : ((const uint8_t *)x)[at];
}

static uint32_t pair(int32_t low, int32_t high) { return ((uint32_t)low & 0xffffu) | (uint32_t)high << 16; }

/* Block `b` of a vector whose elements are `k` apart: its two pairs to to[0] and to[distance]. */
static void put_block(const void *x, int32_t k, int32_t type, int32_t b, int32_t depth, uint32_t *to,
                      int32_t distance) {
  int32_t v[4];
  for (int32_t i = 0; i < 4; ++i) v[i] = 4 * b + i < depth ? element(x, (4 * b + i) * k, type) : 0;
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

/* r0, r1: two rows; r2: where to; r3: the end of row 0. r6 .. r9: the four words of a block. */
#define TWO_ROWS(block)  \
  "push {r4-r9, lr}\n"   \
  "1:\n" block           \
  "  stm r2!, {r6-r9}\n" \
  "  cmp r0, r3\n"       \
  "  bne 1b\n"           \
  "pop {r4-r9, pc}\n"
#define WIDEN_TWO(extend) \
  "  ldr r8, [r0], #4\n"  \
  "  ldr r9, [r1], #4\n" extend " r6, r8\n" extend " r7, r9\n" extend " r8, r8, ror #8\n" extend " r9, r9, ror #8\n"
NAKED static void two_rows_s8(const void *x0, const void *x1, uint32_t *to, const void *end) {
  __asm__ volatile(TWO_ROWS(WIDEN_TWO("  sxtb16")));
}
NAKED static void two_rows_u8(const void *x0, const void *x1, uint32_t *to, const void *end) {
  __asm__ volatile(TWO_ROWS(WIDEN_TWO("  uxtb16")));
}
NAKED static void two_rows_s16(const void *x0, const void *x1, uint32_t *to, const void *end) {
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

/* r4 .. r7: the pairs (k0, k2) of four columns, whose words are in r8 .. r11; then those of (k1, k3). */
#define WIDEN_FOUR              \
  "  sxtb16 r4, r8\n"           \
  "  sxtb16 r5, r9\n"           \
  "  sxtb16 r6, r10\n"          \
  "  sxtb16 r7, r11\n"          \
  "  sxtb16 r8, r8, ror #8\n"   \
  "  sxtb16 r9, r9, ror #8\n"   \
  "  sxtb16 r10, r10, ror #8\n" \
  "  sxtb16 r11, r11, ror #8\n"
/* r0: constants, which may lie unaligned; r1: where to; r2: the end of that. */
NAKED static void widen_group(const int8_t *group, uint32_t *to, const uint32_t *end) {
  __asm__ volatile(
      "push {r4-r11, lr}\n"
      "1:\n"
      "  ldr r8, [r0], #4\n"
      "  ldr r9, [r0], #4\n"
      "  ldr r10, [r0], #4\n"
      "  ldr r11, [r0], #4\n" WIDEN_FOUR
      "  stm r1!, {r4-r11}\n"
      "  cmp r1, r2\n"
      "  bne 1b\n"
      "pop {r4-r11, pc}\n");
}
/* r0, r3, r12, lr: four columns; r1: where to; r2: the end of that. */
NAKED static void four_columns(const int8_t *w, uint32_t *to, const uint32_t *end, int32_t column) {
  __asm__ volatile(
      "push {r4-r11, lr}\n"
      "add lr, r3, r3, lsl #1\n"
      "add r12, r0, r3, lsl #1\n"
      "add lr, r0\n"
      "add r3, r0\n"
      "1:\n"
      "  ldr r8, [r0], #4\n"
      "  ldr r9, [r3], #4\n"
      "  ldr r10, [r12], #4\n"
      "  ldr r11, [lr], #4\n" WIDEN_FOUR
      "  stm r1!, {r4-r11}\n"
      "  cmp r1, r2\n"
      "  bne 1b\n"
      "pop {r4-r11, pc}\n");
}
/* Columns side by side: r0: 4 columns at k, r3: from one k to the next. r4, r5: those at k0, k2 (k1, k3). */
#define TRANSPOSE                   \
  "  ldr r4, [r0]\n"                \
  "  ldr r5, [r0, r3, lsl #1]\n"    \
  "  add r0, r3\n"                  \
  "  sxtb16 r8, r4\n"               \
  "  sxtb16 r9, r4, ror #8\n"       \
  "  sxtb16 r12, r5\n"              \
  "  sxtb16 lr, r5, ror #8\n"       \
  "  pkhtb r10, r12, r8, asr #16\n" \
  "  pkhtb r11, lr, r9, asr #16\n"  \
  "  pkhbt r8, r8, r12, lsl #16\n"  \
  "  pkhbt r9, r9, lr, lsl #16\n"   \
  "  stm r1!, {r8-r11}\n"
NAKED static void four_across(const int8_t *w, uint32_t *to, const uint32_t *end, int32_t k) {
  __asm__ volatile(
      "push {r4-r11, lr}\n"
      "1:\n" TRANSPOSE TRANSPOSE
      "  add r0, r0, r3, lsl #1\n"
      "  cmp r1, r2\n"
      "  bne 1b\n"
      "pop {r4-r11, pc}\n");
}

/* The tiles. r0: x; r1: w; r4 .. r7: the sums of row 0, r8 .. r11: of row 1; r2, r3, r12, lr: operands. Offsets of the
 * frame below sp: as o2m_dot_dsp up to the table. */
#define WEIGHTS "[sp]"
#define WEIGHTS_END "[sp, #4]"
#define BIAS "[sp, #8]"
#define MULTIPLIER "[sp, #12]"
#define ZERO "[sp, #16]"
#define Y "[sp, #20]"
#define ROW_AND_COLUMN "[sp, #24]"
#define TABLE "[sp, #32]"
#define X_END "[sp, #36]"
#define ENTRY "[sp, #40]"
#define FINISH "[sp, #44]"
#define STORE "[sp, #48]"
#define PARAMS "[sp, #52]"

/* 16 products, 44 bytes of code */
#define PRODUCTS                \
  "  ldrd r2, r3, [r0], #8\n"   \
  "  ldrd r12, lr, [r1], #8\n"  \
  "  smlad r4, r2, r12, r4\n"   \
  "  smlad r8, r3, r12, r8\n"   \
  "  smlad r5, r2, lr, r5\n"    \
  "  smlad r9, r3, lr, r9\n"    \
  "  ldrd r12, lr, [r1], #8\n"  \
  "  smlad r6, r2, r12, r6\n"   \
  "  smlad r10, r3, r12, r10\n" \
  "  smlad r7, r2, lr, r7\n"    \
  "  smlad r11, r3, lr, r11\n"
/* The same with a group of constants, 68 bytes; `turn` picks (k0, k2) or (k1, k3), `next` moves on. */
#define PACKED_PRODUCTS(turn, word0, word1, word2, word3) \
  "  ldrd r2, r3, [r0], #8\n"                             \
  "  ldr.w r12, [r1" word0                                \
  "\n"                                                    \
  "  ldr.w lr, [r1" word1                                 \
  "\n"                                                    \
  "  sxtb16 r12, r12" turn                                \
  "\n"                                                    \
  "  sxtb16 lr, lr" turn                                  \
  "\n"                                                    \
  "  smlad r4, r2, r12, r4\n"                             \
  "  smlad r8, r3, r12, r8\n"                             \
  "  smlad r5, r2, lr, r5\n"                              \
  "  smlad r9, r3, lr, r9\n"                              \
  "  ldr.w r12, [r1" word2                                \
  "\n"                                                    \
  "  ldr.w lr, [r1" word3                                 \
  "\n"                                                    \
  "  sxtb16 r12, r12" turn                                \
  "\n"                                                    \
  "  sxtb16 lr, lr" turn                                  \
  "\n"                                                    \
  "  smlad r6, r2, r12, r6\n"                             \
  "  smlad r10, r3, r12, r10\n"                           \
  "  smlad r7, r2, lr, r7\n"                              \
  "  smlad r11, r3, lr, r11\n"
#define BLOCK PRODUCTS PRODUCTS
#define PACKED_BLOCK                                   \
  PACKED_PRODUCTS("", "]", ", #4]", ", #8]", ", #12]") \
  PACKED_PRODUCTS(", ror #8", "], #4", "], #4", "], #4", "], #4")

#define EACH(op) op("r4") op("r5") op("r6") op("r7") op("r8") op("r9") op("r10") op("r11")
#define SHIFT_ONE(r) "  add " r ", r2\n  asr " r ", r3\n  lsl " r ", r1\n"
#define SATURATE_S8(r) "  ssat " r ", #8, " r "\n"
#define SATURATE_S16(r) "  ssat " r ", #16, " r "\n"
#define SATURATE_U8(r) "  usat " r ", #8, " r "\n"
#define LOOK_UP(r) "  ldrb " r ", [r2, " r "]\n"
#define REQUANTIZE              \
  "  ldr lr, " ZERO             \
  "\n"                          \
  "  ldr r12, " MULTIPLIER      \
  "\n"                          \
  "  ldrd r2, r3, [r12]\n"      \
  "  smmlar r4, r4, r2, lr\n"   \
  "  smmlar r8, r8, r2, lr\n"   \
  "  smmlar r5, r5, r3, lr\n"   \
  "  smmlar r9, r9, r3, lr\n"   \
  "  ldrd r2, r3, [r12, #8]\n"  \
  "  smmlar r6, r6, r2, lr\n"   \
  "  smmlar r10, r10, r2, lr\n" \
  "  smmlar r7, r7, r3, lr\n"   \
  "  smmlar r11, r11, r3, lr\n"
/* Row 1 first, so that row_bytes 0 leaves row 0. r1: row_bytes, r2: column_bytes. On to the next pair of rows. */
#define STORE_AND_LOOP(str)                                                                          \
  "  ldr r12, " Y                                                                                    \
  "\n"                                                                                               \
  "  ldrd r1, r2, " ROW_AND_COLUMN                                                                   \
  "\n"                                                                                               \
  "  add lr, r12, r1\n"                                                                              \
  "  add r3, lr, r2\n" str " r8, [lr]\n" str " r9, [lr, r2]\n" str " r10, [lr, r2, lsl #1]\n" str    \
  " r11, [r3, r2, lsl #1]\n"                                                                         \
  "  add r3, r12, r2\n" str " r4, [r12]\n" str " r5, [r12, r2]\n" str " r6, [r12, r2, lsl #1]\n" str \
  " r7, [r3, r2, lsl #1]\n"                                                                          \
  "  add lr, r1\n"                                                                                   \
  "  str lr, " Y                                                                                     \
  "\n"                                                                                               \
  "  ldr r2, " X_END                                                                                 \
  "\n"                                                                                               \
  "  cmp r0, r2\n"                                                                                   \
  "  bne.w 1b\n"                                                                                     \
  "  b.w 9f\n"

NAKED static void tiles(const uint32_t *x, int32_t pairs, const o2m_dot_dsp *d) {
  __asm__ volatile(
      "push {r4-r11, lr}\n"
      "sub sp, #56\n"
      "ldm r2, {r4-r12}\n"         /* weights, blocks, bias, multiplier, zero, y, row_bytes, column_bytes, table */
      "stm sp, {r4-r12}\n"
      "str r2, " PARAMS "\n"
      "mul r1, r1, r5\n"           /* 16 bytes of x per pair of rows and block */
      "add r1, r0, r1, lsl #4\n"
      "str r1, " X_END "\n"
      "ldr r3, [r2, #52]\n"        /* packed: 16 bytes of w per block, in a loop of 2; else 32, in a loop of 4 */
      "cbnz r3, 10f\n"
      "add r3, r4, r5, lsl #5\n"
      "rsb r5, r5, #0\n"
      "and r5, r5, #3\n"           /* the first round enters the loop late: blocks left out, 88 bytes each */
      "mov r6, #88\n"
      "adr.w r7, 2f\n"
      "b 11f\n"
      "10:\n"
      "add r3, r4, r5, lsl #4\n"
      "and r5, r5, #1\n"
      "mov r6, #136\n"
      "adr.w r7, 3f\n"
      "11:\n"
      "str r3, " WEIGHTS_END "\n"
      "mla r7, r5, r6, r7\n"
      "orr r7, #1\n"               /* a Thumb address */
      "str r7, " ENTRY "\n"
      "ldrd r4, r5, [r2, #36]\n"   /* store, half */
      "ldrd r6, r7, [r2, #44]\n"   /* down, up */
      "adr.w r3, 12f\n"
      "ldrh r1, [r3, r4, lsl #1]\n"
      "add r1, r3\n"
      "str r1, " STORE "\n"
      "orrs r6, r7\n"
      "it ne\n"
      "ldrhne r1, [r3, #10]\n"
      "it ne\n"
      "addne r1, r3\n"
      "str r1, " FINISH "\n"
      "b 1f\n"
      ".balign 2\n"
      "12: .hword 20f-12b+1, 21f-12b+1, 22f-12b+1, 23f-12b+1, 24f-12b+1, 19f-12b+1\n"

      "1:\n"                       /* the next pair of rows */
      "  ldr r2, " BIAS "\n"
      "  ldr r1, " WEIGHTS "\n"
      "  ldm r2, {r4-r7}\n"
      "  ldm r2, {r8-r11}\n"
      "  ldr pc, " ENTRY "\n"
      "2:\n" BLOCK BLOCK BLOCK BLOCK
      "  ldr r2, " WEIGHTS_END "\n"
      "  cmp r1, r2\n"
      "  bne.w 2b\n"
      "  ldr pc, " FINISH "\n"
      "3:\n" PACKED_BLOCK PACKED_BLOCK
      "  ldr r2, " WEIGHTS_END "\n"
      "  cmp r1, r2\n"
      "  bne.w 3b\n"
      "  ldr pc, " FINISH "\n"

      "19:\n"
      "  ldr r12, " PARAMS "\n"
      "  ldrd r2, r3, [r12, #40]\n"
      "  ldr r1, [r12, #48]\n" EACH(SHIFT_ONE)
      "  ldr pc, " STORE "\n"
      "20:\n" REQUANTIZE EACH(SATURATE_S8) STORE_AND_LOOP("  strb")
      "21:\n" REQUANTIZE EACH(SATURATE_U8) "  ldr r2, " TABLE "\n" EACH(LOOK_UP) STORE_AND_LOOP("  strb")
      "22:\n" REQUANTIZE EACH(SATURATE_S16) STORE_AND_LOOP("  strh")
      "23:\n" REQUANTIZE
      "24:\n" STORE_AND_LOOP("  str")
      "9:\n"
      "add sp, #56\n"
      "pop {r4-r11, pc}\n");
}

#pragma GCC diagnostic pop

typedef char o2m_dot_dsp_is_as_the_assembly_reads_it[sizeof(o2m_dot_dsp) == 56 ? 1 : -1];

static int32_t two_rows(const void *x0, const void *x1, int32_t type, int32_t depth, uint32_t *to) {
  const char *const end = (const char *)x0 + (type == S16 ? 8 : 4) * (depth / 4);
  if (depth >= 4) (type == S16 ? two_rows_s16 : type == S8 ? two_rows_s8 : two_rows_u8)(x0, x1, to, end);
  return depth / 4;
}
static void put_group(const int8_t *group, int32_t blocks, uint32_t *to) { widen_group(group, to, to + 8 * blocks); }
/* Returns how many blocks are done. */
static int32_t whole_blocks(const int8_t *w, int32_t column, int32_t k, int32_t depth, uint32_t *to) {
  if (depth < 4 || (k != 1 && column != 1)) return 0;
  if (k == 1) {
    four_columns(w, to, to + 8 * (depth / 4), column);
  } else {
    four_across(w, to, to + 8 * (depth / 4), k);
  }
  return depth / 4;
}

#else

static int32_t two_rows(const void *x0, const void *x1, int32_t type, int32_t depth, uint32_t *to) {
  for (int32_t b = 0; b < depth / 4; ++b) {
    put_block(x0, 1, type, b, depth, to + 4 * b, 2);
    put_block(x1, 1, type, b, depth, to + 4 * b + 1, 2);
  }
  return depth / 4;
}

static void put_group(const int8_t *group, int32_t blocks, uint32_t *to) {
  for (int32_t b = 0; b < blocks; ++b) {
    for (int32_t c = 0; c < 4; ++c) put_block(group + 16 * b + 4 * c, 1, S8, 0, 4, to + 8 * b + c, 4);
  }
}

static int32_t whole_blocks(const int8_t *w, int32_t column, int32_t k, int32_t depth, uint32_t *to) {
  (void)w, (void)column, (void)k, (void)depth, (void)to;
  return 0;
}

static int32_t dual_product(uint32_t a, uint32_t b) {
  const int32_t low = (int16_t)(a & 0xffffu) * (int16_t)(b & 0xffffu);
  return (int32_t)((uint32_t)low + (uint32_t)((int16_t)(a >> 16) * (int16_t)(b >> 16)));
}

/* The sum of one row of a panel of x and one column of w. */
static int32_t sum_of(const uint32_t *x, int32_t row, int32_t column, const o2m_dot_dsp *d) {
  uint32_t sum = (uint32_t)d->bias[column];
  for (int32_t i = 0; i < 2 * d->blocks; ++i) {
    uint32_t w[8];
    if (d->packed) {
      put_group((const int8_t *)d->weights + 16 * (i / 2), 1, w);
    } else {
      for (int32_t c = 0; c < 8; ++c) w[c] = ((const uint32_t *)d->weights)[8 * (i / 2) + c];
    }
    sum += (uint32_t)dual_product(x[2 * i + row], w[4 * (i % 2) + column]);
  }
  return (int32_t)sum;
}

static void finish(int32_t sum, char *y, int32_t column, const o2m_dot_dsp *d) {
  int32_t q = sum;
  if (d->down != 0 || d->up != 0) {
    q = o2m_floor_shift32((int32_t)((uint32_t)q + (uint32_t)d->half), d->down);
    q = (int32_t)((uint32_t)q << d->up);
  }
  if (d->store != O2M_DOT_DSP_RAW) q = d->zero + o2m_requantize(q, d->multiplier[column], 32);
  if (d->store == O2M_DOT_DSP_S8) {
    *(int8_t *)y = o2m_saturate_s8(q);
  } else if (d->store == O2M_DOT_DSP_TABLE) {
    *(int8_t *)y = d->table[o2m_saturate_u8(q)];
  } else if (d->store == O2M_DOT_DSP_S16) {
    *(int16_t *)(void *)y = o2m_saturate_s16(q);
  } else {
    *(int32_t *)(void *)y = q;
  }
}

static void tiles(const uint32_t *x, int32_t pairs, const o2m_dot_dsp *d) {
  char *y = (char *)d->y;
  for (int32_t p = 0; p < pairs; ++p, x += 4 * d->blocks, y += 2 * d->row_bytes) {
    for (int32_t row = 1; row >= 0; --row) {
      for (int32_t c = 0; c < 4; ++c) {
        finish(sum_of(x, row, c, d), y + row * d->row_bytes + c * d->column_bytes, c, d);
      }
    }
  }
}

#endif

static void put_rows(const void *x, int32_t type, int32_t row, int32_t column, int32_t rows, int32_t depth,
                     uint32_t *to) {
  const int32_t blocks = o2m_dot_dsp_blocks(depth), bytes = type == S16 ? 2 : 1;
  for (int32_t r = 0; r < rows; r += 2, to += 4 * blocks) {
    const char *const x0 = (const char *)x + r * row * bytes, *const x1 = r + 1 < rows ? x0 + row * bytes : x0;
    for (int32_t b = column == 1 ? two_rows(x0, x1, type, depth, to) : 0; b < blocks; ++b) {
      put_block(x0, column, type, b, depth, to + 4 * b, 2);
      put_block(x1, column, type, b, depth, to + 4 * b + 1, 2);
    }
  }
}

void O2M_SYM(o2m_dot_dsp_rows_s8)(const int8_t *x, int32_t row, int32_t column, int32_t rows, int32_t depth,
                                  uint32_t *to) {
  put_rows(x, S8, row, column, rows, depth, to);
}
void O2M_SYM(o2m_dot_dsp_rows_u8)(const uint8_t *x, int32_t row, int32_t column, int32_t rows, int32_t depth,
                                  uint32_t *to) {
  put_rows(x, U8, row, column, rows, depth, to);
}
void O2M_SYM(o2m_dot_dsp_rows_s16)(const int16_t *x, int32_t row, int32_t column, int32_t rows, int32_t depth,
                                   uint32_t *to) {
  put_rows(x, S16, row, column, rows, depth, to);
}

void O2M_SYM(o2m_dot_dsp_widen)(const int8_t *group, int32_t blocks, uint32_t *to) { put_group(group, blocks, to); }

void O2M_SYM(o2m_dot_dsp_columns_s8)(const int8_t *w, int32_t column, int32_t k, int32_t columns, int32_t depth,
                                     uint32_t *to) {
  const int32_t blocks = o2m_dot_dsp_blocks(depth);
  for (int32_t b = columns == 4 ? whole_blocks(w, column, k, depth, to) : 0; b < blocks; ++b) {
    for (int32_t c = 0; c < 4; ++c) {
      put_block(w + (c < columns ? c : 0) * column, k, S8, b, c < columns ? depth : 0, to + 8 * b + c, 4);
    }
  }
}

void O2M_SYM(o2m_dot_dsp_tiles)(const uint32_t *x, int32_t pairs, const o2m_dot_dsp *d) {
  if (pairs > 0) tiles(x, pairs, d);
}
