/* o2m_integer_reduce.h - mean, sum or maximum over axes of plain integers; exact. The mean is floor(sum / count + 1/2).
 */
#ifndef O2M_INTEGER_REDUCE_H_
#define O2M_INTEGER_REDUCE_H_
#include <stdint.h>

#include "o2m_integers.h"
#include "o2m_sym.h"
#ifdef __cplusplus
extern "C" {
#endif

enum { O2M_INTEGER_MEAN = 0, O2M_INTEGER_SUM = 1, O2M_INTEGER_MAX = 2 };

typedef struct o2m_integer_reduce_params {
  int32_t kind;
  int32_t kept[3], reduced[3];                /* counts, outermost first */
  int32_t x_kept[3], x_reduced[3], y_kept[3]; /* strides in elements */
  int32_t x_type, y_type;                     /* O2M_INTEGER_... */
} o2m_integer_reduce_params;

void O2M_SYM(o2m_integer_reduce)(const void *x, void *y, const o2m_integer_reduce_params *p);

#ifdef __cplusplus
}
#endif
#endif
