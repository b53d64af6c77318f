/* o2m_attention_s8_mve.c - softmax(q k^T factor + mask) v, s8 operands, for Helium (Cortex-M55). A tile of query rows
 * at a time: four keys, or four columns of v, are laid into scratch once for all rows of the tile, as lines of bytes in
 * blocks of 16, and every VMLADAVA makes 16 products. */
#include "o2m_attention_s8.h"

#if defined(__ARM_FEATURE_MVE)
#include <arm_mve.h>

#include "o2m_attention_exp.h"

#define NOINLINE __attribute__((noinline)) /* scores, exponentials and rows show up apart in a profile */

/* ---- A tile's memory ---- */

/* Behind a query: its part of what the zero points add to its scores. */
typedef struct query_end {
  int32_t offset, unused[3];
} query_end;

/* Behind a row of exponentials: y = ((sum e u + offset) * multiplier / 2^32 + start) >> -shift, with u = v + 128. */
typedef struct row_end {
  int32_t offset, multiplier, start, shift;
  int8_t *y;
} row_end;

typedef struct tile {
  int32_t rows, pairs;
  int32_t depth, keys;              /* rounded up to blocks of 16 */
  int32_t query_bytes, score_bytes; /* of a row and what is behind it */
  int8_t *queries, *scores, *lines;
  const int16_t *mask; /* of the first row, or null */
} tile;

enum { TILE_ROWS = 16, BLOCK = 16 };
static int32_t round_up(int32_t x) { return (x + BLOCK - 1) / BLOCK * BLOCK; }
static int8_t *query_of(const tile *t, int32_t row) { return t->queries + row * t->query_bytes; }
static int16_t *scores_of(const tile *t, int32_t row) { return (int16_t *)(void *)(t->scores + row * t->score_bytes); }
static int8_t *exponentials_of(const tile *t, int32_t row) { return t->scores + row * t->score_bytes; }
static row_end *end_of(const tile *t, int32_t row) { return (row_end *)(void *)(exponentials_of(t, row) + t->keys); }
/* Rows come in pairs; an odd last row is its own partner. */
static int32_t row_of(const tile *t, int32_t row) { return o2m_min(row, t->rows - 1); }

/* ---- Lines of bytes ---- */

/* `count` elements, `step` apart, each with the bits of `flip` turned over, then zeros up to a block; blocks of the
 * result are `apart` bytes from each other. Returns the sum of the elements. */
static int32_t lay_dense(const int8_t *at, int32_t count, int8_t flip, int8_t *to, int32_t apart) {
  const int8x16_t turned = vdupq_n_s8(flip);
  int32_t sum = 0;
  for (; count >= BLOCK; count -= BLOCK, at += BLOCK, to += apart) {
    const int8x16_t x = vldrbq_s8(at);
    sum = vaddvaq_s8(sum, x);
    vstrbq_s8(to, veorq_s8(x, turned));
  }
  if (count > 0) {
    const mve_pred16_t present = vctp8q((uint32_t)count);
    const int8x16_t x = vldrbq_z_s8(at, present);
    sum = vaddvaq_s8(sum, x);
    vstrbq_s8(to, vpselq_s8(veorq_s8(x, turned), vdupq_n_s8(0), present));
  }
  return sum;
}

/* Steps below 9000: offsets of a gather are u16. */
enum { MOST_STEP = 9000 };
static int32_t lay_strided(const int8_t *at, int32_t step, int32_t count, int8_t flip, int8_t *to, int32_t apart) {
  const uint16x8_t offsets = vmulq_n_u16(vidupq_n_u16(0, 1), (uint16_t)step);
  const int16x8_t turned = vdupq_n_s16(flip), none = vdupq_n_s16(0);
  int32_t sum = 0;
  for (; count >= BLOCK; count -= BLOCK, at += BLOCK * step, to += apart) {
    const int16x8_t x = vldrbq_gather_offset_s16(at, offsets), y = vldrbq_gather_offset_s16(at + 8 * step, offsets);
    sum = vaddvaq_s16(vaddvaq_s16(sum, x), y);
    vstrbq_s16(to, veorq_s16(x, turned));
    vstrbq_s16(to + 8, veorq_s16(y, turned));
  }
  for (int32_t n = 0; n < BLOCK && count > 0; n += 8) {
    const mve_pred16_t present = vctp16q((uint32_t)o2m_max(count - n, 0));
    const int16x8_t x = vldrbq_gather_offset_z_s16(at + n * step, offsets, present);
    sum = vaddvaq_s16(sum, x);
    vstrbq_s16(to + n, vpselq_s16(veorq_s16(x, turned), none, present));
  }
  return sum;
}

