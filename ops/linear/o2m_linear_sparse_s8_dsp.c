/* o2m_linear_sparse_s8_dsp.c - sparse linear layer, s8 input, on cores with the DSP extension of Armv7E-M: six rows (or
 * two) share each block that is decoded, their sums in registers from the first product to the store. Rows are widened
 * to pairs of s16 in scratch. Where the compiler is not given such a core, plain C gives the same bytes.
 *
 * A block of scratch holds pairs of rows after one another, each as row 0 (k0, k2), row 0 (k1, k3), row 1 (k0, k2),
 * row 1 (k1, k3): 16 bytes per pair. Precondition: p->shift is 31 or 32. */
#include "o2m_linear_sparse.h"

/* Rows per tile, at most. */
enum { HIGH = 6, LOW = 2 };
/* s8, or through the table, or wider; any of them after a shift up by one */
enum { STORE_S8, STORE_TABLE, STORE_S16, STORE_S32 };

/* All columns of a tile of rows. Offsets are the assembly's. */
typedef struct sparse_tile {
  const uint8_t *stream;     /*  0 */
  const int32_t *bias;       /*  4: goes on with the columns, as do multiplier and y */
  const int32_t *multiplier; /*  8 */
  int32_t zero;              /* 12 */
  char *y;                   /* 16 */
  int32_t row_bytes;         /* 20 */
  int32_t column_bytes;      /* 24 */
  const uint32_t *x;         /* 28 */
  const int32_t *bias_end;   /* 32 */
  const int8_t *table;       /* 36 */
  int32_t store;             /* 40 */
  int32_t doubled;           /* 44: p->shift is 31 */
} sparse_tile;

static uint32_t pair(int32_t low, int32_t high) { return ((uint32_t)low & 0xffffu) | (uint32_t)high << 16; }

