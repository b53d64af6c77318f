/* o2m_conv2d_depthwise_dsp.c - convolution channel by channel on cores with DSP instructions: four channels of one
 * place at a time, whose bytes are widened two by two. Where the compiler is not given such a core, plain C gives the
 * same bytes. */
#include <string.h>

#include "o2m_conv2d.h"

/* Two s16 in a word. extend_s8(): bytes 0 and 2 of `bytes` plus those of `plus`, odd: bytes 1 and 3. add_upper(): acc
 * plus the upper word of a product, rounded. */
#if defined(__ARM_FEATURE_DSP) && defined(__GNUC__)
#define EXTEND(name, text)                                     \
  static inline uint32_t name(uint32_t plus, uint32_t bytes) { \
    uint32_t pair;                                             \
    __asm__(text : "=r"(pair) : "r"(plus), "r"(bytes));        \
    return pair;                                               \
  }
EXTEND(extend_s8, "sxtab16 %0, %1, %2")
EXTEND(extend_odd_s8, "sxtab16 %0, %1, %2, ror #8")
EXTEND(extend_u8, "uxtab16 %0, %1, %2")
EXTEND(extend_odd_u8, "uxtab16 %0, %1, %2, ror #8")
static inline int32_t add_low(uint32_t a, uint32_t b, int32_t acc) {
  __asm__("smlabb %0, %1, %2, %0" : "+r"(acc) : "r"(a), "r"(b));
  return acc;
}
static inline int32_t add_high(uint32_t a, uint32_t b, int32_t acc) {
  __asm__("smlatt %0, %1, %2, %0" : "+r"(acc) : "r"(a), "r"(b));
  return acc;
}
static inline int32_t add_upper(int32_t a, int32_t b, int32_t acc) {
  __asm__("smmlar %0, %1, %2, %0" : "+r"(acc) : "r"(a), "r"(b));
  return acc;
}
#else
static inline int32_t low_of(uint32_t pair) { return (int16_t)(pair & 0xffffu); }
static inline int32_t high_of(uint32_t pair) { return (int16_t)(pair >> 16); }
static inline uint32_t pair_of(int32_t low, int32_t high) { return ((uint32_t)low & 0xffffu) | (uint32_t)high << 16; }
static inline uint32_t extend_s8(uint32_t plus, uint32_t bytes) {
  return pair_of(low_of(plus) + (int8_t)(bytes & 0xffu), high_of(plus) + (int8_t)(bytes >> 16 & 0xffu));
}
static inline uint32_t extend_u8(uint32_t plus, uint32_t bytes) {
  return pair_of(low_of(plus) + (int32_t)(bytes & 0xffu), high_of(plus) + (int32_t)(bytes >> 16 & 0xffu));
}
static inline uint32_t extend_odd_s8(uint32_t plus, uint32_t bytes) { return extend_s8(plus, bytes >> 8); }
static inline uint32_t extend_odd_u8(uint32_t plus, uint32_t bytes) { return extend_u8(plus, bytes >> 8); }
static inline int32_t add_low(uint32_t a, uint32_t b, int32_t acc) { return acc + low_of(a) * low_of(b); }
static inline int32_t add_high(uint32_t a, uint32_t b, int32_t acc) { return acc + high_of(a) * high_of(b); }
static inline int32_t add_upper(int32_t a, int32_t b, int32_t acc) { return acc + o2m_requantize(a, b, 32); }
#endif

static inline uint32_t word_at(const void *x) {
  uint32_t word;
  memcpy(&word, x, sizeof word);
  return word;
}
typedef struct place {                  /* what one output sees */
  const uint8_t *x;                     /* under its first tap inside the image */
  const int8_t *weights;                /* of that tap, for four channels: 0, 2, 1, 3 as s16 */
  int32_t height, width;                /* taps inside */
  int32_t x_row, x_column, weights_row; /* from one tap to the next, in bytes */
  uint32_t minus;                       /* -zero point, twice */
} place;
enum { TAP = 8 }; /* bytes of weights for four channels */

#define NOINLINE __attribute__((noinline)) /* registers for one loop */

/* acc[c] += the sums of four channels side by side. */
#define ADD_FOUR(name, extend, extend_odd)                                                           \
  static NOINLINE void name(const place *p, int32_t acc[4]) {                                        \
    const uint8_t *row = p->x;                                                                       \
    const int8_t *row_weights = p->weights;                                                          \
    const uint32_t minus = p->minus;                                                                 \
    const int32_t next = p->x_column;                                                                \
    int32_t s0 = acc[0], s1 = acc[1], s2 = acc[2], s3 = acc[3];                                      \
    for (int32_t i = p->height; i > 0; --i, row += p->x_row, row_weights += p->weights_row) {        \
      const uint8_t *x = row;                                                                        \
      const int8_t *w = row_weights;                                                                 \
      for (int32_t j = p->width; j > 0; --j, x += next, w += TAP) {                                  \
        const uint32_t pixels = word_at(x), even_weights = word_at(w), odd_weights = word_at(w + 4); \
        const uint32_t even = extend(minus, pixels), odd = extend_odd(minus, pixels);                \
        s0 = add_low(even, even_weights, s0);                                                        \
        s2 = add_high(even, even_weights, s2);                                                       \
        s1 = add_low(odd, odd_weights, s1);                                                          \
        s3 = add_high(odd, odd_weights, s3);                                                         \
      }                                                                                              \
    }                                                                                                \
    acc[0] = s0, acc[1] = s1, acc[2] = s2, acc[3] = s3;                                              \
  }
