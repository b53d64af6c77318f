// codegen/search_program.h - the verbs that another program has: onnx2mcu-search, which lies beside this one. It stands
// on nas/, which stands on the planner, so that this program needs nothing of what a search needs.
#pragma once
#include <string>

#include "importer/ir/status.h"

namespace onnx2mcu {

bool IsSearchVerb(const std::string &verb);

// Becomes that program, with the same arguments. Returns only where that is not possible: NotFound.
absl::Status BecomeSearchProgram(char **argv);

}  // namespace onnx2mcu
