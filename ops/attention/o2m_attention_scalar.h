/* o2m_attention_scalar.h - softmax(q k^T factor + mask) v, s8 operands, in C. It defines the bits, and is what the
 * kernels for one instruction set fall back to where the compiler is not given a core that has it. */
#ifndef O2M_ATTENTION_SCALAR_H_
#define O2M_ATTENTION_SCALAR_H_
#include "o2m_attention_exp.h"
#include "o2m_attention_s8.h"

/* A product of a pair of s16 rows (two queries, or their exponentials) with four lines of k or v: line i starts at
 * b + i * line, its elements are `step` apart. sums[4 * row + i] = sum_n a_row[n] * b[i * line + n * step]. */

/* Four lines side by side (line 1): columns of v as a projection leaves it, keys of a k that lies transposed. */
static inline void o2m_attention_dot_adjacent(const int16_t *a0, const int16_t *a1, const int8_t *b, int32_t step,
                                              int32_t count, int32_t sums[8]) {
  int32_t s00 = 0, s01 = 0, s02 = 0, s03 = 0, s10 = 0, s11 = 0, s12 = 0, s13 = 0;
  for (int32_t n = 0; n < count; ++n, b += step) {
    const int32_t x = a0[n], y = a1[n];
    s00 += x * b[0];
    s10 += y * b[0];
    s01 += x * b[1];
    s11 += y * b[1];
    s02 += x * b[2];
    s12 += y * b[2];
    s03 += x * b[3];
    s13 += y * b[3];
  }
  sums[0] = s00;
  sums[1] = s01;
  sums[2] = s02;
  sums[3] = s03;
  sums[4] = s10;
  sums[5] = s11;
  sums[6] = s12;
  sums[7] = s13;
}

/* Two lines of dense elements (step 1): keys as a projection leaves them, columns of a v that lies transposed. */
static inline void o2m_attention_dot_dense(const int16_t *a0, const int16_t *a1, const int8_t *b0, const int8_t *b1,
                                           int32_t count, int32_t sums[8]) {
  int32_t s00 = 0, s01 = 0, s10 = 0, s11 = 0;
  for (int32_t n = 0; n < count; ++n) {
    const int32_t x = a0[n], y = a1[n], c = b0[n], d = b1[n];
    s00 += x * c;
    s01 += x * d;
    s10 += y * c;
    s11 += y * d;
  }
  sums[0] = s00;
  sums[1] = s01;
  sums[4] = s10;
  sums[5] = s11;
}

/* One line of any layout. */
static inline void o2m_attention_dot_strided(const int16_t *a0, const int16_t *a1, const int8_t *b, int32_t step,
                                             int32_t count, int32_t sums[8]) {
  int32_t s0 = 0, s1 = 0;
  for (int32_t n = 0; n < count; ++n, b += step) {
    s0 += a0[n] * *b;
    s1 += a1[n] * *b;
  }
  sums[0] = s0;
  sums[4] = s1;
}

/* The first `lines` (1 to 4) of four lines. */
static inline void o2m_attention_dot(const int16_t *a0, const int16_t *a1, const int8_t *b, int32_t line, int32_t step,
                                     int32_t count, int32_t lines, int32_t sums[8]) {
  if (line == 1 && lines == 4) {
    o2m_attention_dot_adjacent(a0, a1, b, step, count, sums);
    return;
  }
  if (step != 1) {
    for (int32_t i = 0; i < lines; ++i) o2m_attention_dot_strided(a0, a1, b + i * line, step, count, sums + i);
    return;
  }
  for (int32_t i = 0; i < lines; i += 2) {
    const int8_t *const first = b + i * line;
    o2m_attention_dot_dense(a0, a1, first, i + 1 < lines ? first + line : first, count, sums + i);
  }
}

/* A query row without its zero point; returns what k's zero point adds to each of its scores. */
static inline int32_t o2m_attention_load_query(const int8_t *q, int16_t *row, const o2m_attention_params *p) {
  int32_t sum = 0;
  for (int32_t i = 0; i < p->depth; ++i) {
    row[i] = (int16_t)(q[i * p->q.column] - p->q_zero);
    sum += row[i];
  }
  return -sum * p->k_zero;
}

/* What the scores of the call's rows are made of: two queries at a time, or one twice. */
typedef struct o2m_attention_pair {
  int16_t *query[2], *scores[2];
  int32_t start[2];       /* from o2m_attention_load_query() */
  const int16_t *mask[2]; /* of these queries, or null */
  int32_t count;
} o2m_attention_pair;

static inline int16_t o2m_attention_add_mask(int32_t score, const int16_t *mask, int32_t m) {
  if (!mask) return o2m_saturate_s16(score);
  return mask[m] == -32768 ? (int16_t)-32768 : o2m_saturate_s16(score + mask[m]);
}

