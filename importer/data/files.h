// importer/data/files.h - whole files as bytes.
#pragma once
#include <string>

#include "importer/ir/status.h"

namespace onnx2mcu {

absl::StatusOr<std::string> ReadFileBytes(const std::string &path);
// Checked to the last byte (close included): a full disk is an error here, not a short file.
absl::Status WriteFileBytes(const std::string &path, const std::string &bytes);

}  // namespace onnx2mcu
