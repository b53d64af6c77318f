// planner/place.h - placement: blocks with lifetimes, sizes and pairwise distances in, offsets out.
//
// After Lee, Pisarchyk: "Efficient Memory Management for Deep Neural Net Inference" (greedy by size) and Moffitt:
// "MiniMalloc" (canonical solutions by offset), widened by one relation: y may lie over x where x - y >= distance.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "importer/ir/status.h"

namespace onnx2mcu {

struct Block {
  std::string id;
  int64_t bytes = 0, align = 1;
  int32_t first = 0, last = 0;  // lifetime, inclusive
  int64_t fixed = -1;           // its offset, where it is given; those that are must not be in each other's way
};

// Blocks that are alive together may not share a byte, unless offset(x) - offset(y) >= distance >= 0.
struct Distance {
  int32_t x = 0, y = 0;
  int64_t distance = 0;
};

struct Problem {
  std::vector<Block> blocks;
  std::vector<Distance> distances;
  int64_t lower_bound = 0;       // stop at it; 0: none known
  int64_t work_limit = 3000000;  // of all that follows the first greedy orders, in blocks and conflicts looked at
  // Where one region of memory ends and the next begins: multiples of every alignment, upward. No block lies across
  // one.
  std::vector<int64_t> boundaries = {};
};

struct Solution {
  std::vector<int64_t> offsets;
  int64_t bytes = 0;
  bool optimal = false;  // nothing less is possible: a lower bound was met, or the exact search ended
};

// Part by part where the problem falls apart in time (place_parts.h), as a whole where the parts do not fit together.
// Each by greedy orders, blocks of the peak moved forward, and where the best is more than 1 % over the lower bound, an
// exact search up to the work limit. Deterministic: `known` saves time only. With boundaries: the lowest top there is
// too, so that what does not fit below the first is as little as can be.
struct Placements;
Solution PlaceBlocks(const Problem &problem, Placements *known = nullptr);

// minimalloc's format: a header line that names the columns, then a line per block: id,lower,upper,size (upper
// exclusive), alignment where one is not 1, offset with a solution. Two columns are our own, where they are needed:
// over (`id@distance id@distance`: the blocks that this one may lie over) and fixed. A foreign placer that does not
// know them sees a harder problem, or a freer one. With boundaries and a solution a third one, region, counts the
// boundaries below a block; it is not read.
std::string WriteCsv(const Problem &problem, const Solution *solution);
struct CsvProblem {
  Problem problem;
  Solution solution;  // empty without an offset column
};
// Columns in any order. InvalidArgument names the line; gaps in lifetimes are refused.
absl::StatusOr<CsvProblem> ReadCsv(const std::string &text);

}  // namespace onnx2mcu
