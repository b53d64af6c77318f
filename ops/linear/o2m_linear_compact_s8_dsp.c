/* o2m_linear_compact_s8_dsp.c - compact weights on cores with the DSP extension of Armv7E-M. A tile of rows is widened
 * once for all columns, as in o2m_linear_s8_dsp.c. */
#include "o2m_linear_compact.h"
#include "o2m_linear_dsp.h"

void O2M_SYM(o2m_linear_compact_s8_dsp)(const int8_t *x, void *y, int32_t rows, const o2m_linear_compact_params *p,
                                        void *scratch) {
  const o2m_linear_params *const layer = &p->layer;
  const int32_t blocks = (layer->depth + 3) / 4;
  int8_t *const weights = (int8_t *)scratch;
  uint32_t *const panels = (uint32_t *)(void *)(weights + o2m_compact_bytes(layer->depth));
  uint32_t *const widened = o2m_linear_dsp_widened(layer, panels);
  for (int32_t t = 0; t < rows; t += layer->tile) {
    const int32_t count = o2m_min(layer->tile, rows - t);
    const uint8_t *packed = (const uint8_t *)layer->weights;
    O2M_SYM(o2m_dot_dsp_rows_s8)(x + t * layer->x_row, layer->x_row, layer->x_column, count, layer->depth, panels);
    for (int32_t n = 0; n < layer->columns; n += O2M_COMPACT_COLUMNS) {
      const o2m_linear_params part = o2m_compact_columns(layer, n, weights);
      packed = o2m_unpack(p->form, packed, (part.columns + 3) / 4 * blocks, weights);
      O2M_SYM(o2m_linear_dsp)
      (panels, count, 128, (char *)y + (t * layer->y_row + n * layer->y_column) * layer->y_bytes, &part, widened);
    }
  }
}
