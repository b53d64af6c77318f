#include "codegen/runtime.h"

#include "o2m_runtime_sources.h"

namespace onnx2mcu {

std::string RuntimeFile(const std::string &name) {
  for (const o2m_source_file &file : o2m_sources) {
    if (name == file.name) return file.text;
  }
  return "";
}

}  // namespace onnx2mcu
