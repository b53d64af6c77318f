/* o2m_attention_s8_armv7m.c - softmax(q k^T factor + mask) v, s8 operands, for plain Armv7-M (Cortex-M3). Three query
 * rows at a time, widened to s32, meet two keys, or two columns of v, where those are; fewer rows go in pairs of s16,
 * which take a third of the scratch. */
#include "o2m_attention_s8.h"

#if defined(__ARM_ARCH) && __ARM_ARCH >= 7 && defined(__thumb2__)
#include "o2m_attention_armv7m.h"
#include "o2m_attention_exp.h"

/* ---- A tile ---- */

typedef struct tile {
  int32_t height;             /* rows that lie side by side: THREE of s32, or ROWS of s16 */
  int32_t rows;               /* of them that are there; the last one stands for those that are missing */
  void *queries, *scores;     /* [P][height], [M][height]; exponentials in place of scores */
  const int16_t *mask[THREE]; /* of each row, or null */
  int32_t start[THREE];       /* what zero_k adds to the scores of a row */
} tile;

static inline int32_t row_at(const void *rows, int32_t height, int32_t i) {
  return height == THREE ? ((const int32_t *)rows)[i] : ((const int16_t *)rows)[i];
}
static inline void put_row(void *rows, int32_t height, int32_t i, int32_t value) {
  if (height == THREE) {
    ((int32_t *)rows)[i] = value;
  } else {
    ((int16_t *)rows)[i] = (int16_t)value;
  }
}

static void load_queries(tile *t, const int8_t *q, const o2m_attention_params *p) {
  for (int32_t r = 0; r < t->height; ++r) {
    const int8_t *from = q + o2m_min(r, t->rows - 1) * p->q.row;
    int32_t sum = 0;
    for (int32_t i = 0; i < p->depth; ++i, from += p->q.column) {
      const int32_t x = *from - p->q_zero;
      put_row(t->queries, t->height, t->height * i + r, x);
      sum += x;
    }
    t->start[r] = -sum * p->k_zero;
  }
}

/* ---- Scores ---- */

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
static void put_scores(int16_t *to, const int32_t *sums, int32_t start, int32_t keys, const scale *s) {
  const int32_t multiplier = s->multiplier, half = s->half, shift = s->shift;
  for (const int32_t *const end = sums + keys; sums != end; ++sums, to += ROWS) {
    *to = o2m_saturate_s16(o2m_floor_shift32(upper_product(*sums + start, multiplier) + half, shift));
  }
}

static NOINLINE void dot_scores_of_two(const tile *t, const int8_t *k, const o2m_attention_params *p) {
  const scale s = scale_of(p);
  int16_t *const scores = (int16_t *)t->scores;
  for (int32_t m = 0, keys; m < p->keys; m += keys) {
    keys = lines_of(p->k.row, p->keys - m);
    int32_t sums[SUMS];
    dot((const int16_t *)t->queries, k + m * p->k.row, p->k.row, p->k.column, p->depth, keys, sums);
    for (int32_t r = 0; r < ROWS; ++r) {
      const int16_t *const mask = t->mask[r] ? t->mask[r] + m : 0;
      if (s.shift != 0 && !mask) {
        put_scores(scores + ROWS * m + r, sums + LINES * r, t->start[r], keys, &s);
        continue;
      }
      for (int32_t i = 0; i < keys; ++i) {
        const int32_t score = score_of(sums[LINES * r + i] + t->start[r], &s, mask ? mask + i : 0, p);
        scores[ROWS * (m + i) + r] = (int16_t)score;
      }
    }
  }
}

/* The sums of three rows, which lie in place of the scores, become scores. */
static void put_scores_of_three(const tile *t, const o2m_attention_params *p) {
  const scale s = scale_of(p);
  int32_t *at = (int32_t *)t->scores, *const end = at + THREE * p->keys;
  if (s.shift != 0 && !t->mask[0]) {
    const int32_t multiplier = s.multiplier, half = s.half, shift = s.shift;
    for (; at != end; at += THREE) {
      at[0] = o2m_saturate_s16(o2m_floor_shift32(upper_product(at[0], multiplier) + half, shift));
      at[1] = o2m_saturate_s16(o2m_floor_shift32(upper_product(at[1], multiplier) + half, shift));
      at[2] = o2m_saturate_s16(o2m_floor_shift32(upper_product(at[2], multiplier) + half, shift));
    }
    return;
  }
  for (int32_t m = 0; at != end; ++m, at += THREE) {
    for (int32_t r = 0; r < THREE; ++r) at[r] = score_of(at[r], &s, t->mask[r] ? t->mask[r] + m : 0, p);
  }
}

