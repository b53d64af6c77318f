/* o2m_attention_s8_rv32.c - softmax(q k^T factor + mask) v, s8 operands, for RV32IM. Four query rows at a time: they
 * lie side by side in scratch, element by element, and meet four keys, or four columns of v, where those are. */
#include "o2m_attention_s8.h"

#if defined(__riscv_mul) && __riscv_xlen == 32
#include "o2m_attention_exp.h"

#define NOINLINE __attribute__((noinline)) /* scores, exponentials and rows show up apart in a profile */

enum { ROWS = 4, LINES = 4, SUMS = ROWS * LINES };

/* ---- Sums of four rows and four lines ---- */

/* a0: rows, s16, element by element; t0-t3 an element of each row, t4 of a line, t5 a product; s0-s11, a4-a7: the sums,
 * row by row. Lines: at a1, a2, a3, t6; or side by side at a1, elements a2 apart; or elements ra apart. */
#define SAVE                                                                                               \
  "addi sp, sp, -80\n"                                                                                     \
  "sw s0, 0(sp)\nsw s1, 4(sp)\nsw s2, 8(sp)\nsw s3, 12(sp)\nsw s4, 16(sp)\nsw s5, 20(sp)\nsw s6, 24(sp)\n" \
  "sw s7, 28(sp)\nsw s8, 32(sp)\nsw s9, 36(sp)\nsw s10, 40(sp)\nsw s11, 44(sp)\nsw ra, 48(sp)\n"           \
  "sw a4, 52(sp)\n"                                                                                        \
  "li s0, 0\nli s1, 0\nli s2, 0\nli s3, 0\nli s4, 0\nli s5, 0\nli s6, 0\nli s7, 0\n"                       \
  "li s8, 0\nli s9, 0\nli s10, 0\nli s11, 0\nli a4, 0\nli a5, 0\nli a6, 0\nli a7, 0\n"
#define STORE                                                                                              \
  "lw t0, 52(sp)\n"                                                                                        \
  "sw s0, 0(t0)\nsw s1, 4(t0)\nsw s2, 8(t0)\nsw s3, 12(t0)\nsw s4, 16(t0)\nsw s5, 20(t0)\nsw s6, 24(t0)\n" \
  "sw s7, 28(t0)\nsw s8, 32(t0)\nsw s9, 36(t0)\nsw s10, 40(t0)\nsw s11, 44(t0)\nsw a4, 48(t0)\n"           \
  "sw a5, 52(t0)\nsw a6, 56(t0)\nsw a7, 60(t0)\n"                                                          \
  "lw s0, 0(sp)\nlw s1, 4(sp)\nlw s2, 8(sp)\nlw s3, 12(sp)\nlw s4, 16(sp)\nlw s5, 20(sp)\nlw s6, 24(sp)\n" \
  "lw s7, 28(sp)\nlw s8, 32(sp)\nlw s9, 36(sp)\nlw s10, 40(sp)\nlw s11, 44(sp)\nlw ra, 48(sp)\n"           \
  "addi sp, sp, 80\n"
#define LINE(at, s0, s1, s2, s3)    \
  "lb t4, " at                      \
  "\n"                              \
  "mul t5, t0, t4\nadd " s0 ", " s0 \
  ", t5\n"                          \
  "mul t5, t1, t4\nadd " s1 ", " s1 \
  ", t5\n"                          \
  "mul t5, t2, t4\nadd " s2 ", " s2 \
  ", t5\n"                          \
  "mul t5, t3, t4\nadd " s3 ", " s3 ", t5\n"
#define ELEMENT(r0, r1, r2, r3, at0, at1, at2, at3)                                                                \
  "lh t0, " r0 "(a0)\nlh t1, " r1 "(a0)\nlh t2, " r2 "(a0)\nlh t3, " r3 "(a0)\n" LINE(at0, "s0", "s4", "s8", "a4") \
      LINE(at1, "s1", "s5", "s9", "a5") LINE(at2, "s2", "s6", "s10", "a6") LINE(at3, "s3", "s7", "s11", "a7")
#define DENSE(r0, r1, r2, r3, n) ELEMENT(r0, r1, r2, r3, n "(a1)", n "(a2)", n "(a3)", n "(t6)")
#define ADJACENT(r0, r1, r2, r3) ELEMENT(r0, r1, r2, r3, "0(a1)", "1(a1)", "2(a1)", "3(a1)") "add a1, a1, a2\n"

