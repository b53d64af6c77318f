/* o2m_attention_s8_dsp.c - softmax(q k^T factor + mask) v, s8 operands, for Armv7E-M with DSP. A tile of query rows at
 * a time: four keys, or four columns of v, are widened once for all rows of the tile. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("Os") /* the loops are in assembly; what is around them is to be small */
#endif
#include "o2m_attention_s8.h"

#if defined(__ARM_FEATURE_DSP) && defined(__thumb2__)
#include <string.h>

#include "o2m_attention_exp.h"
#include "o2m_dot_dsp.h"

#define NOINLINE __attribute__((noinline)) /* scores, exponentials and rows show up apart in a profile */

/* ---- A tile's memory ---- */

/* Trailer of a block of two queries: where the next four scores of both go, and 2 * score_multiplier. */
typedef struct query_end {
  uint32_t *scores;
  int32_t multiplier;
} query_end;

/* Trailer of a block of two rows of exponentials: y = (sum e v * multiplier / 2^32 + start) >> shift, where start holds
 * the zero point and the half that rounds; where the next four columns of both rows go. */
typedef struct row_end {
  struct {
    int32_t start, multiplier, shift;
  } row[2];
  int8_t *y[2];
} row_end;

typedef struct tile {
  int32_t rows, pairs;
  int32_t depth_groups, key_groups;
  uint32_t *scores, *queries, *lines;
  const int16_t *mask; /* of the first row, or null */
  o2m_dot_dsp products;
} tile;

enum { TILE_ROWS = 16 };
static int32_t score_words(const tile *t) { return 4 * t->key_groups + (int32_t)(sizeof(row_end) / 4); }
static int32_t query_words(const tile *t) { return 4 * t->depth_groups + (int32_t)(sizeof(query_end) / 4); }
static uint32_t *scores_of(const tile *t, int32_t pair) { return t->scores + pair * score_words(t); }
static uint32_t *queries_of(const tile *t, int32_t pair) { return t->queries + pair * query_words(t); }
static row_end *end_of(const tile *t, int32_t pair) {
  return (row_end *)(void *)(scores_of(t, pair + 1) - sizeof(row_end) / 4);
}
/* The rows of a pair; an odd last row is its own partner. */
static int32_t row_of(const tile *t, int32_t pair, int32_t r) { return o2m_min(2 * pair + r, t->rows - 1); }

/* ---- Scores ---- */

/* The next products are with `groups` groups of four elements of the lines. */
static void set_products(tile *t, int32_t groups, int32_t store) {
  o2m_dot_dsp *const d = &t->products;
  d->weights = t->lines;
  if (d->blocks == groups && d->store == store) return;
  d->blocks = groups;
  d->store = store;
  O2M_SYM(o2m_dot_dsp_prepare)(d);
}

/* The sums of one block themselves, row 0 before row 1. */
static void sums_of(tile *t, const uint32_t *block, int32_t sums[8]) {
  o2m_dot_dsp *const d = &t->products;
  d->y = sums;
  d->row_bytes = 16;
  d->column_bytes = 4;
  O2M_SYM(o2m_dot_dsp_run)(block, block + 4 * d->blocks, d);
}

static int32_t masked_score(int32_t sum, const int16_t *mask, const o2m_attention_params *p) {
  const int32_t score = o2m_requantize(sum, p->score_multiplier, p->score_shift);
  if (!mask) return o2m_saturate_s16(score);
  return *mask == -32768 ? -32768 : o2m_saturate_s16(score + *mask);
}

static uint32_t halves(int32_t low, int32_t high) { return ((uint32_t)low & 0xffffu) | (uint32_t)high << 16; }

/* Scores of keys m .. m + 3 where O2M_DOT_DSP_SCORES does not do: a mask, or large factors. */
static void general_scores(tile *t, int32_t m, const o2m_attention_params *p) {
  for (int32_t pair = 0; pair < t->pairs; ++pair) {
    int32_t sums[8];
    sums_of(t, queries_of(t, pair), sums);
    for (int32_t r = 0; r < 2; ++r) {
      const int16_t *const mask = t->mask ? t->mask + row_of(t, pair, r) * p->mask_layout.row : 0;
      int32_t score[4];
      for (int32_t i = 0; i < 4; ++i) {
        const int16_t *const own = mask ? mask + o2m_min(m + i, p->keys - 1) : 0;
        score[i] = masked_score(sums[4 * r + i], own, p);
      }
      scores_of(t, pair)[m + r] = halves(score[0], score[2]);
      scores_of(t, pair)[m + 2 + r] = halves(score[1], score[3]);
    }
  }
}

