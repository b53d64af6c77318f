#include "scale_op.h"

SCALE_PLUGIN(scale_infer, scale_memory, NULL, scale_emit)
