// planner/place_parts.h - a problem cut in time where at most one block is alive: between the blocks of a transformer,
// say. Parts of equal content are placed once, and the whole is a chain of them that agree on the blocks they share.
#pragma once
#include <cstdint>
#include <deque>
#include <map>
#include <span>
#include <string>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "planner/place.h"

namespace onnx2mcu {

using PartId = int32_t;

// A part in a chain, and which of its blocks it shares with the part before and after (-1: none; maybe the same one).
struct Link {
  PartId part = 0;
  int32_t in = -1, out = -1;
};

// Blocks of a larger problem between two cuts; of `in` and `out` it is known only that they live beyond.
struct Part {
  Problem problem;              // times count the births in the part
  std::vector<int32_t> blocks;  // by block of the part: its index in the larger problem
  int32_t in = -1, out = -1;
};

// `in`: a block alive before all others of the problem, `out`: one alive after them; -1: none.
std::vector<Part> CutInTime(const Problem &problem, int32_t in, int32_t out);

enum class Effort : uint8_t { kGreedy, kSome, kAll };  // of the problem's work limit

// What is known of parts, by content. Owned by the caller; it grows with every part it has not seen. The same answers
// come from an empty one, later.
struct Placements {
  struct Entry {
    Problem problem;  // with its lower bound
    // by what is held where (in, its offset, out, its offset; offset -1: free) and the effort
    std::map<std::tuple<int32_t, int64_t, int32_t, int64_t, Effort>, Solution> solutions;
  };
  std::unordered_map<std::string, PartId> ids;
  std::deque<Entry> entries;
};
PartId IdOf(Placements &known, const Problem &part);

struct ChainSolution {
  std::vector<const Solution *> parts;  // by link; of `known`
  int64_t bytes = 0, lower_bound = 0;   // the largest of the parts'
  int64_t enough = 0;                   // the most that a part, or the bound, needs alone: less is not looked for
  bool proven = false;                  // ... and cannot do without
  bool loose = false;    // over 1 % more than enough: the shared blocks bind, and the whole may do much better
  bool optimal = false;  // nothing less is possible: bytes are enough, and proven
  bool fits() const { return bytes <= enough; }
};
// Backward in time, since what is written over a block lies below it. Shared blocks go to offset 0 where that costs
// nothing; to where the worst part would have them, or to where they fall, where that helps. `bound`: bytes known to be
// needed.
ChainSolution PlaceChain(Placements &known, std::span<const Link> links, int64_t bound);

// The most that a part needs by itself, or the bound: ChainSolution::enough.
int64_t NeededAlone(Placements &known, std::span<const Link> links, int64_t bound);

}  // namespace onnx2mcu
