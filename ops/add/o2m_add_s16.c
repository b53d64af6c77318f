#include "o2m_add_loops.h"

/* A residual stream of s16 adds s8 branches and may end in s8: every mix of the two but the one in o2m_add_s8.c. */
O2M_ADD(o2m_add_s8_s8_s16, s8, s8, s16)
O2M_ADD(o2m_add_s8_s16_s8, s8, s16, s8)
O2M_ADD(o2m_add_s8_s16_s16, s8, s16, s16)
O2M_ADD(o2m_add_s16_s8_s8, s16, s8, s8)
O2M_ADD(o2m_add_s16_s8_s16, s16, s8, s16)
O2M_ADD(o2m_add_s16_s16_s8, s16, s16, s8)
O2M_ADD(o2m_add_s16, s16, s16, s16)
