/* o2m_linear_s8_rv32.c - linear layer, s8 input, on RV32IM: tiles of 4 rows by 4 columns, whose 16 sums stay in
 * registers while a call walks all columns of its rows; fewer than 4 rows are read where they lie. Where the compiler
 * is not given such a core, plain C gives the same bytes. */
#include "o2m_linear.h"

/* Four rows by some groups of columns. Offsets are the assembly's. */
typedef struct tiles {
  const int8_t *x;       /*  0: [blocks][4 k][4 rows] */
  const int8_t *x_end;   /*  4 */
  const int8_t *weights; /*  8: goes on with the columns, as do bias, multiplier and y */
  const int32_t *bias;   /* 12 */
  const int32_t *multiplier;
  int32_t zero;        /* 20 */
  int8_t *y[4];        /* 24: where the rows lie */
  int32_t column;      /* 40: bytes from one column to the next */
  const int8_t *table; /* 44: or null */
  int32_t low, high;   /* 48 */
  int32_t groups;      /* 56: > 0 */
  int32_t up;          /* 60: 32 - shift */
  int32_t *sums;       /* 64: [4 rows][4 columns]; not null: the sums of one group, and nothing else */
} tiles;

#if defined(__riscv) && __riscv_xlen == 32 && defined(__riscv_mul)

#define SUMS(op)                                                                                                \
  op("s0") op("s1") op("s2") op("s3") op("s4") op("s5") op("s6") op("s7") op("s8") op("s9") op("s10") op("s11") \
      op("t3") op("t4") op("t5") op("t6")
/* a1: weights of four columns; t0, t1, t2, ra: one k of four rows */
#define COLUMN(at, r0, r1, r2, r3) \
  "  lb a6, " at                   \
  "(a1)\n"                         \
  "  mul a4, t0, a6\n"             \
  "  mul a5, t1, a6\n"             \
  "  add " r0 ", " r0              \
  ", a4\n"                         \
  "  add " r1 ", " r1              \
  ", a5\n"                         \
  "  mul a4, t2, a6\n"             \
  "  mul a5, ra, a6\n"             \
  "  add " r2 ", " r2              \
  ", a4\n"                         \
  "  add " r3 ", " r3 ", a5\n"
#define ONE_K(x0, x1, x2, x3, w0, w1, w2, w3)                                                   \
  "  lb t0, " x0                                                                                \
  "(a0)\n"                                                                                      \
  "  lb t1, " x1                                                                                \
  "(a0)\n"                                                                                      \
  "  lb t2, " x2                                                                                \
  "(a0)\n"                                                                                      \
  "  lb ra, " x3 "(a0)\n" COLUMN(w0, "s0", "s4", "s8", "t3") COLUMN(w1, "s1", "s5", "s9", "t4") \
      COLUMN(w2, "s2", "s6", "s10", "t5") COLUMN(w3, "s3", "s7", "s11", "t6")
#define BLOCK                                       \
  ONE_K("0", "1", "2", "3", "0", "4", "8", "12")    \
  ONE_K("4", "5", "6", "7", "1", "5", "9", "13")    \
  ONE_K("8", "9", "10", "11", "2", "6", "10", "14") \
  ONE_K("12", "13", "14", "15", "3", "7", "11", "15")
#define SHIFT_UP(r) "  sll " r ", " r ", a4\n"
/* zero (a7) + floor(r * a4 / 2^32 + 1/2), between a2 and a1; on to the next column (a0 bytes) */
#define REQUANTIZE(r)   \
  "  mul a5, " r        \
  ", a4\n"              \
  "  mulh " r ", " r    \
  ", a4\n"              \
  "  srli a5, a5, 31\n" \
  "  add " r ", " r     \
  ", a7\n"              \
  "  add " r ", " r     \
  ", a5\n"              \
  "  bge a1, " r        \
  ", 7f\n"              \
  "  mv " r             \
  ", a1\n"              \
  "7: bge " r           \
  ", a2, 7f\n"          \
  "  mv " r             \
  ", a2\n"              \
  "7:\n"
