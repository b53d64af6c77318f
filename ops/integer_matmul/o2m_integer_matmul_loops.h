/* o2m_integer_matmul_loops.h - the body of both kernels, for a file that defines SUM, the type of a sum; else empty. */
#include "o2m_integer_matmul.h"

#ifdef SUM
/* Sums of row[k] * b[k] for the columns from n on, four of them where there are as many: each value of a is read once.
 */
#define O2M_DOTS(NAME, B)                                                                             \
  static int32_t NAME(const int32_t *row, const void *matrix, int32_t at, int32_t n, SUM *sums,       \
                      const o2m_integer_matmul_params *p) {                                           \
    const B *const b0 = (const B *)matrix + at + n * p->b_column;                                     \
    SUM s0 = 0, s1 = 0, s2 = 0, s3 = 0;                                                               \
    if (p->columns - n < 4) {                                                                         \
      for (int32_t k = 0; k < p->depth; ++k) s0 += (SUM)row[k] * b0[k];                               \
      sums[0] = s0;                                                                                   \
      return 1;                                                                                       \
    }                                                                                                 \
    const B *const b1 = b0 + p->b_column, *const b2 = b1 + p->b_column, *const b3 = b2 + p->b_column; \
    for (int32_t k = 0; k < p->depth; ++k) {                                                          \
      const SUM value = row[k];                                                                       \
      s0 += value * b0[k];                                                                            \
      s1 += value * b1[k];                                                                            \
      s2 += value * b2[k];                                                                            \
      s3 += value * b3[k];                                                                            \
    }                                                                                                 \
    sums[0] = s0;                                                                                     \
    sums[1] = s1;                                                                                     \
    sums[2] = s2;                                                                                     \
    sums[3] = s3;                                                                                     \
    return 4;                                                                                         \
  }
O2M_DOTS(dots_s8, int8_t)
O2M_DOTS(dots_u8, uint8_t)
O2M_DOTS(dots_s16, int16_t)
O2M_DOTS(dots_s32, int32_t)

/* The same sums row of b by row of b, where the values along K do not lie side by side. */
#define O2M_AXPYS(NAME, B)                                                            \
  static void NAME(const int32_t *row, const void *matrix, int32_t at, SUM *sums,     \
                   const o2m_integer_matmul_params *p) {                              \
    for (int32_t n = 0; n < p->columns; ++n) sums[n] = 0;                             \
    for (int32_t k = 0; k < p->depth; ++k) {                                          \
      const B *const b = (const B *)matrix + at + k * p->b_step;                      \
      const SUM value = row[k];                                                       \
      for (int32_t n = 0; n < p->columns; ++n) sums[n] += value * b[n * p->b_column]; \
    }                                                                                 \
  }
O2M_AXPYS(axpys_s8, int8_t)
O2M_AXPYS(axpys_u8, uint8_t)
O2M_AXPYS(axpys_s16, int16_t)
O2M_AXPYS(axpys_s32, int32_t)

static void store(void *y, int32_t at, int32_t n, SUM sum, const o2m_integer_matmul_params *p) {
  const SUM biased = p->bias ? sum + p->bias[n] : sum;
  const int32_t q = p->requant.on ? o2m_integer_requantise(biased, p->mul[n], p->add[n], &p->requant) : (int32_t)biased;
  o2m_integer_put(y, at + n * p->y_column, p->y_type, q);
}

static void dense_row(const int32_t *row, const void *b, int32_t b_at, void *y, int32_t y_at,
                      const o2m_integer_matmul_params *p) {
  for (int32_t n = 0; n < p->columns;) {
    SUM sums[4];
    const int32_t done = p->b_type == O2M_INTEGER_S8    ? dots_s8(row, b, b_at, n, sums, p)
                         : p->b_type == O2M_INTEGER_U8  ? dots_u8(row, b, b_at, n, sums, p)
                         : p->b_type == O2M_INTEGER_S16 ? dots_s16(row, b, b_at, n, sums, p)
                                                        : dots_s32(row, b, b_at, n, sums, p);
    for (int32_t i = 0; i < done; ++i, ++n) store(y, y_at, n, sums[i], p);
  }
}

static void strided_row(const int32_t *row, const void *b, int32_t b_at, void *y, int32_t y_at, SUM *sums,
                        const o2m_integer_matmul_params *p) {
  if (p->b_type == O2M_INTEGER_S8) {
    axpys_s8(row, b, b_at, sums, p);
  } else if (p->b_type == O2M_INTEGER_U8) {
    axpys_u8(row, b, b_at, sums, p);
  } else if (p->b_type == O2M_INTEGER_S16) {
    axpys_s16(row, b, b_at, sums, p);
  } else {
    axpys_s32(row, b, b_at, sums, p);
  }
  for (int32_t n = 0; n < p->columns; ++n) store(y, y_at, n, sums[n], p);
}

static void multiply(const void *a, int32_t a_at, const void *b, int32_t b_at, void *y, int32_t y_at, int32_t rows,
                     int32_t *scratch, const o2m_integer_matmul_params *p) {
  SUM *const sums = (SUM *)(void *)(scratch + (p->depth + 1) / 2 * 2);
  for (int32_t m = 0; m < rows; ++m) {
    o2m_integer_widen(a, a_at + m * p->a_row, p->a_step, p->a_type, p->depth, scratch);
    if (p->b_step == 1) {
      dense_row(scratch, b, b_at, y, y_at + m * p->y_row, p);
    } else {
      strided_row(scratch, b, b_at, y, y_at + m * p->y_row, sums, p);
    }
  }
}

static inline void all_rows(const void *a, const void *b, void *y, int32_t rows, int32_t *scratch,
                            const o2m_integer_matmul_params *p) {
  for (int32_t i = 0; i < p->batches[0]; ++i) {
    for (int32_t j = 0; j < p->batches[1]; ++j) {
      multiply(a, i * p->a_batch[0] + j * p->a_batch[1], b, i * p->b_batch[0] + j * p->b_batch[1], y,
               i * p->y_batch[0] + j * p->y_batch[1], rows, scratch, p);
    }
  }
}
#endif
