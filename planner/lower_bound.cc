// What no placement can go below, from lifetimes and distances alone; and the live bytes that the report draws.
#include "planner/lower_bound.h"

#include <algorithm>
#include <limits>
#include <map>
#include <tuple>

#include "planner/contract.h"

namespace onnx2mcu {
namespace {

using Group = std::vector<int32_t>;

// Larger groups of related buffers lose one member until the rest is solved exactly: still a bound, not as tight.
constexpr size_t kMostRelated = 7;

struct Relation {
  int32_t other = 0;
  int64_t after = 0;  // the least offset(other) - offset(this) at which other may follow
};

struct Sweep {
  const std::vector<Buffer> &buffers;
  int64_t unit = 1;  // all offsets are multiples of it, so buffers take up whole units
  std::vector<std::vector<Relation>> relations;
  std::vector<bool> alive, seen;
  std::map<Group, int64_t> known;  // groups recur from one moment to the next
};

int64_t Units(const Sweep &s, int64_t bytes) { return (bytes + s.unit - 1) / s.unit * s.unit; }
int64_t Size(const Sweep &s, int32_t i) { return Units(s, s.buffers[i].bytes); }

int64_t After(const Sweep &s, int32_t a, int32_t b) {
  int64_t after = Size(s, a);
  for (const Relation &r : s.relations[a])
    if (r.other == b) after = std::min(after, r.after);
  return after;
}

// The shortest arrangement of a group that is all alive at once: every order of its members by offset, each as low as
// those before it allow.
struct Arrangement {
  size_t count = 0;
  int64_t size[kMostRelated] = {}, after[kMostRelated][kMostRelated] = {};
  int64_t best = std::numeric_limits<int64_t>::max();
};

// Members that may follow one another at 0 in a circle may all lie at one offset, which no order of them shows.
bool HasCircle(const Arrangement &a) {
  uint32_t left = (1u << a.count) - 1;
  const auto waits = [&](size_t i) {
    for (size_t j = 0; j < a.count; j++)
      if (j != i && (left >> j & 1) && a.after[j][i] == 0 && a.after[i][j] > 0) return true;
    return false;
  };
  for (bool any = true; any;) {
    any = false;
    for (size_t i = 0; i < a.count; i++)
      if ((left >> i & 1) && !waits(i)) left &= ~(1u << i), any = true;
  }
  return left != 0;
}

// Then whoever may be followed at 0 is taken to bear a follower anywhere above: less than is needed.
void OpenCircles(Arrangement &a) {
  for (size_t i = 0; i < a.count; i++)
    for (size_t j = 0; j < a.count; j++)
      if (a.after[i][j] == 0) a.after[j][i] = 0;
}

void Arrange(Arrangement &a, uint32_t left, const int64_t *low, int64_t top) {
  for (size_t i = 0; i < a.count; i++)
    if (left >> i & 1) top = std::max(top, low[i] + a.size[i]);
  if (top >= a.best) return;
  if (left == 0) a.best = top;
  for (size_t i = 0; i < a.count; i++) {
    if (!(left >> i & 1)) continue;
    int64_t next[kMostRelated];
    for (size_t j = 0; j < a.count; j++) next[j] = std::max(low[j], low[i] + a.after[i][j]);
    Arrange(a, left & ~(1u << i), next, top);
  }
}

int64_t LeastSpan(const Sweep &s, const Group &group) {
  Arrangement a;
  a.count = group.size();
  for (size_t i = 0; i < a.count; i++) {
    a.size[i] = Size(s, group[i]);
    for (size_t j = 0; j < a.count; j++) a.after[i][j] = After(s, group[i], group[j]);
  }
  if (HasCircle(a)) OpenCircles(a);
  const int64_t low[kMostRelated] = {};
  Arrange(a, (1u << a.count) - 1, low, 0);
  return a.best;
}

// Those of the living that may lie over `start`, directly or through others.
Group GroupOf(Sweep &s, int32_t start) {
  Group group = {start};
  s.seen[start] = true;
  for (size_t i = 0; i < group.size(); i++)
    for (const Relation &r : s.relations[group[i]])
      if (s.alive[r.other] && !s.seen[r.other]) s.seen[r.other] = true, group.push_back(r.other);
  std::sort(group.begin(), group.end());
  return group;
}

int64_t CoveredBy(Sweep &s, const Group &group);

// Without its most related, smallest member a group falls apart, and what is left covers no more.
int64_t CoveredWithoutOne(Sweep &s, const Group &group) {
  const auto related = [&](int32_t i) {
    return std::count_if(s.relations[i].begin(), s.relations[i].end(),
                         [&](const Relation &r) { return s.alive[r.other]; });
  };
  const int32_t out = *std::max_element(group.begin(), group.end(), [&](int32_t a, int32_t b) {
    return std::make_tuple(related(a), -Size(s, a), a) < std::make_tuple(related(b), -Size(s, b), b);
  });
  for (int32_t i : group) s.seen[i] = false;
  s.alive[out] = false;
  int64_t covered = 0;
  for (int32_t i : group)
    if (i != out && !s.seen[i]) covered += CoveredBy(s, GroupOf(s, i));
  s.alive[out] = s.seen[out] = true;
  return covered;
}

// The least bytes that a group of related buffers covers. Its parts never leave a gap: they could be pushed together.
int64_t CoveredBy(Sweep &s, const Group &group) {
  if (group.size() == 1) return Size(s, group[0]);
  const auto found = s.known.find(group);
  if (found != s.known.end()) return found->second;
  const int64_t covered = group.size() <= kMostRelated ? LeastSpan(s, group) : CoveredWithoutOne(s, group);
  s.known[group] = covered;
  return covered;
}

// All groups of the living side by side. The topmost buffer need not fill its last unit.
int64_t BoundOf(Sweep &s, const std::vector<int32_t> &living) {
  int64_t covered = 0, slack = 0;
  for (int32_t i : living) s.seen[i] = false;
  for (int32_t i : living) {
    slack = std::max(slack, Size(s, i) - s.buffers[i].bytes);
    if (!s.seen[i]) covered += CoveredBy(s, GroupOf(s, i));
  }
  return covered - slack;
}

void AddRelations(Sweep &s, const std::vector<Overwrite> &overwrites) {
  for (const Overwrite &o : overwrites) {
    const int64_t after = Units(s, std::clamp<int64_t>(o.distance, 0, s.buffers[o.y].bytes));
    s.relations[o.y].push_back({o.x, after});
    s.relations[o.x].push_back({o.y, Size(s, o.x)});
  }
}

std::vector<int32_t> Births(const std::vector<Buffer> &buffers) {
  std::vector<int32_t> births;
  for (int32_t i = 0; i < static_cast<int32_t>(buffers.size()); i++)
    if (buffers[i].bytes > 0) births.push_back(i);
  std::sort(births.begin(), births.end(),
            [&](int32_t a, int32_t b) { return std::tie(buffers[a].first, a) < std::tie(buffers[b].first, b); });
  return births;
}

}  // namespace

// Looks at those alive when a birth follows that some do not live to see: any other moment has fewer.
int64_t LowerBound(const std::vector<Buffer> &buffers, const std::vector<Overwrite> &overwrites, int64_t align) {
  Sweep s{buffers, align, {}, {}, {}, {}};
  s.relations.resize(buffers.size()), s.alive.resize(buffers.size()), s.seen.resize(buffers.size());
  AddRelations(s, overwrites);
  std::vector<int32_t> living;
  int64_t bound = 0;
  for (int32_t born : Births(buffers)) {
    const auto dead = [&](int32_t i) { return buffers[i].last < buffers[born].first; };
    const auto rest = std::stable_partition(living.begin(), living.end(), [&](int32_t i) { return !dead(i); });
    if (rest != living.end()) {
      bound = std::max(bound, BoundOf(s, living));
      for (auto i = rest; i != living.end(); i++) s.alive[*i] = false;
      living.erase(rest, living.end());
    }
    living.push_back(born);
    s.alive[born] = true;
  }
  return std::max(bound, BoundOf(s, living));
}

int64_t LowerBound(const std::vector<Buffer> &buffers, const std::vector<Overwrite> &overwrites) {
  return LowerBound(buffers, overwrites, kTensorAlign);
}

int64_t LiveBytes(const Plan &plan, int32_t stage) {
  int64_t most = 0;
  int32_t begin = 0;
  for (int32_t s = 0; s < stage; s++) begin += static_cast<int32_t>(plan.stages[s].nodes.size());
  const int32_t end = begin + static_cast<int32_t>(plan.stages[stage].nodes.size());
  for (int32_t time = begin; time < end; time++) {
    std::vector<std::pair<int64_t, int64_t>> ranges;  // bytes that two share count once
    for (const Buffer &b : plan.buffers)
      if (b.first <= time && b.last >= time) ranges.emplace_back(b.offset, b.offset + b.bytes);
    std::sort(ranges.begin(), ranges.end());
    int64_t live = 0, at = 0;
    for (const auto &[low, high] : ranges) {
      live += std::max<int64_t>(high - std::max(low, at), 0);
      at = std::max(at, high);
    }
    most = std::max(most, live);
  }
  return most;
}

}  // namespace onnx2mcu
