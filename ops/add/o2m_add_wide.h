/* o2m_add_wide.h - the sum of o2m_add.h where an operand or the result is s32: what a model adds up in float between
 * its own roundings. In 64 bits, rounded once:
 *   y = floor((a * a_multiplier + b * b_multiplier + bias) / 2^shift), saturated to y's type
 * bias holds the zero points and the rounding half; no sum exceeds 2^62. */
#ifndef O2M_ADD_WIDE_H_
#define O2M_ADD_WIDE_H_
#include <stdint.h>

#include "o2m_fixedpoint.h"
#include "o2m_sym.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef struct o2m_add_wide_params {
  int32_t count;         /* values of a row */
  int32_t a_row, a_step; /* strides in elements: from row to row, from value to value; 0 where a value repeats */
  int32_t b_row, b_step;
  int32_t y_row, y_step;
  int32_t a_bytes, b_bytes, y_bytes; /* 1: s8, 2: s16, 4: s32 */
  int32_t shift;
  int64_t a_multiplier, b_multiplier, bias;
} o2m_add_wide_params;

/* Walks upward, so y may lie over an operand that is no narrower. */
void O2M_SYM(o2m_add_wide)(const void *a, const void *b, void *y, int32_t rows, const o2m_add_wide_params *p);

#ifdef __cplusplus
}
#endif
#endif
