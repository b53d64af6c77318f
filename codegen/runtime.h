// codegen/runtime.h - the files of codegen/runtime/, embedded in the tool: start-up, harness, linker script.
#pragma once
#include <string>

namespace onnx2mcu {

// The text of codegen/runtime/NAME. Precondition: the file exists.
std::string RuntimeFile(const std::string &name);

}  // namespace onnx2mcu
