#include "codegen/regions.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace onnx2mcu {
namespace {

constexpr int64_t kGrain = 16;  // of an arena

std::vector<Region> LargestFirst(std::vector<Region> regions) {
  std::stable_sort(regions.begin(), regions.end(), [](const Region &a, const Region &b) { return a.bytes > b.bytes; });
  return regions;
}

// An arena at address 0 would be a null pointer.
absl::StatusOr<std::vector<Region>> AllOf(const Board &board) {
  if (board.ram.empty())
    return absl::InvalidArgumentError("--ram=all: all of which board? give --board, or sizes as in --ram=192K+64K");
  std::vector<Region> regions = LargestFirst(board.ram);
  std::erase_if(regions, [](const Region &region) { return region.base == 0; });
  if (regions.size() > kMostRegions) regions.resize(kMostRegions);
  return regions;
}

}  // namespace

absl::StatusOr<std::vector<Region>> ChooseRegions(const CompileOptions &options, const Board &board) {
  if (options.all_ram) return AllOf(board);
  if (options.ram == 0) return std::vector<Region>{MainRam(board)};
  const std::vector<Region> known = LargestFirst(board.ram);
  std::vector<int64_t> sizes = {options.ram};
  sizes.insert(sizes.end(), options.more_ram.begin(), options.more_ram.end());
  std::vector<Region> regions;
  for (size_t i = 0; i < sizes.size(); i++) {
    const std::string name = i == 0 ? "RAM" : absl::StrCat("RAM", i);
    regions.push_back({i < known.size() ? known[i].name : name, i < known.size() ? known[i].base : 0, sizes[i]});
    if (sizes.size() > 1 && sizes[i] < kGrain)
      return absl::InvalidArgumentError(absl::StrCat(
          "--ram: a region of ", sizes[i], " B holds nothing; leave it out, or give at least ", kGrain, " B"));
  }
  return regions;
}

std::vector<Region> ArenaRegions(const Compilation &compilation) {
  return compilation.ram_regions.empty() ? std::vector<Region>{MainRam(compilation.board)} : compilation.ram_regions;
}

Region RegionOf(const Compilation &compilation, const Arena &arena) {
  const std::vector<Region> regions = ArenaRegions(compilation);
  return regions[std::min<size_t>(static_cast<size_t>(arena.region), regions.size() - 1)];
}

std::string RegionsText(const std::vector<Region> &regions) {
  std::string text;
  for (const Region &region : regions) absl::StrAppend(&text, text.empty() ? "" : " + ", region.bytes, " B");
  return text;
}

RegionLine LineOf(const std::vector<Region> &regions, int64_t kept) {
  RegionLine line;
  for (size_t i = 0; i < regions.size(); i++) {
    if (i > 0) line.boundaries.push_back(line.end = line.end / kGrain * kGrain);
    line.end += std::max<int64_t>(regions[i].bytes - (i == 0 ? kept : 0), 0);
  }
  return line;
}

}  // namespace onnx2mcu
