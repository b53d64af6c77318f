#include "planner/place.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <random>
#include <tuple>
#include <utility>

#include "planner/place_parts.h"
#include "planner/place_search.h"

namespace onnx2mcu {

namespace {

// Pairs that are alive together, from a sweep over the births.
std::vector<std::pair<int32_t, int32_t>> PairsOf(const std::vector<Block> &blocks) {
  std::vector<int32_t> births, alive;
  for (int32_t i = 0; i < static_cast<int32_t>(blocks.size()); i++)
    if (blocks[i].bytes > 0) births.push_back(i);
  std::sort(births.begin(), births.end(),
            [&](int32_t a, int32_t b) { return std::tie(blocks[a].first, a) < std::tie(blocks[b].first, b); });
  std::vector<std::pair<int32_t, int32_t>> pairs;
  pairs.reserve(births.size() * 16);
  for (int32_t born : births) {
    const auto dead = [&](int32_t other) { return blocks[other].last < blocks[born].first; };
    alive.erase(std::remove_if(alive.begin(), alive.end(), dead), alive.end());
    for (int32_t other : alive) pairs.emplace_back(other, born);
    alive.push_back(born);
  }
  return pairs;
}

Conflict *Find(Conflicts &conflicts, int32_t block, int32_t other) {
  for (int32_t i = conflicts.begin[block]; i < conflicts.begin[block + 1]; i++)
    if (conflicts.list[i].other == other) return &conflicts.list[i];
  return nullptr;
}

// A distance gives back what lies at or past it.
void Relax(Conflicts &conflicts, const Distance &d) {
  Conflict *y = Find(conflicts, d.y, d.x);
  if (y == nullptr) return;
  const int64_t distance = std::max<int64_t>(d.distance, 0);
  y->below = std::min(y->below, distance);
  Conflict *x = Find(conflicts, d.x, d.y);
  x->above = std::min(x->above, distance);
}

}  // namespace

Conflicts ConflictsOf(const Problem &problem) {
  const auto pairs = PairsOf(problem.blocks);
  Conflicts conflicts;
  conflicts.begin.assign(problem.blocks.size() + 1, 0);
  for (const auto &[a, b] : pairs) conflicts.begin[a + 1]++, conflicts.begin[b + 1]++;
  std::partial_sum(conflicts.begin.begin(), conflicts.begin.end(), conflicts.begin.begin());
  conflicts.list.resize(2 * pairs.size());
  std::vector<int32_t> next = conflicts.begin;
  for (const auto &[a, b] : pairs) {
    // a may not begin in (b - bytes(a), b + bytes(b))
    conflicts.list[next[a]++] = {b, problem.blocks[a].bytes, problem.blocks[b].bytes};
    conflicts.list[next[b]++] = {a, problem.blocks[b].bytes, problem.blocks[a].bytes};
  }
  for (const Distance &d : problem.distances) Relax(conflicts, d);
  return conflicts;
}

void ForbidBoundaries(const Problem &problem, int64_t bytes, Intervals &forbidden) {
  for (const int64_t at : problem.boundaries) forbidden.emplace_back(at - bytes, at);
}

int64_t LowestOutside(const Intervals &forbidden, int64_t align, int64_t from) {
  const auto up = [align](int64_t offset) { return (offset + align - 1) / align * align; };
  int64_t offset = up(from);
  for (const auto &[low, high] : forbidden) {  // sorted by low: what the offset has passed, it stays clear of
    if (offset <= low) break;
    if (offset < high) offset = up(high);
  }
  return offset;
}

namespace {

struct PlaceSearch {
  const Problem &problem;
  Conflicts conflicts;
  int64_t bound = 0, fixed_top = 0, work = 0;
  std::vector<int64_t> offsets;
  Solution best;
  std::vector<int32_t> order;  // that gave the best
};

// What is in the way pushes the block up, until nothing is: few things do, so nothing is sorted.
int64_t LowestFor(PlaceSearch &s, int32_t block) {
  const std::span<const Conflict> conflicts = s.conflicts.Of(block);
  const Block &b = s.problem.blocks[block];
  int64_t offset = 0;
  const auto clear = [&](int64_t low, int64_t high) {
    if (offset <= low || offset >= high) return true;
    offset = AlignUp(high, b.align);
    return false;
  };
  for (bool free = false; !free;) {
    free = true;
    for (const Conflict &c : conflicts)
      if (const int64_t at = s.offsets[c.other]; at >= 0) free &= clear(at - c.below, at + c.above);
    for (const int64_t at : s.problem.boundaries) free &= clear(at - b.bytes, at);
  }
  s.work += 1 + static_cast<int64_t>(conflicts.size());
  return offset;
}

// Fills s.offsets; returns the bytes needed, and keeps what is better than the best.
int64_t PlaceInOrder(PlaceSearch &s, const std::vector<int32_t> &order) {
  const std::vector<Block> &blocks = s.problem.blocks;
  int64_t bytes = 0;
  for (size_t i = 0; i < blocks.size(); i++) {
    s.offsets[i] = blocks[i].fixed;
    if (blocks[i].fixed >= 0) bytes = std::max(bytes, blocks[i].fixed + blocks[i].bytes);
  }
  for (int32_t block : order) {
    if (blocks[block].fixed >= 0) continue;
    s.offsets[block] = LowestFor(s, block);
    bytes = std::max(bytes, s.offsets[block] + blocks[block].bytes);
  }
  if (s.best.offsets.empty() || bytes < s.best.bytes) s.best.offsets = s.offsets, s.best.bytes = bytes, s.order = order;
  return bytes;
}

bool Met(const PlaceSearch &s) { return s.best.bytes <= s.bound; }
// With boundaries a few bytes decide whether the last region holds its share.
bool Close(const PlaceSearch &s) { return s.problem.boundaries.empty() ? s.best.bytes * 100 <= s.bound * 101 : Met(s); }

// What goes first, and what among equals.
enum class Major : uint8_t { kBytes, kArea, kTime };
enum class Tie : uint8_t { kLastFirst, kFirstFirst, kMostCovered };
struct Kind {
  Major major;
  Tie tie;
};
// Among equals the later or the earlier one, since what is written over a block must lie below it; or the one that
// another may cover most of, since the rest of the space must do for those that cannot be covered.
constexpr Kind kKinds[] = {
    {Major::kBytes, Tie::kLastFirst}, {Major::kBytes, Tie::kFirstFirst}, {Major::kBytes, Tie::kMostCovered},
    {Major::kArea, Tie::kLastFirst},  {Major::kArea, Tie::kFirstFirst},  {Major::kArea, Tie::kMostCovered},
    {Major::kTime, Tie::kLastFirst},  {Major::kTime, Tie::kFirstFirst},
};

struct Key {
  int64_t major, bytes, tie, time;
  int32_t id;
};

Key KeyOf(const Block &b, Kind kind, int64_t covered, int32_t id) {
  const int64_t time = kind.tie == Tie::kFirstFirst ? b.first : -b.last;
  const int64_t area = b.bytes * (int64_t{b.last} - b.first + 1);
  const int64_t major = kind.major == Major::kBytes ? -b.bytes : kind.major == Major::kArea ? -area : time;
  return {major, -b.bytes, kind.tie == Tie::kMostCovered ? covered : 0, time, id};
}

std::vector<int32_t> OrderOf(const Problem &problem, Kind kind) {
  const size_t n = problem.blocks.size();
  std::vector<int64_t> covered(n, std::numeric_limits<int64_t>::max());  // by block: the least distance over it
  for (const Distance &d : problem.distances) covered[d.x] = std::min(covered[d.x], d.distance);
  std::vector<Key> keys;
  keys.reserve(n);
  for (size_t i = 0; i < n; i++) keys.push_back(KeyOf(problem.blocks[i], kind, covered[i], static_cast<int32_t>(i)));
  std::sort(keys.begin(), keys.end(), [](const Key &a, const Key &b) {
    return std::tie(a.major, a.bytes, a.tie, a.time, a.id) < std::tie(b.major, b.bytes, b.tie, b.time, b.id);
  });
  std::vector<int32_t> order;
  order.reserve(n);
  for (const Key &key : keys) order.push_back(key.id);
  return order;
}

// Blocks that end above `bound` and those they may share bytes with.
std::vector<bool> Offenders(const PlaceSearch &s, int64_t bound) {
  std::vector<bool> offends(s.offsets.size());
  for (size_t i = 0; i < offends.size(); i++) offends[i] = s.offsets[i] + s.problem.blocks[i].bytes > bound;
  const std::vector<bool> alone = offends;
  for (const Distance &d : s.problem.distances)
    if (alone[d.x] || alone[d.y]) offends[d.x] = offends[d.y] = true;
  return offends;
}

// The placement is tried again with the offenders first ("squeaky wheel"), the last born before what it is written
// over.
void Improve(PlaceSearch &s, std::vector<int32_t> order, int64_t work_limit) {
  constexpr int kRounds = 40;
  const int64_t stop = s.work + work_limit;
  int64_t last = 0;
  for (int round = 0; round < kRounds && s.work < stop && !Met(s); round++) {
    const int64_t bytes = PlaceInOrder(s, order);
    const std::vector<bool> offends = Offenders(s, bytes == last ? bytes - 1 : s.bound);
    last = bytes;
    const auto rest = std::stable_partition(order.begin(), order.end(), [&](int32_t id) { return offends[id]; });
    std::stable_sort(order.begin(), rest,
                     [&](int32_t a, int32_t b) { return s.problem.blocks[a].first > s.problem.blocks[b].first; });
  }
}

// Bytes above the bound, over all blocks.
int64_t Excess(const PlaceSearch &s) {
  int64_t excess = 0;
  for (size_t i = 0; i < s.offsets.size(); i++)
    excess += std::max<int64_t>(s.offsets[i] + s.problem.blocks[i].bytes - s.bound, 0);
  return excess;
}

// Moves one block of the best order at a time, anywhere, half of the time one that ends too high; keeps what is no
// worse.
void Shuffle(PlaceSearch &s, int64_t work_limit) {
  const int64_t stop = s.work + work_limit;
  std::vector<int32_t> order = s.order;
  std::minstd_rand random(1);  // the same numbers on every machine
  PlaceInOrder(s, order);
  for (int64_t least = Excess(s); s.work < stop && !Close(s);) {
    const size_t n = order.size();
    size_t from = random() % n;
    const auto high = [&](int32_t i) { return s.offsets[i] + s.problem.blocks[i].bytes > s.bound; };
    if (random() % 2)
      for (size_t tries = 0; tries < n && !high(order[from]); tries++) from = (from + 1) % n;
    const size_t to = random() % n;
    const auto move = [&](size_t a, size_t b) {
      const auto begin = order.begin();
      a < b ? std::rotate(begin + a, begin + a + 1, begin + b + 1) : std::rotate(begin + b, begin + a, begin + a + 1);
    };
    move(from, to);
    PlaceInOrder(s, order);
    const int64_t excess = Excess(s);
    if (excess > least) move(to, from);
    least = std::min(least, excess);
  }
}

bool Small(const Problem &problem) { return problem.blocks.size() <= 12; }

// The exact search, where the problem is small enough for it; first in windows, where it is not.
void SearchOn(PlaceSearch &s, int64_t work) {
  if (!Small(s.problem)) {
    int64_t half = work / 2;
    work -= half;
    SearchWindows(s.problem, s.conflicts, s.bound, half, s.best);
    work += half;
    if (!Close(s) && WindowsProve(s.problem, s.best, work)) s.best.optimal = true;
  }
  if (!Close(s) && !s.best.optimal) SearchExactly(s.problem, s.conflicts, s.bound, work, s.best);
  s.best.bytes = std::max(s.best.bytes, s.fixed_top);
}

constexpr int64_t kProof = 200000;  // of the work limit

// A search that stays near the bound is ended there; a little more may still prove that nothing is better.
void Prove(PlaceSearch &s, int64_t work) {
  SearchExactly(s.problem, s.conflicts, s.bound, work, s.best);
  s.best.bytes = std::max(s.best.bytes, s.fixed_top);
}

PlaceSearch Begin(const Problem &problem) {
  PlaceSearch s{problem, ConflictsOf(problem), problem.lower_bound, 0, 0, {}, {}, {}};
  s.offsets.resize(problem.blocks.size());
  for (const Block &block : problem.blocks)
    if (block.fixed >= 0) s.fixed_top = std::max(s.fixed_top, block.fixed + block.bytes);
  s.bound = std::max(s.bound, s.fixed_top);
  for (const Kind kind : kKinds)
    if (s.best.offsets.empty() || !Met(s)) PlaceInOrder(s, OrderOf(problem, kind));
  s.work = 0;
  return s;
}

}  // namespace

Solution PlaceGreedily(const Problem &problem) {
  PlaceSearch s = Begin(problem);
  s.best.optimal = Met(s);
  return s.best;
}

Solution PlaceAlone(const Problem &problem) {
  PlaceSearch s = Begin(problem);
  for (const Kind kind : kKinds)
    if (!Close(s) && !Small(problem)) Improve(s, OrderOf(problem, kind), problem.work_limit / (16 * std::size(kKinds)));
  if (!Close(s) && !Small(problem)) Shuffle(s, problem.work_limit / 2);
  if (!Close(s)) SearchOn(s, problem.work_limit - s.work);
  if (!Met(s) && !s.best.optimal) Prove(s, std::min(problem.work_limit, kProof));
  s.best.optimal |= Met(s);
  return s.best;
}

namespace {

struct Fitted {
  std::vector<Part> parts;
  std::vector<Link> links;
};

Solution OffsetsOf(const Problem &problem, const Fitted &fitted, const ChainSolution &chain) {
  Solution solution{std::vector<int64_t>(problem.blocks.size()), chain.bytes, chain.optimal};
  for (size_t p = 0; p < fitted.parts.size(); p++)
    for (size_t i = 0; i < fitted.parts[p].blocks.size(); i++)
      solution.offsets[fitted.parts[p].blocks[i]] = chain.parts[p]->offsets[i];
  return solution;
}

int64_t BoundOf(const Placements &known, const Fitted &fitted, int64_t bound) {
  for (const Link &link : fitted.links) bound = std::max(bound, known.entries[link.part].problem.lower_bound);
  return bound;
}

// The parts do not fit together as they lie best alone: greedy may do better, and where they are far off, a search.
Solution PlaceLoose(const Problem &problem, const Fitted &fitted, Placements &known, const ChainSolution &chain) {
  Solution best = PlaceGreedily(problem);
  if (chain.bytes < best.bytes) best = OffsetsOf(problem, fitted, chain);
  best.optimal |= chain.proven && best.bytes <= chain.enough;
  if (best.bytes <= chain.enough || !chain.loose) return best;
  Problem rest = problem;
  rest.work_limit /= 2;  // the parts took about as much
  const Link whole{IdOf(known, rest)};
  const ChainSolution searched = PlaceChain(known, {&whole, 1}, problem.lower_bound);
  if (searched.bytes > best.bytes) return best;
  Solution solution = *searched.parts[0];
  solution.optimal = searched.optimal;
  return solution;
}

// Where all fits into the first region no boundary matters.
Solution PlaceBelow(const Problem &problem, Placements *known) {
  Problem one = problem;
  one.boundaries.clear();
  return PlaceBlocks(one, known);
}

}  // namespace

// Greedy orders of the whole first, where no part says that they cannot meet the bound: they put nothing together.
Solution PlaceBlocks(const Problem &problem, Placements *caller) {
  if (!problem.boundaries.empty()) {
    Solution below = PlaceBelow(problem, caller);
    if (below.bytes <= problem.boundaries[0]) return below;
  }
  const auto fixed = [](const Block &block) { return block.fixed >= 0; };
  if (std::any_of(problem.blocks.begin(), problem.blocks.end(), fixed)) return PlaceAlone(problem);
  Placements own, &known = caller ? *caller : own;
  Fitted fitted{CutInTime(problem, -1, -1), {}};
  for (const Part &part : fitted.parts) fitted.links.push_back({IdOf(known, part.problem), part.in, part.out});
  Problem bounded = problem;
  bounded.lower_bound = BoundOf(known, fitted, problem.lower_bound);
  if (NeededAlone(known, fitted.links, bounded.lower_bound) <= bounded.lower_bound) {
    Solution greedy = PlaceGreedily(bounded);
    if (greedy.optimal) return greedy;
  }
  const ChainSolution chain = PlaceChain(known, fitted.links, problem.lower_bound);
  return chain.fits() ? OffsetsOf(problem, fitted, chain) : PlaceLoose(bounded, fitted, known, chain);
}

}  // namespace onnx2mcu