static void load_queries(const tile *t, const int8_t *q, const o2m_attention_params *p) {
  for (int32_t pair = 0; pair < t->pairs; ++pair) {
    O2M_SYM(o2m_dot_dsp_rows)
    (q + 2 * pair * p->q.row, O2M_DOT_DSP_FROM_S8, p->q.row, p->q.column, o2m_min(2, t->rows - 2 * pair), p->depth,
     p->q_zero, queries_of(t, pair));
    query_end *const end = (query_end *)(void *)(queries_of(t, pair) + 4 * t->depth_groups);
    end->scores = scores_of(t, pair);
    end->multiplier = 2 * p->score_multiplier;
  }
}

/* Scores of every key, then of up to three that do not exist and repeat the last. */
static NOINLINE void dot_scores(tile *t, const int8_t *q, const int8_t *k, const o2m_attention_params *p) {
  const int fast = !t->mask && p->score_shift == 31 && p->score_multiplier < 0x40000000;
  set_products(t, t->depth_groups, fast ? O2M_DOT_DSP_SCORES : O2M_DOT_DSP_RAW);
  load_queries(t, q, p);
  for (int32_t m = 0; m < p->keys; m += 4) {
    O2M_SYM(o2m_dot_dsp_columns)
    (k + m * p->k.row, p->k.row, p->k.column, o2m_min(4, p->keys - m), p->depth, p->k_zero, t->lines);
    if (fast) {
      O2M_SYM(o2m_dot_dsp_run)(t->queries, queries_of(t, t->pairs), &t->products);
    } else {
      general_scores(t, m, p);
    }
  }
}

/* ---- Exponentials ---- */

/* The largest score of each of a block's two rows, in both halves of largest[r]. r4-r7: a group. */
static void largest_scores(const uint32_t *scores, int32_t groups, uint32_t largest[2]) {
  register const uint32_t *from __asm__("r0") = scores;
  register uint32_t row0 __asm__("r1") = scores[0], row1 __asm__("r2") = scores[1];
  register const uint32_t *end __asm__("r3") = scores + 4 * groups;
  __asm__ volatile(
      "push {r4-r7}\n"
      "1: ldm r0!, {r4-r7}\n"
      "ssub16 r12, r1, r4\n"
      "sel r1, r1, r4\n"
      "ssub16 r12, r2, r5\n"
      "sel r2, r2, r5\n"
      "ssub16 r12, r1, r6\n"
      "sel r1, r1, r6\n"
      "ssub16 r12, r2, r7\n"
      "sel r2, r2, r7\n"
      "cmp r0, r3\n"
      "bne 1b\n"
      "ror r4, r1, #16\n"
      "ror r5, r2, #16\n"
      "ssub16 r12, r1, r4\n"
      "sel r1, r1, r4\n"
      "ssub16 r12, r2, r5\n"
      "sel r2, r2, r5\n"
      "pop {r4-r7}\n"
      : "+r"(from), "+r"(row0), "+r"(row1)
      : "r"(end)
      : "r12", "cc", "memory");
  largest[0] = row0;
  largest[1] = row1;
}

/* r12: two scores; `largest` less them, saturated, then within the table, are looked up; `sum` takes both. */
#define EXPONENTIALS(scores, largest, sum)  \
  "qsub16 " scores ", " largest ", " scores \
  "\n"                                      \
  "usat16 " scores ", #9, " scores          \
  "\n"                                      \
  "uxth r12, " scores                       \
  "\n"                                      \
  "lsr " scores ", " scores                 \
  ", #16\n"                                 \
  "ldrb r12, [r1, r12]\n"                   \
  "ldrb " scores ", [r1, " scores           \
  "]\n"                                     \
  "orr " scores ", r12, " scores            \
  ", lsl #16\n"                             \
  "smlad " sum ", " scores ", lr, " sum "\n"

/* Both rows' scores become exponentials in place. r0 scores, r1 table, r2 their end, r3: where the largest two are read
 * from and the two sums go to; r4 r5 these, r6 r7 the sums, r8-r11 a group, lr 1 in both halves. */
