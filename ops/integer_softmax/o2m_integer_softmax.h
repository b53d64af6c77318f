/* o2m_integer_softmax.h - the three integer softmaxes of integerised models, over rows; exact. */
#ifndef O2M_INTEGER_SOFTMAX_H_
#define O2M_INTEGER_SOFTMAX_H_
#include <stdint.h>

#include "o2m_integers.h"
#include "o2m_sym.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef struct o2m_integer_softmax_params {
  int32_t features;
  int32_t x_row, x_column, y_row, y_column; /* strides in elements */
  int32_t x_type, y_type;                   /* O2M_INTEGER_... */
  int32_t levels;
  int32_t group;         /* ita_partial_max */
  int32_t a, b, c, log2; /* i_softmax */
  int32_t narrow;        /* i_softmax: every exponential times levels, and their sum, fits 32 bits */
} o2m_integer_softmax_params;

/* d = max - x, z = d / log2, p = z log2 - d: e = (a (p + b)^2 + c) >> z; y = clip(floor(e (levels - 1) / sum e), 0,
 * levels - 1). scratch: `features` values, of 4 bytes where narrow, else of 8. */
void O2M_SYM(o2m_integer_softmax)(const void *x, void *y, int32_t rows, void *scratch,
                                  const o2m_integer_softmax_params *p);

/* s = (max - x + 16) >> 5: y = floor(256 (levels - 1) / sum(256 >> s)) >> s. */
void O2M_SYM(o2m_integer_ita_max)(const void *x, void *y, int32_t rows, const o2m_integer_softmax_params *p);

/* The same, the sum gathered group by group, shifted where a group's maximum is above those before it (from -128 on),
 * and with levels / 2. features is a multiple of group. */
void O2M_SYM(o2m_integer_ita_partial_max)(const void *x, void *y, int32_t rows, const o2m_integer_softmax_params *p);

#ifdef __cplusplus
}
#endif
#endif
