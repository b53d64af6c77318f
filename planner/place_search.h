// planner/place_search.h - what the greedy and the exact placer share.
#pragma once
#include <cstdint>
#include <utility>
#include <vector>

#include "planner/place.h"

namespace onnx2mcu {

// Block a may not begin in the open interval (offset(other) - below, offset(other) + above).
struct Conflict {
  int32_t other = 0;
  int64_t below = 0, above = 0;
};
std::vector<std::vector<Conflict>> ConflictsOf(const Problem &problem);

// The lowest aligned offset >= from that the placed blocks (offset >= 0) allow. `forbidden` is working memory.
int64_t LowestOffset(const Problem &problem, const std::vector<Conflict> &conflicts,
                     const std::vector<int64_t> &offsets, int32_t block, int64_t from,
                     std::vector<std::pair<int64_t, int64_t>> &forbidden);

// Replaces `best` by something smaller if there is such; sets optimal when the search ended within the work limit.
void SearchExactly(const Problem &problem, const std::vector<std::vector<Conflict>> &conflicts, Solution &best);

}  // namespace onnx2mcu
