/* o2m_attention_s8_armv6m.c - softmax(q k^T factor + mask) v, s8 operands, on Armv6-M (Cortex-M0, M0+). Query rows lie
 * in pairs in the panels of o2m_dot_armv6m.h, their scores as pairs of s16 where their exponentials will be; a key, or
 * a column of v, is widened once per tile of rows. Panels hold q + 1 and e - 127, in [-127, 128]. */
#include "o2m_attention_exp.h"
#include "o2m_attention_s8.h"
#include "o2m_dot_armv6m.h"

enum { ROWS = 16 }; /* of a tile at most */

typedef struct tile {
  int32_t rows, pairs;
  uint32_t *queries, *scores; /* panels; exponentials in place of scores */
  int32_t *line;
  const int16_t *mask; /* of the first row, or null */
  int32_t start[ROWS]; /* what a row adds to all its scores, then to its sums of v */
  int32_t multiplier[ROWS], shift[ROWS];
  int32_t kind; /* of the panel in use */
} tile;

/* Where the words of a pair begin in a panel of `depth` (rounded up). */
static uint32_t *words_of(uint32_t *panel, int32_t pair, int32_t depth) {
  return panel + o2m_dot_armv6m_at(pair, depth);
}
static uint32_t word_of(int32_t low, int32_t high) { return (uint32_t)low + ((uint32_t)high << 16); }

/* ---- Queries ---- */

/* One pair; sums of its rows. The panel is wide where two of the second row's values are 128. */
static void load_pair(tile *t, const int8_t *q0, const int8_t *q1, int32_t pair, const o2m_attention_params *p,
                      int32_t sums[2]) {
  const int32_t depth = o2m_dot_armv6m_depth(p->depth), step = o2m_dot_armv6m_step(pair, t->pairs);
  uint32_t *words = words_of(t->queries, pair, depth);
  int32_t before = 0;
  sums[0] = sums[1] = 0;
  for (int32_t k = 0; k < depth; ++k) {
    int32_t low = 0, high = 0;
    if (k < p->depth) {
      low = *q0 + 1;
      high = *q1 + 1;
      sums[0] += *q0;
      sums[1] += *q1;
      q0 += p->q.column;
      q1 += p->q.column;
    }
    if ((k & 1) != 0 && before == 128 && high == 128) t->kind = O2M_DOT_ARMV6M_WIDE;
    before = high;
    words[k & 1] = word_of(low, high);
    if ((k & 1) != 0) words += step;
  }
}

static void load_queries(tile *t, const int8_t *q, const o2m_attention_params *p) {
  const int32_t zeros = p->depth * p->q_zero * p->k_zero;
  t->kind = O2M_DOT_ARMV6M_NARROW;
  for (int32_t pair = 0; pair < t->pairs; ++pair) {
    const int8_t *const q0 = q + 2 * pair * p->q.row, *const q1 = 2 * pair + 1 < t->rows ? q0 + p->q.row : q0;
    int32_t sums[2];
    load_pair(t, q0, q1, pair, p, sums);
    for (int32_t i = 0; i < 2; ++i) t->start[2 * pair + i] = zeros - p->k_zero * sums[i];
  }
}

/* ---- Scores ---- */

static int16_t masked(int32_t score, const int16_t *mask) {
  if (!mask) return o2m_saturate_s16(score);
  return *mask == -32768 ? (int16_t)-32768 : o2m_saturate_s16(score + *mask);
}

/* A key's sums become scores of all rows; output: where a shift of 32 and no mask allow the shared store, else null. */
static void scale_scores(const tile *t, const int32_t *sums, int32_t m, const o2m_dot_armv6m_output *output,
                         int16_t *scores, const o2m_attention_params *p) {
  if (output) {
    O2M_SYM(o2m_dot_armv6m_store_s16)(sums, 2 * t->pairs, output);
    return;
  }
  for (int32_t r = 0; r < 2 * t->pairs; ++r) {
    const int16_t *const mask = t->mask ? t->mask + o2m_min(r, t->rows - 1) * p->mask_layout.row + m : 0;
    scores[r] = masked(o2m_requantize(sums[r], p->score_multiplier, p->score_shift), mask);
  }
}

static void write_scores(tile *t, const int8_t *k, const o2m_attention_params *p) {
  const int32_t depth = o2m_dot_armv6m_depth(p->depth), keys = o2m_dot_armv6m_depth(p->keys);
  const int32_t up = 32 - p->score_shift;
  int16_t scores[ROWS];
  const o2m_dot_armv6m_output to = {(int32_t)((uint32_t)p->score_multiplier << (up & 31)), 0, scores, 2, 0};
  const int32_t direct = !t->mask && up >= 0 && p->score_multiplier <= INT32_MAX >> up;
  for (int32_t m = 0; m < p->keys; ++m, k += p->k.row) {
    int32_t sums[ROWS];
    const int32_t sum = O2M_SYM(o2m_dot_armv6m_line)(k, p->k.column, p->depth, t->line);
    O2M_SYM(o2m_dot_armv6m)(t->queries, t->pairs, t->line, depth, -(1 + p->q_zero) * sum, t->kind, sums);
    for (int32_t r = 0; r < 2 * t->pairs; ++r) sums[r] += t->start[r];
    scale_scores(t, sums, m, direct ? &to : 0, scores, p);
    for (int32_t i = 0; i < t->pairs; ++i) {
      const uint32_t two = (uint32_t)(uint16_t)scores[2 * i] | (uint32_t)(uint16_t)scores[2 * i + 1] << 16;
      words_of(t->scores, i, keys)[m / 2 * o2m_dot_armv6m_step(i, t->pairs) + (m & 1)] = two;
    }
  }
}