#define TILE(text)                                                    \
  register const int16_t *a0 __asm__("a0") = rows;                    \
  register const void *a1 __asm__("a1") = from;                       \
  register int32_t a2 __asm__("a2") = step;                           \
  register const int16_t *a3 __asm__("a3") = end;                     \
  register int32_t *a4 __asm__("a4") = sums;                          \
  __asm__ volatile(SAVE text STORE                                    \
                   : "+r"(a0), "+r"(a1), "+r"(a2), "+r"(a3), "+r"(a4) \
                   :                                                  \
                   : "a5", "a6", "a7", "t0", "t1", "t2", "t3", "t4", "t5", "t6", "memory")

/* Elements of a line side by side; the rows end at `end`, four by four elements at a multiple of four. */
static NOINLINE void dot_dense(const int16_t *rows, const int8_t *const *from, int32_t step, const int16_t *end,
                               int32_t sums[SUMS]) {
  TILE(
      "sub t0, a3, a0\n"
      "andi t0, t0, -32\n"
      "add ra, a0, t0\n"
      "sw a3, 56(sp)\n"
      "lw t6, 12(a1)\n"
      "lw a3, 8(a1)\n"
      "lw a2, 4(a1)\n"
      "lw a1, 0(a1)\n"
      "beq a0, ra, 2f\n"
      "1:\n" DENSE("0", "2", "4", "6", "0") DENSE("8", "10", "12", "14", "1") DENSE("16", "18", "20", "22", "2")
          DENSE("24", "26", "28", "30", "3")
      "addi a0, a0, 32\n"
      "addi a1, a1, 4\n"
      "addi a2, a2, 4\n"
      "addi a3, a3, 4\n"
      "addi t6, t6, 4\n"
      "bne a0, ra, 1b\n"
      "2: lw ra, 56(sp)\n"
      "beq a0, ra, 4f\n"
      "3:\n" DENSE("0", "2", "4", "6", "0")
      "addi a0, a0, 8\n"
      "addi a1, a1, 1\n"
      "addi a2, a2, 1\n"
      "addi a3, a3, 1\n"
      "addi t6, t6, 1\n"
      "bne a0, ra, 3b\n"
      "4:\n");
}

/* Lines side by side, elements `step` apart. */
static NOINLINE void dot_adjacent(const int16_t *rows, const int8_t *from, int32_t step, const int16_t *end,
                                  int32_t sums[SUMS]) {
  TILE(
      "sub t0, a3, a0\n"
      "andi t0, t0, -32\n"
      "add ra, a0, t0\n"
      "beq a0, ra, 2f\n"
      "1:\n" ADJACENT("0", "2", "4", "6") ADJACENT("8", "10", "12", "14") ADJACENT("16", "18", "20", "22")
          ADJACENT("24", "26", "28", "30")
      "addi a0, a0, 32\n"
      "bne a0, ra, 1b\n"
      "2: beq a0, a3, 4f\n"
      "3:\n" ADJACENT("0", "2", "4", "6")
      "addi a0, a0, 8\n"
      "bne a0, a3, 3b\n"
      "4:\n");
}

/* Any layout. */
static NOINLINE void dot_strided(const int16_t *rows, const int8_t *const *from, int32_t step, const int16_t *end,
                                 int32_t sums[SUMS]) {
  TILE(
      "sw a3, 56(sp)\n"
      "mv ra, a2\n"
      "lw t6, 12(a1)\n"
      "lw a3, 8(a1)\n"
      "lw a2, 4(a1)\n"
      "lw a1, 0(a1)\n"
      "1:\n" DENSE("0", "2", "4", "6", "0")
      "lw t0, 56(sp)\n"
      "addi a0, a0, 8\n"
      "add a1, a1, ra\n"
      "add a2, a2, ra\n"
      "add a3, a3, ra\n"
      "add t6, t6, ra\n"
      "bne a0, t0, 1b\n");
}

/* Sums of four rows of `count` elements with the first `present` (1 to 4) of four lines, `line` apart. */
static void dot(const int16_t *rows, const int8_t *at, int32_t line, int32_t step, int32_t count, int32_t present,
                int32_t sums[SUMS]) {
  const int16_t *const end = rows + ROWS * count;
  const int8_t *lines[LINES];
  if (line == 1 && present == LINES) {
    dot_adjacent(rows, at, step, end, sums);
    return;
  }
  for (int32_t i = 0; i < LINES; ++i) lines[i] = at + o2m_min(i, present - 1) * line;
  if (step == 1) {
    dot_dense(rows, lines, step, end, sums);
  } else {
    dot_strided(rows, lines, step, end, sums);
  }
}