static NOINLINE void dot_scores_of_three(const tile *t, const int8_t *k, const o2m_attention_params *p) {
  const int32_t start[THREE_SUMS] = {t->start[0], t->start[1], t->start[2], t->start[0], t->start[1], t->start[2]};
  three_call call = call_of((const int32_t *)t->queries, p->depth, p->k.column, start);
  int32_t *to = (int32_t *)t->scores, sums[THREE_SUMS], left = p->keys;
  for (; left > 1; left -= 2, to += THREE_SUMS, k += 2 * p->k.row) dot_three(&call, k, p->k.row, 2, to);
  if (left > 0) {
    dot_three(&call, k, p->k.row, 1, sums);
    for (int32_t r = 0; r < THREE; ++r) to[r] = sums[r];
  }
  put_scores_of_three(t, p);
}

/* ---- Exponentials ---- */

static inline int16_t exponential_of(int32_t below) {
  uint32_t index;
  __asm__("usat %0, #9, %1" : "=r"(index) : "r"(below)); /* the table's size; zeros from O2M_EXPONENTIALS on */
  return o2m_exponential[index];
}

static inline int32_t exponentiate_one(void *scores, int32_t height, int32_t largest) {
  const int32_t e = exponential_of(largest - row_at(scores, height, 0));
  put_row(scores, height, 0, e);
  return e;
}

/* One row's scores become exponentials in place, four a round; returns their sum. bytes: from a score to the next. */
static inline int32_t exponentiate(char *scores, int32_t height, int32_t bytes, int32_t keys) {
  char *const rounds = scores + bytes * (keys & ~3), *const end = scores + bytes * keys, *s = scores;
  int32_t largest = -32768, sum = 0;
  for (; s != rounds; s += 4 * bytes) {
    largest = o2m_max(largest, row_at(s, height, 0));
    largest = o2m_max(largest, row_at(s + bytes, height, 0));
    largest = o2m_max(largest, row_at(s + 2 * bytes, height, 0));
    largest = o2m_max(largest, row_at(s + 3 * bytes, height, 0));
  }
  for (; s != end; s += bytes) largest = o2m_max(largest, row_at(s, height, 0));
  for (s = scores; s != rounds; s += 4 * bytes) {
    sum += exponentiate_one(s, height, largest);
    sum += exponentiate_one(s + bytes, height, largest);
    sum += exponentiate_one(s + 2 * bytes, height, largest);
    sum += exponentiate_one(s + 3 * bytes, height, largest);
  }
  for (; s != end; s += bytes) sum += exponentiate_one(s, height, largest);
  return sum;
}

/* As average_of() of the scalar kernel has it. */
typedef struct average {
  int32_t multiplier, shift, start;
} average;

