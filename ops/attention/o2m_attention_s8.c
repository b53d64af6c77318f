/* o2m_attention_s8.c - softmax(q k^T factor + mask) v, s8 operands. */
#include "o2m_attention_s8.h"

/* floor(255 exp(-i / 64) + 1/2); zero from 400 on */
enum { EXPONENTIALS = 400 };
static const uint8_t exponential[EXPONENTIALS] = {
    255, 251, 247, 243, 240, 236, 232, 229, 225, 222, 218, 215, 211, 208, 205, 202, 199, 196, 192, 189, 187, 184, 181,
    178, 175, 173, 170, 167, 165, 162, 160, 157, 155, 152, 150, 148, 145, 143, 141, 139, 136, 134, 132, 130, 128, 126,
    124, 122, 120, 119, 117, 115, 113, 111, 110, 108, 106, 105, 103, 101, 100, 98,  97,  95,  94,  92,  91,  90,  88,
    87,  85,  84,  83,  82,  80,  79,  78,  77,  75,  74,  73,  72,  71,  70,  69,  68,  67,  65,  64,  63,  62,  62,
    61,  60,  59,  58,  57,  56,  55,  54,  53,  53,  52,  51,  50,  49,  49,  48,  47,  46,  46,  45,  44,  44,  43,
    42,  42,  41,  40,  40,  39,  38,  38,  37,  37,  36,  36,  35,  35,  34,  33,  33,  32,  32,  31,  31,  30,  30,
    30,  29,  29,  28,  28,  27,  27,  26,  26,  26,  25,  25,  24,  24,  24,  23,  23,  23,  22,  22,  22,  21,  21,
    21,  20,  20,  20,  19,  19,  19,  18,  18,  18,  18,  17,  17,  17,  17,  16,  16,  16,  16,  15,  15,  15,  15,
    14,  14,  14,  14,  14,  13,  13,  13,  13,  12,  12,  12,  12,  12,  12,  11,  11,  11,  11,  11,  11,  10,  10,
    10,  10,  10,  10,  9,   9,   9,   9,   9,   9,   9,   8,   8,   8,   8,   8,   8,   8,   8,   7,   7,   7,   7,
    7,   7,   7,   7,   7,   6,   6,   6,   6,   6,   6,   6,   6,   6,   6,   6,   5,   5,   5,   5,   5,   5,   5,
    5,   5,   5,   5,   5,   5,   4,   4,   4,   4,   4,   4,   4,   4,   4,   4,   4,   4,   4,   4,   4,   4,   3,
    3,   3,   3,   3,   3,   3,   3,   3,   3,   3,   3,   3,   3,   3,   3,   3,   3,   3,   3,   3,   2,   2,   2,
    2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,
    2,   2,   2,   2,   2,   2,   2,   1,   1,   1,   1,   1,   1,   1,   1,   1,   1,   1,   1,   1,   1,   1,   1,
    1,   1,   1,   1,   1,   1,   1,   1,   1,   1,   1,   1,   1,   1,   1,   1,   1,   1,   1,   1,   1,   1,   1,
    1,   1,   1,   1,   1,   1,   1,   1,   1,   1,   1,   1,   1,   1,   1,   1,   1,   1,   1,   1,   1,   1,   1,
    1,   1,   1,   1,   1,   1,   1,   1,   1,
};

/* sums[i] += sum_n a[n] * b[i][n * step]: four keys against a query row, or four columns of v against a row of
 * exponentials. */
static void dot_1x4(const int16_t *a, const int8_t *const b[4], int32_t step, int32_t count, int32_t sums[4]) {
  const int8_t *b0 = b[0], *b1 = b[1], *b2 = b[2], *b3 = b[3];
  int32_t s0 = 0, s1 = 0, s2 = 0, s3 = 0;
  if (step == 1) {
    for (int32_t n = 0; n < count; ++n) {
      s0 += a[n] * b0[n];
      s1 += a[n] * b1[n];
      s2 += a[n] * b2[n];
      s3 += a[n] * b3[n];
    }
  } else {
    for (int32_t n = 0, at = 0; n < count; ++n, at += step) {
      s0 += a[n] * b0[at];
      s1 += a[n] * b1[at];
      s2 += a[n] * b2[at];
      s3 += a[n] * b3[at];
    }
  }
  sums[0] += s0;
  sums[1] += s1;
  sums[2] += s2;
  sums[3] += s3;
}

/* Pointers to four lines of a matrix from line `first` on; those beyond the last one repeat it. */
static void four_lines(const int8_t *matrix, int32_t stride, int32_t first, int32_t lines, const int8_t *at[4]) {
  for (int32_t i = 0; i < 4; ++i) at[i] = matrix + o2m_min(first + i, lines - 1) * stride;
}

