/* o2m_softmax_s8.c - softmax, s8 input. */
#include "o2m_softmax.h"

static int32_t largest_of(const int8_t *x, int32_t c) {
  int32_t largest = -128, i = 0;
  for (; i + 4 <= c; i += 4, x += 4) {
    largest = o2m_max(largest, x[0]);
    largest = o2m_max(largest, x[1]);
    largest = o2m_max(largest, x[2]);
    largest = o2m_max(largest, x[3]);
  }
  for (; i < c; ++i) largest = o2m_max(largest, *x++);
  return largest;
}

/* e: the table's place of x = 0, the largest at its end. Up to 256 exponentials fit 32 bits. */
static uint64_t sum_of(const int8_t *x, int32_t c, const int32_t *e) {
  uint64_t sum = 0;
  while (c > 0) {
    const int32_t n = o2m_min(c, 256);
    uint32_t part = 0;
    int32_t i = 0;
    for (; i + 4 <= n; i += 4, x += 4) part += (uint32_t)(e[x[0]] + e[x[1]]) + (uint32_t)(e[x[2]] + e[x[3]]);
    for (; i < n; ++i) part += (uint32_t)e[*x++];
    sum += part;
    c -= n;
  }
  return sum;
}

static void write_row(const int8_t *x, int8_t *y, const int32_t *e, int32_t v, const o2m_softmax_params *p) {
  const int32_t c = p->features, zero = 16 * p->y_zero + 8;
  int32_t i = 0;
  for (; i + 4 <= c; i += 4, x += 4, y += 4) {
    y[0] = (int8_t)o2m_softmax_y(e[x[0]], v, zero);
    y[1] = (int8_t)o2m_softmax_y(e[x[1]], v, zero);
    y[2] = (int8_t)o2m_softmax_y(e[x[2]], v, zero);
    y[3] = (int8_t)o2m_softmax_y(e[x[3]], v, zero);
  }
  for (; i < c; ++i) *y++ = (int8_t)o2m_softmax_y(e[*x++], v, zero);
}

/* A row of dense s8 output. */
static void dense_row(const int8_t *x, int8_t *y, const o2m_softmax_params *p) {
  const int32_t *const e = p->low + 255 - largest_of(x, p->features);
  write_row(x, y, e, o2m_softmax_factor(sum_of(x, p->features, e), p), p);
}

/* x [rows][C] -> y [rows][C] */
void O2M_SYM(o2m_softmax_s8)(const int8_t *x, void *y, int32_t rows, const o2m_softmax_params *p) {
  const int32_t dense = o2m_softmax_is_dense(p);
  for (int32_t r = 0; r < rows; ++r) {
    const int8_t *const from = x + r * p->x_row;
    int8_t *const to = (int8_t *)y + r * p->y_row * p->y_bytes;
    if (dense) {
      dense_row(from, to, p);
    } else {
      o2m_softmax_row(from, 1, to, p);
    }
  }
}
