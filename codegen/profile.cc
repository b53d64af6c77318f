#include "codegen/profile.h"

#include <map>
#include <sstream>
#include <utility>

#include "absl/strings/str_cat.h"

namespace onnx2mcu {
namespace {

constexpr int64_t kFirstMark = 2;  // the context of node 0, as qemu_count.c has them

uint32_t WordAt(const std::string &bytes, size_t at) {
  uint32_t word = 0;
  for (size_t i = 0; i < 4; i++) word |= static_cast<uint32_t>(static_cast<uint8_t>(bytes[at + i])) << (8 * i);
  return word;
}

struct Tally {
  std::string function;
  int64_t instructions = 0, cycles = 0;
};
using Tallies = std::map<std::pair<int64_t, uint32_t>, Tally>;  // by context and first address of a function

// What comes after "block".
void AddBlock(std::istream &words, const ElfImage &elf, const CycleTable *table, Tallies *tallies) {
  uint32_t address = 0, bytes = 0;
  int64_t instructions = 0, context = 0, runs = 0, refills = 0;
  words >> address >> bytes >> instructions >> context >> runs >> refills;
  const auto function = elf.FunctionFrom(address);
  Tally &tally = (*tallies)[{context, function.first}];
  tally.function = function.second;
  tally.instructions += runs * instructions;
  if (table == nullptr) return;
  tally.cycles += runs * StraightCycles(*table, elf.BytesAt(address, bytes)) + refills * table->refill;
}

}  // namespace

std::string MarksFor(const ElfImage &elf) {
  std::string text;
  const auto marks = elf.notes.find(".o2m_marks");
  if (marks == elf.notes.end()) return text;
  for (size_t at = 0; at + 8 <= marks->second.size(); at += 8)
    absl::StrAppend(&text, WordAt(marks->second, at), " ", WordAt(marks->second, at + 4) + kFirstMark, "\n");
  return text;
}

Profile ReadProfile(const std::string &text, const ElfImage &elf, const CycleTable *table) {
  Profile profile;
  Tallies tallies;
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    if (word == "block") {
      AddBlock(words, elf, table, &tallies);
      continue;
    }
    int64_t context = 0, count = 0;
    words >> context >> count;
    if (context < kFirstMark) continue;
    if (context - kFirstMark >= static_cast<int64_t>(profile.calls.size()))
      profile.calls.resize(context - kFirstMark + 1);
    profile.calls[context - kFirstMark] = count;
  }
  for (const auto &[key, tally] : tallies) {
    const NodeId node = key.first < kFirstMark ? kNone : static_cast<NodeId>(key.first - kFirstMark);
    profile.rows.push_back({node, tally.function, tally.instructions, tally.cycles});
    profile.instructions += tally.instructions;
    profile.cycles += tally.cycles;
  }
  return profile;
}

}  // namespace onnx2mcu
