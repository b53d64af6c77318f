// What is too large for one exact search is searched window by window: the blocks around one that ends too high, with
// all others where they are. And a window alone, without the others, is a bound: if its blocks cannot lie lower, those
// of the whole problem cannot.
#include <algorithm>
#include <numeric>
#include <tuple>

#include "planner/place_search.h"

namespace onnx2mcu {
namespace {

constexpr size_t kWindows[] = {10, 16, 24, 36};
constexpr int64_t kWorkPerBlock = 16;  // of the whole, to find a window in it

// The `count` blocks whose lifetimes are nearest to that of `center`.
std::vector<int32_t> Nearest(const Problem &problem, int32_t center, size_t count) {
  const Block &c = problem.blocks[center];
  const auto key = [&](int32_t i) {
    const Block &b = problem.blocks[i];
    return std::make_tuple(std::max({0, b.first - c.last, c.first - b.last}), b.last - b.first, i);
  };
  std::vector<int32_t> near;
  for (int32_t i = 0; i < static_cast<int32_t>(problem.blocks.size()); i++)
    if (problem.blocks[i].bytes > 0) near.push_back(i);
  const auto end = near.begin() + static_cast<int64_t>(std::min(count, near.size()));
  std::partial_sort(near.begin(), end, near.end(), [&](int32_t a, int32_t b) { return key(a) < key(b); });
  near.erase(end, near.end());
  return near;
}

// Some blocks of a problem and the distances between them.
struct WindowPart {
  Problem problem;
  std::vector<int32_t> blocks;  // indices into the whole
};

void Finish(const Problem &whole, WindowPart &part) {
  std::vector<int32_t> index(whole.blocks.size(), -1);
  for (size_t i = 0; i < part.blocks.size(); i++) index[part.blocks[i]] = static_cast<int32_t>(i);
  for (const Distance &d : whole.distances)
    if (index[d.x] >= 0 && index[d.y] >= 0) part.problem.distances.push_back({index[d.x], index[d.y], d.distance});
}

Block Copy(const Block &b) { return {"", b.bytes, b.align, b.first, b.last, b.fixed}; }

WindowPart Alone(const Problem &whole, std::vector<int32_t> window) {
  WindowPart part;
  part.blocks = std::move(window), part.problem.boundaries = whole.boundaries;
  for (int32_t i : part.blocks) part.problem.blocks.push_back(Copy(whole.blocks[i]));
  Finish(whole, part);
  return part;
}

// The window, and what it meets held in its place.
WindowPart Held(const Problem &whole, const Conflicts &conflicts, const Solution &solution,
                std::vector<int32_t> window) {
  std::vector<bool> in(whole.blocks.size());
  for (int32_t i : window) in[i] = true;
  const size_t count = window.size();
  WindowPart part = Alone(whole, std::move(window));
  part.problem.distances.clear();
  for (size_t i = 0; i < count; i++)
    for (const Conflict &c : conflicts.Of(part.blocks[i])) {
      if (in[c.other]) continue;
      in[c.other] = true;
      part.blocks.push_back(c.other);
      part.problem.blocks.push_back(Copy(whole.blocks[c.other]));
      part.problem.blocks.back().fixed = solution.offsets[c.other];
    }
  Finish(whole, part);
  return part;
}

int64_t TopOf(const WindowPart &part, const Solution &solution) {
  int64_t top = 0;
  for (size_t i = 0; i < part.blocks.size(); i++)
    if (part.problem.blocks[i].fixed < 0)
      top = std::max(top, solution.offsets[part.blocks[i]] + part.problem.blocks[i].bytes);
  return top;
}

int64_t TopOf(const Problem &problem, const Solution &solution) {
  int64_t top = 0;
  for (size_t i = 0; i < problem.blocks.size(); i++) top = std::max(top, solution.offsets[i] + problem.blocks[i].bytes);
  return top;
}

int32_t Highest(const Problem &problem, const Solution &solution) {
  int32_t highest = 0;
  for (int32_t i = 0; i < static_cast<int32_t>(problem.blocks.size()); i++)
    if (solution.offsets[i] + problem.blocks[i].bytes > solution.offsets[highest] + problem.blocks[highest].bytes)
      highest = i;
  return highest;
}

// Lowers what lies in the window of `count` blocks around `center`. False: it could not.
bool Lower(const Problem &problem, const Conflicts &conflicts, int64_t bound, int32_t center, size_t count,
           int64_t &work, Solution &best) {
  const WindowPart part = Held(problem, conflicts, best, Nearest(problem, center, count));
  Solution found;
  found.bytes = TopOf(part, best);
  const int64_t before = found.bytes;
  for (int32_t i : part.blocks) found.offsets.push_back(best.offsets[i]);
  work -= kWorkPerBlock * static_cast<int64_t>(problem.blocks.size());
  SearchExactly(part.problem, ConflictsOf(part.problem), bound, work, found);
  if (found.bytes >= before) return false;
  for (size_t i = 0; i < part.blocks.size(); i++) best.offsets[part.blocks[i]] = found.offsets[i];
  return true;
}

// What ends above the bound, the last born first: what is written over a block must lie below it, so a chain of such
// blocks can be lowered from its end only.
std::vector<int32_t> TooHigh(const Problem &problem, int64_t bound, const Solution &solution) {
  std::vector<int32_t> high;
  for (int32_t i = 0; i < static_cast<int32_t>(problem.blocks.size()); i++)
    if (problem.blocks[i].bytes > 0 && solution.offsets[i] + problem.blocks[i].bytes > bound) high.push_back(i);
  std::sort(high.begin(), high.end(), [&](int32_t a, int32_t b) {
    return std::make_tuple(-problem.blocks[a].first, a) < std::make_tuple(-problem.blocks[b].first, b);
  });
  return high;
}

}  // namespace

void SearchWindows(const Problem &problem, const Conflicts &conflicts, int64_t bound, int64_t &work, Solution &best) {
  const int64_t share = work / 16;
  for (size_t size = 0; size < std::size(kWindows) && work > 0 && best.bytes > bound;) {
    bool lowered = false;
    for (int32_t block : TooHigh(problem, bound, best)) {
      if (work <= 0 || best.offsets[block] + problem.blocks[block].bytes <= bound) continue;
      int64_t left = std::min(work, share);
      work -= left;
      lowered |= Lower(problem, conflicts, bound, block, kWindows[size], left, best);
      work += left;
    }
    best.bytes = TopOf(problem, best);
    size = lowered ? 0 : size + 1;
  }
}

bool WindowsProve(const Problem &problem, const Solution &best, int64_t &work) {
  const int32_t highest = Highest(problem, best);
  const int64_t share = work / 4;
  for (size_t count : kWindows) {
    const WindowPart part = Alone(problem, Nearest(problem, highest, count));
    Solution none;
    none.bytes = best.bytes;
    int64_t left = std::min(work, share);
    work -= left;
    SearchExactly(part.problem, ConflictsOf(part.problem), 0, left, none);
    work += left;
    if (none.optimal && none.bytes == best.bytes) return true;
  }
  return false;
}

}  // namespace onnx2mcu
