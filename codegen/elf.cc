#include "codegen/elf.h"

#include <elf.h>
#include <string.h>

#include <iterator>

namespace onnx2mcu {
namespace {

template <class T>
bool Read(const std::string &bytes, size_t at, T *out) {
  if (at + sizeof(*out) > bytes.size()) return false;
  memcpy(out, bytes.data() + at, sizeof(*out));
  return true;
}

std::string Slice(const std::string &bytes, size_t at, size_t count) {
  return at <= bytes.size() ? bytes.substr(at, count) : "";
}

void AddFunctions(const std::string &bytes, const Elf32_Shdr &symbols, const Elf32_Shdr &names, ElfImage *image) {
  Elf32_Sym symbol;
  for (size_t at = 0; at + sizeof(symbol) <= symbols.sh_size && Read(bytes, symbols.sh_offset + at, &symbol);
       at += sizeof(symbol)) {
    const uint32_t start = symbol.st_value & ~1u;  // Thumb functions have an odd address
    const size_t name = names.sh_offset + symbol.st_name;
    if (ELF32_ST_TYPE(symbol.st_info) != STT_FUNC || name >= bytes.size()) continue;
    image->functions[start] = {start + symbol.st_size, bytes.c_str() + name};
  }
}

// The range that holds an address, or end().
auto Find(const std::map<uint32_t, ElfImage::Range> &ranges, uint32_t address) {
  const auto after = ranges.upper_bound(address);
  if (after == ranges.begin()) return ranges.end();
  const auto found = std::prev(after);
  return address < found->second.end ? found : ranges.end();
}

}  // namespace

std::pair<uint32_t, std::string> ElfImage::FunctionFrom(uint32_t address) const {
  const auto found = Find(functions, address);
  if (found == functions.end()) return {0, ""};
  return {found->first, found->second.text};
}

std::string ElfImage::BytesAt(uint32_t address, uint32_t count) const {
  const auto found = Find(sections, address);
  return found == sections.end() ? "" : Slice(found->second.text, address - found->first, count);
}

ElfImage ReadElf(const std::string &bytes) {
  ElfImage image;
  Elf32_Ehdr header;
  Elf32_Shdr names, section, linked;
  if (!Read(bytes, 0, &header) || memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) return image;
  const auto at = [&header](size_t i) { return header.e_shoff + i * sizeof(Elf32_Shdr); };
  if (!Read(bytes, at(header.e_shstrndx), &names)) return image;
  for (size_t i = 0; i < header.e_shnum && Read(bytes, at(i), &section); i++) {
    const std::string text = Slice(bytes, section.sh_offset, section.sh_size);
    if (section.sh_type == SHT_SYMTAB && Read(bytes, at(section.sh_link), &linked))
      AddFunctions(bytes, section, linked, &image);
    if (section.sh_type != SHT_PROGBITS) continue;
    if ((section.sh_flags & SHF_ALLOC) != 0)
      image.sections[section.sh_addr] = {section.sh_addr + section.sh_size, text};
    else if (names.sh_offset + section.sh_name < bytes.size())
      image.notes[bytes.c_str() + names.sh_offset + section.sh_name] = text;
  }
  return image;
}

namespace {

// Calls visit(header, name) for every section. InvalidArgument for what is no 32-bit little-endian ELF file.
template <typename Visit>
absl::Status ForEachSection(const std::string &bytes, const Visit &visit) {
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
  for (size_t i = 0; i < header.e_shnum; i++) {
    if (!section(i, &one) || names.sh_offset + one.sh_name >= bytes.size()) return invalid;
    visit(one, std::string(bytes.c_str() + names.sh_offset + one.sh_name));
  }
  return absl::OkStatus();
}

bool IsUnwinding(const std::string &name) {
  return name.rfind(".ARM.ex", 0) == 0 || name.rfind(".eh_frame", 0) == 0 || name.rfind(".rel", 0) == 0;
}

}  // namespace

absl::StatusOr<std::map<std::string, int64_t>> ElfSections(const std::string &bytes) {
  std::map<std::string, int64_t> sizes;
  O2M_RETURN_IF_ERROR(ForEachSection(
      bytes, [&](const Elf32_Shdr &section, const std::string &name) { sizes[name] += section.sh_size; }));
  return sizes;
}

absl::StatusOr<ElfBytes> ElfBytesOf(const std::string &bytes) {
  ElfBytes sizes;
  O2M_RETURN_IF_ERROR(ForEachSection(bytes, [&](const Elf32_Shdr &section, const std::string &name) {
    if ((section.sh_flags & SHF_ALLOC) == 0 || IsUnwinding(name)) return;
    const bool code = (section.sh_flags & SHF_EXECINSTR) != 0, written = (section.sh_flags & SHF_WRITE) != 0;
    const bool empty = section.sh_type == SHT_NOBITS;
    (code ? sizes.text : empty ? sizes.bss : written ? sizes.data : sizes.rodata) += section.sh_size;
  }));
  return sizes;
}

std::set<std::string> ElfUndefined(const std::string &bytes) {
  std::set<std::string> undefined;
  Elf32_Ehdr header;
  Elf32_Shdr section, names;
  Elf32_Sym symbol;
  if (!Read(bytes, 0, &header) || memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) return undefined;
  const auto header_at = [&header](size_t i) { return header.e_shoff + i * sizeof(Elf32_Shdr); };
  for (size_t i = 0; i < header.e_shnum && Read(bytes, header_at(i), &section); i++) {
    if (section.sh_type != SHT_SYMTAB || !Read(bytes, header_at(section.sh_link), &names)) continue;
    for (size_t at = 0; at + sizeof(symbol) <= section.sh_size && Read(bytes, section.sh_offset + at, &symbol);
         at += sizeof(symbol)) {
      const size_t name = names.sh_offset + symbol.st_name;
      if (symbol.st_shndx == SHN_UNDEF && symbol.st_name != 0 && name < bytes.size())
        undefined.insert(bytes.c_str() + name);
    }
  }
  return undefined;
}

std::string ElfFunctionAt(const std::string &bytes, uint32_t address) {
  return ReadElf(bytes).FunctionFrom(address).second;
}

}  // namespace onnx2mcu
