// codegen/runtime.h - files embedded in the tool: codegen/runtime/ (start-up, harness, linker script) and
// codegen/report/.
#pragma once
#include <string>

namespace onnx2mcu {

// The text of NAME in one of these folders. Precondition: the file exists.
std::string RuntimeFile(const std::string &name);

}  // namespace onnx2mcu