/* Scores of a pair of queries against every key, s16 in units of 1/64. */
static inline void o2m_attention_write_scores(const o2m_attention_pair *q, const int8_t *k,
                                              const o2m_attention_params *p) {
  for (int32_t m = 0; m < p->keys; m += 4) {
    const int32_t keys = o2m_min(4, p->keys - m);
    int32_t sums[8];
    o2m_attention_dot(q->query[0], q->query[1], k + m * p->k.row, p->k.row, p->k.column, p->depth, keys, sums);
    for (int32_t r = 0; r < q->count; ++r) {
      for (int32_t i = 0; i < keys; ++i) {
        const int32_t acc = q->start[r] + sums[4 * r + i];
        const int32_t score = o2m_requantize(acc, p->score_multiplier, p->score_shift);
        q->scores[r][m + i] = o2m_attention_add_mask(score, q->mask[r], m + i);
      }
    }
  }
}

/* Scores become exponentials in place; returns their sum, at least 255. */
static inline int32_t o2m_attention_exponentiate(int16_t *scores, int32_t keys) {
  int32_t largest = scores[0], sum = 0;
  for (int32_t m = 1; m < keys; ++m) largest = o2m_max(largest, scores[m]);
  for (int32_t m = 0; m < keys; ++m) {
    const int32_t below = largest - scores[m];
    const int32_t e = below < O2M_EXPONENTIALS ? o2m_exponential[below] : 0;
    scores[m] = (int16_t)e;
    sum += e;
  }
  return sum;
}

/* round(sum_m e[m] (v[m] - zero_v) * scale_v / scale_y / sum e) is acc * multiplier / 2^shift for acc = start + sum e
 * v. */
typedef struct o2m_attention_average {
  int32_t multiplier, shift, start;
} o2m_attention_average;

static inline o2m_attention_average o2m_attention_average_of(int32_t sum, const o2m_attention_params *p) {
  const int32_t bits = o2m_bits((uint64_t)sum);
  const o2m_attention_average a = {(int32_t)o2m_divide_round((int64_t)p->y_multiplier << (bits - 1), sum),
                                   p->y_shift + bits - 1, -sum * p->v_zero};
  return a;
}

/* One value of y from its accumulator. */
static inline void o2m_attention_store(void *y, int32_t at, int32_t acc, const o2m_attention_average *of,
                                       const o2m_attention_params *p) {
  const int32_t value = p->y_zero + o2m_requantize(acc, of->multiplier, of->shift);
  if (p->y_bytes == 1) {
    ((int8_t *)y)[at] = o2m_saturate_s8(value);
  } else {
    ((int16_t *)y)[at] = o2m_saturate_s16(value);
  }
}

/* Rows of y, `row` elements apart, from the pair's exponentials. */
static inline void o2m_attention_write_rows(const o2m_attention_pair *q, const o2m_attention_average of[2],
                                            const int8_t *v, void *y, int32_t y_at, const o2m_attention_params *p) {
  for (int32_t c = 0; c < p->columns; c += 4) {
    const int32_t columns = o2m_min(4, p->columns - c);
    int32_t sums[8];
    o2m_attention_dot(q->scores[0], q->scores[1], v + c * p->v.column, p->v.column, p->v.row, p->keys, columns, sums);
    for (int32_t r = 0; r < q->count; ++r) {
      for (int32_t i = 0; i < columns; ++i) {
        o2m_attention_store(y, y_at + r * p->y.row + (c + i) * p->y.column, of[r].start + sums[4 * r + i], of + r, p);
      }
    }
  }
}

/* One head: q [rows][P], k [M][P], v [M][R] -> y [rows][R]; mask of the first row, or null. */
static inline void o2m_attention_head(const int8_t *q, const int8_t *k, const int8_t *v, void *y, int32_t y_at,
                                      const int16_t *mask, int32_t rows, int16_t *scratch,
                                      const o2m_attention_params *p) {
  for (int32_t n = 0; n < rows; n += 2) {
    o2m_attention_pair two;
    o2m_attention_average of[2];
    two.count = o2m_min(2, rows - n);
    for (int32_t r = 0; r < 2; ++r) {
      int16_t *const own = scratch + (r < two.count ? r * (p->depth + p->keys) : 0);
      two.query[r] = own;
      two.scores[r] = own + p->depth;
      two.mask[r] = mask ? mask + (n + r) * p->mask_layout.row : 0;
      two.start[r] = r < two.count ? o2m_attention_load_query(q + (n + r) * p->q.row, own, p) : 0;
    }
    o2m_attention_write_scores(&two, k, p);
    for (int32_t r = 0; r < two.count; ++r)
      of[r] = o2m_attention_average_of(o2m_attention_exponentiate(two.scores[r], p->keys), p);
    o2m_attention_write_rows(&two, of, v, y, y_at + n * p->y.row, p);
  }
}

static inline void o2m_attention_scalar(const int8_t *q, const int8_t *k, const int8_t *v, void *y, int32_t first,
                                        int32_t rows, void *scratch, const o2m_attention_params *p) {
  for (int32_t g = 0; g < p->groups; ++g) {
    for (int32_t h = 0; h < p->heads; ++h) {
      const o2m_attention_layout *const m = &p->mask_layout;
      const int16_t *const mask = p->mask ? p->mask + g * m->group + h * m->head + first * m->row : 0;
      o2m_attention_head(q + g * p->q.group + h * p->q.head, k + g * p->k.group + h * p->k.head,
                         v + g * p->v.group + h * p->v.head, y, g * p->y.group + h * p->y.head, mask, rows,
                         (int16_t *)scratch, p);
    }
  }
}
#endif
