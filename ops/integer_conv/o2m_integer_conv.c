#define SUM int32_t
#include "o2m_integer_conv_loops.h"

void O2M_SYM(o2m_integer_conv)(const void *x, void *y, int32_t first, int32_t rows, int32_t *patch,
                               const o2m_integer_conv_params *p) {
  all_rows(x, y, first, rows, patch, p);
}
