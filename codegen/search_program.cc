#include "codegen/search_program.h"

#include <unistd.h>

#include <cstdio>
#include <filesystem>

#include "absl/strings/str_cat.h"

namespace onnx2mcu {

bool IsSearchVerb(const std::string &verb) { return verb == "search" || verb == "price"; }

absl::Status BecomeSearchProgram(char **argv) {
  std::error_code error;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error).parent_path();
  const std::string program = (self / "onnx2mcu-search").string();
  std::fflush(nullptr);
  execv(program.c_str(), argv);
  return absl::NotFoundError(
      absl::StrCat(argv[1], ": ", program, " cannot be started; build it (cmake --build build) or install it there"));
}

}  // namespace onnx2mcu
