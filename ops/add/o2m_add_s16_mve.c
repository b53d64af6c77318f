#include "o2m_add_mve.h"

O2M_ADD_MVE(o2m_add_s8_s8_s16, s8, s8, s16)
O2M_ADD_MVE(o2m_add_s8_s16_s8, s8, s16, s8)
O2M_ADD_MVE(o2m_add_s8_s16_s16, s8, s16, s16)
O2M_ADD_MVE(o2m_add_s16_s8_s8, s16, s8, s8)
O2M_ADD_MVE(o2m_add_s16_s8_s16, s16, s8, s16)
O2M_ADD_MVE(o2m_add_s16_s16_s8, s16, s16, s8)
O2M_ADD_MVE(o2m_add_s16, s16, s16, s16)