/* ---- Exponentials ---- */

static int32_t low_of(uint32_t word) { return (int16_t)(word & 0xffffu); }
static int32_t high_of(uint32_t word) { return o2m_floor_shift32((int32_t)word, 16); }
static int32_t exponential_of(int32_t below) { return below < O2M_EXPONENTIALS ? o2m_exponential[below] : 0; }

/* A pair's scores become exponentials less 127, zero behind the last key; their sums, 127 left out. */
static void exponentiate(tile *t, int32_t pair, int32_t keys, int32_t sums[2]) {
  const int32_t step = o2m_dot_armv6m_step(pair, t->pairs), whole = o2m_dot_armv6m_depth(keys);
  uint32_t *const words = words_of(t->scores, pair, whole), *at = words;
  int32_t low = -32768, high = -32768, sum0 = 0, sum1 = 0, before = 0;
  for (int32_t m = 0; m < keys; ++m) {
    low = o2m_max(low, low_of(at[m & 1]));
    high = o2m_max(high, high_of(at[m & 1]));
    if ((m & 1) != 0) at += step;
  }
  at = words;
  for (int32_t m = 0; m < keys; ++m) {
    const uint32_t two = at[m & 1];
    const int32_t e0 = exponential_of(low - low_of(two)), e1 = exponential_of(high - high_of(two));
    sum0 += e0;
    sum1 += e1;
    at[m & 1] = word_of(e0 - 127, e1 - 127);
    if ((m & 1) != 0) {
      if (before == 255 && e1 == 255) t->kind = O2M_DOT_ARMV6M_WIDE;
      at += step;
    }
    before = e1;
  }
  for (int32_t m = keys; m < whole; ++m) words[m / 2 * step + (m & 1)] = 0;
  sums[0] = sum0;
  sums[1] = sum1;
}

static void softmax(tile *t, const o2m_attention_params *p) {
  t->kind = O2M_DOT_ARMV6M_NARROW;
  for (int32_t pair = 0; pair < t->pairs; ++pair) {
    int32_t sums[2];
    exponentiate(t, pair, p->keys, sums);
    for (int32_t i = 0; i < 2; ++i) {
      const int32_t r = 2 * pair + i, bits = o2m_bits32((uint32_t)sums[i]);
      t->multiplier[r] = o2m_divide_scaled((uint32_t)p->y_multiplier, bits - 1, (uint32_t)sums[i]);
      t->shift[r] = p->y_shift + bits - 1;
      t->start[r] = -sums[i] * p->v_zero;
    }
  }
}

/* ---- Rows of y ---- */

static void write_rows(tile *t, const int8_t *v, void *y, const o2m_attention_params *p) {
  const int32_t keys = o2m_dot_armv6m_depth(p->keys);
  for (int32_t c = 0; c < p->columns; ++c, v += p->v.column) {
    int32_t sums[ROWS], at = c * p->y.column;
    const int32_t sum = O2M_SYM(o2m_dot_armv6m_line)(v, p->v.row, p->keys, t->line);
    O2M_SYM(o2m_dot_armv6m)(t->scores, t->pairs, t->line, keys, 127 * sum, t->kind, sums);
    for (int32_t r = 0; r < t->rows; ++r, at += p->y.row) {
      const int32_t value = p->y_zero + o2m_requantize(sums[r] + t->start[r], t->multiplier[r], t->shift[r]);
      if (p->y_bytes == 1) {
        ((int8_t *)y)[at] = o2m_saturate_s8(value);
      } else {
        ((int16_t *)y)[at] = o2m_saturate_s16(value);
      }
    }
  }
}

/* ---- Heads ---- */

static void head(const int8_t *q, const int8_t *k, const int8_t *v, int8_t *y, const int16_t *mask, int32_t rows,
                 uint32_t *scratch, const o2m_attention_params *p) {
  const int32_t depth = o2m_dot_armv6m_depth(p->depth), keys = o2m_dot_armv6m_depth(p->keys);
  const int32_t most = o2m_dot_armv6m_pairs(o2m_min(rows, ROWS));
  tile t;
  t.scores = scratch;
  t.queries = scratch + most * keys;
  t.line = (int32_t *)t.queries + most * depth;
  for (int32_t n = 0; n < rows; n += ROWS) {
    t.rows = o2m_min(ROWS, rows - n);
    t.pairs = o2m_dot_armv6m_pairs(t.rows);
    t.mask = mask ? mask + n * p->mask_layout.row : 0;
    load_queries(&t, q + n * p->q.row, p);
    write_scores(&t, k, p);
    softmax(&t, p);
    write_rows(&t, v, y + n * p->y.row * p->y_bytes, p);
  }
}

void O2M_SYM(o2m_attention_s8_armv6m)(const int8_t *q, const int8_t *k, const int8_t *v, void *y, int32_t first,
                                      int32_t rows, void *scratch, const o2m_attention_params *p) {
  for (int32_t g = 0; g < p->groups; ++g) {
    for (int32_t h = 0; h < p->heads; ++h) {
      const o2m_attention_layout *const m = &p->mask_layout;
      const int16_t *const mask = p->mask ? p->mask + g * m->group + h * m->head + first * m->row : 0;
      head(q + g * p->q.group + h * p->q.head, k + g * p->k.group + h * p->k.head, v + g * p->v.group + h * p->v.head,
           (int8_t *)y + (g * p->y.group + h * p->y.head) * p->y_bytes, mask, rows, (uint32_t *)scratch, p);
    }
  }
}
