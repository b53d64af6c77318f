/* o2m_dot_dsp.c - the tiles of o2m_dot_dsp.h in assembly, for their registers: GCC spills eight accumulators. Where the
 * compiler is not given a core with DSP instructions, plain C gives the same bytes. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("Os") /* the loops are in assembly; what is around them is to be small */
#endif
#include "o2m_dot_dsp.h"

#include "o2m_fixedpoint.h"

#if defined(__ARM_FEATURE_DSP) && defined(__thumb2__)
/* The parameters are in r0 .. r3 whatever the callers pass: no clones. Aligned: ADR counts from a multiple of 4. */
#ifdef __clang__
#define NAKED __attribute__((naked, noinline, aligned(4)))
#else
#define NAKED __attribute__((naked, noipa, aligned(4)))
#endif
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"

/* The tiles. r0: x; r1: w; r4 .. r7: the sums of row 0, r8 .. r11: of row 1; r2, r3, r12, lr: operands. The frame: r1,
 * then what o2m_dot_dsp begins with, r2, and the table. */
#define X_END "[sp]"
#define WEIGHTS "[sp, #4]"
#define WEIGHTS_END "[sp, #8]"
#define BIAS "[sp, #12]"
#define MULTIPLIER_AND_ZERO "[sp, #16]"
#define Y "[sp, #24]"
#define ROW_AND_COLUMN "[sp, #28]"
#define START "[sp, #36]"
#define FINISH "[sp, #40]"
#define STORE "[sp, #44]"
#define PARAMS "[sp, #48]"
#define TABLE "[sp, #52]"

/* 16 products, 44 bytes of code; the first ones clear the sums. */
#define SIXTEEN(op, r4, r5, r6, r7, r8, r9, r10, r11)                                                            \
  "  ldrd r2, r3, [r0], #8\n"                                                                                    \
  "  ldrd r12, lr, [r1], #8\n" op " r4, r2, r12" r4 "\n" op " r8, r3, r12" r8 "\n" op " r5, r2, lr" r5 "\n" op   \
  " r9, r3, lr" r9                                                                                               \
  "\n"                                                                                                           \
  "  ldrd r12, lr, [r1], #8\n" op " r6, r2, r12" r6 "\n" op " r10, r3, r12" r10 "\n" op " r7, r2, lr" r7 "\n" op \
  " r11, r3, lr" r11 "\n"
#define FIRST_PRODUCTS SIXTEEN("  smuad", "", "", "", "", "", "", "", "")
#define PRODUCTS SIXTEEN("  smlad", ", r4", ", r5", ", r6", ", r7", ", r8", ", r9", ", r10", ", r11")
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

#define ROW_0(op) op("r4") op("r5") op("r6") op("r7")
#define ROW_1(op) op("r8") op("r9") op("r10") op("r11")
#define EACH(op) ROW_0(op) ROW_1(op)
#define SHIFT_ONE(r) "  add " r ", r2\n  asr " r ", r3\n  lsl " r ", r1\n"
#define SATURATE_S8(r) "  ssat " r ", #8, " r "\n"
#define SATURATE_S16(r) "  ssat " r ", #16, " r "\n"
#define SATURATE_U8(r) "  usat " r ", #8, " r "\n"
#define LOOK_UP(r) "  ldrb " r ", [r2, " r "]\n"
#define ROUND_ONE(r) "  smmulr " r ", " r ", r12\n"
#define SCALE_ONE(r) "  smmla " r ", " r ", r2, r1\n"
#define SHIFT_DOWN(r) "  asr " r ", r3\n"
/* On to the next pair of rows, or the end. */
#define LOOP(next)   \
  "  ldr r2, " X_END \
  "\n"               \
  "  cmp r0, r2\n"   \
  "  bne.w " next    \
  "\n"               \
  "add sp, #56\n"    \
  "pop {r4-r11, pc}\n"
/* Row 1 first, so that row_bytes 0 leaves row 0. r1: row_bytes, r2: column_bytes. */
#define STORE_AND_LOOP(str, next)                                                                    \
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
  "  str lr, " Y "\n" LOOP(next)
