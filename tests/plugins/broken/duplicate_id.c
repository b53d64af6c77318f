#include "scale_op.h"

SCALE_OP(one, scale_infer, scale_memory, scale_run, scale_emit)
SCALE_OP(two, scale_infer, scale_memory, scale_run, scale_emit)
SCALE_ENTRY(O2M_ABI_MAJOR, &one, &two)