static int32_t lay_far(const int8_t *at, int32_t step, int32_t count, int8_t flip, int8_t *to, int32_t apart) {
  int32_t sum = 0;
  for (int32_t n = 0; n < round_up(count); ++n) {
    const int8_t x = n < count ? at[n * step] : 0;
    to[n / BLOCK * apart + n % BLOCK] = n < count ? (int8_t)(x ^ flip) : 0;
    sum += x;
  }
  return sum;
}

static int32_t lay(const int8_t *at, int32_t step, int32_t count, int8_t flip, int8_t *to, int32_t apart) {
  if (step == 1) return lay_dense(at, count, flip, to, apart);
  if (step > 0 && step < MOST_STEP) return lay_strided(at, step, count, flip, to, apart);
  return lay_far(at, step, count, flip, to, apart);
}

/* Whole blocks of four keys as a projection leaves them. */
static void lay_keys(const int8_t *a, int32_t line, int32_t blocks, int8_t *to, int32_t sums[4]) {
  const int8_t *b = a + line, *c = b + line, *d = c + line;
  int32_t sum_a = 0, sum_b = 0, sum_c = 0, sum_d = 0;
  for (int8_t *const end = to + 4 * BLOCK * blocks; to != end; to += 4 * BLOCK) {
    const int8x16_t of_a = vldrbq_s8(a), of_b = vldrbq_s8(b), of_c = vldrbq_s8(c), of_d = vldrbq_s8(d);
    a += BLOCK, b += BLOCK, c += BLOCK, d += BLOCK;
    vstrbq_s8(to, of_a);
    vstrbq_s8(to + BLOCK, of_b);
    vstrbq_s8(to + 2 * BLOCK, of_c);
    vstrbq_s8(to + 3 * BLOCK, of_d);
    sum_a = vaddvaq_s8(sum_a, of_a);
    sum_b = vaddvaq_s8(sum_b, of_b);
    sum_c = vaddvaq_s8(sum_c, of_c);
    sum_d = vaddvaq_s8(sum_d, of_d);
  }
  sums[0] = sum_a, sums[1] = sum_b, sums[2] = sum_c, sums[3] = sum_d;
}

/* The first `present` (1 to 4) of four lines, `line` apart, side by side in blocks; those that are missing are zero. */
static NOINLINE void dot_lay_lines(const int8_t *at, int32_t line, int32_t step, int32_t count, int32_t present,
                                   int8_t flip, int8_t *to, int32_t sums[4]) {
  if (step == 1 && present == 4 && flip == 0 && count % BLOCK == 0) {
    lay_keys(at, line, count / BLOCK, to, sums);
    return;
  }
  for (int32_t i = 0; i < present; ++i) sums[i] = lay(at + i * line, step, count, flip, to + BLOCK * i, 4 * BLOCK);
  for (int32_t i = present; i < 4; ++i) {
    sums[i] = 0;
    for (int32_t n = 0; n < round_up(count); n += BLOCK) vstrbq_s8(to + BLOCK * i + 4 * n, vdupq_n_s8(0));
  }
}

/* ---- Tiles: every pair of rows times four lines ---- */

/* What the assembly reads, by offset. */
typedef struct tile_call {
  const int8_t *rows, *lines;
  int32_t blocks, row_bytes; /* blocks of 16 elements; from row to row */
  int32_t next;              /* from what is behind a row to the row after the next */
  const int8_t *end;         /* of the rows */
  void *to;                  /* scores: where the first row's four go; sums: where all eight go */
  int32_t to_bytes;          /* from one row's scores to the next one's */
  int32_t multiplier;
} tile_call;

/* r0 r2 r4 r6: sums of row 0, r8 r10 r12 lr: of row 1; r1 r3 the rows, r5 the lines, r9 blocks left, r11 tile_call; q0
 * q1 a block of each row, q2 q3 of two lines. Then q6 and q7 hold the sums, r1 and r3 what is behind the rows, and the
 * other registers but r11 are free. */
