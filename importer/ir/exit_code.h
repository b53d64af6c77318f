// importer/ir/exit_code.h - how our programs end.
#pragma once
#include "importer/ir/status.h"

namespace onnx2mcu {

// Prints what went wrong to stderr. 0: nothing; 1: the user's input; 2: our bug (kInternal). What stdout did not take,
// a full disk, is the user's.
int EndProgram(absl::Status status);

}  // namespace onnx2mcu
