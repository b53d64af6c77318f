/* o2m_linear_compact_s8_armv7m.c - compact weights for the kernel of Armv7-M. */
#include "o2m_linear_compact.h"

void O2M_SYM(o2m_linear_compact_s8_armv7m)(const int8_t *x, void *y, int32_t rows, const o2m_linear_compact_params *p,
                                           void *scratch) {
  o2m_compact_run(x, y, rows, p, scratch, O2M_SYM(o2m_linear_s8_armv7m));
}
