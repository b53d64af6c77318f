// nas/atomic_file.h - files that are complete or absent, whenever the process or the machine stops.
#pragma once
#include <string>

#include "importer/ir/status.h"

namespace onnx2mcu {

// Writes beside `path`, syncs to the disk, renames. On an error (a full disk, no such folder) the old file is intact.
absl::Status WriteFileAtomically(const std::string &path, const std::string &bytes);

}  // namespace onnx2mcu