#define LINE(op, type, line, row0, row1) \
  "vldrb.8 " line ", [r5], #16\n" op "." type " " row0 ", q0, " line "\n" op "." type " " row1 ", q1, " line "\n"
#define PRODUCTS(op, type)                                                                     \
  "vldrb.8 q0, [r1], #16\n"                                                                    \
  "vldrb.8 q1, [r3], #16\n" LINE(op, type, "q2", "r0", "r8") LINE(op, type, "q3", "r2", "r10") \
      LINE(op, type, "q2", "r4", "r12") LINE(op, type, "q3", "r6", "lr")
#define TILE_BEGIN       \
  "push {r4-r11, lr}\n"  \
  "vpush {d8-d15}\n"     \
  "mov r11, r0\n"        \
  "ldr r7, [r11, #24]\n" \
  "vldrw.32 q4, [r1]\n"  \
  "vldrw.32 q5, [r1]\n"  \
  "ldr r1, [r11]\n"      \
  "ldr r3, [r11, #12]\n" \
  "add r3, r3, r1\n"
#define TILE_SUMS(type) \
  "2: ldrd r5, r9, [r11, #4]\n"                 \
  PRODUCTS("vmladav", type)                     \
  "subs r9, r9, #1\n"                           \
  "beq 3f\n"                                    \
  "1:\n" PRODUCTS("vmladava", type)             \
  "subs r9, r9, #1\n"                           \
  "bne 1b\n"                                    \
  "3:\n"                                        \
  "vmov q6[2], q6[0], r0, r4\n"                 \
  "vmov q6[3], q6[1], r2, r6\n"                 \
  "vmov q7[2], q7[0], r8, r12\n"                \
  "vmov q7[3], q7[1], r10, lr\n"
#define TILE_NEXT              \
  "ldrd r8, r10, [r11, #16]\n" \
  "add r1, r1, r8\n"           \
  "add r3, r3, r8\n"           \
  "cmp r1, r10\n"              \
  "bne 2b\n"
#define TILE_END    \
  "vpop {d8-d15}\n" \
  "pop {r4-r11, lr}\n"
#define TILE(text, call, four)                            \
  register const tile_call *first __asm__("r0") = (call); \
  register const int32_t *second __asm__("r1") = (four);  \
  __asm__ volatile(text : "+r"(first), "+r"(second) : : "r2", "r3", "r12", "q0", "q1", "q2", "q3", "cc", "memory")

/* Four scores of every row; `offsets`: what the zero points add to those of each key. */
static NOINLINE void dot_scores_tile(const tile_call *call, const int32_t offsets[4]) {
  TILE(TILE_BEGIN TILE_SUMS("s8")
       "ldr r0, [r1]\n" /* the rows' own offsets */
       "ldr r2, [r3]\n"
       "ldrd r4, r6, [r11, #28]\n" /* to_bytes, multiplier */
       "vadd.i32 q6, q6, q4\n"
       "vadd.i32 q7, q7, q4\n"
       "vadd.i32 q6, q6, r0\n"
       "vadd.i32 q7, q7, r2\n"
       "vqrdmulh.s32 q6, q6, r6\n"
       "vqrdmulh.s32 q7, q7, r6\n"
       "vqmovnb.s32 q6, q6\n"
       "vqmovnb.s32 q7, q7\n"
       "vstrh.32 q6, [r7]\n"
       "add r7, r7, r4\n"
       "vstrh.32 q7, [r7]\n"
       "add r7, r7, r4\n" TILE_NEXT TILE_END,
       call, offsets);
}

/* The eight sums of one pair. */
static NOINLINE void dot_sums_tile(const tile_call *call, const int32_t unused[4]) {
  TILE(TILE_BEGIN TILE_SUMS("s8")
       "vstrw.32 q6, [r7]\n"
       "vstrw.32 q7, [r7, #16]\n" TILE_END,
       call, unused);
}
static NOINLINE void dot_unsigned_sums_tile(const tile_call *call, const int32_t unused[4]) {
  TILE(TILE_BEGIN TILE_SUMS("u8")
       "vstrw.32 q6, [r7]\n"
       "vstrw.32 q7, [r7, #16]\n" TILE_END,
       call, unused);
}

