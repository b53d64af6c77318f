/* o2m_wide.h - one value of a tensor that is s8, s16 or s32, by the bytes of its type: for kernels beside s32. */
#ifndef O2M_WIDE_H_
#define O2M_WIDE_H_
#include "o2m_fixedpoint.h"

static inline int32_t o2m_load(const void *x, int32_t at, int32_t bytes) {
  if (bytes == 1) return ((const int8_t *)x)[at];
  if (bytes == 2) return ((const int16_t *)x)[at];
  return ((const int32_t *)x)[at];
}

/* Saturated to the type. */
static inline void o2m_store(void *y, int32_t at, int32_t bytes, int32_t value) {
  if (bytes == 1) {
    ((int8_t *)y)[at] = o2m_saturate_s8(value);
  } else if (bytes == 2) {
    ((int16_t *)y)[at] = o2m_saturate_s16(value);
  } else {
    ((int32_t *)y)[at] = value;
  }
}

#endif
