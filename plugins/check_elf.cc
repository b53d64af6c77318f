// What the checker reads from ELF files and from loaded ones: symbols and writable memory.
#include <elf.h>
#include <link.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <iterator>
#include <set>

#include "plugins/check_clauses.h"

namespace onnx2mcu::check {
namespace {

struct Symbol {
  std::string name, section;
  bool global = false, writable = false;
};

template <class T>
bool Load(const Bytes &file, uint64_t offset, T &value) {
  if (offset > file.size() || sizeof(T) > file.size() - offset) return false;
  std::memcpy(&value, &file[offset], sizeof(T));
  return true;
}

std::string StringAt(const Bytes &file, uint64_t offset) {
  if (offset >= file.size()) return "";
  const auto begin = file.begin() + static_cast<int64_t>(offset);
  return std::string(begin, std::find(begin, file.end(), 0));
}

Bytes ReadAll(const std::string &path) {
  std::ifstream in(path, std::ios::binary);
  return Bytes(std::istreambuf_iterator<char>(in), {});
}

std::vector<ElfW(Shdr)> SectionsOf(const Bytes &file) {
  ElfW(Ehdr) header{};
  std::vector<ElfW(Shdr)> sections;
  if (!Load(file, 0, header)) return sections;
  for (int i = 0; i < header.e_shnum; i++) {
    ElfW(Shdr) section{};
    if (!Load(file, header.e_shoff + static_cast<uint64_t>(i) * sizeof section, section)) return {};
    sections.push_back(section);
  }
  return sections;
}

std::string SectionName(const Bytes &file, const std::vector<ElfW(Shdr)> &sections, size_t index) {
  ElfW(Ehdr) header{};
  if (!Load(file, 0, header) || header.e_shstrndx >= sections.size()) return "";
  return StringAt(file, sections[header.e_shstrndx].sh_offset + sections[index].sh_name);
}

// Symbols that the file itself defines, from its table of `type` (SHT_SYMTAB or SHT_DYNSYM).
std::vector<Symbol> DefinedSymbols(const std::string &path, uint32_t type) {
  const Bytes file = ReadAll(path);
  const std::vector<ElfW(Shdr)> sections = SectionsOf(file);
  std::vector<Symbol> symbols;
  for (const ElfW(Shdr) & table : sections) {
    if (table.sh_type != type || table.sh_link >= sections.size()) continue;
    for (uint64_t at = 0; at + sizeof(ElfW(Sym)) <= table.sh_size; at += sizeof(ElfW(Sym))) {
      ElfW(Sym) symbol{};
      const bool loaded = Load(file, table.sh_offset + at, symbol);
      const int kind = ELF64_ST_TYPE(symbol.st_info);
      if (!loaded || symbol.st_shndx == SHN_UNDEF || kind == STT_SECTION || kind == STT_FILE) continue;
      Symbol s{StringAt(file, sections[table.sh_link].sh_offset + symbol.st_name), "", false, false};
      s.global = ELF64_ST_BIND(symbol.st_info) != STB_LOCAL && ELF64_ST_VISIBILITY(symbol.st_other) == STV_DEFAULT;
      if (symbol.st_shndx < sections.size()) {
        s.section = SectionName(file, sections, symbol.st_shndx);
        s.writable = kind == STT_OBJECT && (sections[symbol.st_shndx].sh_flags & SHF_WRITE) != 0 &&
                     s.section.rfind(".data.rel.ro", 0) != 0;
      }
      s.writable |= symbol.st_shndx == SHN_COMMON;
      symbols.push_back(s);
    }
  }
  return symbols;
}

}  // namespace

std::vector<std::string> ForeignExports(const std::string &path) {
  // What older linkers add to every shared object.
  static const std::set<std::string> usual = {"_init", "_fini", "_edata", "_end", "__bss_start", "onnx2mcu_plugin"};
  std::vector<std::string> names;
  for (const Symbol &symbol : DefinedSymbols(path, SHT_DYNSYM))
    if (symbol.global && usual.count(symbol.name) == 0) names.push_back(symbol.name);
  return names;
}

std::vector<std::string> ForeignSymbols(const std::string &object_file, const std::string &prefix) {
  std::vector<std::string> wrong;
  for (const Symbol &symbol : DefinedSymbols(object_file, SHT_SYMTAB)) {
    if (symbol.writable) wrong.push_back(symbol.name + " can be written (static state)");
    if (symbol.global && symbol.name.rfind(prefix, 0) != 0)
      wrong.push_back(symbol.name + " is external without O2M_SYM()");
  }
  return wrong;
}

namespace {

// A segment has guard zones between its variables where the address sanitizer is on: read them without its eyes.
__attribute__((no_sanitize("address"))) void AppendBytes(const volatile uint8_t *begin, size_t size, Bytes &to) {
  const size_t before = to.size();
  to.resize(before + size);
  uint8_t *out = to.data() + before;
  for (size_t i = 0; i < size; i++) out[i] = begin[i];
}

}  // namespace

Bytes WritableMemoryOf(const void *address) {
  struct Search {
    uintptr_t address;
    Bytes memory;
  } search{reinterpret_cast<uintptr_t>(address), {}};
  const auto visit = [](dl_phdr_info *info, size_t, void *data) {
    Search &s = *static_cast<Search *>(data);
    const auto in = [&](const ElfW(Phdr) & segment) {
      const uintptr_t begin = info->dlpi_addr + segment.p_vaddr;
      return segment.p_type == PT_LOAD && s.address >= begin && s.address < begin + segment.p_memsz;
    };
    if (std::none_of(info->dlpi_phdr, info->dlpi_phdr + info->dlpi_phnum, in)) return 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
      const ElfW(Phdr) &segment = info->dlpi_phdr[i];
      if (segment.p_type != PT_LOAD || !(segment.p_flags & PF_W)) continue;
      const auto *begin = reinterpret_cast<const uint8_t *>(info->dlpi_addr + segment.p_vaddr);
      AppendBytes(begin, segment.p_memsz, s.memory);
    }
    return 1;
  };
  dl_iterate_phdr(visit, &search);
  return search.memory;
}

}  // namespace onnx2mcu::check
