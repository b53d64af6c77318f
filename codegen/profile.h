// codegen/profile.h - what the counting plugin of the emulator wrote, told by node and function.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "codegen/cycles.h"
#include "codegen/elf.h"
#include "importer/ir/graph.h"

namespace onnx2mcu {

// Of one NAME_run: what ran for a node in one function. A node's own part of NAME.c (arguments, loop) counts as its.
struct ProfileRow {
  NodeId node = kNone;  // kNone: before the first node, or of a program without marks
  std::string function;
  int64_t instructions = 0, cycles = 0;  // cycles: an estimate, 0 where there is no table
};
struct Profile {
  std::vector<ProfileRow> rows;  // by node, then by address of the function
  std::vector<int64_t> calls;    // by NodeId; 0: never, or no marks
  int64_t instructions = 0, cycles = 0;
};

// The plugin's list of marks: from the addresses that O2M_MARK() left in the program.
std::string MarksFor(const ElfImage &elf);
// text: the plugin's profile. table: null where cycles cannot be estimated.
Profile ReadProfile(const std::string &text, const ElfImage &elf, const CycleTable *table);

}  // namespace onnx2mcu
