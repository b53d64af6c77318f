// codegen/elf.h - section sizes of a linked program.
#pragma once
#include <map>
#include <string>

#include "importer/ir/status.h"

namespace onnx2mcu {

// Bytes by section name of a 32-bit little-endian ELF file. InvalidArgument for anything else.
absl::StatusOr<std::map<std::string, int64_t>> ElfSections(const std::string &bytes);
// The function that the symbol table of an ELF file has at an address; empty: none.
std::string ElfFunctionAt(const std::string &bytes, uint32_t address);

}  // namespace onnx2mcu
