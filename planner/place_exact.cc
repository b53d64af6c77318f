// Branch and bound over canonical solutions. Let after(a, b) be the least offset(b) - offset(a) at which b may follow
// a: bytes(a), or the distance where a may be written over b. It is never negative, and a pair is fine if and only if
// one of the two follows the other.
//
// Of all least arenas take one with the least sum of offsets, and list its blocks by offset; among equals, if one may
// follow the other at 0 but not the reverse, that one first. Then every block lies as low as the blocks before it
// allow: lower, it would still be clear of those after it. So it suffices to place blocks in this order, each at
//   low = the lowest multiple of its alignment >= max over the placed a of offset(a) + after(a, b)
// that no fixed block forbids, and never before the block placed last. A block whose low has been passed has to wait
// until another one pushes it up.
//
// The order among equals exists unless blocks may follow one another at 0 in a circle; then the search is not complete
// and does not say so of its solution. Token overwriting runs along time and knows no circles.
#include <algorithm>
#include <limits>
#include <numeric>
#include <tuple>

#include "planner/place_search.h"

namespace onnx2mcu {
namespace {

struct Change {
  int32_t block = 0;
  int64_t low = 0, trial = 0;
};

struct Trial {
  int64_t offset = 0, end = 0;
  int32_t rank = 0, block = 0;
};

// A greatest set of blocks alive at once, and how many bytes those not yet placed need in it, rounded up to `unit`.
struct Moment {
  std::vector<int32_t> blocks;
  int32_t time = 0;
  int64_t left = 0;
};

// Two blocks of one moment share at most so many bytes.
struct Shared {
  int32_t moment = 0, other = 0;
  int64_t bytes = 0;
};

struct ExactSearch {
  const Problem &problem;
  const Conflicts &conflicts;
  int64_t bound = 0, work_limit = 0;
  Solution &best;
  int64_t work = 0, unit = 1;
  bool complete = true;
  std::vector<int32_t> blocks = {}, rank = {},
                       waiting = {};  // to be placed; place among equals; conflicts not yet placed
  std::vector<int64_t> offsets = {}, low = {}, trial = {},
                       reach = {};    // by block; reach: the most that another one needs above it
  std::vector<Intervals> fixed = {};  // by block: what fixed blocks forbid
  std::vector<Moment> moments = {};
  std::vector<std::vector<Shared>> shared = {};       // by block
  std::vector<std::vector<int32_t>> moments_of = {};  // by block
  std::vector<std::vector<Trial>> trials = {};        // by depth
  std::vector<Change> changes = {};
};

bool Free(const ExactSearch &s, int32_t block) {
  return s.problem.blocks[block].bytes > 0 && s.problem.blocks[block].fixed < 0;
}

int64_t RoundUp(int64_t bytes, int64_t unit) { return (bytes + unit - 1) / unit * unit; }

// Kahn's algorithm over "b may follow a at 0, but not the reverse"; the lowest index first.
void RankBlocks(ExactSearch &s) {
  const auto first = [&](const Conflict &c) { return c.below == 0 && c.above > 0 && Free(s, c.other); };
  std::vector<int32_t> before(s.offsets.size());
  for (int32_t a : s.blocks)
    for (const Conflict &c : s.conflicts.Of(a)) before[c.other] += first(c);
  std::vector<bool> done(s.offsets.size());
  s.rank.assign(s.offsets.size(), 0);
  int32_t next = 0;
  for (bool any = true; any;) {
    any = false;
    for (int32_t a : s.blocks) {
      if (done[a] || before[a] > 0) continue;
      done[a] = any = true;
      s.rank[a] = next++;
      for (const Conflict &c : s.conflicts.Of(a)) before[c.other] -= first(c);
    }
  }
  for (int32_t a : s.blocks)
    if (!done[a]) s.rank[a] = next++, s.complete = false;
}

void AddMoment(ExactSearch &s, const std::vector<int32_t> &alive) {
  const int32_t index = static_cast<int32_t>(s.moments.size());
  s.moments.push_back({alive, s.problem.blocks[alive.back()].first, 0});
  for (int32_t block : alive) {
    s.moments_of[block].push_back(index);
    s.moments[index].left += RoundUp(s.problem.blocks[block].bytes, s.unit);
  }
}

// The sets alive at a birth that a death follows: all others are part of one of them.
void FindMoments(ExactSearch &s) {
  std::vector<int32_t> births = s.blocks, alive;
  const std::vector<Block> &blocks = s.problem.blocks;
  std::sort(births.begin(), births.end(),
            [&](int32_t a, int32_t b) { return std::tie(blocks[a].first, a) < std::tie(blocks[b].first, b); });
  bool grown = false;
  for (int32_t born : births) {
    const auto dead = [&](int32_t other) { return blocks[other].last < blocks[born].first; };
    if (grown && std::any_of(alive.begin(), alive.end(), dead)) AddMoment(s, alive), grown = false;
    alive.erase(std::remove_if(alive.begin(), alive.end(), dead), alive.end());
    alive.push_back(born);
    grown = true;
  }
  if (grown) AddMoment(s, alive);
}

// In every moment of a and c.other. Inclusion and exclusion, cut off after the pairs: the sum of all bytes less what
// pairs share is no more than what they cover.
void AddShared(ExactSearch &s, int32_t a, const Conflict &c) {
  const Block &other = s.problem.blocks[c.other];
  const int64_t a_bytes = RoundUp(s.problem.blocks[a].bytes, s.unit), b_bytes = RoundUp(other.bytes, s.unit);
  const int64_t a_over_b = a_bytes - RoundUp(c.below, s.unit), b_over_a = b_bytes - RoundUp(c.above, s.unit);
  const int64_t bytes = std::max(std::min(a_over_b, b_bytes), std::min(b_over_a, a_bytes));
  if (bytes <= 0) return;
  for (int32_t m : s.moments_of[a]) {
    if (other.first > s.moments[m].time || other.last < s.moments[m].time) continue;
    s.moments[m].left -= bytes;
    s.shared[a].push_back({m, c.other, bytes});
    s.shared[c.other].push_back({m, a, bytes});
  }
}

void FindFixed(ExactSearch &s, int32_t block) {
  for (const Conflict &c : s.conflicts.Of(block)) {
    if (Free(s, c.other)) {
      s.reach[block] = std::max(s.reach[block], c.below);
      s.waiting[block]++;
    } else {
      s.fixed[block].emplace_back(s.offsets[c.other] - c.below, s.offsets[c.other] + c.above);
    }
  }
  ForbidBoundaries(s.problem, s.problem.blocks[block].bytes, s.fixed[block]);
  std::sort(s.fixed[block].begin(), s.fixed[block].end());
  s.trial[block] = LowestOutside(s.fixed[block], s.problem.blocks[block].align, 0);
}

void Prepare(ExactSearch &s) {
  const size_t n = s.problem.blocks.size();
  s.offsets.assign(n, -1), s.low.assign(n, 0), s.trial.assign(n, 0), s.reach.assign(n, 0), s.waiting.assign(n, 0);
  s.fixed.resize(n), s.shared.resize(n), s.moments_of.resize(n), s.trials.resize(n + 1);
  s.unit = 0;
  for (int32_t a = 0; a < static_cast<int32_t>(n); a++) {
    const Block &block = s.problem.blocks[a];
    if (!Free(s, a)) s.offsets[a] = std::max<int64_t>(block.fixed, 0);
    if (Free(s, a)) s.blocks.push_back(a), s.unit = std::gcd(s.unit, block.align);
  }
  for (int32_t a : s.blocks) FindFixed(s, a);
  RankBlocks(s);
  FindMoments(s);
  for (int32_t a : s.blocks)
    for (const Conflict &c : s.conflicts.Of(a))
      if (c.other < a && Free(s, c.other)) AddShared(s, a, c);
}

void Count(ExactSearch &s, int32_t block, int sign) {
  for (int32_t m : s.moments_of[block]) s.moments[m].left += sign * RoundUp(s.problem.blocks[block].bytes, s.unit);
  for (const Shared &pair : s.shared[block])
    if (s.offsets[pair.other] < 0) s.moments[pair.moment].left -= sign * pair.bytes;
  for (const Conflict &c : s.conflicts.Of(block)) s.waiting[c.other] += sign;
}

void Put(ExactSearch &s, int32_t block, int64_t offset) {
  s.offsets[block] = offset;
  Count(s, block, -1);
  for (const Conflict &c : s.conflicts.Of(block)) {
    if (s.offsets[c.other] >= 0 || offset + c.below <= s.low[c.other]) continue;
    s.changes.push_back({c.other, s.low[c.other], s.trial[c.other]});
    s.low[c.other] = offset + c.below;
    s.trial[c.other] = LowestOutside(s.fixed[c.other], s.problem.blocks[c.other].align, s.low[c.other]);
  }
  s.work += 1 + static_cast<int64_t>(s.conflicts.Of(block).size());
}

void TakeBack(ExactSearch &s, int32_t block, size_t changes) {
  for (; s.changes.size() > changes; s.changes.pop_back()) {
    const Change &change = s.changes.back();
    s.low[change.block] = change.low, s.trial[change.block] = change.trial;
  }
  Count(s, block, 1);
  s.offsets[block] = -1;
}

// What is left of a moment fits below the best: it lies at or above the lowest place that one of its blocks can take.
bool MomentsFit(ExactSearch &s, int64_t from) {
  for (const Moment &moment : s.moments) {
    if (moment.left <= 0) continue;
    if (from + moment.left - (s.unit - 1) >= s.best.bytes) return false;
    int64_t floor = std::numeric_limits<int64_t>::max();
    for (int32_t block : moment.blocks)
      if (s.offsets[block] < 0) floor = std::min(floor, std::max(from, s.trial[block]));
    if (floor + moment.left - (s.unit - 1) >= s.best.bytes) return false;
    s.work += static_cast<int64_t>(moment.blocks.size());
  }
  return true;
}

// The blocks that may come next, after the one placed last. Empty if what is left cannot lie below the best, or if
// something would be left that could lie lower: no canonical solution continues so.
void FindTrials(ExactSearch &s, const Trial &last, std::vector<Trial> &trials) {
  trials.clear();
  int64_t limit = std::numeric_limits<int64_t>::max();  // whatever lies here lets a block that is left lie lower
  for (int32_t block : s.blocks) {
    if (s.offsets[block] >= 0) continue;
    s.work++;
    const Trial trial{s.trial[block], s.trial[block] + s.problem.blocks[block].bytes, s.rank[block], block};
    const bool passed = std::tie(trial.offset, trial.rank) < std::tie(last.offset, last.rank);
    const int64_t end = passed ? last.offset + s.problem.blocks[block].bytes : trial.end;
    const int64_t reach = s.waiting[block] > 0 ? s.reach[block] : 0;
    limit = std::min(limit, trial.offset + (passed ? reach : std::max<int64_t>(reach, 1)));
    if (end >= s.best.bytes || (passed && reach == 0)) {
      trials.clear();
      return;
    }
    if (!passed) trials.push_back(trial);
  }
  std::erase_if(trials, [limit](const Trial &trial) { return trial.offset >= limit; });
  std::sort(trials.begin(), trials.end(), [](const Trial &a, const Trial &b) {
    return std::make_tuple(a.offset, -a.end, a.rank) < std::make_tuple(b.offset, -b.end, b.rank);
  });
}

// `top`: past the last byte of what has been placed here.
void Branch(ExactSearch &s, const Trial &last, int64_t top, size_t depth) {
  if (top >= s.best.bytes) return;
  if (depth == s.blocks.size()) {
    s.best.offsets = s.offsets, s.best.bytes = top;
    return;
  }
  if (!MomentsFit(s, last.offset)) return;
  std::vector<Trial> &trials = s.trials[depth];
  FindTrials(s, last, trials);
  for (const Trial &trial : trials) {
    if (s.best.bytes <= s.bound) return;
    if (s.work > s.work_limit) {
      s.complete = false;
      return;
    }
    if (trial.end >= s.best.bytes) continue;
    const size_t changes = s.changes.size();
    Put(s, trial.block, trial.offset);
    Branch(s, trial, std::max(top, trial.end), depth + 1);
    TakeBack(s, trial.block, changes);
  }
}

}  // namespace

void SearchExactly(const Problem &problem, const Conflicts &conflicts, int64_t bound, int64_t &work, Solution &best) {
  ExactSearch search{.problem = problem, .conflicts = conflicts, .bound = bound, .work_limit = work, .best = best};
  Prepare(search);
  Branch(search, {0, 0, -1, -1}, 0, 0);
  work -= search.work;
  best.optimal = best.optimal || search.complete || best.bytes <= bound;
}

}  // namespace onnx2mcu
