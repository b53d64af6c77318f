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

// The problem as one: greedy orders alone, or all that is known. Both mind blocks that are fixed.
Solution PlaceGreedily(const Problem &problem);
Solution PlaceAlone(const Problem &problem);

using Intervals = std::vector<std::pair<int64_t, int64_t>>;

// Adds where a block of so many bytes may not begin because it would lie across a boundary.
void ForbidBoundaries(const Problem &problem, int64_t bytes, Intervals &forbidden);

// The lowest multiple of align >= from in none of the open intervals, which are sorted.
int64_t LowestOutside(const Intervals &forbidden, int64_t align, int64_t from);

// Looks for offsets of the blocks that are not fixed with a lower top than `best`, whose bytes are the top of these
// alone; ends at `bound`. Takes what it used off `work` and sets optimal when it ended before work ran out.
void SearchExactly(const Problem &problem, const Conflicts &conflicts, int64_t bound, int64_t &work, Solution &best);

// Lowers the highest blocks by exact searches among their neighbours in time, as long as that helps.
void SearchWindows(const Problem &problem, const Conflicts &conflicts, int64_t bound, int64_t &work, Solution &best);

// True if the neighbours in time of the highest block cannot lie lower than it even without all others.
bool WindowsProve(const Problem &problem, const Solution &best, int64_t &work);

}  // namespace onnx2mcu
