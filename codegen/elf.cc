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

}  // namespace onnx2mcu