/* ---- Scores ---- */

typedef struct tile {
  int32_t rows;              /* up to ROWS; the last one stands for those that are missing */
  int16_t *queries, *scores; /* [P][ROWS], [M][ROWS]; exponentials in place of scores */
  const int16_t *mask[ROWS]; /* of each row, or null */
  int32_t start[ROWS];       /* what zero_k adds to the scores of a row */
} tile;

static void load_queries(tile *t, const int8_t *q, const o2m_attention_params *p) {
  for (int32_t r = 0; r < ROWS; ++r) {
    const int8_t *from = q + o2m_min(r, t->rows - 1) * p->q.row;
    int32_t sum = 0;
    for (int32_t i = 0; i < p->depth; ++i, from += p->q.column) {
      const int32_t x = *from - p->q_zero;
      t->queries[ROWS * i + r] = (int16_t)x;
      sum += x;
    }
    t->start[r] = -sum * p->k_zero;
  }
}

/* acc * score_multiplier / 2^score_shift, rounded: with a shift from 33 on, the upper word of the product is all it
 * takes. */
typedef struct scale {
  int32_t multiplier, half, shift; /* shift 0: the general form */
} scale;
static scale scale_of(const o2m_attention_params *p) {
  scale s = {p->score_multiplier, 0, 0};
  int32_t shift = p->score_shift;
  for (; shift < 34 && s.multiplier < 0x40000000; ++shift) s.multiplier *= 2;
  if (shift >= 33 && shift < 63) {
    s.shift = shift - 32;
    s.half = 1 << (shift - 33);
  }
  return s;
}
static inline int32_t upper_product(int32_t a, int32_t b) { return (int32_t)o2m_floor_shift((int64_t)a * b, 32); }

static int32_t score_of(int32_t acc, const scale *s, const int16_t *mask, const o2m_attention_params *p) {
  const int32_t score = s->shift != 0 ? o2m_floor_shift32(upper_product(acc, s->multiplier) + s->half, s->shift)
                                      : o2m_requantize(acc, p->score_multiplier, p->score_shift);
  if (!mask) return o2m_saturate_s16(score);
  return *mask == -32768 ? -32768 : o2m_saturate_s16(score + *mask);
}

/* A row's scores of some keys, without a mask, where the upper word of a product is all it takes. */
static inline void put_scores(int16_t *to, const int32_t *sums, int32_t start, int32_t keys, const scale *s) {
  const int32_t multiplier = s->multiplier, half = s->half, shift = s->shift;
  for (const int32_t *const end = sums + keys; sums != end; ++sums, to += ROWS) {
    *to = o2m_saturate_s16(o2m_floor_shift32(upper_product(*sums + start, multiplier) + half, shift));
  }
}

static NOINLINE void dot_scores(const tile *t, const int8_t *k, const o2m_attention_params *p) {
  const scale s = scale_of(p);
  for (int32_t m = 0; m < p->keys; m += LINES) {
    const int32_t keys = o2m_min(LINES, p->keys - m);
    int32_t sums[SUMS];
    dot(t->queries, k + m * p->k.row, p->k.row, p->k.column, p->depth, keys, sums);
    for (int32_t r = 0; r < ROWS; ++r) {
      const int16_t *const mask = t->mask[r] ? t->mask[r] + m : 0;
      if (s.shift != 0 && !mask) {
        put_scores(t->scores + ROWS * m + r, sums + LINES * r, t->start[r], keys, &s);
        continue;
      }
      for (int32_t i = 0; i < keys; ++i) {
        const int32_t score = score_of(sums[LINES * r + i] + t->start[r], &s, mask ? mask + i : 0, p);
        t->scores[ROWS * (m + i) + r] = (int16_t)score;
      }
    }
  }
}

/* ---- Exponentials ---- */

static inline int16_t exponential_of(int32_t below) { return below < O2M_EXPONENTIALS ? o2m_exponential[below] : 0; }

/* One row's scores become exponentials in place, four a round; returns their sum. */
static int32_t exponentiate(int16_t *scores, int32_t keys) {
  const int16_t *const end = scores + ROWS * keys;
  int32_t largest = -32768, sum = 0;
  const int16_t *s = scores;
  for (; keys >= 4; keys -= 4, s += 4 * ROWS) {
    largest = o2m_max(o2m_max(largest, s[0]), s[ROWS]);
    largest = o2m_max(o2m_max(largest, s[2 * ROWS]), s[3 * ROWS]);
  }
  for (; s != end; s += ROWS) largest = o2m_max(largest, *s);
  for (; end - scores >= 4 * ROWS; scores += 4 * ROWS) {
    for (int32_t i = 0; i < 4; ++i) sum += scores[ROWS * i] = exponential_of(largest - scores[ROWS * i]);
  }
  for (; scores != end; scores += ROWS) sum += *scores = exponential_of(largest - *scores);
  return sum;
}