ADD_FOUR(add_four_s8, extend_s8, extend_odd_s8)
ADD_FOUR(add_four_u8, extend_u8, extend_odd_u8)

/* Where the weight of channel c of four lies in a tap. */
static inline int32_t weight_at(int32_t c) { return (c & 1) * 4 + (c & 2); }

/* The same for the rest of four, or channels apart from one another. */
static NOINLINE void add_apart(const place *p, int32_t count, int32_t acc[4], const o2m_conv2d_params *params) {
  for (int32_t i = 0; i < p->height; ++i) {
    for (int32_t j = 0; j < p->width; ++j) {
      const uint8_t *const x = p->x + i * p->x_row + j * p->x_column;
      const int8_t *const w = p->weights + i * p->weights_row + TAP * j;
      for (int32_t c = 0; c < count; ++c) {
        const uint8_t byte = x[c * params->x_channel];
        const int32_t pixel = params->x_signed ? (int8_t)byte : byte;
        int16_t weight;
        memcpy(&weight, w + weight_at(c), sizeof weight);
        acc[c] += (pixel - params->x_zero) * weight;
      }
    }
  }
}

/* Channels c .. c + count - 1. direct: the upper word of a product is all it takes. */
static inline void store_channels(const o2m_conv2d_params *p, int8_t *y, int32_t c, int32_t count,
                                  const int32_t acc[4]) {
  const int32_t up = 32 - p->shift, zero = p->y_zero, next = p->y_channel;
  const int32_t *const multiplier = p->multiplier + c;
  const int8_t *const table = p->table;
  for (int32_t i = 0; i < count; ++i, y += next) {
    const int8_t q = o2m_saturate_s8(add_upper((int32_t)((uint32_t)acc[i] << up), multiplier[i], zero));
    *y = table ? table[q + 128] : q;
  }
}

/* All channels of one place. */
static void store_place(place *a, int32_t direct, void *y, int32_t y_at, const o2m_conv2d_params *p) {
  const int32_t group_bytes = TAP * p->kernel_h * p->kernel_w;
  for (int32_t c = 0; c < p->groups; c += 4, a->x += 4 * p->x_channel, a->weights += group_bytes) {
    const int32_t count = o2m_min(4, p->groups - c), *const bias = p->bias + c;
    int32_t acc[4];
    if (count == 4) {
      acc[0] = bias[0], acc[1] = bias[1], acc[2] = bias[2], acc[3] = bias[3];
    } else {
      for (int32_t i = 0; i < count; ++i) acc[i] = bias[i];
    }
    if (p->x_channel == 1 && count == 4) {
      (p->x_signed ? add_four_s8 : add_four_u8)(a, acc);
    } else {
      add_apart(a, count, acc, p);
    }
    if (direct) {
      store_channels(p, (int8_t *)y + y_at + c * p->y_channel, c, count, acc);
      continue;
    }
    for (int32_t i = 0; i < count; ++i) o2m_conv2d_store(p, y, y_at + (c + i) * p->y_channel, c + i, acc[i]);
  }
}

/* [channel][tap] becomes [channel / 4][tap][4], zeros behind the last channel. */
static void lay_out(int8_t *to, const o2m_conv2d_params *p) {
  const int32_t taps = p->kernel_h * p->kernel_w;
  for (int32_t c = 0; c < p->groups; c += 4) {
    for (int32_t t = 0; t < taps; ++t, to += TAP) {
      for (int32_t i = 0; i < 4; ++i) {
        const int16_t weight = c + i < p->groups ? p->weights[(c + i) * taps + t] : 0;
        memcpy(to + weight_at(i), &weight, sizeof weight);
      }
    }
  }
}

void O2M_SYM(o2m_conv2d_depthwise_dsp)(const void *x, void *y, int32_t first, int32_t rows, const o2m_conv2d_params *p,
                                       void *scratch) {
  const int32_t x_first = o2m_conv2d_x_first(first, p);
  const int64_t most = (int64_t)255 * 127 * p->kernel_h * p->kernel_w + (1 << 26); /* channel_weights.hpp */
  const int32_t direct = p->y_bytes == 1 && most < (int64_t)1 << (p->shift - 1);
  place a;
  a.x_row = p->dilation_h * p->x_row;
  a.x_column = p->dilation_w * p->x_column;
  a.weights_row = TAP * p->kernel_w;
  a.minus = ((uint32_t)-p->x_zero & 0xffffu) * 65537u;
  lay_out((int8_t *)scratch, p);
  for (int32_t r = 0; r < rows; ++r) {
    for (int32_t t = 0; t < p->y_w; ++t) {
      const o2m_conv2d_window w = o2m_conv2d_window_at(first + r, t, x_first, p);
      a.height = w.i1 - w.i0;
      a.width = w.j1 - w.j0;
      a.x = (const uint8_t *)x + w.x + w.i0 * a.x_row + w.j0 * a.x_column;
      a.weights = (const int8_t *)scratch + w.i0 * a.weights_row + TAP * w.j0;
      store_place(&a, direct, y, r * p->y_row + t * p->y_column, p);
    }
  }
}
