#include "scale_op.h"

O2M_EXPORT int scale_helper(void);
int scale_helper(void) { return 1; }

SCALE_PLUGIN(scale_infer, scale_memory, scale_run, scale_emit)
