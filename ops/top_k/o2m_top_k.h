/* o2m_top_k.h - places, and values if wanted, of the k largest or smallest along one axis of a tensor of any strides.
 *
 * Of equal values the first counts, or the last. Values are moved bit by bit. */
#ifndef O2M_TOP_K_H_
#define O2M_TOP_K_H_
#include <stdint.h>

#include "o2m_fixedpoint.h"
#include "o2m_sym.h"
#ifdef __cplusplus
extern "C" {
#endif

enum { O2M_TOP_K_S8 = 0, O2M_TOP_K_U8 = 1, O2M_TOP_K_S16 = 2 };

typedef struct o2m_top_k_params {
  int32_t size, k;                        /* of the axis: n of x, k of the outputs */
  int32_t x_axis, index_axis, value_axis; /* strides in elements */
  int32_t kept[3];                        /* sizes of what is left of the shape */
  int32_t x_kept[3], index_kept[3], value_kept[3];
  int32_t x_type;
  int32_t smallest, last; /* 1: the smallest; the last of equal ones */
} o2m_top_k_params;

/* values may be a null pointer. */
void O2M_SYM(o2m_top_k)(const void *x, int32_t *indices, void *values, const o2m_top_k_params *p);

#ifdef __cplusplus
}
#endif
#endif
