/* o2m_gather.h - rows picked by a list of indices: y[j][i] = x[index[j]][i], moved bit by bit. */
#ifndef O2M_GATHER_H_
#define O2M_GATHER_H_
#include <stdint.h>

#include "o2m_sym.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef struct o2m_gather_params {
  int32_t picked, count;         /* indices; values moved per index */
  int32_t x_row, x_pick, x_step; /* strides in elements: from row to row, index to index, value to value */
  int32_t y_row, y_pick, y_step;
  int32_t bytes;        /* of a value: 1, 2 or 4 */
  const int32_t *index; /* [picked] */
} o2m_gather_params;

/* The same for each of `rows` rows. x and y do not overlap. */
void O2M_SYM(o2m_gather)(const void *x, void *y, int32_t rows, const o2m_gather_params *p);

#ifdef __cplusplus
}
#endif
#endif
