// nas/verbs.h - the verbs of onnx2mcu-search, which `onnx2mcu VERB ...` starts.
#pragma once
#include <string>
#include <vector>

#include "importer/ir/status.h"

namespace onnx2mcu {

// Words after the verb. Results go to stdout, logs to stderr.
using Words = std::vector<std::string>;

absl::Status PriceVerb(const Words &words);

}  // namespace onnx2mcu
