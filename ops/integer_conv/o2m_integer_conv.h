/* o2m_integer_conv.h - y = requantise(conv(x, w) + bias) on plain integers; exact. Padding is zeros. Groups, strides,
 * dilations; x and y of any strides and types. Without requantisation y holds the sums. */
#ifndef O2M_INTEGER_CONV_H_
#define O2M_INTEGER_CONV_H_
#include <stdint.h>

#include "o2m_integers.h"
#include "o2m_sym.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef struct o2m_integer_conv_params {
  int32_t groups, channels, outputs; /* of one group: C / groups, O / groups */
  int32_t x_h, x_w, y_w;
  int32_t kernel_h, kernel_w;
  int32_t stride_h, stride_w;
  int32_t pad_top, pad_left;
  int32_t whole; /* 1: x is the whole input at every call */
  int32_t dilation_h, dilation_w;
  int32_t x_channel, x_row, x_column; /* strides in elements */
  int32_t y_channel, y_row, y_column;
  int32_t x_type, w_type, y_type; /* O2M_INTEGER_... */
  o2m_integer_requant requant;
  const void *weights;             /* [O][kernel_h][kernel_w][C / groups] */
  const int32_t *bias, *mul, *add; /* [O], or 0 */
} o2m_integer_conv_params;

/* Output rows [first, first + rows). x points to the first existing input row that they see,
 * or to the whole, y to row `first`. patch:
 * kernel_h * kernel_w * channels s32. The wide one is for sums that do not fit 32 bits. */
void O2M_SYM(o2m_integer_conv)(const void *x, void *y, int32_t first, int32_t rows, int32_t *patch,
                               const o2m_integer_conv_params *p);
void O2M_SYM(o2m_integer_conv_wide)(const void *x, void *y, int32_t first, int32_t rows, int32_t *patch,
                                    const o2m_integer_conv_params *p);

#ifdef __cplusplus
}
#endif
#endif
