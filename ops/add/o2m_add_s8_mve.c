#include "o2m_add_mve.h"

O2M_ADD_MVE(o2m_add_s8, s8, s8, s8)
