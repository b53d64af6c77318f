// codegen/elf.h - sections and functions of a linked program.
#pragma once
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "importer/ir/status.h"

namespace onnx2mcu {

// Bytes by section name of a 32-bit little-endian ELF file. InvalidArgument for anything else.
absl::StatusOr<std::map<std::string, int64_t>> ElfSections(const std::string &bytes);

// The bytes that a file adds to a program, whatever its sections are called: code, constants, variables with a value
// and without. Unwinding tables are left out: linkers drop what C needs none of.
struct ElfBytes {
  int64_t text = 0, rodata = 0, data = 0, bss = 0;
};
absl::StatusOr<ElfBytes> ElfBytesOf(const std::string &bytes);
// What a file refers to and does not hold, by its symbol table; empty where it is no ELF file.
std::set<std::string> ElfUndefined(const std::string &bytes);
// The function that the symbol table of an ELF file has at an address; empty: none.
std::string ElfFunctionAt(const std::string &bytes, uint32_t address);

// What lies in a program where, for many questions: 32-bit little-endian ELF; empty where it is none.
struct ElfImage {
  struct Range {
    uint32_t end = 0;
    std::string text;  // of a function its name, of a section its bytes
  };
  std::map<uint32_t, Range> functions, sections;  // by first address; sections that the core reads from the file
  std::map<std::string, std::string> notes;       // sections without an address, by name

  // First address and name of the function that holds an address; 0 and nothing where there is none.
  std::pair<uint32_t, std::string> FunctionFrom(uint32_t address) const;
  // Empty where no section is.
  std::string BytesAt(uint32_t address, uint32_t count) const;
};
ElfImage ReadElf(const std::string &bytes);

}  // namespace onnx2mcu