/* Block `b` of one row, `column` from one k to the next. */
static void put_block(const int8_t *x, int32_t column, int32_t b, int32_t depth, uint32_t *to) {
  int32_t v[4];
  for (int32_t i = 0; i < 4; ++i) v[i] = 4 * b + i < depth ? x[(4 * b + i) * column] : 0;
  to[0] = pair(v[0], v[2]);
  to[1] = pair(v[1], v[3]);
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

/* r0, r1: two rows, which may lie unaligned; r2: where to; r3: bytes from block to block; then the end of row 0. */
NAKED static void two_rows(const int8_t *x0, const int8_t *x1, uint32_t *to, int32_t pitch, const int8_t *end) {
  __asm__ volatile(
      "push {r4-r9}\n"
      "ldr r9, [sp, #24]\n"
      "1:\n"
      "  ldr r5, [r0], #4\n"
      "  ldr r7, [r1], #4\n"
      "  sxtb16 r4, r5\n"
      "  sxtb16 r5, r5, ror #8\n"
      "  sxtb16 r6, r7\n"
      "  sxtb16 r7, r7, ror #8\n"
      "  cmp r0, r9\n"
      "  stm r2, {r4-r7}\n"
      "  add r2, r3\n"
      "  bne 1b\n"
      "pop {r4-r9}\n"
      "bx lr\n");
}

#define STREAM "[sp]"
#define BIAS "[sp, #4]"
#define MULTIPLIER "[sp, #8]"
#define ZERO "[sp, #12]"
#define Y "[sp, #16]"
#define ROW_AND_COLUMN "[sp, #20]"
#define X "[sp, #28]"
#define BIAS_END "[sp, #32]"
#define TABLE "[sp, #36]"
#define FINISH "[sp, #40]"
#define STORE "[sp, #44]"
#define STREAM_END "[sp, #48]"

/* Where the columns' sums go when they are complete. r0: the tile, whose fields are on the stack already. */
#define CHOOSE_FINISH           \
  "ldrd r1, r2, [r0, #40]\n"    \
  "adr.w r3, 12f\n"             \
  "ldrh r1, [r3, r1, lsl #1]\n" \
  "add r1, r3\n"                \
  "str r1, " STORE              \
  "\n"                          \
  "cmp r2, #0\n"                \
  "it ne\n"                     \
  "ldrhne r1, [r3, #8]\n"       \
  "it ne\n"                     \
  "addne r1, r3\n"              \
  "str r1, " FINISH             \
  "\n"                          \
  "b 1f\n"                      \
  ".balign 2\n"                 \
  "12: .hword 20f-12b+1, 21f-12b+1, 22f-12b+1, 23f-12b+1, 19f-12b+1\n"

/* A column begins: r1: its blocks, r2: their number, r4: where they end, r6: the bias. */
#define BEGIN_COLUMN           \
  "  ldr r4, " BIAS            \
  "\n"                         \
  "  ldrh r2, [r1], #2\n"      \
  "  ldr r6, [r4], #4\n"       \
  "  ldr r0, " X               \
  "\n"                         \
  "  str r4, " BIAS            \
  "\n"                         \
  "  add r4, r2, r2, lsl #2\n" \
  "  add r4, r1\n"

/* r1: the block, 5 bytes that may lie unaligned; r12, lr: its weights (k0, k2), (k1, k3); r0: to the rows' block. */
#define WEIGHTS          \
  "  ldr r3, [r1], #4\n" \
  "  sxtb16 r12, r3\n"   \
  "  sxtb16 lr, r3, ror #8\n"
#define PAIR(a, b)             \
  "  ldm r0!, {r2-r5}\n"       \
  "  smlad " a ", r2, r12, " a \
  "\n"                         \
  "  smlad " b ", r4, r12, " b \
  "\n"                         \
  "  smlad " a ", r3, lr, " a  \
  "\n"                         \
  "  smlad " b ", r5, lr, " b "\n"
/* 24 products; 3 * gap * 16 bytes are skipped. */
#define BLOCK_OF_6 \
  "  ldrb r2, [r1], #1\n" WEIGHTS "  add r0, r0, r2, lsl #4\n" PAIR("r6", "r7") PAIR("r8", "r9") PAIR("r10", "r11")
/* 8 products; gap * 16 bytes are skipped: r8 holds 16 / 3 * 2^16, rounded up. */
#define BLOCK_OF_2 "  ldrb r2, [r1], #1\n" WEIGHTS "  mul r2, r2, r8\n  add r0, r0, r2, lsr #16\n" PAIR("r6", "r7")

#define TWO(op) op("r6") op("r7")
#define SIX(op) op("r6") op("r7") op("r8") op("r9") op("r10") op("r11")
#define DOUBLE(r) "  add " r ", " r "\n"
#define REQUANTIZE_ONE(r) "  smmlar " r ", " r ", r3, r5\n"
#define SATURATE_S8(r) "  ssat " r ", #8, " r "\n"
#define SATURATE_S16(r) "  ssat " r ", #16, " r "\n"
#define SATURATE_U8(r) "  usat " r ", #8, " r "\n"
#define LOOK_UP(r) "  ldrb " r ", [r3, " r "]\n"
#define REQUANTIZE(each)  \
  "  ldr r4, " MULTIPLIER \
  "\n"                    \
  "  ldr r5, " ZERO       \
  "\n"                    \
  "  ldr r3, [r4], #4\n"  \
  "  str r4, " MULTIPLIER "\n" each(REQUANTIZE_ONE)
#define LOAD_TABLE "  ldr r3, " TABLE "\n"
/* On to the next column, if there is one. r2, r12: from row to row; r3: from column to column. */
#define BEGIN_STORE                 \
  "  ldrd r12, r3, " ROW_AND_COLUMN \
  "\n"                              \
  "  ldr r0, " Y                    \
  "\n"                              \
  "  add r3, r0\n"                  \
  "  str r3, " Y "\n"
#define STORE_2(str) BEGIN_STORE str " r7, [r0, r12]\n" str " r6, [r0]\n"
#define STORE_6(str)                                                                                         \
  BEGIN_STORE str " r7, [r0, r12]\n" str " r6, [r0]\n  add r0, r0, r12, lsl #1\n" str " r9, [r0, r12]\n" str \
                  " r8, [r0]\n  add r0, r0, r12, lsl #1\n" str " r11, [r0, r12]\n" str " r10, [r0]\n"
#define NEXT_COLUMN     \
  "  ldr r2, " BIAS     \
  "\n"                  \
  "  ldr r3, " BIAS_END \
  "\n"                  \
  "  cmp r2, r3\n"      \
  "  bne.w 1b\n"        \
  "  b.w 9f\n"
#define FINISHES(each, store)                                                                               \
  "19:\n" each(DOUBLE) "  ldr pc, " STORE                                                                   \
                       "\n"                                                                                 \
                       "20:\n" REQUANTIZE(each) each(SATURATE_S8) store("  strb") NEXT_COLUMN               \
      "21:\n" REQUANTIZE(each) each(SATURATE_U8) LOAD_TABLE                                                 \
      each(LOOK_UP) store("  strb") NEXT_COLUMN "22:\n" REQUANTIZE(each) each(SATURATE_S16) store("  strh") \
          NEXT_COLUMN "23:\n" REQUANTIZE(each) store("  str") NEXT_COLUMN                                   \
      "9:\n"                                                                                                \
      "add sp, #56\n"                                                                                       \
      "pop {r4-r11, pc}\n"
/* stream .. table to the stack; r1: the stream */
#define ENTER           \
  "push {r4-r11, lr}\n" \
  "sub sp, #56\n"       \
  "mov lr, sp\n"        \
  "ldm r0, {r1-r10}\n"  \
  "stm lr, {r1-r10}\n"  \
  "str r1, " STREAM "\n"

NAKED static void tile_of_6(const sparse_tile *t) {
  __asm__ volatile(ENTER CHOOSE_FINISH
                   "1:\n"
                   "  ldr r1, " STREAM "\n" BEGIN_COLUMN "  str r4, " STREAM_END
                   "\n"
                   "  mov r7, r6\n"
                   "  mov r8, r6\n"
                   "  mov r9, r6\n"
                   "  mov r10, r6\n"
                   "  mov r11, r6\n"
                   "  str r4, " STREAM
                   "\n"
                   "  ands r2, r2, #3\n" /* the first round of the loop of 4 is entered late */
                   "  beq.w 8f\n"
                   "  cmp r2, #2\n"
                   "  bhi.w 7f\n"
                   "  beq.w 6f\n"
                   "  b.w 5f\n"
                   "3:\n" BLOCK_OF_6 "7:\n" BLOCK_OF_6 "6:\n" BLOCK_OF_6 "5:\n" BLOCK_OF_6
                   "8:\n"
                   "  ldr r2, " STREAM_END
                   "\n"
                   "  cmp r1, r2\n"
                   "  bne.w 3b\n"
                   "  ldr pc, " FINISH "\n" FINISHES(SIX, STORE_6));
}

NAKED static void tile_of_2(const sparse_tile *t) {
  __asm__ volatile(ENTER CHOOSE_FINISH
                   "1:\n"
                   "  ldr r1, " STREAM "\n" BEGIN_COLUMN "  str r4, " STREAM
                   "\n"
                   "  mov r7, r6\n"
                   "  mov r9, r4\n"
                   "  movw r8, #0x5556\n"
                   "  movt r8, #5\n"
                   "  tst r2, #1\n" /* the first round of the loop of 2 is entered late */
                   "  beq.w 8f\n"
                   "  b.w 5f\n"
                   "3:\n" BLOCK_OF_2 "5:\n" BLOCK_OF_2
                   "8:\n"
                   "  cmp r1, r9\n"
                   "  bne.w 3b\n"
                   "  ldr pc, " FINISH "\n" FINISHES(TWO, STORE_2));
}

#pragma GCC diagnostic pop

typedef char sparse_tile_is_as_the_assembly_reads_it[sizeof(sparse_tile) == 48 ? 1 : -1];

/* Returns how many blocks are done. */
static int32_t whole_blocks(const int8_t *x0, const int8_t *x1, uint32_t *to, int32_t height, int32_t depth) {
  if (depth >= 4) two_rows(x0, x1, to, 8 * height, x0 + depth / 4 * 4);
  return depth / 4;
}
static void do_tile(const sparse_tile *t, int32_t height) { (height == HIGH ? tile_of_6 : tile_of_2)(t); }

#else

static int32_t whole_blocks(const int8_t *x0, const int8_t *x1, uint32_t *to, int32_t height, int32_t depth) {
  (void)x0, (void)x1, (void)to, (void)height, (void)depth;
  return 0;
}

static int32_t dual_product(uint32_t a, uint32_t b) {
  return (int16_t)(a & 0xffffu) * (int16_t)(b & 0xffffu) + (int16_t)(a >> 16) * (int16_t)(b >> 16);
}

static void finish(int32_t sum, char *y, int32_t multiplier, const sparse_tile *t) {
  const int32_t q = t->zero + o2m_requantize(sum, multiplier, t->doubled ? 31 : 32);
  if (t->store == STORE_S8) {
    *(int8_t *)y = o2m_saturate_s8(q);
  } else if (t->store == STORE_TABLE) {
    *(int8_t *)y = t->table[o2m_saturate_u8(q)];
  } else if (t->store == STORE_S16) {
    *(int16_t *)(void *)y = o2m_saturate_s16(q);
  } else {
    *(int32_t *)(void *)y = q;
  }
}

static void do_tile(const sparse_tile *t, int32_t height) {
  const uint8_t *stream = t->stream;
  for (int32_t n = 0; t->bias + n != t->bias_end; ++n) {
    const int32_t count = o2m_sparse_count(stream);
    int32_t sums[HIGH], k = 0;
    for (int32_t r = 0; r < height; ++r) sums[r] = t->bias[n];
    stream += O2M_SPARSE_HEAD;
    for (int32_t i = 0; i < count; ++i, stream += O2M_SPARSE_BLOCK, k += 4) {
      k += o2m_sparse_skip(stream[0]);
      uint32_t w[2];
      put_block((const int8_t *)stream + 1, 1, 0, 4, w);
      const uint32_t *const x = t->x + k / 4 * 2 * height;
      for (int32_t r = 0; r < height; ++r) sums[r] += dual_product(x[2 * r], w[0]) + dual_product(x[2 * r + 1], w[1]);
    }
    for (int32_t r = height - 1; r >= 0; --r) {
      finish(sums[r], t->y + r * t->row_bytes + n * t->column_bytes, t->multiplier[n], t);
    }
  }
}

#endif

/* `height` rows of x, `row` apart, to scratch. */
static void put_rows(const int8_t *x, int32_t row, int32_t height, const o2m_linear_params *p, uint32_t *to) {
  const int32_t blocks = (p->depth + 3) / 4;
  for (int32_t r = 0; r < height; r += 2, to += 4) {
    const int8_t *const x0 = x + r * row, *const x1 = x0 + row;
    int32_t b = p->x_column == 1 ? whole_blocks(x0, x1, to, height, p->depth) : 0;
    for (; b < blocks; ++b) {
      put_block(x0, p->x_column, b, p->depth, to + 2 * b * height);
      put_block(x1, p->x_column, b, p->depth, to + 2 * b * height + 2);
    }
  }
}

/* All but the place of a tile of rows. */
static sparse_tile tile_of(const o2m_linear_params *p, const uint32_t *x) {
  sparse_tile t;
  t.stream = (const uint8_t *)p->weights;
  t.bias = p->bias;
  t.multiplier = p->multiplier;
  t.zero = p->y_zero + (p->table ? 128 : 0);
  t.y = 0;
  t.row_bytes = p->y_row * p->y_bytes;
  t.column_bytes = p->y_column * p->y_bytes;
  t.x = x;
  t.bias_end = p->bias + p->columns;
  t.table = p->table;
  t.store = p->table ? STORE_TABLE : p->y_bytes == 1 ? STORE_S8 : p->y_bytes == 2 ? STORE_S16 : STORE_S32;
  t.doubled = p->shift == 31;
  return t;
}

/* x [rows][depth] -> y [rows][columns]. scratch: 48 bytes per block of 4 k; 16 where there are fewer than 6 rows. The
 * last tile may reach back over rows that are done: the same bytes again. One row alone stands twice in its pair. */
void O2M_SYM(o2m_linear_sparse_s8_dsp)(const int8_t *x, void *y, int32_t rows, const o2m_linear_params *p,
                                       void *scratch) {
  uint32_t *const panels = (uint32_t *)scratch;
  sparse_tile tile = tile_of(p, panels);
  if (rows == 1) tile.row_bytes = 0;
  for (int32_t t = 0; t < rows;) {
    const int32_t height = rows >= HIGH && rows - t > LOW ? HIGH : LOW;
    const int32_t first = rows == 1 ? 0 : o2m_min(t, rows - height);
    put_rows(x + first * p->x_row, rows == 1 ? 0 : p->x_row, height, p, panels);
    tile.y = (char *)y + first * p->y_row * p->y_bytes;
    do_tile(&tile, height);
    t = first + height;
  }
}
