// nas/atomic_file.h - files that are complete or absent, whenever the process or the machine stops.
#pragma once
#include <string>

#include "importer/ir/status.h"

namespace onnx2mcu {

// Writes beside `path`, syncs to the disk, renames. On an error (a full disk, no such folder) the old file is intact.
absl::Status WriteFileAtomically(const std::string &path, const std::string &bytes);
// The second half of it: syncs a file that was written to `temporary`, in the folder of `path`, and renames it.
absl::Status PublishFile(const std::string &temporary, const std::string &path);

}  // namespace onnx2mcu