/* Of attention's rows, four columns: y = (sum * multiplier / 2^32 + start) >> shift; then a word of all. */
#define AVERAGES(row, first, second, third, fourth)                                                 \
  "  ldm r0!, {r1-r3}\n" row(SCALE_ONE) row(SHIFT_DOWN) row(SATURATE_S8) "  bfi " first ", " second \
                                                                         ", #8, #8\n"               \
                                                                         "  bfi " first ", " third  \
                                                                         ", #16, #8\n"              \
                                                                         "  bfi " first ", " fourth ", #24, #8\n"

/* Without parameters, where a place in the code is: r1 is its number, and the address is returned. */
enum { REQUANTIZE = O2M_DOT_DSP_AVERAGES + 1, SHIFT, PRODUCTS_LOOP, PRODUCTS_END, PACKED_LOOP };
NAKED static const char *dot_tiles(const uint32_t *x, uintptr_t x_end, const o2m_dot_dsp *d) {
  __asm__ volatile(
      "cbnz r2, 9f\n"
      "adr r0, 8f\n"
      "ldrh r1, [r0, r1, lsl #1]\n"
      "add r0, r1\n"
      "bx lr\n"
      ".balign 4\n"
      "8: .hword 20f-8b+1, 21f-8b+1, 22f-8b+1, 23f-8b+1, 24f-8b+1, 25f-8b+1, 26f-8b+1, 18f-8b+1, 19f-8b+1\n"
      ".hword 2f-8b+1, 4f-8b+1, 3f-8b+1\n"
      ".balign 4\n"
      "9:\n"
      "ldr r3, [r2, #44]\n"
      "push {r3-r11, lr}\n"
      "mov lr, r2\n"
      "ldm lr, {r2-r12}\n"
      "add r3, r2\n"
      "push {r1-r12, lr}\n"

      "0:\n"
      "  ldr r4, " BIAS "\n"
      "  cbz r4, 5f\n"
      "1:\n" /* the next pair of rows */
      "  ldr r2, " BIAS "\n"
      "  ldr r1, " WEIGHTS "\n"
      "  ldm r2, {r4-r7}\n"
      "  ldm r2, {r8-r11}\n"
      "  ldr pc, " START "\n"
      "5:\n" /* the same without a bias */
      "  ldr r1, " WEIGHTS "\n" FIRST_PRODUCTS PRODUCTS
      "  ldr pc, " START "\n"
      "2:\n" BLOCK BLOCK BLOCK BLOCK
      "4:\n"
      "  ldr r2, " WEIGHTS_END "\n"
      "  cmp r1, r2\n"
      "  bne.w 2b\n"
      "  ldr pc, " FINISH "\n"
      "3:\n" PACKED_BLOCK
      "  ldr r2, " WEIGHTS_END "\n"
      "  cmp r1, r2\n"
      "  bne.w 3b\n"
      "  ldr pc, " FINISH "\n"

      "19:\n"
      "  ldr r12, " PARAMS "\n"
      "  ldrd r2, r3, [r12, #48]\n" /* half, down */
      "  ldr r1, [r12, #56]\n" EACH(SHIFT_ONE)
      "18:\n"
      "  ldrd r12, lr, " MULTIPLIER_AND_ZERO "\n"
      "  ldrd r2, r3, [r12]\n"
      "  smmlar r4, r4, r2, lr\n"
      "  smmlar r8, r8, r2, lr\n"
      "  smmlar r5, r5, r3, lr\n"
      "  smmlar r9, r9, r3, lr\n"
      "  ldrd r2, r3, [r12, #8]\n"
      "  smmlar r6, r6, r2, lr\n"
      "  smmlar r10, r10, r2, lr\n"
      "  smmlar r7, r7, r3, lr\n"
      "  smmlar r11, r11, r3, lr\n"
      "  ldr pc, " STORE "\n"

      "21:\n"
      "  ldr r2, " TABLE "\n"       EACH(SATURATE_U8) EACH(LOOK_UP)
      "  b 27f\n"
      "20:\n" EACH(SATURATE_S8)
      "27:\n" STORE_AND_LOOP("  strb", "1b")
      "22:\n" EACH(SATURATE_S16) STORE_AND_LOOP("  strh", "1b")
      "23:\n24:\n" STORE_AND_LOOP("  str", "0b")
      "25:\n"
      "  ldrd r2, r12, [r0]\n" /* scores, multiplier */
      EACH(ROUND_ONE) EACH(SATURATE_S16)
      "  pkhbt r4, r4, r6, lsl #16\n"
      "  pkhbt r6, r5, r7, lsl #16\n"
      "  pkhbt r5, r8, r10, lsl #16\n"
      "  pkhbt r7, r9, r11, lsl #16\n"
      "  stm r2!, {r4-r7}\n"
      "  str r2, [r0], #8\n" LOOP("5b")
      "26:\n" AVERAGES(ROW_0, "r4", "r5", "r6", "r7") AVERAGES(ROW_1, "r8", "r9", "r10", "r11")
      "  ldrd r1, r2, [r0]\n" /* y of rows 0 and 1 */
      "  str r4, [r1], #4\n"
      "  str r8, [r2], #4\n"
      "  strd r1, r2, [r0], #8\n" LOOP("5b"));
}