#define STORE(r, y) "  sb " r ", 0(" y ")\n  add " y ", " y ", a0\n"
#define LOOK_UP(r) "  add " r ", " r ", a3\n  lbu " r ", 0(" r ")\n"
#define NOTHING(r)
#define FINISH_COLUMN(at, then, r0, r1, r2, r3)                                                           \
  "  lw a4, " at "(a6)\n" REQUANTIZE(r3) then(r3) STORE(r3, "ra") REQUANTIZE(r2) then(r2) STORE(r2, "t2") \
      REQUANTIZE(r1) then(r1) STORE(r1, "t1") REQUANTIZE(r0) then(r0) STORE(r0, "t0")
#define FINISH(then)                                \
  FINISH_COLUMN("0", then, "s0", "s4", "s8", "t3")  \
  FINISH_COLUMN("4", then, "s1", "s5", "s9", "t4")  \
  FINISH_COLUMN("8", then, "s2", "s6", "s10", "t5") \
  FINISH_COLUMN("12", then, "s3", "s7", "s11", "t6")

/* a3: t; a0: x, up to a2; sums of row 0: s0 .. s3, row 1: s4 .. s7, row 2: s8 .. s11, row 3: t3 .. t6 */
#ifdef __clang__
#define NAKED __attribute__((naked, noinline))
#else
#define NAKED __attribute__((naked, noipa)) /* no clones: the parameter is in a0 */
#endif
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
NAKED static void run_tiles(tiles *t) {
  __asm__ volatile(
      "addi sp, sp, -64\n"
      "sw ra, 0(sp)\n"
      "sw s0, 4(sp)\n"
      "sw s1, 8(sp)\n"
      "sw s2, 12(sp)\n"
      "sw s3, 16(sp)\n"
      "sw s4, 20(sp)\n"
      "sw s5, 24(sp)\n"
      "sw s6, 28(sp)\n"
      "sw s7, 32(sp)\n"
      "sw s8, 36(sp)\n"
      "sw s9, 40(sp)\n"
      "sw s10, 44(sp)\n"
      "sw s11, 48(sp)\n"
      "sw a0, 52(sp)\n"
      "mv a3, a0\n"
      "1:\n" /* the next four columns */
      "  lw a0, 0(a3)\n"
      "  lw a2, 4(a3)\n"
      "  lw a1, 8(a3)\n"
      "  lw a4, 12(a3)\n"
      "  lw s0, 0(a4)\n"
      "  lw s1, 4(a4)\n"
      "  lw s2, 8(a4)\n"
      "  lw s3, 12(a4)\n"
      "  mv s4, s0\n"
      "  mv s8, s0\n"
      "  mv t3, s0\n"
      "  mv s5, s1\n"
      "  mv s9, s1\n"
      "  mv t4, s1\n"
      "  mv s6, s2\n"
      "  mv s10, s2\n"
      "  mv t5, s2\n"
      "  mv s7, s3\n"
      "  mv s11, s3\n"
      "  mv t6, s3\n"
      "2:\n" BLOCK
      "  addi a0, a0, 16\n"
      "  addi a1, a1, 16\n"
      "  bne a0, a2, 2b\n"
      "  lw a5, 64(a3)\n"
      "  bnez a5, 5f\n"
      "  sw a1, 8(a3)\n"
      "  lw a4, 12(a3)\n"
      "  addi a4, a4, 16\n"
      "  sw a4, 12(a3)\n"
      "  lw a4, 60(a3)\n"
      "  beqz a4, 3f\n" SUMS(SHIFT_UP)
      "3:\n"
      "  lw a6, 16(a3)\n"
      "  lw a7, 20(a3)\n"
      "  lw t0, 24(a3)\n"
      "  lw t1, 28(a3)\n"
      "  lw t2, 32(a3)\n"
      "  lw ra, 36(a3)\n"
      "  lw a0, 40(a3)\n"
      "  lw a2, 48(a3)\n"
      "  lw a1, 52(a3)\n"
      "  lw a3, 44(a3)\n"
      "  bnez a3, 4f\n" FINISH(NOTHING)
      "  j 6f\n"
      "4:\n" FINISH(LOOK_UP)
      "6:\n"
      "  lw a3, 52(sp)\n"
      "  addi a6, a6, 16\n"
      "  sw a6, 16(a3)\n"
      "  sw t0, 24(a3)\n"
      "  sw t1, 28(a3)\n"
      "  sw t2, 32(a3)\n"
      "  sw ra, 36(a3)\n"
      "  lw a4, 56(a3)\n"
      "  addi a4, a4, -1\n"
      "  sw a4, 56(a3)\n"
      "  beqz a4, 8f\n"
      "  j 1b\n"
      "5:\n"
      "  sw s0, 0(a5)\n"
      "  sw s1, 4(a5)\n"
      "  sw s2, 8(a5)\n"
      "  sw s3, 12(a5)\n"
      "  sw s4, 16(a5)\n"
      "  sw s5, 20(a5)\n"
      "  sw s6, 24(a5)\n"
      "  sw s7, 28(a5)\n"
      "  sw s8, 32(a5)\n"
      "  sw s9, 36(a5)\n"
      "  sw s10, 40(a5)\n"
      "  sw s11, 44(a5)\n"
      "  sw t3, 48(a5)\n"
      "  sw t4, 52(a5)\n"
      "  sw t5, 56(a5)\n"
      "  sw t6, 60(a5)\n"
      "8:\n"
      "lw ra, 0(sp)\n"
      "lw s0, 4(sp)\n"
      "lw s1, 8(sp)\n"
      "lw s2, 12(sp)\n"
      "lw s3, 16(sp)\n"
      "lw s4, 20(sp)\n"
      "lw s5, 24(sp)\n"
      "lw s6, 28(sp)\n"
      "lw s7, 32(sp)\n"
      "lw s8, 36(sp)\n"
      "lw s9, 40(sp)\n"
      "lw s10, 44(sp)\n"
      "lw s11, 48(sp)\n"
      "addi sp, sp, 64\n"
      "ret\n");
}
#pragma GCC diagnostic pop

