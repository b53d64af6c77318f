/* o2m_integer_elementwise.h - y = requantise(f(a, b)) on plain integers of any strides and types; exact.
 *
 *   identity a         add a + b         sub a - b         mul a * b
 *   div        floor(a delta eta / (b eta + eps) + 1/2); 0 where the divisor is 0
 *   gelu       a floor((one + L) / 2), L = sgn(a) (one - (min(|a|, -bound) + bound)^2)
 *   hard_swish a clip(a + three, 0, six) one_over_six */
#ifndef O2M_INTEGER_ELEMENTWISE_H_
#define O2M_INTEGER_ELEMENTWISE_H_
#include <stdint.h>

#include "o2m_integers.h"
#include "o2m_sym.h"
#ifdef __cplusplus
extern "C" {
#endif

enum {
  O2M_INTEGER_IDENTITY = 0,
  O2M_INTEGER_ADD = 1,
  O2M_INTEGER_SUB = 2,
  O2M_INTEGER_MUL = 3,
  O2M_INTEGER_DIV = 4,
  O2M_INTEGER_GELU = 5,
  O2M_INTEGER_HARD_SWISH = 6
};

typedef struct o2m_integer_elementwise_params {
  int32_t kind;
  int32_t count;         /* values of a row */
  int32_t a_row, a_step; /* strides in elements; 0 where a value repeats */
  int32_t b_row, b_step;
  int32_t y_row, y_step;
  int32_t factor_row, factor_step; /* of mul and add */
  int32_t a_type, b_type, y_type;  /* O2M_INTEGER_... */
  int32_t delta, eps, eta;         /* div */
  int32_t bound, one;              /* gelu */
  int32_t three, six, one_over_six;
  o2m_integer_requant requant;
} o2m_integer_elementwise_params;

/* b, mul and add may be 0 where the kind or the requantisation needs none. Walks upward. */
void O2M_SYM(o2m_integer_elementwise)(const void *a, const void *b, const int32_t *mul, const int32_t *add, void *y,
                                      int32_t rows, const o2m_integer_elementwise_params *p);

#ifdef __cplusplus
}
#endif
#endif