static void exponentiate(uint32_t *scores, int32_t groups, uint32_t sums[2]) {
  register uint32_t *at __asm__("r0") = scores;
  register const uint8_t *table __asm__("r1") = o2m_exponential;
  register const uint32_t *end __asm__("r2") = scores + 4 * groups;
  register uint32_t *both __asm__("r3") = sums;
  __asm__ volatile(
      "push {r4-r11, lr}\n"
      "ldrd r4, r5, [r3]\n"
      "mov r6, #0\n"
      "mov r7, #0\n"
      "mov lr, #0x10001\n"
      "1: ldm r0, {r8-r11}\n"
      EXPONENTIALS("r8", "r4", "r6") EXPONENTIALS("r9", "r5", "r7")
      EXPONENTIALS("r10", "r4", "r6") EXPONENTIALS("r11", "r5", "r7")
      "stm r0!, {r8-r11}\n"
      "cmp r0, r2\n"
      "bne 1b\n"
      "strd r6, r7, [r3]\n"
      "pop {r4-r11, lr}\n"
      : "+r"(at)
      : "r"(table), "r"(end), "r"(both)
      : "r12", "cc", "memory");
}

/* Takes the last 1 to 3 exponentials out, of keys that do not exist; returns their sum. They are all the same. */
static int32_t drop(uint32_t *group, int32_t count) {
  const int32_t e = (int32_t)(group[2] >> 16);
  group[2] &= count == 3 ? 0 : 0xffffu;
  if (count >= 2) group[0] &= 0xffffu;
  return count * e;
}

/* One row's epilogue of A V, as average_of() of the scalar kernel has it. */
static void finish_row(row_end *end, int32_t r, int32_t sum, const o2m_attention_params *p) {
  const int32_t bits = o2m_bits32((uint32_t)sum), shift = p->y_shift + bits - 1;
  end->row[r].multiplier = o2m_divide_scaled((uint32_t)p->y_multiplier, bits - 1, (uint32_t)sum);
  end->row[r].shift = shift - 32;
  end->row[r].start = shift >= 33 && shift < 55 ? (1 << (shift - 33)) + p->y_zero * (1 << (shift - 32)) : 0;
}

static NOINLINE void softmax(const tile *t, const o2m_attention_params *p) {
  const int32_t missing = 4 * t->key_groups - p->keys;
  for (int32_t pair = 0; pair < t->pairs; ++pair) {
    uint32_t both[2], *const scores = scores_of(t, pair);
    largest_scores(scores, t->key_groups, both);
    exponentiate(scores, t->key_groups, both);
    for (int32_t r = 0; r < 2; ++r) {
      const int32_t dropped = missing > 0 ? drop(scores + 4 * (t->key_groups - 1) + r, missing) : 0;
      finish_row(end_of(t, pair), r, (int32_t)both[r] - dropped, p);
    }
  }
}

/* ---- Rows of y ---- */

/* Columns c .. c + columns - 1 of both rows of a block, from their sums. */
static void store_sums(const tile *t, int32_t pair, const int32_t sums[8], int32_t c, int32_t columns, void *y,
                       const o2m_attention_params *p) {
  const row_end *const end = end_of(t, pair);
  for (int32_t r = 0; r < 2; ++r) {
    for (int32_t i = 0; i < columns; ++i) {
      const int32_t at = row_of(t, pair, r) * p->y.row + (c + i) * p->y.column;
      const int32_t value = p->y_zero + o2m_requantize(sums[4 * r + i], end->row[r].multiplier, end->row[r].shift + 32);
      if (p->y_bytes == 1) {
        ((int8_t *)y)[at] = o2m_saturate_s8(value);
      } else {
        ((int16_t *)y)[at] = o2m_saturate_s16(value);
      }
    }
  }
}

/* Where O2M_DOT_DSP_AVERAGES does not do: some last columns, other layouts, s16, odd scales, and one block alone, which
 * takes as many keys at a time as lines fit where queries and keys lay, so that its scratch stays small. */
