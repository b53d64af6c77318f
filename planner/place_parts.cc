#include "planner/place_parts.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <utility>

#include "planner/lower_bound.h"
#include "planner/place_search.h"

namespace onnx2mcu {
namespace {

constexpr int64_t kSomeWork = 16, kHeldWork = 3;  // of the work limit: there are many parts, and two ways to hold one
constexpr int64_t kFree = -1, kImpossible = std::numeric_limits<int64_t>::max();

// The births at which all that was alive before, but one block, is gone. `in` is alive before the first of them.
std::vector<int32_t> CutTimes(const Problem &problem, int32_t in) {
  std::vector<int32_t> births, alive, cuts;
  for (int32_t i = 0; i < static_cast<int32_t>(problem.blocks.size()); i++)
    if (i != in && problem.blocks[i].bytes > 0) births.push_back(i);
  const auto first = [&](int32_t i) { return problem.blocks[i].first; };
  std::stable_sort(births.begin(), births.end(), [&](int32_t a, int32_t b) { return first(a) < first(b); });
  if (in >= 0) alive.push_back(in);
  for (size_t i = 0; i < births.size(); i++) {
    const int32_t now = first(births[i]);
    if (i == 0 || now != first(births[i - 1])) {
      std::erase_if(alive, [&](int32_t other) { return problem.blocks[other].last < now; });
      if (alive.size() <= 1) cuts.push_back(now);
    }
    alive.push_back(births[i]);
  }
  return cuts;
}

// Times as the number of births before, so that parts do not differ by what lies between them.
void CountTime(Part &part) {
  std::vector<int32_t> births;
  for (int32_t i = 0; i < static_cast<int32_t>(part.blocks.size()); i++)
    if (i != part.in) births.push_back(part.problem.blocks[i].first);
  std::sort(births.begin(), births.end());
  births.erase(std::unique(births.begin(), births.end()), births.end());
  const auto past = [&](int32_t time) {
    return static_cast<int32_t>(std::upper_bound(births.begin(), births.end(), time) - births.begin());
  };
  for (int32_t i = 0; i < static_cast<int32_t>(part.blocks.size()); i++) {
    Block &block = part.problem.blocks[i];
    block.last = i == part.out ? static_cast<int32_t>(births.size()) - 1 : past(block.last) - 1;
    block.first = i == part.in ? 0 : past(block.first) - 1;
  }
}

// Two blocks that meet do so in one part: at most one of them is alive at its ends.
void AddDistances(const Problem &problem, std::vector<Part> &parts) {
  std::vector<std::vector<std::pair<int32_t, int32_t>>> places(problem.blocks.size());  // (part, index), in order
  for (int32_t p = 0; p < static_cast<int32_t>(parts.size()); p++)
    for (int32_t i = 0; i < static_cast<int32_t>(parts[p].blocks.size()); i++)
      places[parts[p].blocks[i]].emplace_back(p, i);
  for (const Distance &d : problem.distances)
    for (const auto &[p, x] : places[d.x])
      for (const auto &[q, y] : places[d.y])
        if (p == q) parts[p].problem.distances.push_back({x, y, d.distance});
}

}  // namespace

std::vector<Part> CutInTime(const Problem &problem, int32_t in, int32_t out) {
  const std::vector<int32_t> cuts = CutTimes(problem, in);
  std::vector<Part> parts(cuts.size());
  const auto past = [&](int32_t time) {
    return static_cast<int32_t>(std::upper_bound(cuts.begin(), cuts.end(), time) - cuts.begin());
  };
  for (int32_t i = 0; i < static_cast<int32_t>(problem.blocks.size()); i++) {
    const Block &block = problem.blocks[i];
    if (block.bytes <= 0) continue;
    const int32_t begin = i == in ? 0 : past(block.first) - 1;
    const int32_t end = i == out ? static_cast<int32_t>(parts.size()) : past(block.last);
    for (int32_t p = begin; p < end; p++) {
      const int32_t index = static_cast<int32_t>(parts[p].blocks.size());
      if (p > begin || i == in) parts[p].in = index;
      if (p + 1 < end || i == out) parts[p].out = index;
      parts[p].blocks.push_back(i);
      parts[p].problem.blocks.push_back({"", block.bytes, block.align, block.first, block.last});
    }
  }
  for (Part &part : parts) {
    CountTime(part);
    part.problem.work_limit = problem.work_limit, part.problem.boundaries = problem.boundaries;
  }
  AddDistances(problem, parts);
  return parts;
}

namespace {

int64_t BoundOf(const Problem &problem) {
  std::vector<Buffer> buffers;
  std::vector<Overwrite> overwrites;
  int64_t align = 0;
  for (const Block &block : problem.blocks) {
    Buffer &buffer = buffers.emplace_back();
    buffer.bytes = block.bytes, buffer.first = block.first, buffer.last = block.last;
    align = std::gcd(align, block.align);
  }
  for (const Distance &d : problem.distances) overwrites.push_back({d.x, d.y, d.distance});
  return buffers.empty() ? 0 : LowerBound(buffers, overwrites, align);
}

}  // namespace

PartId IdOf(Placements &known, const Problem &part) {
  std::string key;
  const auto put = [&](int64_t value) { key.append(reinterpret_cast<const char *>(&value), sizeof value); };
  put(part.work_limit), put(static_cast<int64_t>(part.blocks.size()));
  for (const Block &b : part.blocks) put(b.bytes), put(b.align), put(b.first), put(b.last);
  for (const Distance &d : part.distances) put(d.x), put(d.y), put(d.distance);
  put(static_cast<int64_t>(part.boundaries.size()));
  for (const int64_t at : part.boundaries) put(at);
  const auto [it, fresh] = known.ids.try_emplace(std::move(key), static_cast<PartId>(known.entries.size()));
  if (!fresh) return it->second;
  Placements::Entry &entry = known.entries.emplace_back();
  entry.problem = part;
  entry.problem.lower_bound = BoundOf(part);
  return it->second;
}

namespace {

bool Aligned(const Block &block) { return block.fixed < 0 || block.fixed % block.align == 0; }

bool Across(const Problem &problem, const Block &block) {
  return std::any_of(problem.boundaries.begin(), problem.boundaries.end(),
                     [&](int64_t at) { return block.fixed < at && at < block.fixed + block.bytes; });
}

// What is held keeps clear of each other.
bool Possible(const Problem &problem, int32_t in, int32_t out) {
  const Block &a = problem.blocks[in], &b = problem.blocks[out];
  if (a.first > b.last || b.first > a.last) return true;
  if (a.fixed + a.bytes <= b.fixed || b.fixed + b.bytes <= a.fixed) return true;
  return std::any_of(problem.distances.begin(), problem.distances.end(), [&](const Distance &d) {
    const int64_t distance = std::max<int64_t>(d.distance, 0);
    return (d.x == in && d.y == out && a.fixed - b.fixed >= distance) ||
           (d.x == out && d.y == in && b.fixed - a.fixed >= distance);
  });
}

Solution Hold(const Problem &part, const Link &link, int64_t in, int64_t out, Effort effort) {
  Problem problem = part;
  if (in >= 0) problem.blocks[link.in].fixed = in;
  if (out >= 0) problem.blocks[link.out].fixed = out;
  if (in >= 0 && !Aligned(problem.blocks[link.in])) return {{}, kImpossible};
  if (in >= 0 && Across(problem, problem.blocks[link.in])) return {{}, kImpossible};
  if (out >= 0 && Across(problem, problem.blocks[link.out])) return {{}, kImpossible};
  if (in >= 0 && out >= 0 && link.in != link.out && !Possible(problem, link.in, link.out)) return {{}, kImpossible};
  if (effort == Effort::kSome) problem.work_limit /= kSomeWork;
  if (effort == Effort::kAll && (in >= 0 || out >= 0)) problem.work_limit /= kHeldWork;
  return effort == Effort::kGreedy ? PlaceGreedily(problem) : PlaceAlone(problem);
}

const Solution &Held(Placements &known, const Link &link, int64_t in, int64_t out, Effort effort) {
  Placements::Entry &entry = known.entries[link.part];
  const int32_t a = in >= 0 ? link.in : -1, b = out >= 0 ? link.out : -1;
  const auto [it, fresh] = entry.solutions.try_emplace({a, in, b, out, effort});
  if (fresh) it->second = Hold(entry.problem, link, in, out, effort);
  return it->second;
}

// Greedy does where it needs no more than `enough`.
const Solution &Best(Placements &known, const Link &link, int64_t in, int64_t out, int64_t enough) {
  const Solution &greedy = Held(known, link, in, out, Effort::kGreedy);
  return greedy.bytes <= enough || greedy.bytes == kImpossible ? greedy : Held(known, link, in, out, Effort::kAll);
}

// With the block it shares with the part before at `level`, or where it must be.
const Solution &Fit(Placements &known, const Link &link, int64_t level, int64_t out, int64_t enough, Effort effort) {
  if (link.in == link.out && link.in >= 0 && out < 0) out = level;
  const int64_t low = link.in < 0 ? kFree : link.in == link.out ? out : level;
  const bool movable = link.in != link.out && link.in >= 0;
  const Solution *best = nullptr;
  const auto attempt = [&](int64_t in, Effort now) {
    if (best && best->bytes <= enough) return;
    const Solution &found = Held(known, link, in, out, now);
    if (!best || found.bytes < best->bytes) best = &found;
  };
  for (const Effort now : {Effort::kGreedy, Effort::kSome, Effort::kAll}) {
    if (now > effort) break;
    attempt(low, now);
    if (movable) attempt(kFree, now);
  }
  return *best;
}

// The part that needs most where nothing is held, and how much, or the bound where all need less.
struct Worst {
  int64_t bytes = 0;
  const Solution *alone = nullptr;
  Link link;
};
// The worst first: then others need no search.
Worst WorstAlone(Placements &known, std::span<const Link> links, int64_t bound) {
  std::vector<std::pair<int64_t, size_t>> parts;
  for (size_t i = 0; i < links.size(); i++)
    parts.emplace_back(-Held(known, links[i], kFree, kFree, Effort::kGreedy).bytes, i);
  std::sort(parts.begin(), parts.end());
  Worst worst{bound, nullptr, {}};
  for (const auto &[bytes, i] : parts) {
    const Solution &alone = Best(known, links[i], kFree, kFree, worst.bytes);
    if (alone.bytes > worst.bytes || (!worst.alone && alone.bytes == bound)) worst = {alone.bytes, &alone, links[i]};
  }
  return worst;
}

// `hard`: the part that is worth all the work; -1: none.
void PlaceAt(Placements &known, std::span<const Link> links, int64_t level, PartId hard, ChainSolution &chain) {
  chain.parts.assign(links.size(), nullptr);
  chain.bytes = 0;
  int64_t out = kFree;
  for (size_t i = links.size(); i-- > 0;) {
    const Link &link = links[i];
    const bool last = i + 1 == links.size() || links[i + 1].in < 0 || link.out < 0;
    const Solution &solution =
        Fit(known, link, level, last ? kFree : out, chain.enough, link.part == hard ? Effort::kAll : Effort::kSome);
    chain.parts[i] = &solution;
    chain.bytes = std::max(chain.bytes, solution.bytes);
    if (solution.bytes == kImpossible) return;
    if (link.in >= 0) out = solution.offsets[link.in];
  }
}

}  // namespace

int64_t NeededAlone(Placements &known, std::span<const Link> links, int64_t bound) {
  return WorstAlone(known, links, bound).bytes;
}

ChainSolution PlaceChain(Placements &known, std::span<const Link> links, int64_t bound) {
  ChainSolution chain;
  for (const Link &link : links)
    chain.lower_bound = std::max(chain.lower_bound, known.entries[link.part].problem.lower_bound);
  bound = std::max(bound, chain.lower_bound);
  const Worst worst = WorstAlone(known, links, bound);
  chain.enough = worst.bytes;
  chain.proven = worst.bytes <= bound || worst.alone->optimal;
  chain.bytes = kImpossible;
  const auto attempt = [&](int64_t level, PartId hard) {
    if (chain.fits()) return;
    ChainSolution other = chain;
    PlaceAt(known, links, level, hard, other);
    if (other.bytes < chain.bytes) chain = other;
  };
  attempt(0, -1);
  for (const int32_t shared : {worst.link.in, worst.link.out})  // as the part that binds would have them
    if (worst.alone && shared >= 0) attempt(worst.alone->offsets[shared], -1);
  attempt(0, worst.link.part);
  chain.loose = chain.bytes == kImpossible || chain.bytes * 100 > chain.enough * 101;
  chain.optimal = chain.fits() && chain.proven;
  return chain;
}

}  // namespace onnx2mcu
