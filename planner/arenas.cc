// From the line of a plan's offsets to the regions of RAM that it stands for.
#include <algorithm>

#include "planner/plan.h"

namespace onnx2mcu {

std::vector<Arena> ArenasOf(const Plan &plan) {
  if (plan.boundaries.empty()) return {{0, 0, plan.arena_bytes}};
  std::vector<int64_t> ends = {0};  // by region: past its last byte that is used
  ends.insert(ends.end(), plan.boundaries.begin(), plan.boundaries.end());
  const std::vector<int64_t> begins = ends;
  for (const Buffer &buffer : plan.buffers) {
    const auto region = std::upper_bound(begins.begin(), begins.end(), buffer.offset) - begins.begin() - 1;
    ends[region] = std::max(ends[region], buffer.offset + buffer.bytes);
  }
  std::vector<Arena> arenas;
  for (size_t r = 0; r < begins.size(); r++)
    if (ends[r] > begins[r]) arenas.push_back({static_cast<int32_t>(r), begins[r], ends[r] - begins[r]});
  if (arenas.empty()) arenas.emplace_back();
  for (size_t i = 0; i + 1 < arenas.size(); i++) arenas[i].bytes = (arenas[i].bytes + 15) / 16 * 16;
  return arenas;
}

int64_t ArenaRam(const Plan &plan) {
  int64_t bytes = 0;
  for (const Arena &arena : ArenasOf(plan)) bytes += arena.bytes;
  return bytes;
}

ArenaPlace PlaceOf(const Plan &plan, int64_t offset) {
  const std::vector<Arena> arenas = ArenasOf(plan);
  size_t i = arenas.size() - 1;
  while (i > 0 && arenas[i].begin > offset) i--;
  return {static_cast<int32_t>(i), offset - arenas[i].begin};
}

}  // namespace onnx2mcu
