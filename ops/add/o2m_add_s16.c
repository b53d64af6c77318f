#include "o2m_add_loops.h"

O2M_ADD(o2m_add_s16, s16, s16, s16)
