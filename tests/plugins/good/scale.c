#include "scale_op.h"

SCALE_PLUGIN(scale_infer, scale_memory, scale_run, scale_emit)
