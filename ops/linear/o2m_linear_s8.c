/* o2m_linear_s8.c - linear layer, s8 input. Tiles of 2 rows by 4 columns: 6 loads per 8 products. */
#include "o2m_linear.h"

/* x [rows][depth] -> y [rows][columns] */
void O2M_SYM(o2m_linear_s8)(const int8_t *x, void *y, int32_t rows, const o2m_linear_params *p, void *scratch) {
  (void)scratch;
  for (int32_t t = 0; t < rows; t += 2) o2m_linear_few_rows(x, y, t, o2m_min(2, rows - t), -1, p);
}
