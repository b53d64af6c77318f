/* o2m_reduce.h - mean, sum, maximum or minimum over any axes of a tensor of any strides.
 *
 *   acc = sum of x, or max of (x - edge), or max of (edge - x), over the reduced axes
 *   y   = y_zero + floor((acc + offset) * multiplier / 2^shift + 1/2), saturated to y's type
 *
 * edge is the end of x's type at which nothing can be larger (smaller): acc starts at zero whatever the kind. */
#ifndef O2M_REDUCE_H_
#define O2M_REDUCE_H_
#include <stdint.h>

#include "o2m_fixedpoint.h"
#include "o2m_sym.h"
#ifdef __cplusplus
extern "C" {
#endif

enum { O2M_REDUCE_SUM = 0, O2M_REDUCE_MAX = 1, O2M_REDUCE_MIN = 2 };
enum { O2M_REDUCE_S8 = 0, O2M_REDUCE_U8 = 1, O2M_REDUCE_S16 = 2 };

typedef struct o2m_reduce_params {
  int32_t kept[3], reduced[3];     /* sizes; the call's rows stand for reduced[0] or kept[0] */
  int32_t x_kept[3], x_reduced[3]; /* strides in elements */
  int32_t y_kept[3];
  int32_t rows_reduced; /* 1: rows are what is summed up, from call to call in `state`; 0: rows are kept */
  int32_t kind, x_type;
  int32_t y_bytes; /* 1: s8, 2: s16 */
  int32_t edge, offset;
  int32_t multiplier, shift, y_zero;
} o2m_reduce_params;

/* state: one s32 per output, zero before the first call, where rows are reduced; y is then written by the last call. */
void O2M_SYM(o2m_reduce)(const void *x, void *y, int32_t *state, int32_t rows, int32_t last,
                         const o2m_reduce_params *p);

/* The mean of squares: y = y_zero + floor(sum of (x - x_zero)^2 / 2^acc_shift * multiplier / 2^shift + 1/2), the first
 * quotient rounded too; its sums are of 64 bits and stay in one call. rows: of kept[0]. kind, edge and offset are not
 * looked at. */
void O2M_SYM(o2m_reduce_squares)(const void *x, void *y, int32_t rows, int32_t x_zero, int32_t acc_shift,
                                 const o2m_reduce_params *p);

#ifdef __cplusplus
}
#endif
#endif
