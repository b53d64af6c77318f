#define SUM int32_t
#include "o2m_integer_matmul_loops.h"

void O2M_SYM(o2m_integer_matmul)(const void *a, const void *b, void *y, int32_t rows, int32_t *scratch,
                                 const o2m_integer_matmul_params *p) {
  all_rows(a, b, y, rows, scratch, p);
}