/* Four k of one or two rows by four columns, without scratch: GCC spills such a tile. */
#define WEIGHT_1(w, s) "  lb %[w], " w "(%[at])\n  mul %[t], %[x], %[w]\n  add %[" s "], %[" s "], %[t]\n"
#define K_1(x, w0, w1, w2, w3) \
  "  lb %[x], " x "(%[x0])\n" WEIGHT_1(w0, "a0") WEIGHT_1(w1, "a1") WEIGHT_1(w2, "a2") WEIGHT_1(w3, "a3")
#define WEIGHT_2(w, s)       \
  WEIGHT_1(w, "a" s)         \
  "  mul %[t], %[y], %[w]\n" \
  "  add %[b" s "], %[b" s "], %[t]\n"
#define K_2(x, w0, w1, w2, w3) \
  "  lb %[x], " x              \
  "(%[x0])\n"                  \
  "  lb %[y], " x "(%[x1])\n" WEIGHT_2(w0, "0") WEIGHT_2(w1, "1") WEIGHT_2(w2, "2") WEIGHT_2(w3, "3")
#define FOUR_K(k) \
  k("0", "0", "4", "8", "12") k("1", "1", "5", "9", "13") k("2", "2", "6", "10", "14") k("3", "3", "7", "11", "15")
static inline void add_1x4(const int8_t *x0, const int8_t *w, int32_t a[4]) {
  int32_t x, weight, t;
  __asm__(FOUR_K(K_1)
          : [a0] "+r"(a[0]), [a1] "+r"(a[1]), [a2] "+r"(a[2]), [a3] "+r"(a[3]), [x] "=&r"(x), [w] "=&r"(weight),
            [t] "=&r"(t)
          : [x0] "r"(x0), [at] "r"(w), "m"(*(const int8_t(*)[4])x0), "m"(*(const int8_t(*)[16])w));
}
static inline void add_2x4(const int8_t *x0, const int8_t *x1, const int8_t *w, int32_t a[4], int32_t b[4]) {
  int32_t x, y, weight, t;
  __asm__(FOUR_K(K_2)
          : [a0] "+r"(a[0]), [a1] "+r"(a[1]), [a2] "+r"(a[2]), [a3] "+r"(a[3]), [b0] "+r"(b[0]), [b1] "+r"(b[1]),
            [b2] "+r"(b[2]), [b3] "+r"(b[3]), [x] "=&r"(x), [y] "=&r"(y), [w] "=&r"(weight), [t] "=&r"(t)
          : [x0] "r"(x0), [x1] "r"(x1), [at] "r"(w), "m"(*(const int8_t(*)[4])x0), "m"(*(const int8_t(*)[4])x1),
            "m"(*(const int8_t(*)[16])w));
}

