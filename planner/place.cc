#include "planner/place.h"

#include <algorithm>
#include <numeric>
#include <tuple>
#include <utility>

#include "planner/place_search.h"

namespace onnx2mcu {

namespace {

bool Together(const Block &a, const Block &b) { return a.first <= b.last && b.first <= a.last; }

}  // namespace

std::vector<std::vector<Conflict>> ConflictsOf(const Problem &problem) {
  const size_t n = problem.blocks.size();
  std::vector<std::vector<Conflict>> conflicts(n);
  const auto add = [&](size_t a, size_t b) {
    // a may not begin in (b - bytes(a), b + bytes(b)); a distance gives back what lies at or past it.
    conflicts[a].push_back({static_cast<int32_t>(b), problem.blocks[a].bytes, problem.blocks[b].bytes});
  };
  for (size_t a = 0; a < n; a++)
    for (size_t b = 0; b < n; b++)
      if (a != b && problem.blocks[a].bytes > 0 && problem.blocks[b].bytes > 0 &&
          Together(problem.blocks[a], problem.blocks[b]))
        add(a, b);
  for (const Distance &d : problem.distances) {
    for (Conflict &c : conflicts[d.y])
      if (c.other == d.x) c.below = std::min(c.below, d.distance);
    for (Conflict &c : conflicts[d.x])
      if (c.other == d.y) c.above = std::min(c.above, d.distance);
  }
  return conflicts;
}

int64_t LowestOffset(const Problem &problem, const std::vector<Conflict> &conflicts,
                     const std::vector<int64_t> &offsets, int32_t block, int64_t from,
                     std::vector<std::pair<int64_t, int64_t>> &forbidden) {
  forbidden.clear();
  for (const Conflict &c : conflicts)
    if (offsets[c.other] >= 0)
      forbidden.emplace_back(offsets[c.other] - c.below, offsets[c.other] + c.above);  // open interval
  std::sort(forbidden.begin(), forbidden.end());
  const int64_t align = problem.blocks[block].align;
  const auto up = [align](int64_t offset) { return (offset + align - 1) / align * align; };
  int64_t offset = up(from);
  for (const auto &[low, high] : forbidden)  // sorted by low: what the offset has passed, it stays clear of
    if (low < offset && offset < high) offset = up(high);
  return offset;
}

namespace {

struct Search {
  const Problem &problem;
  std::vector<std::vector<Conflict>> conflicts;
  std::vector<std::pair<int64_t, int64_t>> scratch;
  Solution best;
};

Solution PlaceInOrder(Search &search, const std::vector<int32_t> &order) {
  Solution solution;
  solution.offsets.assign(search.problem.blocks.size(), -1);
  for (int32_t block : order) {
    const int64_t offset =
        LowestOffset(search.problem, search.conflicts[block], solution.offsets, block, 0, search.scratch);
    solution.offsets[block] = offset;
    solution.bytes = std::max(solution.bytes, offset + search.problem.blocks[block].bytes);
  }
  return solution;
}

bool Met(const Search &search) { return search.best.bytes <= search.problem.lower_bound; }

void Keep(Search &search, Solution solution) {
  if (search.best.offsets.empty() || solution.bytes < search.best.bytes) search.best = std::move(solution);
}

// Orders by size; among equals later or earlier first, since what is written over a block must lie below it.
std::vector<std::vector<int32_t>> Orders(const Problem &problem) {
  std::vector<int32_t> ids(problem.blocks.size());
  std::iota(ids.begin(), ids.end(), 0);
  std::vector<std::vector<int32_t>> orders;
  for (int kind = 0; kind < 6; kind++) {
    const auto key = [&](int32_t id) {
      const Block &b = problem.blocks[id];
      const int64_t area = b.bytes * (b.last - b.first + 1);
      const int64_t time = kind % 2 ? b.first : -b.last;
      const int64_t first = kind < 2 ? -b.bytes : kind < 4 ? -area : time;
      return std::make_tuple(first, -b.bytes, time, id);
    };
    std::vector<int32_t> order = ids;
    std::sort(order.begin(), order.end(), [&](int32_t a, int32_t b) { return key(a) < key(b); });
    orders.push_back(std::move(order));
  }
  return orders;
}

// Blocks that end above `bound` and those they may share bytes with.
std::vector<bool> Offenders(const Search &search, const Solution &solution, int64_t bound) {
  std::vector<bool> offends(solution.offsets.size());
  for (size_t i = 0; i < offends.size(); i++) offends[i] = solution.offsets[i] + search.problem.blocks[i].bytes > bound;
  const std::vector<bool> alone = offends;
  for (const Distance &d : search.problem.distances)
    if (alone[d.x] || alone[d.y]) offends[d.x] = offends[d.y] = true;
  return offends;
}

// The placement is tried again with the offenders first ("squeaky wheel"), the last born before what it is written
// over.
void Improve(Search &search, std::vector<int32_t> order, int rounds) {
  int64_t last = 0;
  for (int round = 0; round < rounds && !Met(search); round++) {
    Solution solution = PlaceInOrder(search, order);
    const int64_t bound = solution.bytes == last ? solution.bytes - 1 : search.problem.lower_bound;
    last = solution.bytes;
    const std::vector<bool> offends = Offenders(search, solution, bound);
    const auto rest = std::stable_partition(order.begin(), order.end(), [&](int32_t id) { return offends[id]; });
    std::stable_sort(order.begin(), rest, [&](int32_t a, int32_t b) {
      return search.problem.blocks[a].first > search.problem.blocks[b].first;
    });
    Keep(search, std::move(solution));
  }
}

}  // namespace

Solution Place(const Problem &problem) {
  Search search{problem, ConflictsOf(problem), {}, {}};
  for (const std::vector<int32_t> &order : Orders(problem))
    if (search.best.offsets.empty() || !Met(search)) Keep(search, PlaceInOrder(search, order));
  const auto close = [&] { return search.best.bytes * 100 <= problem.lower_bound * 101; };
  if (!close())
    for (const std::vector<int32_t> &order : Orders(problem)) Improve(search, order, 40);
  search.best.optimal = Met(search);
  if (!close()) SearchExactly(problem, search.conflicts, search.best);
  return search.best;
}

}  // namespace onnx2mcu
