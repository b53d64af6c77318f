/* o2m_linear_dsp.h - what the linear layers share on cores with DSP instructions: all columns of a tile of rows. */
#ifndef O2M_LINEAR_DSP_H_
#define O2M_LINEAR_DSP_H_
#include "o2m_dot_dsp.h"
#include "o2m_linear.h"

#ifdef __cplusplus
extern "C" {
#endif

/* From so many rows on, the weights are widened to scratch; fewer rows read them as they are. */
enum { O2M_LINEAR_DSP_WIDEN = 4 };

/* Where the widened weights lie in scratch: behind the panels of p->tile rows. */
static inline uint32_t *o2m_linear_dsp_widened(const o2m_linear_params *p, void *scratch) {
  return (uint32_t *)scratch + (p->tile + 1) / 2 * o2m_dot_dsp_row_words(p->depth);
}

/* y for `rows` rows whose panels are made. most: the largest magnitude of x; above 128 the sums must fit s32, and
 * |acc| be below 2^(shift - 1). */
void O2M_SYM(o2m_linear_dsp)(const uint32_t *panels, int32_t rows, int32_t most, void *y, const o2m_linear_params *p,
                             uint32_t *widened);

#ifdef __cplusplus
}
#endif
#endif