#else

static inline void add_1x4(const int8_t *x0, const int8_t *w, int32_t a[4]) {
  for (int32_t k = 0; k < 4; ++k) o2m_linear_add(x0[k], w + k, a);
}
static inline void add_2x4(const int8_t *x0, const int8_t *x1, const int8_t *w, int32_t a[4], int32_t b[4]) {
  add_1x4(x0, w, a);
  add_1x4(x1, w, b);
}

static void sums_of(const tiles *t, int32_t sums[16]) {
  for (int32_t i = 0; i < 16; ++i) {
    const int8_t *w = t->weights + 4 * (i % 4);
    uint32_t sum = (uint32_t)t->bias[i % 4];
    for (const int8_t *x = t->x + i / 4; x < t->x_end; x += 16, w += 16) {
      for (int32_t k = 0; k < 4; ++k) sum += (uint32_t)(x[4 * k] * w[k]);
    }
    sums[i] = (int32_t)sum;
  }
}

static void run_tiles(tiles *t) {
  int32_t sums[16];
  if (t->sums) {
    sums_of(t, t->sums);
    return;
  }
  for (; t->groups > 0; --t->groups) {
    sums_of(t, sums);
    for (int32_t i = 15; i >= 0; --i) {
      const int32_t acc = (int32_t)((uint32_t)sums[i] << t->up);
      const int32_t q = o2m_clamp(t->zero + o2m_requantize(acc, t->multiplier[i % 4], 32), t->low, t->high);
      t->y[i / 4][i % 4 * t->column] = t->table ? t->table[q] : (int8_t)q;
    }
    t->weights += t->x_end - t->x;
    t->bias += 4;
    t->multiplier += 4;
    for (int32_t r = 0; r < 4; ++r) t->y[r] += 4 * t->column;
  }
}

#endif

/* Four rows, [k][row]; k beyond the depth is zero. */
static void interleave(const int8_t *x, const o2m_linear_params *p, int8_t *to) {
  const int8_t *const x1 = x + p->x_row, *const x2 = x1 + p->x_row, *const x3 = x2 + p->x_row;
  int32_t k = 0;
  for (int32_t at = 0; k < p->depth; ++k, at += p->x_column, to += 4) {
    to[0] = x[at];
    to[1] = x1[at];
    to[2] = x2[at];
    to[3] = x3[at];
  }
  for (; k % 4 != 0; ++k, to += 4) to[0] = to[1] = to[2] = to[3] = 0;
}

/* Columns n .. n + valid - 1 through the sums. */
static void store_sums(tiles *t, int8_t *y, int32_t n, int32_t valid, const o2m_linear_params *p) {
  int32_t bias[4] = {0, 0, 0, 0}, sums[16];
  for (int32_t i = 0; i < valid; ++i) bias[i] = p->bias[n + i];
  t->weights = o2m_linear_group(p, n);
  t->bias = bias;
  t->sums = sums;
  run_tiles(t);
  for (int32_t i = 0; i < 16; ++i) {
    const int32_t column = n + i % 4;
    if (i % 4 < valid) o2m_linear_store(p, y, i / 4 * p->y_row + column * p->y_column, column, sums[i]);
  }
}