static void general_columns(tile *t, const int8_t *v, int32_t c, int32_t columns, void *y,
                            const o2m_attention_params *p) {
  const int32_t most = t->pairs > 1 ? p->keys : (query_words(t) + 8 * t->depth_groups) / 8 * 4;
  int32_t sums[8] = {0}, part[8];
  for (int32_t m = 0; m < p->keys; m += most) {
    const int32_t keys = o2m_min(most, p->keys - m), is_last = m + keys == p->keys;
    set_products(t, (keys + 3) / 4, O2M_DOT_DSP_RAW);
    O2M_SYM(o2m_dot_dsp_columns)(v + m * p->v.row, p->v.column, p->v.row, columns, keys, p->v_zero, t->lines);
    for (int32_t pair = 0; pair < t->pairs; ++pair) {
      sums_of(t, scores_of(t, pair) + m, part);
      for (int32_t i = 0; i < 8; ++i) sums[i] += part[i];
      if (!is_last) continue;
      store_sums(t, pair, sums, c, columns, y, p);
      memset(sums, 0, sizeof sums);
    }
  }
}

/* Whether O2M_DOT_DSP_AVERAGES can do: its shifts lie in 33 .. 54, whatever the sums. */
static int whole_words(const o2m_attention_params *p) {
  const int32_t most_bits = o2m_bits32(255u * (uint32_t)p->keys);
  return p->y.column == 1 && p->y_bytes == 1 && p->y_shift + 7 >= 33 && p->y_shift + most_bits - 1 <= 54;
}

static NOINLINE void dot_rows(tile *t, const int8_t *v, void *y, const o2m_attention_params *p) {
  const int fast = whole_words(p);
  for (int32_t pair = 0; fast && pair < t->pairs; ++pair) {
    for (int32_t r = 0; r < 2; ++r) end_of(t, pair)->y[r] = (int8_t *)y + row_of(t, pair, r) * p->y.row;
  }
  for (int32_t c = 0; c < p->columns; c += 4) {
    const int32_t columns = o2m_min(4, p->columns - c);
    const int8_t *const column = v + c * p->v.column;
    if (!fast || columns < 4 || t->pairs == 1) {
      general_columns(t, column, c, columns, y, p);
      continue;
    }
    set_products(t, t->key_groups, O2M_DOT_DSP_AVERAGES);
    O2M_SYM(o2m_dot_dsp_columns)(column, p->v.column, p->v.row, columns, p->keys, p->v_zero, t->lines);
    O2M_SYM(o2m_dot_dsp_run)(t->scores, scores_of(t, t->pairs), &t->products);
  }
}

/* ---- Heads ---- */

static void head(tile *t, const int8_t *q, const int8_t *k, const int8_t *v, int8_t *y, const int16_t *mask,
                 int32_t rows, const o2m_attention_params *p) {
  for (int32_t n = 0; n < rows; n += TILE_ROWS) {
    t->rows = o2m_min(TILE_ROWS, rows - n);
    t->pairs = (t->rows + 1) / 2;
    t->mask = mask ? mask + n * p->mask_layout.row : 0;
    t->queries = scores_of(t, t->pairs);
    t->lines = queries_of(t, t->pairs);
    dot_scores(t, q + n * p->q.row, k, p);
    softmax(t, p);
    t->lines = t->queries; /* which nobody reads any more */
    dot_rows(t, v, y + n * p->y.row * p->y_bytes, p);
  }
}

void O2M_SYM(o2m_attention_s8_dsp)(const int8_t *q, const int8_t *k, const int8_t *v, void *y, int32_t first,
                                   int32_t rows, void *scratch, const o2m_attention_params *p) {
  tile t;
  memset(&t, 0, sizeof t);
  t.depth_groups = (p->depth + 3) / 4;
  t.key_groups = (p->keys + 3) / 4;
  t.scores = (uint32_t *)scratch;
  for (int32_t g = 0; g < p->groups; ++g) {
    for (int32_t h = 0; h < p->heads; ++h) {
      const o2m_attention_layout *const m = &p->mask_layout;
      const int16_t *const mask = p->mask ? p->mask + g * m->group + h * m->head + first * m->row : 0;
      head(&t, q + g * p->q.group + h * p->q.head, k + g * p->k.group + h * p->k.head,
           v + g * p->v.group + h * p->v.head, (int8_t *)y + (g * p->y.group + h * p->y.head) * p->y_bytes, mask, rows,
           p);
    }
  }
}

#else /* not compiled for such a core: the same bytes from C */
#include "o2m_attention_scalar.h"

void O2M_SYM(o2m_attention_s8_dsp)(const int8_t *q, const int8_t *k, const int8_t *v, void *y, int32_t first,
                                   int32_t rows, void *scratch, const o2m_attention_params *p) {
  o2m_attention_scalar(q, k, v, y, first, rows, scratch, p);
}
#endif
