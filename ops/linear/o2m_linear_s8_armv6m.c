/* o2m_linear_s8_armv6m.c - linear layer, s8 input, on Armv6-M (Cortex-M0, M0+): pairs of rows share a multiplication, a
 * column of weights is widened to s32 once per tile of rows, both in scratch. */
#include "o2m_dot_armv6m.h"
#include "o2m_linear.h"

enum { TILE = 16 }; /* rows of a tile at most */

/* Column n of `rows` rows, their sums with it given. */
static void store_column(const o2m_linear_params *p, const int32_t *sums, int32_t rows, int32_t n, void *y) {
  const int32_t up = 32 - p->shift, multiplier = p->multiplier[n], most = INT32_MAX >> up;
  if (p->y_bytes == 4 || multiplier > most || multiplier < -most) { /* does not fit a shift of 32 */
    for (int32_t r = 0; r < rows; ++r) o2m_linear_store(p, y, r * p->y_row + n * p->y_column, n, sums[r]);
    return;
  }
  const o2m_dot_armv6m_output to = {(int32_t)((uint32_t)multiplier << up), p->y_zero,
                                    (char *)y + n * p->y_column * p->y_bytes, p->y_row * p->y_bytes, p->table};
  if (p->y_bytes == 1) {
    O2M_SYM(o2m_dot_armv6m_store_s8)(sums, rows, &to);
  } else {
    O2M_SYM(o2m_dot_armv6m_store_s16)(sums, rows, &to);
  }
}

/* x [rows][depth] -> y [rows][columns]. scratch: panels of p->tile rows, up to TILE, and a line. */
void O2M_SYM(o2m_linear_s8_armv6m)(const int8_t *x, void *y, int32_t rows, const o2m_linear_params *p, void *scratch) {
  const int32_t depth = o2m_dot_armv6m_depth(p->depth), tile = o2m_min(p->tile, TILE);
  uint32_t *const panels = (uint32_t *)scratch;
  int32_t *const line = (int32_t *)scratch + o2m_dot_armv6m_pairs(tile) * depth, sums[TILE];
  for (int32_t t = 0; t < rows; t += tile) {
    const int32_t count = o2m_min(tile, rows - t), pairs = o2m_dot_armv6m_pairs(count);
    char *const to = (char *)y + t * p->y_row * p->y_bytes;
    O2M_SYM(o2m_dot_armv6m_rows)(x + t * p->x_row, p->x_row, p->x_column, count, p->depth, panels);
    for (int32_t n = 0; n < p->columns; ++n) {
      O2M_SYM(o2m_dot_armv6m_widen)(o2m_linear_group(p, n & ~3) + 4 * (n & 3), 16, depth / 4, line);
      O2M_SYM(o2m_dot_armv6m)(panels, pairs, line, depth, p->bias[n], O2M_DOT_ARMV6M_NARROW, sums);
      store_column(p, sums, count, n, to);
    }
  }
}
