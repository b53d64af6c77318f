/* o2m_linear_compact_s8_rv32.c - compact weights for the kernel of RV32IM. */
#include "o2m_linear_compact.h"

void O2M_SYM(o2m_linear_compact_s8_rv32)(const int8_t *x, void *y, int32_t rows, const o2m_linear_compact_params *p,
                                         void *scratch) {
  o2m_compact_run(x, y, rows, p, scratch, O2M_SYM(o2m_linear_s8_rv32));
}
