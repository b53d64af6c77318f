// Branch and bound over canonical solutions: blocks are placed in the order of their offsets, each as low as those
// before it allow. Some optimum has that form: one with the least sum of offsets.
#include <algorithm>
#include <limits>
#include <tuple>

#include "planner/place_search.h"

namespace onnx2mcu {
namespace {

struct Trial {
  int64_t offset = 0, end = 0;
  int32_t block = 0;
  bool operator<(const Trial &other) const {
    return std::make_tuple(offset, -end, block) < std::make_tuple(other.offset, -other.end, other.block);
  }
};

struct ExactSearch {
  const Problem &problem;
  const std::vector<std::vector<Conflict>> &conflicts;
  Solution &best;
  std::vector<int64_t> offsets;
  std::vector<std::pair<int64_t, int64_t>> forbidden;
  int64_t work = 0;
  bool complete = true;
};

// Where each block that is left could go now. False: one of them cannot lie below the best any more.
bool TrialsOf(ExactSearch &s, int64_t from, std::vector<Trial> &trials) {
  for (int32_t block = 0; block < static_cast<int32_t>(s.offsets.size()); block++) {
    if (s.offsets[block] >= 0) continue;
    const int64_t offset = LowestOffset(s.problem, s.conflicts[block], s.offsets, block, from, s.forbidden);
    const int64_t end = offset + s.problem.blocks[block].bytes;
    s.work++;
    if (end >= s.best.bytes) return false;
    trials.push_back({offset, end, block});
  }
  return true;
}

void Branch(ExactSearch &s, int64_t from) {
  if (s.best.bytes <= s.problem.lower_bound) return;
  if (s.work > s.problem.work_limit) {
    s.complete = false;
    return;
  }
  std::vector<Trial> trials;
  if (!TrialsOf(s, from, trials)) return;
  if (trials.empty()) {
    s.best.offsets = s.offsets;
    s.best.bytes = 0;
    for (size_t i = 0; i < s.offsets.size(); i++)
      s.best.bytes = std::max(s.best.bytes, s.offsets[i] + s.problem.blocks[i].bytes);
    return;
  }
  // Whatever ends below a block's offset belongs before it: the sum of offsets would be less.
  int64_t least_end = std::numeric_limits<int64_t>::max();
  for (const Trial &trial : trials) least_end = std::min(least_end, trial.end);
  std::sort(trials.begin(), trials.end());
  for (const Trial &trial : trials) {
    if (trial.offset >= least_end) break;
    s.offsets[trial.block] = trial.offset;
    Branch(s, trial.offset);
    s.offsets[trial.block] = -1;
  }
}

}  // namespace

void SearchExactly(const Problem &problem, const std::vector<std::vector<Conflict>> &conflicts, Solution &best) {
  ExactSearch search{problem, conflicts, best, {}, {}};
  search.offsets.assign(problem.blocks.size(), -1);
  for (size_t i = 0; i < problem.blocks.size(); i++)
    if (problem.blocks[i].bytes == 0) search.offsets[i] = 0;
  Branch(search, 0);
  best.optimal = best.optimal || search.complete;
}

}  // namespace onnx2mcu
