/* o2m_linear_sparse.h - o2m_linear.h's layer with s8 input, of whose weights only blocks of 4 k are stored that are not
 * all zero. The same bytes as from o2m_linear_s8().
 *
 * p->weights is a stream, column by column:
 *   u16 count, low byte first
 *   count times { u8 3 * gap, s8 weights of k, k + 1, k + 2, k + 3 }
 * gap: how many blocks of 4 k lie between the end of the previous stored one (at first: k = 0) and this one. A longer
 * gap than O2M_SPARSE_GAP is bridged by blocks of zeros. Weights beyond the depth are zero. Three times the gap, since
 * a tile of 6 rows, 48 bytes per block, finds its block with one addition then. */
#ifndef O2M_LINEAR_SPARSE_H_
#define O2M_LINEAR_SPARSE_H_
#include "o2m_linear.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef o2m_linear_params o2m_linear_sparse_params;

enum { O2M_SPARSE_GAP = 85, O2M_SPARSE_BLOCK = 5, O2M_SPARSE_HEAD = 2 }; /* blocks; bytes */

/* How many k are skipped, from the byte of the gap. */
static inline int32_t o2m_sparse_skip(uint8_t gap) { return (int32_t)(gap * 0x15556u >> 16); }
static inline int32_t o2m_sparse_count(const uint8_t *stream) { return stream[0] | stream[1] << 8; }

void O2M_SYM(o2m_linear_sparse_s8)(const int8_t *x, void *y, int32_t rows, const o2m_linear_params *p, void *scratch);
void O2M_SYM(o2m_linear_sparse_s8_dsp)(const int8_t *x, void *y, int32_t rows, const o2m_linear_params *p,
                                       void *scratch);

#ifdef __cplusplus
}
#endif
#endif