static NOINLINE void softmax(const tile *t, average of[THREE], const o2m_attention_params *p) {
  for (int32_t r = 0; r < t->height; ++r) {
    char *const row = (char *)t->scores + r * (t->height == THREE ? 4 : 2);
    const int32_t sum =
        t->height == THREE ? exponentiate(row, THREE, 4 * THREE, p->keys) : exponentiate(row, ROWS, 2 * ROWS, p->keys);
    const int32_t bits = o2m_bits((uint64_t)sum);
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

static void put_y(void *y, int32_t at, int32_t acc, const average *of, const o2m_attention_params *p) {
  const int32_t value = p->y_zero + average_at(acc, of);
  if (p->y_bytes == 1) {
    ((int8_t *)y)[at] = o2m_saturate_s8(value);
  } else {
    ((int16_t *)y)[at] = o2m_saturate_s16(value);
  }
}

static NOINLINE void dot_rows_of_two(const tile *t, const average of[THREE], const int8_t *v, void *y,
                                     const o2m_attention_params *p) {
  for (int32_t c = 0, columns; c < p->columns; c += columns) {
    columns = lines_of(p->v.column, p->columns - c);
    int32_t sums[SUMS];
    dot((const int16_t *)t->scores, v + c * p->v.column, p->v.column, p->v.row, p->keys, columns, sums);
    for (int32_t r = 0; r < t->rows; ++r) {
      int32_t at = r * p->y.row + c * p->y.column;
      for (int32_t i = 0; i < columns; ++i, at += p->y.column)
        put_y(y, at, sums[LINES * r + i] + of[r].start, of + r, p);
    }
  }
}

/* What is left to do with the sums of three rows: bytes = ((sum * multiplier >> 32) + half) >> shift, zero added. */
typedef struct finish {
  int32_t multiplier, half, shift;
} finish;

/* Whether that does: its shifts lie in 33 .. 54, whatever the sums of exponentials. */
static int32_t is_simple(const o2m_attention_params *p) {
  return p->y_bytes == 1 && p->y_shift + 7 >= 33 && p->y_shift + o2m_bits32(255u * (uint32_t)p->keys) - 1 <= 54;
}

static inline int8_t finished(int32_t sum, const finish *f) {
  return o2m_saturate_s8(o2m_floor_shift32(upper_product(sum, f->multiplier) + f->half, f->shift));
}
static void put_columns(int8_t *y, const int32_t *sums, int32_t columns, const finish f[THREE],
                        const o2m_attention_params *p) {
  const int32_t row = p->y.row;
  for (const int32_t *const end = sums + THREE * columns; sums != end; sums += THREE, y += p->y.column) {
    y[0] = finished(sums[0], f);
    y[row] = finished(sums[1], f + 1);
    y[2 * row] = finished(sums[2], f + 2);
  }
}

static NOINLINE void dot_rows_of_three(const tile *t, const average of[THREE], const int8_t *v, void *y,
                                       const o2m_attention_params *p) {
  const int32_t start[THREE_SUMS] = {of[0].start, of[1].start, of[2].start, of[0].start, of[1].start, of[2].start};
  const int32_t simple = is_simple(p);
  three_call call = call_of((const int32_t *)t->scores, p->keys, p->v.row, start);
  finish f[THREE];
  for (int32_t r = 0; simple && r < THREE; ++r) {
    const int32_t shift = of[r].shift - 32;
    const finish row = {of[r].multiplier, (1 << (shift - 1)) + p->y_zero * (1 << shift), shift};
    f[r] = row;
  }
  for (int32_t c = 0; c < p->columns; c += 2) {
    const int32_t columns = o2m_min(2, p->columns - c);
    int32_t sums[THREE_SUMS];
    dot_three(&call, v + c * p->v.column, p->v.column, columns, sums);
    if (simple) {
      put_columns((int8_t *)y + c * p->y.column, sums, columns, f, p);
      continue;
    }
    for (int32_t i = 0; i < THREE * columns; ++i) {
      const int32_t r = i % THREE;
      put_y(y, r * p->y.row + (c + i / THREE) * p->y.column, sums[i], of + r, p);
    }
  }
}

/* ---- Heads ---- */

static void head(const int8_t *q, const int8_t *k, const int8_t *v, int8_t *y, const int16_t *mask, int32_t rows,
                 void *scratch, const o2m_attention_params *p) {
  tile t;
  average of[THREE];
  t.scores = scratch;
  for (int32_t n = 0; n < rows; n += t.height) {
    int8_t *const to = y + n * p->y.row * p->y_bytes;
    t.height = rows - n >= THREE ? THREE : ROWS;
    t.rows = o2m_min(t.height, rows - n);
    t.queries = t.height == THREE ? (void *)((int32_t *)scratch + THREE * p->keys)
                                  : (void *)((int16_t *)scratch + ROWS * p->keys);
    for (int32_t r = 0; r < t.height; ++r) {
      t.mask[r] = mask ? mask + (n + o2m_min(r, t.rows - 1)) * p->mask_layout.row : 0;
    }
    load_queries(&t, q + n * p->q.row, p);
    if (t.height == THREE) {
      dot_scores_of_three(&t, k, p);
      softmax(&t, of, p);
      dot_rows_of_three(&t, of, v, to, p);
    } else {
      dot_scores_of_two(&t, k, p);
      softmax(&t, of, p);
      dot_rows_of_two(&t, of, v, to, p);
    }
  }
}

void O2M_SYM(o2m_attention_s8_armv7m)(const int8_t *q, const int8_t *k, const int8_t *v, void *y, int32_t first,
                                      int32_t rows, void *scratch, const o2m_attention_params *p) {
  for (int32_t g = 0; g < p->groups; ++g) {
    for (int32_t h = 0; h < p->heads; ++h) {
      const o2m_attention_layout *const m = &p->mask_layout;
      const int16_t *const mask = p->mask ? p->mask + g * m->group + h * m->head + first * m->row : 0;
      head(q + g * p->q.group + h * p->q.head, k + g * p->k.group + h * p->k.head, v + g * p->v.group + h * p->v.head,
           (int8_t *)y + (g * p->y.group + h * p->y.head) * p->y_bytes, mask, rows, scratch, p);
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