#pragma GCC diagnostic pop

typedef char o2m_dot_dsp_is_as_the_assembly_reads_it[sizeof(o2m_dot_dsp) == 72 ? 1 : -1];

static const char *place_of(int32_t place) { return dot_tiles(0, (uintptr_t)place, 0); }

/* In the first round the loop of 4 blocks is entered late: so many bytes of code per block are left out. */
static void find_places(o2m_dot_dsp *d) {
  const int32_t needs_shift = d->down != 0 || d->up != 0;
  if (d->packed) {
    d->start = place_of(PACKED_LOOP);
  } else if (d->bias) {
    d->start = place_of(PRODUCTS_LOOP) + (-d->blocks & 3) * 88;
  } else {
    d->start = place_of(PRODUCTS_END) - ((d->blocks - 1) & 3) * 88; /* the first block was done before */
  }
  d->last = place_of(d->store);
  d->finish = d->store >= O2M_DOT_DSP_RAW ? d->last : place_of(needs_shift ? SHIFT : REQUANTIZE);
}

static void run(const uint32_t *x, const uint32_t *x_end, const o2m_dot_dsp *d) { dot_tiles(x, (uintptr_t)x_end, d); }

#else

static void find_places(o2m_dot_dsp *d) { (void)d; }

static int32_t dual_product(uint32_t a, uint32_t b) {
  const int32_t low = (int16_t)(a & 0xffffu) * (int16_t)(b & 0xffffu);
  return (int32_t)((uint32_t)low + (uint32_t)((int16_t)(a >> 16) * (int16_t)(b >> 16)));
}

/* The sum of one row of a panel of x and one column of w. */
static int32_t sum_of(const uint32_t *x, int32_t row, int32_t column, const o2m_dot_dsp *d) {
  uint32_t sum = d->bias ? (uint32_t)d->bias[column] : 0;
  for (int32_t i = 0; i < 2 * d->blocks; ++i) {
    uint32_t w[8];
    if (d->packed) {
      O2M_SYM(o2m_dot_dsp_widen)((const int8_t *)d->weights + 16 * (i / 2), 1, w);
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

static void run(const uint32_t *x, const uint32_t *x_end, const o2m_dot_dsp *d) {
  for (char *y = (char *)d->y; x != x_end; x += 4 * d->blocks, y += 2 * d->row_bytes) {
    for (int32_t row = 1; row >= 0; --row) {
      for (int32_t c = 0; c < 4; ++c) {
        finish(sum_of(x, row, c, d), y + row * d->row_bytes + c * d->column_bytes, c, d);
      }
    }
  }
}

#endif

void O2M_SYM(o2m_dot_dsp_prepare)(o2m_dot_dsp *d) {
  static const int32_t zeros[4] = {0, 0, 0, 0};
  const int32_t clears_sums = !d->packed && d->store >= O2M_DOT_DSP_S32;
  if (!d->bias && !clears_sums) d->bias = zeros;
  d->weight_bytes = (d->packed ? 16 : 32) * d->blocks;
  find_places(d);
}

void O2M_SYM(o2m_dot_dsp_run)(const uint32_t *x, const uint32_t *x_end, const o2m_dot_dsp *d) { run(x, x_end, d); }
