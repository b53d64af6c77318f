/* o2m_linear_compact.h - o2m_linear.h's layer with s8 input, of whose weights flash holds less than a byte each: they
 * are unpacked to scratch, some columns at a time, and the kernel of the core goes on from there. The same bytes as
 * from that kernel with the unpacked weights.
 *
 * p->weights, by groups of 4 columns and in them by blocks of 4 k, 16 weights as o2m_linear.h orders them:
 *   O2M_COMPACT_S4        8 bytes, in two words: bits 4 .. 7 of byte i of word j are weight 8 j + i, bits 0 .. 3 weight
 *                         8 j + 4 + i, each a multiple of 16, divided by it
 *   O2M_COMPACT_NONZEROS  u16, low byte first: bit i says that weight i is not zero; then those weights, in order */
#ifndef O2M_LINEAR_COMPACT_H_
#define O2M_LINEAR_COMPACT_H_
#include <string.h>

#include "o2m_linear.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { O2M_COMPACT_S4, O2M_COMPACT_NONZEROS };
enum { O2M_COMPACT_COLUMNS = 8 }; /* unpacked at once */

typedef struct o2m_linear_compact_params {
  o2m_linear_params layer; /* weights: packed as above */
  int32_t form;            /* O2M_COMPACT_* */
} o2m_linear_compact_params;

/* Names differ by the kernel that goes on. */
void O2M_SYM(o2m_linear_compact_s8)(const int8_t *x, void *y, int32_t rows, const o2m_linear_compact_params *p,
                                    void *scratch);
void O2M_SYM(o2m_linear_compact_s8_dsp)(const int8_t *x, void *y, int32_t rows, const o2m_linear_compact_params *p,
                                        void *scratch);
void O2M_SYM(o2m_linear_compact_s8_mve)(const int8_t *x, void *y, int32_t rows, const o2m_linear_compact_params *p,
                                        void *scratch);
void O2M_SYM(o2m_linear_compact_s8_rv32)(const int8_t *x, void *y, int32_t rows, const o2m_linear_compact_params *p,
                                         void *scratch);
void O2M_SYM(o2m_linear_compact_s8_armv7m)(const int8_t *x, void *y, int32_t rows, const o2m_linear_compact_params *p,
                                           void *scratch);

/* 16 weights per block from `packed` to `to`; returns where the next block begins. */
static inline const uint8_t *o2m_unpack_s4(const uint8_t *packed, int32_t blocks, int8_t *to) {
  for (int32_t words = 2 * blocks; words > 0; --words, packed += 4, to += 8) { /* four bytes at a time */
    uint32_t both, half;
    memcpy(&both, packed, 4);
    half = both & 0xf0f0f0f0u;
    memcpy(to, &half, 4);
    half = both << 4 & 0xf0f0f0f0u;
    memcpy(to + 4, &half, 4);
  }
  return packed;
}
static inline const uint8_t *o2m_unpack_nonzeros(const uint8_t *packed, int32_t blocks, int8_t *to) {
  for (; blocks > 0; --blocks, to += 16) {
    uint32_t mask = packed[0] | (uint32_t)packed[1] << 8;
    packed += 2;
    for (int32_t i = 0; i < 16; ++i, mask >>= 1) to[i] = mask & 1 ? (int8_t)*packed++ : 0;
  }
  return packed;
}
static inline const uint8_t *o2m_unpack(int32_t form, const uint8_t *packed, int32_t blocks, int8_t *to) {
  return form == O2M_COMPACT_S4 ? o2m_unpack_s4(packed, blocks, to) : o2m_unpack_nonzeros(packed, blocks, to);
}

/* Bytes of unpacked weights, a multiple of 16, with what a kernel may read behind them (48). */
static inline int32_t o2m_compact_bytes(int32_t depth) { return O2M_COMPACT_COLUMNS * ((depth + 3) / 4 * 4) + 48; }

/* Columns n .. n + O2M_COMPACT_COLUMNS - 1, or as many as there are, as a layer of their own. */
static inline o2m_linear_params o2m_compact_columns(const o2m_linear_params *p, int32_t n, const int8_t *weights) {
  o2m_linear_params part = *p;
  part.columns = o2m_min(O2M_COMPACT_COLUMNS, p->columns - n);
  part.weights = weights;
  part.bias = p->bias + n;
  part.multiplier = p->multiplier + n;
  return part;
}

/* scratch: o2m_compact_bytes(), then what `kernel` needs. */
static inline void o2m_compact_run(const int8_t *x, void *y, int32_t rows, const o2m_linear_compact_params *p,
                                   void *scratch,
                                   void (*kernel)(const int8_t *x, void *y, int32_t rows, const o2m_linear_params *p,
                                                  void *scratch)) {
  const o2m_linear_params *const layer = &p->layer;
  const int32_t blocks = (layer->depth + 3) / 4;
  const uint8_t *packed = (const uint8_t *)layer->weights;
  int8_t *const weights = (int8_t *)scratch;
  for (int32_t n = 0; n < layer->columns; n += O2M_COMPACT_COLUMNS) {
    const o2m_linear_params part = o2m_compact_columns(layer, n, weights);
    packed = o2m_unpack(p->form, packed, (part.columns + 3) / 4 * blocks, weights);
    kernel(x, (char *)y + n * layer->y_column * layer->y_bytes, rows, &part, weights + o2m_compact_bytes(layer->depth));
  }
}

#ifdef __cplusplus
}
#endif
#endif
