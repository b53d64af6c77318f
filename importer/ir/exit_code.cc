#include "importer/ir/exit_code.h"

#include <cstdio>
#include <string>

namespace onnx2mcu {

int EndProgram(absl::Status status) {
  if (status.ok() && (std::fflush(stdout) != 0 || std::ferror(stdout) != 0))
    status =
        absl::InvalidArgumentError("standard output: cannot be written; free space on the disk or print elsewhere");
  if (status.ok()) return 0;
  std::fprintf(stderr, "onnx2mcu: error: %s\n", std::string(status.message()).c_str());
  if (status.code() != absl::StatusCode::kInternal) return 1;
  std::fprintf(stderr, "onnx2mcu: this is a bug of onnx2mcu; please report it with the command and the model\n");
  return 2;
}

}  // namespace onnx2mcu
