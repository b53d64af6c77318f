#include "scale_op.h"

SCALE_OP(scale_op, scale_infer, scale_memory, scale_run, scale_emit)
SCALE_ENTRY(O2M_ABI_MAJOR + 7, &scale_op)