static void store_groups(tiles *t, int8_t *y, int32_t groups, const o2m_linear_params *p) {
  t->weights = p->weights;
  t->bias = p->bias;
  t->multiplier = p->multiplier;
  t->table = p->table;
  t->zero = p->y_zero + (p->table ? 128 : 0);
  t->low = p->table ? 0 : -128;
  t->high = p->table ? 255 : 127;
  t->column = p->y_column;
  t->up = 32 - p->shift;
  t->groups = groups;
  t->sums = 0;
  for (int32_t r = 0; r < 4; ++r) t->y[r] = y + r * p->y_row;
  run_tiles(t);
}

/* One or two rows of k side by side. */
static void dot_1x4(const int8_t *x, const int8_t *w, int32_t depth, int32_t sums[4]) {
  int32_t a[4] = {0, 0, 0, 0}, k = 0;
  for (; k + 4 <= depth; k += 4, w += 16, x += 4) add_1x4(x, w, a);
  for (; k < depth; ++k, ++w, ++x) o2m_linear_add(*x, w, a);
  for (int32_t i = 0; i < 4; ++i) sums[i] = a[i];
}
static void dot_2x4(const int8_t *x0, const int8_t *x1, const int8_t *w, int32_t depth, int32_t sums[8]) {
  int32_t a[4] = {0, 0, 0, 0}, b[4] = {0, 0, 0, 0}, k = 0;
  for (; k + 4 <= depth; k += 4, w += 16, x0 += 4, x1 += 4) add_2x4(x0, x1, w, a, b);
  for (; k < depth; ++k, ++w) {
    o2m_linear_add(*x0++, w, a);
    o2m_linear_add(*x1++, w, b);
  }
  for (int32_t i = 0; i < 4; ++i) sums[i] = a[i], sums[4 + i] = b[i];
}

static void few_rows(const int8_t *x, void *y, int32_t first, int32_t count, int32_t up, const o2m_linear_params *p) {
  const int8_t *const from = x + first * p->x_row;
  if (p->x_column != 1) {
    o2m_linear_few_rows(x, y, first, count, up, p);
    return;
  }
  for (int32_t n = 0; n < p->columns; n += 4) {
    const int8_t *const w = o2m_linear_group(p, n);
    int32_t sums[8];
    if (count == 2) {
      dot_2x4(from, from + p->x_row, w, p->depth, sums);
    } else {
      dot_1x4(from, w, p->depth, sums);
    }
    o2m_linear_store_few(sums, y, first, count, n, up, p);
  }
}

/* Whether the tile's multiplication does: bytes out, and |acc| < 2^(shift - 1). */
static int32_t is_direct(const o2m_linear_params *p) {
  const int64_t most = (int64_t)256 * 127 * p->depth + (1 << 26);
  return p->y_bytes == 1 && most < (int64_t)1 << (p->shift - 1);
}

/* x [rows][depth] -> y [rows][columns]. scratch, from four rows on: four rows of x, their depth rounded up to 4. */
void O2M_SYM(o2m_linear_s8_rv32)(const int8_t *x, void *y, int32_t rows, const o2m_linear_params *p, void *scratch) {
  const int32_t direct = is_direct(p), whole = direct ? p->columns / 4 : 0;
  int32_t r = 0;
  tiles t;
  t.x = (const int8_t *)scratch;
  t.x_end = t.x + (p->depth + 3) / 4 * 16;
  for (; rows - r >= 4; r += 4) {
    int8_t *const to = (int8_t *)y + r * p->y_row * p->y_bytes;
    interleave(x + r * p->x_row, p, (int8_t *)scratch);
    if (whole > 0) store_groups(&t, to, whole, p);
    for (int32_t n = 4 * whole; n < p->columns; n += 4) store_sums(&t, to, n, o2m_min(4, p->columns - n), p);
  }
  for (; r < rows; r += 2) few_rows(x, y, r, o2m_min(2, rows - r), direct ? 32 - p->shift : -1, p);
}