/* One row of y from its sums `q`; `end` points at its row_end. */
#define FINISH_ROW(q, end)   \
  "ldm " end                 \
  ", {r0, r2, r4, r6, r7}\n" \
  "vadd.i32 " q ", " q       \
  ", r0\n"                   \
  "vdup.32 q0, r2\n"         \
  "vmulh.s32 " q ", " q      \
  ", q0\n"                   \
  "vadd.i32 " q ", " q       \
  ", r4\n"                   \
  "vshl.s32 " q              \
  ", r6\n"                   \
  "vqmovnb.s32 " q ", " q    \
  "\n"                       \
  "vqmovnb.s16 " q ", " q    \
  "\n"                       \
  "vpst\n"                   \
  "vstrbt.32 " q ", [r7, q5]\n"
/* Up to four columns of every row, s8, at columns[i] bytes into it; r7 has how many. */
static NOINLINE void dot_rows_tile(const tile_call *call, const int32_t columns[4]) {
  TILE(TILE_BEGIN "vctp.32 r7\n" TILE_SUMS("u8") FINISH_ROW("q6", "r1") FINISH_ROW("q7", "r3") TILE_NEXT TILE_END, call,
       columns);
}

/* ---- Scores ---- */

static tile_call score_call(const tile *t, const o2m_attention_params *p) {
  const tile_call call = {t->queries,
                          t->lines,
                          t->depth / BLOCK,
                          t->query_bytes,
                          2 * t->query_bytes - t->depth,
                          query_of(t, 2 * t->pairs),
                          t->scores,
                          t->score_bytes,
                          p->score_multiplier};
  return call;
}

/* sum (q - zero_q) (k - zero_k) = sum q k - zero_k sum q + P zero_q zero_k - zero_q sum k */
static void load_queries(const tile *t, const int8_t *q, const o2m_attention_params *p) {
  for (int32_t row = 0; row < 2 * t->pairs; ++row) {
    const int32_t sum = lay(q + row_of(t, row) * p->q.row, p->q.column, p->depth, 0, query_of(t, row), BLOCK);
    query_end *const end = (query_end *)(void *)(query_of(t, row) + t->depth);
    end->offset = (p->depth * p->q_zero - sum) * p->k_zero;
  }
}

static int32_t masked_score(int32_t sum, const int16_t *mask, const o2m_attention_params *p) {
  const int32_t score = o2m_requantize(sum, p->score_multiplier, p->score_shift);
  if (!mask) return o2m_saturate_s16(score);
  return *mask == -32768 ? -32768 : o2m_saturate_s16(score + *mask);
}

/* Scores of keys m .. m + keys - 1 where dot_scores_tile() does not do: a mask, or large factors. */
static void general_scores(const tile *t, int32_t m, int32_t keys, const int32_t offsets[4],
                           const o2m_attention_params *p) {
  tile_call call = score_call(t, p);
  for (int32_t row = 0; row < 2 * t->pairs; row += 2) {
    int32_t sums[8];
    call.rows = query_of(t, row);
    call.to = sums;
    dot_sums_tile(&call, offsets);
    for (int32_t i = 0; i < 8; ++i) {
      const int32_t own = row + i / 4, key = i % 4;
      if (key >= keys) continue;
      const query_end *const end = (const query_end *)(void *)(query_of(t, own) + t->depth);
      const int16_t *const mask = t->mask ? t->mask + row_of(t, own) * p->mask_layout.row + m + key : 0;
      scores_of(t, own)[m + key] = (int16_t)masked_score(sums[i] + offsets[key] + end->offset, mask, p);
    }
  }
}

static NOINLINE void dot_scores(const tile *t, const int8_t *q, const int8_t *k, const o2m_attention_params *p) {
  const int fast = !t->mask && p->score_shift == 31;
  tile_call call = score_call(t, p);
  load_queries(t, q, p);
  for (int32_t m = 0; m < p->keys; m += 4, call.to = (int16_t *)call.to + 4) {
    const int32_t keys = o2m_min(4, p->keys - m);
    int32_t offsets[4];
    dot_lay_lines(k + m * p->k.row, p->k.row, p->k.column, p->depth, keys, 0, t->lines, offsets);
    for (int32_t i = 0; i < 4; ++i) offsets[i] *= -p->q_zero;
    if (fast) {
      dot_scores_tile(&call, offsets);
    } else {
      general_scores(t, m, keys, offsets, p);
    }
  }
}

