/* o2m_linear_s8_dsp.c - linear layer, s8 input, on cores with DSP instructions: tiles of rows, widened in scratch. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("Os") /* the loops are in assembly; what is around them is to be small */
#endif
#include "o2m_linear_dsp.h"

/* x [rows][depth] -> y [rows][columns]. scratch: panels of p->tile rows; from O2M_LINEAR_DSP_WIDEN rows on, a panel of
 * 4 columns. */
void O2M_SYM(o2m_linear_s8_dsp)(const int8_t *x, void *y, int32_t rows, const o2m_linear_params *p, void *scratch) {
  uint32_t *const panels = (uint32_t *)scratch, *const widened = o2m_linear_dsp_widened(p, scratch);
  for (int32_t t = 0; t < rows; t += p->tile) {
    const int32_t count = o2m_min(p->tile, rows - t);
    O2M_SYM(o2m_dot_dsp_rows_s8)(x + t * p->x_row, p->x_row, p->x_column, count, p->depth, panels);
    O2M_SYM(o2m_linear_dsp)(panels, count, 128, (char *)y + t * p->y_row * p->y_bytes, p, widened);
  }
}
