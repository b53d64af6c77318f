#include "codegen/elf.h"

#include <elf.h>
#include <string.h>

namespace onnx2mcu {

absl::StatusOr<std::map<std::string, int64_t>> ElfSections(const std::string &bytes) {
  const auto invalid = absl::InvalidArgumentError("not a complete 32-bit ELF file");
  Elf32_Ehdr header;
  if (bytes.size() < sizeof(header)) return invalid;
  memcpy(&header, bytes.data(), sizeof(header));
  if (memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS32) return invalid;
  const auto section = [&](size_t i, Elf32_Shdr *out) {
    const size_t at = header.e_shoff + i * sizeof(Elf32_Shdr);
    if (i >= header.e_shnum || at + sizeof(Elf32_Shdr) > bytes.size()) return false;
    memcpy(out, bytes.data() + at, sizeof(Elf32_Shdr));
    return true;
  };
  Elf32_Shdr names, one;
  if (!section(header.e_shstrndx, &names)) return invalid;
  std::map<std::string, int64_t> sizes;
  for (size_t i = 0; i < header.e_shnum; i++) {
    if (!section(i, &one) || names.sh_offset + one.sh_name >= bytes.size()) return invalid;
    sizes[bytes.c_str() + names.sh_offset + one.sh_name] += one.sh_size;
  }
  return sizes;
}

std::string ElfFunctionAt(const std::string &bytes, uint32_t address) {
  Elf32_Ehdr header;
  if (bytes.size() < sizeof(header)) return "";
  memcpy(&header, bytes.data(), sizeof(header));
  const auto read = [&bytes](size_t at, auto *out) {
    if (at + sizeof(*out) > bytes.size()) return false;
    memcpy(out, bytes.data() + at, sizeof(*out));
    return true;
  };
  for (size_t i = 0; i < header.e_shnum; i++) {
    Elf32_Shdr symbols, names;
    Elf32_Sym symbol;
    if (!read(header.e_shoff + i * sizeof(symbols), &symbols) || symbols.sh_type != SHT_SYMTAB) continue;
    if (!read(header.e_shoff + symbols.sh_link * sizeof(names), &names)) return "";
    for (size_t at = 0; at + sizeof(symbol) <= symbols.sh_size && read(symbols.sh_offset + at, &symbol);
         at += sizeof(symbol)) {
      const uint32_t start = symbol.st_value & ~1u;  // Thumb functions have an odd address
      const bool function = ELF32_ST_TYPE(symbol.st_info) == STT_FUNC;
      const size_t name = names.sh_offset + symbol.st_name;
      if (function && address >= start && address - start < symbol.st_size && name < bytes.size())
        return bytes.c_str() + name;
    }
  }
  return "";
}

}  // namespace onnx2mcu