/* A query row without its zero point; returns what k's zero point adds to each of its scores. */
static int32_t load_query(const int8_t *q, int16_t *row, const o2m_attention_params *p) {
  int32_t sum = 0;
  for (int32_t i = 0; i < p->depth; ++i) {
    row[i] = (int16_t)(q[i * p->q.column] - p->q_zero);
    sum += row[i];
  }
  return -sum * p->k_zero;
}

/* Scores of one query row against every key, s16 in units of 1/64. mask: of this row, or null. */
static void write_scores(const int16_t *q, int32_t start, const int8_t *k, const int16_t *mask, int16_t *scores,
                         const o2m_attention_params *p) {
  for (int32_t m = 0; m < p->keys; m += 4) {
    const int32_t count = o2m_min(4, p->keys - m);
    int32_t sums[4] = {start, start, start, start};
    const int8_t *keys[4];
    four_lines(k, p->k.row, m, p->keys, keys);
    dot_1x4(q, keys, p->k.column, p->depth, sums);
    for (int32_t i = 0; i < count; ++i) {
      const int32_t score = o2m_requantize(sums[i], p->score_multiplier, p->score_shift);
      const int32_t bias = mask ? mask[m + i] : 0;
      scores[m + i] = bias == -32768 ? (int16_t)-32768 : o2m_saturate_s16(score + bias);
    }
  }
}

/* Scores become exponentials in place; returns their sum, at least 255. */
static int32_t exponentiate(int16_t *scores, int32_t keys) {
  int32_t largest = scores[0], sum = 0;
  for (int32_t m = 1; m < keys; ++m) largest = o2m_max(largest, scores[m]);
  for (int32_t m = 0; m < keys; ++m) {
    const int32_t below = largest - scores[m];
    const int32_t e = below < EXPONENTIALS ? exponential[below] : 0;
    scores[m] = (int16_t)e;
    sum += e;
  }
  return sum;
}

/* y = zero_y + round(sum_m e[m] (v[m] - zero_v) * scale_v / scale_y / sum) */
static void write_row(const int16_t *e, int32_t sum, const int8_t *v, void *y, int32_t y_at,
                      const o2m_attention_params *p) {
  const int32_t bits = o2m_bits((uint64_t)sum);
  const int32_t multiplier = (int32_t)o2m_divide_round((int64_t)p->y_multiplier << (bits - 1), sum);
  const int32_t shift = p->y_shift + bits - 1, start = -sum * p->v_zero;
  for (int32_t r = 0; r < p->columns; r += 4) {
    const int32_t count = o2m_min(4, p->columns - r);
    int32_t sums[4] = {start, start, start, start};
    const int8_t *columns[4];
    four_lines(v, p->v.column, r, p->columns, columns);
    dot_1x4(e, columns, p->v.row, p->keys, sums);
    for (int32_t i = 0; i < count; ++i) {
      const int32_t value = p->y_zero + o2m_requantize(sums[i], multiplier, shift), at = y_at + (r + i) * p->y.column;
      if (p->y_bytes == 1) {
        ((int8_t *)y)[at] = o2m_saturate_s8(value);
      } else {
        ((int16_t *)y)[at] = o2m_saturate_s16(value);
      }
    }
  }
}

/* Per head: q [rows][P], k [M][P], v [M][R] -> y [rows][R] */
void O2M_SYM(o2m_attention_s8)(const int8_t *q, const int8_t *k, const int8_t *v, void *y, int32_t first, int32_t rows,
                               void *scratch, const o2m_attention_params *p) {
  int16_t *const query = (int16_t *)scratch;
  int16_t *const scores = query + (p->depth + 1) / 2 * 2;
  for (int32_t g = 0; g < p->groups; ++g) {
    for (int32_t h = 0; h < p->heads; ++h) {
      const int8_t *const head_q = q + g * p->q.group + h * p->q.head;
      const int8_t *const head_k = k + g * p->k.group + h * p->k.head;
      const int8_t *const head_v = v + g * p->v.group + h * p->v.head;
      const int32_t y_head = g * p->y.group + h * p->y.head;
      const o2m_attention_layout *const of_mask = &p->mask_layout;
      for (int32_t n = 0; n < rows; ++n) {
        const int32_t mask_at = g * of_mask->group + h * of_mask->head + (first + n) * of_mask->row;
        const int32_t start = load_query(head_q + n * p->q.row, query, p);
        write_scores(query, start, head_k, p->mask ? p->mask + mask_at : 0, scores, p);
        write_row(scores, exponentiate(scores, p->keys), head_v, y, y_head + n * p->y.row, p);
      }
    }
  }
}
