// codegen/regions.h - the regions of RAM that a network's arenas lie in, one arena in each that it needs.
#pragma once
#include <string>
#include <vector>

#include "codegen/compiler.h"

namespace onnx2mcu {

inline constexpr int kMostRegions = 3;  // what memory protection can tell apart under emulation

// Those that the options ask for: of a board its largest one, with --ram=all all of its, else as --ram lists them. The
// first also holds .data, .bss and the stack. One of 0 bytes: no limit is known. InvalidArgument: no board to take them
// from, or one is too small to hold anything.
absl::StatusOr<std::vector<Region>> ChooseRegions(const CompileOptions &options, const Board &board);

// Those of a compilation; never empty.
std::vector<Region> ArenaRegions(const Compilation &compilation);
// Of them the one that an arena of the plan lies in.
Region RegionOf(const Compilation &compilation, const Arena &arena);
// "192 + 64 KiB" as bytes, for messages: "196608 B + 65536 B".
std::string RegionsText(const std::vector<Region> &regions);

// The regions as one line of offsets, less `kept` bytes of the first. end 0: no limit is known.
struct RegionLine {
  std::vector<int64_t> boundaries;
  int64_t end = 0;
};
RegionLine LineOf(const std::vector<Region> &regions, int64_t kept);

}  // namespace onnx2mcu
