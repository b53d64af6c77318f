// What no placement can go below, from lifetimes and distances alone; and the live bytes that the report draws.
#include <algorithm>
#include <numeric>

#include "planner/plan.h"

namespace onnx2mcu {
namespace {

// Above this many related buffers alive at once the bound takes the largest alone; still a bound, not as tight.
constexpr size_t kMostRelated = 16;

struct Pair {
  size_t x, y;  // positions among those alive
  int64_t distance;
};

// Buffers that may lie over each other, directly or through others. No two of an independent set may, so the bytes of
// any such set are a bound.
int64_t LargestIndependent(const std::vector<int64_t> &bytes, const std::vector<size_t> &members,
                           const std::vector<Pair> &pairs) {
  int64_t best = 0;
  for (size_t i : members) best = std::max(best, bytes[i]);
  if (members.size() > kMostRelated) return best;
  for (uint32_t set = 1; set < 1u << members.size(); set++) {
    const auto in = [&](size_t i) {
      const size_t place = std::find(members.begin(), members.end(), i) - members.begin();
      return place < members.size() && (set >> place & 1);
    };
    if (std::any_of(pairs.begin(), pairs.end(), [&](const Pair &p) { return in(p.x) && in(p.y); })) continue;
    int64_t total = 0;
    for (size_t i : members) total += in(i) ? bytes[i] : 0;
    best = std::max(best, total);
  }
  return best;
}

// Two that may overlap: side by side, or y from `distance` below x on.
int64_t LargestUnion(const std::vector<int64_t> &bytes, const std::vector<size_t> &members,
                     const std::vector<Pair> &pairs) {
  int64_t least = bytes[members[0]] + bytes[members[1]];
  for (const Pair &p : pairs)
    if (p.x == members[0] || p.x == members[1]) least = std::min(least, std::max(bytes[p.x] + p.distance, bytes[p.y]));
  return least;
}

std::vector<size_t> GroupsOf(size_t count, const std::vector<Pair> &pairs) {
  std::vector<size_t> group(count);
  std::iota(group.begin(), group.end(), 0);
  for (const Pair &p : pairs) {
    const size_t from = group[p.x], to = group[p.y];
    for (size_t &g : group)
      if (g == from) g = to;
  }
  return group;
}

int64_t BoundAt(const std::vector<Buffer> &buffers, const std::vector<Overwrite> &overwrites, int32_t time) {
  std::vector<int64_t> bytes;
  std::vector<size_t> position(buffers.size(), buffers.size());
  for (size_t i = 0; i < buffers.size(); i++) {
    if (buffers[i].first > time || buffers[i].last < time) continue;
    position[i] = bytes.size();
    bytes.push_back(buffers[i].bytes);
  }
  std::vector<Pair> pairs;
  for (const Overwrite &o : overwrites)
    if (position[o.x] < bytes.size() && position[o.y] < bytes.size())
      pairs.push_back({position[o.x], position[o.y], o.distance});
  const std::vector<size_t> group = GroupsOf(bytes.size(), pairs);
  int64_t total = 0;
  for (size_t g = 0; g < bytes.size(); g++) {
    std::vector<size_t> members;
    for (size_t i = 0; i < bytes.size(); i++)
      if (group[i] == g) members.push_back(i);
    if (members.empty()) continue;
    total += members.size() == 2 ? LargestUnion(bytes, members, pairs) : LargestIndependent(bytes, members, pairs);
  }
  return total;
}

}  // namespace

int64_t LowerBound(const std::vector<Buffer> &buffers, const std::vector<Overwrite> &overwrites) {
  int64_t bound = 0;
  for (const Buffer &buffer : buffers) bound = std::max(bound, BoundAt(buffers, overwrites, buffer.first));
  return bound;
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
