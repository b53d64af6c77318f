// tests/planner/place_problems.h - random placement problems.
#pragma once
#include <algorithm>
#include <numeric>
#include <random>

#include "planner/lower_bound.h"
#include "planner/place.h"

namespace onnx2mcu {

// How much slower the code is than in a release: limits of time are multiplied by it.
#if defined(__SANITIZE_ADDRESS__) || !defined(NDEBUG)
inline constexpr int kSlow = 10;
#else
inline constexpr int kSlow = 1;
#endif
// Numbers of trials are divided by it, so that no test takes more than some seconds.
inline constexpr int kFewer = kSlow > 1 ? kSlow : 2;

struct ProblemKind {
  int blocks = 8, times = 5;
  int sizes = 40;          // bytes 1..sizes
  bool aligned = false;    // to 1, 2, 4 or 8
  int overwritable = 3;    // every so many-th pair has a distance; 0: none
  bool in_time = true;     // only later blocks may lie over earlier ones, as in a plan
  int fixed_blocks = 0;    // that many, one above the other
  int zero_distances = 2;  // every so many-th distance is 0
};

inline int32_t Below(std::mt19937 &random, int n) { return n > 0 ? static_cast<int32_t>(random() % n) : 0; }

inline void AddDistances(std::mt19937 &random, const ProblemKind &kind, Problem &problem) {
  if (kind.overwritable == 0) return;
  for (int32_t y = 0; y < kind.blocks; y++)
    for (int32_t x = 0; x < kind.blocks; x++) {
      const Block &from = problem.blocks[x], &to = problem.blocks[y];
      if (x == y || (kind.in_time && from.first >= to.first) || Below(random, kind.overwritable) > 0) continue;
      const bool zero = kind.zero_distances > 0 && Below(random, kind.zero_distances) == 0;
      problem.distances.push_back({x, y, zero ? 0 : Below(random, kind.sizes)});
    }
}

inline Problem RandomProblem(std::mt19937 &random, const ProblemKind &kind) {
  Problem problem;
  for (int i = 0; i < kind.blocks; i++) {
    const int32_t first = Below(random, kind.times);
    const int32_t last = first + Below(random, Below(random, 3) ? std::min(kind.times - first, 4) : kind.times - first);
    problem.blocks.push_back(
        {"", 1 + Below(random, kind.sizes), kind.aligned ? 1 << Below(random, 4) : 1, first, last});
  }
  int64_t above = 0;
  for (int i = 0; i < std::min(kind.fixed_blocks, kind.blocks); i++) {
    Block &block = problem.blocks[i];
    block.fixed = (above + Below(random, kind.sizes) + block.align - 1) / block.align * block.align;
    above = block.fixed + block.bytes;
  }
  AddDistances(random, kind, problem);
  return problem;
}

// What LowerBound() says of the same lifetimes, distances and alignments; it knows nothing of fixed offsets.
inline int64_t BoundOf(const Problem &problem) {
  std::vector<Buffer> buffers;
  int64_t align = 0;
  for (const Block &block : problem.blocks) {
    Buffer buffer;
    buffer.bytes = block.bytes, buffer.first = block.first, buffer.last = block.last;
    buffers.push_back(buffer);
    align = std::gcd(align, block.align);
  }
  std::vector<Overwrite> overwrites;
  for (const Distance &d : problem.distances) overwrites.push_back({d.x, d.y, d.distance});
  return LowerBound(buffers, overwrites, align);
}

// A transformer's blocks as a planner sees them: a residual that the next layer's is written over, a few tensors of its
// size for several steps, tiles and scratch in between. `layers` * (10 to 12) blocks.
inline Problem TransformerProblem(std::mt19937 &random, int layers, int small_blocks) {
  Problem problem;
  const auto add = [&](int64_t bytes, int64_t align, int32_t first, int32_t last) {
    problem.blocks.push_back({"", bytes, align, first, last});
    return static_cast<int32_t>(problem.blocks.size()) - 1;
  };
  const int64_t tokens = 17 + Below(random, 180), row = 8 * (4 + Below(random, 60));
  const int32_t length = small_blocks + 4;
  int32_t residual = add(tokens * row, 8, 0, length);
  for (int32_t layer = 0; layer < layers; layer++) {
    const int32_t begin = layer * length + 1, half = begin + length / 2, end = begin + length - 1;
    add(tokens * row / 3, 8, begin, half);
    add(tokens * row / 3, 8, begin + 1, half);
    for (int32_t i = 0; i < small_blocks; i++) {
      const int64_t bytes = row * (1 + Below(random, 4));
      const int32_t first = begin + i % (length - 1);
      add(bytes - Below(random, 8), i % 3 ? 8 : 16, first, first + Below(random, 2));
    }
    const int32_t next = add(tokens * row, 8, end - 1, end + length);
    problem.blocks[residual].last = end;
    problem.distances.push_back({residual, next, Below(random, 8) ? 0 : row});
    residual = next;
  }
  problem.lower_bound = BoundOf(problem);
  return problem;
}

}  // namespace onnx2mcu
