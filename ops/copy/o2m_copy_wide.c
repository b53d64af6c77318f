#include "o2m_copy.h"

static int32_t load(const void *x, int32_t at, int32_t type) {
  if (type == O2M_COPY_S8) return ((const int8_t *)x)[at];
  if (type == O2M_COPY_U8) return ((const uint8_t *)x)[at];
  if (type == O2M_COPY_S16) return ((const int16_t *)x)[at];
  return ((const int32_t *)x)[at];
}

static void store(void *y, int32_t at, int32_t type, int32_t value) {
  if (type == O2M_COPY_S8) {
    ((int8_t *)y)[at] = o2m_saturate_s8(value);
  } else if (type == O2M_COPY_U8) {
    ((uint8_t *)y)[at] = o2m_saturate_u8(value);
  } else if (type == O2M_COPY_S16) {
    ((int16_t *)y)[at] = o2m_saturate_s16(value);
  } else {
    ((int32_t *)y)[at] = value;
  }
}

void O2M_SYM(o2m_copy_wide)(const void *x, void *y, int32_t rows, const o2m_copy_wide_params *p) {
  for (int32_t r = 0; r < rows; ++r) {
    for (int32_t i = 0; i < p->count; ++i) {
      const int64_t value = load(x, r * p->x_row + i * p->x_step, p->x_type) * p->multiplier + p->bias;
      store(y, r * p->y_row + i * p->y_step, p->y_type, o2m_saturate_s32(o2m_floor_shift(value, p->shift)));
    }
  }
}
