// planner/parse_bytes.h - sizes of memory as options give them.
#pragma once
#include <cstdint>
#include <string>

#include "importer/ir/status.h"

namespace onnx2mcu {

// "320K" -> 327680 bytes (K = 1024, M = 1024 * 1024). InvalidArgument names the option.
absl::StatusOr<int64_t> ParseBytes(const std::string &text, const std::string &option);

}  // namespace onnx2mcu
