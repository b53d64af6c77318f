/* o2m_attention_s8_armv7m.c - softmax(q k^T factor + mask) v, s8 operands, for plain Armv7-M (Cortex-M3). Two query
 * rows at a time: they lie side by side in scratch, element by element, and meet three keys, or four columns of v,
 * where those are. */
#include "o2m_attention_s8.h"

#if defined(__ARM_ARCH) && __ARM_ARCH >= 7 && defined(__thumb2__)
#include "o2m_attention_exp.h"

#define NOINLINE __attribute__((noinline)) /* scores, exponentials and rows show up apart in a profile */

enum { ROWS = 2, LINES = 4, SUMS = ROWS * LINES };

/* ---- Sums of two rows and three or four lines ---- */

#define TILE(text)                                 \
  register const int16_t *r0 __asm__("r0") = rows; \
  register const void *r1 __asm__("r1") = from;    \
  register const int16_t *r2 __asm__("r2") = end;  \
  register int32_t *r3 __asm__("r3") = sums;       \
  register int32_t r12 __asm__("r12") = step;      \
  __asm__ volatile(text : "+r"(r0), "+r"(r1), "+r"(r2), "+r"(r3), "+r"(r12) : : "cc", "memory")

/* Three lines at r1, r12 and lr; r0 rows, r3 r4 an element of each, r5 of a line, r6-r8 the sums of row 0, r9-r11 of
 * row 1. Stack: the end of the rows, sums. */
#define THREE(at0, at1, at2) \
  "ldrsh r3, [r0], #2\n"     \
  "ldrsh r4, [r0], #2\n"     \
  "ldrsb r5, [r1]" at0       \
  "\n"                       \
  "mla r6, r3, r5, r6\n"     \
  "mla r9, r4, r5, r9\n"     \
  "ldrsb r5, [r12]" at1      \
  "\n"                       \
  "mla r7, r3, r5, r7\n"     \
  "mla r10, r4, r5, r10\n"   \
  "ldrsb r5, [lr]" at2       \
  "\n"                       \
  "mla r8, r3, r5, r8\n"     \
  "mla r11, r4, r5, r11\n"
#define DENSE THREE(", #1", ", #1", ", #1")
#define THREE_BEGIN         \
  "push {r2-r11, lr}\n"     \
  "mov r2, r12\n"           \
  "ldm r1, {r1, r12, lr}\n" \
  "mov r6, #0\nmov r7, #0\nmov r8, #0\nmov r9, #0\nmov r10, #0\nmov r11, #0\n"
#define THREE_END      \
  "ldr r3, [sp, #4]\n" \
  "stm r3!, {r6-r8}\n" \
  "add r3, r3, #4\n"   \
  "stm r3, {r9-r11}\n" \
  "pop {r2-r11, lr}\n"

/* Elements of a line side by side; four of them a round. r2: the end of whole rounds. */
static NOINLINE void dot_dense(const int16_t *rows, const int8_t *const *from, int32_t step, const int16_t *end,
                               int32_t sums[SUMS]) {
  TILE(THREE_BEGIN
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
       "bne 3b\n" THREE_END);
}

/* Any layout. r2: step. */
static NOINLINE void dot_strided(const int16_t *rows, const int8_t *const *from, int32_t step, const int16_t *end,
                                 int32_t sums[SUMS]) {
  TILE(THREE_BEGIN "1:\n" THREE(
      "", "",
      "") "add r1, r1, r2\n"
          "add r12, r12, r2\n"
          "add lr, lr, r2\n"
          "ldr r3, [sp]\n"
          "cmp r0, r3\n"
          "bne 1b\n" THREE_END);
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
  for (int32_t m = 0, keys; m < p->keys; m += keys) {
    keys = lines_of(p->k.row, p->keys - m);
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
  for (int32_t c = 0, columns; c < p->columns; c += columns) {
    columns = lines_of(p->v.column, p->columns - c);
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

void O2M_SYM(o2m_attention_s8_armv7m)(const int8_t *q, const int8_t *k, const int8_t *v, void *y, int32_t first,
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

void O2M_SYM(o2m_attention_s8_armv7m)(const int8_t *q, const int8_t *k, const int8_t *v, void *y, int32_t first,
                                      int32_t rows, void *scratch, const o2m_attention_params *p) {
  o2m_attention_scalar(q, k, v, y, first, rows, scratch, p);
}
#endif
