// planner/place_search.h - what the greedy and the exact placer share.
#pragma once
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "planner/place.h"

namespace onnx2mcu {

// Block a may not begin in the open interval (offset(other) - below, offset(other) + above).
struct Conflict {
  int32_t other = 0;
  int64_t below = 0, above = 0;
};

// The conflicts of all blocks in one list; those of block a are list[begin[a] .. begin[a + 1]).
struct Conflicts {
  std::vector<int32_t> begin;
  std::vector<Conflict> list;
  std::span<const Conflict> Of(int32_t block) const {
    return {list.data() + begin[block], list.data() + begin[block + 1]};
  }
};
// A sweep over time: as much work as there are pairs alive together. Blocks of no bytes have no conflicts.
Conflicts ConflictsOf(const Problem &problem);

using Intervals = std::vector<std::pair<int64_t, int64_t>>;

// The lowest multiple of align >= from in none of the open intervals, which are sorted.
int64_t LowestOutside(const Intervals &forbidden, int64_t align, int64_t from);

// Replaces `best` by something smaller if there is such; sets optimal when the search ended within `work_limit` units
// of work.
void SearchExactly(const Problem &problem, const Conflicts &conflicts, int64_t work_limit, Solution &best);

}  // namespace onnx2mcu
