/* o2m_matmul_dsp.c - y = a b, s8 by s8, on cores with DSP instructions: some rows of a become panels, four columns of b
 * at a time meet them in the tile of o2m_dot_dsp.h. */
#include <string.h>

#include "o2m_dot_dsp.h"
#include "o2m_matmul.h"

typedef struct tile {
  int32_t rows;
  uint32_t *panels, *widened;
  int32_t sums[O2M_MATMUL_TILE][4];
} tile;

static void sum_up(tile *t, int32_t depth) {
  const uint32_t *const end = t->panels + (t->rows + 1) / 2 * o2m_dot_dsp_row_words(depth);
  o2m_dot_dsp d;
  memset(&d, 0, sizeof d);
  d.weights = t->widened;
  d.blocks = o2m_dot_dsp_blocks(depth);
  d.y = t->sums;
  d.row_bytes = 16;
  d.column_bytes = 4;
  d.store = O2M_DOT_DSP_RAW;
  O2M_SYM(o2m_dot_dsp_prepare)(&d);
  O2M_SYM(o2m_dot_dsp_run)(t->panels, end, &d);
}

/* floor(acc * multiplier / 2^shift + 1/2); from shift 33 on, the upper word of the product is all it takes. */
static inline int32_t scaled(int32_t acc, const o2m_matmul_params *p) {
  if (p->shift < 33) return o2m_requantize(acc, p->multiplier, p->shift);
  return o2m_floor_shift32(o2m_high_product(acc, p->multiplier) + (1 << (p->shift - 33)), p->shift - 32);
}

static void store_sums(const tile *t, void *y, int32_t at, int32_t columns, const o2m_matmul_params *p) {
  for (int32_t r = 0; r < t->rows; ++r, at += p->y_row) {
    for (int32_t i = 0; i < columns; ++i) {
      const int32_t q = p->y_zero + scaled(t->sums[r][i], p), to = at + i * p->y_column;
      if (p->y_bytes == 2) {
        ((int16_t *)y)[to] = o2m_saturate_s16(q);
      } else {
        ((int8_t *)y)[to] = o2m_saturate_s8(q);
      }
    }
  }
}

static void multiply(tile *t, const int8_t *a, const int8_t *b, void *y, int32_t y_at, int32_t rows,
                     const o2m_matmul_params *p) {
  for (int32_t m = 0; m < rows; m += O2M_MATMUL_TILE) {
    t->rows = o2m_min(O2M_MATMUL_TILE, rows - m);
    O2M_SYM(o2m_dot_dsp_rows)
    (a + m * p->a_row, O2M_DOT_DSP_FROM_S8, p->a_row, p->a_step, t->rows, p->depth, p->a_zero, t->panels);
    for (int32_t n = 0; n < p->columns; n += 4) {
      const int32_t columns = o2m_min(4, p->columns - n);
      O2M_SYM(o2m_dot_dsp_columns)
      (b + n * p->b_column, p->b_column, p->b_step, columns, p->depth, p->b_zero, t->widened);
      sum_up(t, p->depth);
      store_sums(t, y, y_at + m * p->y_row + n * p->y_column, columns, p);
    }
  }
}

void O2M_SYM(o2m_matmul_dsp)(const void *a, const void *b, void *y, int32_t rows, int32_t *scratch,
                             const o2m_matmul_params *p) {
  tile t;
  t.widened = (uint32_t *)scratch;
  t.panels = t.widened + o2m_dot_dsp_column_words(p->depth);
  for (int32_t i = 0; i < p->batches[0]; ++i) {
    for (int32_t j = 0; j < p->batches[1]; ++j) {
      multiply(&t, (const int8_t *)a + i * p->a_batch[0] + j * p->a_batch[1],
               (const int8_t *)b + i * p->b_batch[0] + j * p->b_batch[1], y, i * p->y_batch[0] + j * p->y_batch[1],
               rows, p);
    }
  }
}
