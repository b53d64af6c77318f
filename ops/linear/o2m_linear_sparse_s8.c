/* o2m_linear_sparse_s8.c - sparse linear layer, s8 input. Four rows share each block that is decoded. */
#include "o2m_linear_sparse.h"

/* The sum of 4 products; x at k, elements `c` apart. */
static inline int32_t products(const int8_t *x, int32_t c, const int32_t w[4]) {
  return x[0] * w[0] + x[c] * w[1] + x[2 * c] * w[2] + x[3 * c] * w[3];
}

/* sums[r] += the products of the column at `stream` with 4 rows, `row` apart; returns where the next column begins. */
static inline const uint8_t *add_column(const uint8_t *stream, const int8_t *x, int32_t row, int32_t column,
                                        int32_t depth, int32_t sums[4]) {
  const uint8_t *const end = stream + O2M_SPARSE_HEAD + O2M_SPARSE_BLOCK * o2m_sparse_count(stream);
  int32_t s0 = sums[0], s1 = sums[1], s2 = sums[2], s3 = sums[3], k = 0;
  for (stream += O2M_SPARSE_HEAD; stream != end; stream += O2M_SPARSE_BLOCK, k += 4) {
    const int32_t w[4] = {(int8_t)stream[1], (int8_t)stream[2], (int8_t)stream[3], (int8_t)stream[4]};
    k += o2m_sparse_skip(stream[0]);
    const int8_t *const a = x + k * column;
    if (k + 4 <= depth) {
      s0 += products(a, column, w);
      s1 += products(a + row, column, w);
      s2 += products(a + 2 * row, column, w);
      s3 += products(a + 3 * row, column, w);
      continue;
    }
    for (int32_t i = 0; k + i < depth; ++i) {
      s0 += a[i * column] * w[i];
      s1 += a[row + i * column] * w[i];
      s2 += a[2 * row + i * column] * w[i];
      s3 += a[3 * row + i * column] * w[i];
    }
  }
  sums[0] = s0, sums[1] = s1, sums[2] = s2, sums[3] = s3;
  return stream;
}

/* All columns of rows t .. t + 3, or of the one row t. */
static void tile(const int8_t *x, void *y, int32_t t, int32_t count, const o2m_linear_params *p) {
  const uint8_t *stream = (const uint8_t *)p->weights;
  const int32_t row = count == 4 ? p->x_row : 0;
  x += t * p->x_row;
  for (int32_t n = 0; n < p->columns; ++n) {
    const int32_t bias = p->bias[n];
    int32_t sums[4] = {bias, bias, bias, bias};
    stream = p->x_column == 1 ? add_column(stream, x, row, 1, p->depth, sums)
                              : add_column(stream, x, row, p->x_column, p->depth, sums);
    for (int32_t r = 0; r < count; ++r) {
      o2m_linear_store(p, y, (t + r) * p->y_row + n * p->y_column, n, sums[r]);
    }
  }
}

/* x [rows][depth] -> y [rows][columns]. The last four rows may have been done in part before: the same bytes again. */
void O2M_SYM(o2m_linear_sparse_s8)(const int8_t *x, void *y, int32_t rows, const o2m_linear_params *p, void *scratch) {
  (void)scratch;
  if (rows < 4) {
    for (int32_t t = 0; t < rows; ++t) tile(x, y, t, 1, p);
    return;
  }
  for (int32_t t = 0; t < rows; t += 4) tile(x, y, o2m_min(t, rows - 4), 4, p);
}