/* As average_of() of the scalar kernel has it. */
typedef struct average {
  int32_t multiplier, shift, start;
} average;

static NOINLINE void softmax(const tile *t, average of[ROWS], const o2m_attention_params *p) {
  for (int32_t r = 0; r < ROWS; ++r) {
    const int32_t sum = exponentiate(t->scores + r, p->keys), bits = o2m_bits((uint64_t)sum);
    of[r].multiplier = o2m_divide_scaled((uint32_t)p->y_multiplier, bits - 1, (uint32_t)sum);
    of[r].shift = p->y_shift + bits - 1;
    of[r].start = -sum * p->v_zero;
  }
}

/* ---- Rows of y ---- */

static int32_t average_at(int32_t acc, const average *of) {
  if (of->shift < 33 || of->shift > 62) return o2m_requantize(acc, of->multiplier, of->shift);
  return o2m_floor_shift32(upper_product(acc, of->multiplier) + (1 << (of->shift - 33)), of->shift - 32);
}

static NOINLINE void dot_rows(const tile *t, const average of[ROWS], const int8_t *v, void *y,
                              const o2m_attention_params *p) {
  for (int32_t c = 0; c < p->columns; c += LINES) {
    const int32_t columns = o2m_min(LINES, p->columns - c);
    int32_t sums[SUMS];
    dot(t->scores, v + c * p->v.column, p->v.column, p->v.row, p->keys, columns, sums);
    for (int32_t r = 0; r < t->rows; ++r) {
      int32_t at = r * p->y.row + c * p->y.column;
      for (int32_t i = 0; i < columns; ++i, at += p->y.column) {
        const int32_t value = p->y_zero + average_at(sums[LINES * r + i] + of[r].start, of + r);
        if (p->y_bytes == 1) {
          ((int8_t *)y)[at] = o2m_saturate_s8(value);
        } else {
          ((int16_t *)y)[at] = o2m_saturate_s16(value);
        }
      }
    }
  }
}

/* ---- Heads ---- */

static void head(const int8_t *q, const int8_t *k, const int8_t *v, int8_t *y, const int16_t *mask, int32_t rows,
                 int16_t *scratch, const o2m_attention_params *p) {
  tile t;
  average of[ROWS];
  t.scores = scratch;
  t.queries = scratch + ROWS * p->keys;
  for (int32_t n = 0; n < rows; n += ROWS) {
    t.rows = o2m_min(ROWS, rows - n);
    for (int32_t r = 0; r < ROWS; ++r) t.mask[r] = mask ? mask + (n + o2m_min(r, t.rows - 1)) * p->mask_layout.row : 0;
    load_queries(&t, q + n * p->q.row, p);
    dot_scores(&t, k, p);
    softmax(&t, of, p);
    dot_rows(&t, of, v, y + n * p->y.row * p->y_bytes, p);
  }
}

void O2M_SYM(o2m_attention_s8_rv32)(const int8_t *q, const int8_t *k, const int8_t *v, void *y, int32_t first,
                                    int32_t rows, void *scratch, const o2m_attention_params *p) {
  for (int32_t g = 0; g < p->groups; ++g) {
    for (int32_t h = 0; h < p->heads; ++h) {
      const o2m_attention_layout *const m = &p->mask_layout;
      const int16_t *const mask = p->mask ? p->mask + g * m->group + h * m->head + first * m->row : 0;
      head(q + g * p->q.group + h * p->q.head, k + g * p->k.group + h * p->k.head, v + g * p->v.group + h * p->v.head,
           (int8_t *)y + (g * p->y.group + h * p->y.head) * p->y_bytes, mask, rows, (int16_t *)scratch, p);
    }
  }
}

#else /* not compiled for such a core: the same bytes from C */
#include "o2m_attention_scalar.h"

void O2M_SYM(o2m_attention_s8_rv32)(const int8_t *q, const int8_t *k, const int8_t *v, void *y, int32_t first,
                                    int32_t rows, void *scratch, const o2m_attention_params *p) {
  o2m_attention_scalar(q, k, v, y, first, rows, scratch, p);
}
#endif