/* ---- Exponentials ---- */

static int32_t largest_score(const int16_t *scores, int32_t count) {
  register const int16_t *at __asm__("r0") = scores;
  register int32_t largest __asm__("r1") = -32768;
  register int32_t left __asm__("r2") = count;
  __asm__ volatile(
      "dlstp.16 lr, r2\n"
      "1: vldrh.16 q0, [r0], #16\n"
      "vmaxv.s16 r1, q0\n"
      "letp lr, 1b\n"
      : "+r"(at), "+r"(largest)
      : "r"(left)
      : "lr", "q0", "cc", "memory");
  return (int16_t)largest;
}

/* Scores become exponentials in place, s16 becomes u8; returns their sum. The difference to the largest one is
 * saturated, then limited to the table. */
static int32_t exponentiate(int16_t *scores, int32_t count) {
  const int32_t most = largest_score(scores, count);
  register const int16_t *from __asm__("r0") = scores;
  register uint8_t *to __asm__("r1") = (uint8_t *)scores;
  register int32_t sum __asm__("r2") = 0;
  register const uint8_t *table __asm__("r3") = o2m_exponential;
  register int32_t largest __asm__("r12") = most;
  register int32_t left __asm__("r4") = count;
  __asm__ volatile(
      "vmov.i16 q1, #0x1ff\n"
      "dlstp.16 lr, r4\n"
      "1: vldrh.16 q0, [r0], #16\n"
      "vqsub.s16 q0, q0, r12\n"
      "vqabs.s16 q0, q0\n"
      "vmin.u16 q0, q0, q1\n"
      "vldrb.u16 q2, [r3, q0]\n"
      "vaddva.u16 r2, q2\n"
      "vstrb.16 q2, [r1], #8\n"
      "letp lr, 1b\n"
      : "+r"(from), "+r"(to), "+r"(sum)
      : "r"(table), "r"(largest), "r"(left)
      : "lr", "q0", "q1", "q2", "cc", "memory");
  return sum;
}

/* sum e (v - zero_v) = sum e u - (128 + zero_v) sum e; the rest as average_of() of the scalar kernel has it. */
static void finish_row(row_end *end, int32_t sum, const o2m_attention_params *p) {
  const int32_t bits = o2m_bits32((uint32_t)sum), shift = p->y_shift + bits - 1;
  end->offset = -(128 + p->v_zero) * sum;
  end->multiplier = o2m_divide_scaled((uint32_t)p->y_multiplier, bits - 1, (uint32_t)sum);
  end->shift = 32 - shift;
  end->start = shift >= 33 && shift < 55 ? (1 << (shift - 33)) + p->y_zero * (1 << (shift - 32)) : 0;
}

static NOINLINE void softmax(const tile *t, const o2m_attention_params *p) {
  for (int32_t row = 0; row < 2 * t->pairs; ++row) {
    finish_row(end_of(t, row), exponentiate(scores_of(t, row), p->keys), p);
  }
}

/* ---- Rows of y ---- */

static tile_call row_call(const tile *t) {
  const tile_call call = {t->scores,
                          t->lines,
                          t->keys / BLOCK,
                          t->score_bytes,
                          2 * t->score_bytes - t->keys,
                          exponentials_of(t, 2 * t->pairs),
                          0,
                          0,
                          0};
  return call;
}

/* Where dot_rows_tile() does not do: s16, odd scales. */
static void general_columns(const tile *t, int32_t c, int32_t columns, void *y, const o2m_attention_params *p) {
  tile_call call = row_call(t);
  for (int32_t row = 0; row < 2 * t->pairs; row += 2) {
    int32_t sums[8];
    call.rows = exponentials_of(t, row);
    call.to = sums;
    dot_unsigned_sums_tile(&call, sums);
    for (int32_t i = 0; i < 8; ++i) {
      if (i % 4 >= columns) continue;
      const row_end *const end = end_of(t, row + i / 4);
      const int32_t at = row_of(t, row + i / 4) * p->y.row + (c + i % 4) * p->y.column;
      const int32_t acc = (int32_t)((uint32_t)sums[i] + (uint32_t)end->offset);
      const int32_t value = p->y_zero + o2m_requantize(acc, end->multiplier, 32 - end->shift);
      if (p->y_bytes == 1) {
        ((int8_t *)y)[at] = o2m_saturate_s8(value);
      } else {
        ((int16_t *)y)[at] = o2m_saturate_s16(value);
      }
    }
  }
}

