#include "o2m_add_loops.h"

O2M_ADD(o2m_add_s16_s8_s8, s16, s8, s8)