/* Whether dot_rows_tile() can do: its shifts lie in 33 .. 54, whatever the sums. */
static int simple_rows(const o2m_attention_params *p) {
  return p->y_bytes == 1 && p->y_shift + 7 >= 33 && p->y_shift + o2m_bits32(255u * (uint32_t)p->keys) - 1 <= 54;
}

static NOINLINE void dot_rows(const tile *t, const int8_t *v, void *y, const o2m_attention_params *p) {
  const int fast = simple_rows(p);
  tile_call call = row_call(t);
  for (int32_t row = 0; row < 2 * t->pairs; ++row) end_of(t, row)->y = (int8_t *)y + row_of(t, row) * p->y.row;
  for (int32_t c = 0; c < p->columns; c += 4) {
    const int32_t columns = o2m_min(4, p->columns - c);
    int32_t sums[4], at[4];
    dot_lay_lines(v + c * p->v.column, p->v.column, p->v.row, p->keys, columns, -128, t->lines, sums);
    for (int32_t i = 0; i < 4; ++i) at[i] = (c + i) * p->y.column;
    call.to = (void *)(intptr_t)columns;
    if (fast) {
      dot_rows_tile(&call, at);
    } else {
      general_columns(t, c, columns, y, p);
    }
  }
}

/* ---- Heads ---- */

static void head(const int8_t *q, const int8_t *k, const int8_t *v, int8_t *y, const int16_t *mask, int32_t rows,
                 int8_t *scratch, const o2m_attention_params *p) {
  tile t = {0, 0, round_up(p->depth), round_up(p->keys), 0, 0, 0, scratch, 0, 0};
  t.query_bytes = t.depth + (int32_t)sizeof(query_end);
  t.score_bytes = t.keys + o2m_max(t.keys, 2 * BLOCK); /* row_end takes 20 of these bytes once the scores are gone */
  for (int32_t n = 0; n < rows; n += TILE_ROWS) {
    t.rows = o2m_min(TILE_ROWS, rows - n);
    t.pairs = (t.rows + 1) / 2;
    t.mask = mask ? mask + n * p->mask_layout.row : 0;
    t.queries = exponentials_of(&t, 2 * t.pairs);
    t.lines = query_of(&t, 2 * t.pairs);
    dot_scores(&t, q + n * p->q.row, k, p);
    softmax(&t, p);
    t.lines = t.queries; /* which nobody reads any more */
    dot_rows(&t, v, y + n * p->y.row * p->y_bytes, p);
  }
}

void O2M_SYM(o2m_attention_s8_mve)(const int8_t *q, const int8_t *k, const int8_t *v, void *y, int32_t first,
                                   int32_t rows, void *scratch, const o2m_attention_params *p) {
  for (int32_t g = 0; g < p->groups; ++g) {
    for (int32_t h = 0; h < p->heads; ++h) {
      const o2m_attention_layout *const m = &p->mask_layout;
      const int16_t *const mask = p->mask ? p->mask + g * m->group + h * m->head + first * m->row : 0;
      head(q + g * p->q.group + h * p->q.head, k + g * p->k.group + h * p->k.head, v + g * p->v.group + h * p->v.head,
           (int8_t *)y + (g * p->y.group + h * p->y.head) * p->y_bytes, mask, rows, (int8_t *)scratch, p);
    }
  }
}

#else /* not compiled for such a core: the same bytes from C */
#include "o2m_attention_scalar.h"

void O2M_SYM(o2m_attention_s8_mve)(const int8_t *q, const int8_t *k, const int8_t *v, void *y, int32_t first,
                                   int32_t rows, void *scratch, const o2m_attention_params *p) {
  o2m_attention_scalar(q, k, v, y, first, rows, scratch, p);
}
#endif
