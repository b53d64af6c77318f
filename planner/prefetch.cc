#include "planner/prefetch.h"

#include <algorithm>

#include "planner/make_plan.h"

namespace onnx2mcu {
namespace {

constexpr int64_t kLeastBytes = 64;  // fewer are no longer in flash than a transfer takes to start

int64_t BytesOf(const Constant &constant) { return static_cast<int64_t>(constant.data.size()); }

// Buffers of `stage`, which begins at `time`; the one before began at `before`.
void AddStage(const Graph &graph, int64_t limit, int32_t stage, int32_t before, int32_t time, Plan *plan) {
  const std::vector<NodeId> &nodes = plan->stages[stage].nodes;
  const int32_t last = time + static_cast<int32_t>(nodes.size()) - 1;
  for (const NodeId id : nodes) {
    const std::vector<Constant> &constants = graph.nodes[id].constants;
    for (size_t slot = 0; slot < constants.size(); slot++) {
      const int64_t bytes = BytesOf(constants[slot]);
      if (bytes < kLeastBytes || bytes > limit) continue;
      limit -= bytes;
      const auto buffer = static_cast<int32_t>(plan->buffers.size());
      plan->buffers.push_back({BufferKind::kPrefetch, id, bytes, 0, before, last, stage - 1, stage});
      plan->prefetches.push_back({id, static_cast<int32_t>(slot), stage, buffer});
    }
  }
}

// The plan with buffers for all stages but those left out.
Plan WithBuffers(const Graph &graph, int64_t limit, const std::vector<bool> &without, const Plan &plan) {
  Plan with = plan;
  int32_t before = 0, time = 0;
  for (size_t s = 0; s < plan.stages.size(); s++) {
    if (s > 0 && !without[s]) AddStage(graph, limit, static_cast<int32_t>(s), before, time, &with);
    before = time, time += static_cast<int32_t>(plan.stages[s].nodes.size());
  }
  if (!with.prefetches.empty()) PlaceBuffers(with);
  return with;
}

// The stage whose buffers take most, none where there are none.
int32_t Largest(const Plan &plan) {
  std::vector<int64_t> bytes(plan.stages.size());
  for (const Prefetch &prefetch : plan.prefetches) bytes[prefetch.stage] += plan.buffers[prefetch.buffer].bytes;
  const auto most = std::max_element(bytes.begin(), bytes.end());
  return most == bytes.end() || *most == 0 ? kNone : static_cast<int32_t>(most - bytes.begin());
}

}  // namespace

void AddPrefetch(const Graph &graph, int64_t limit, int64_t arena_budget, Plan *plan) {
  std::vector<bool> without(plan->stages.size());
  Plan with = WithBuffers(graph, limit, without, *plan);
  while (arena_budget > 0 && with.arena_bytes > arena_budget && !with.prefetches.empty()) {
    without[Largest(with)] = true;
    with = WithBuffers(graph, limit, without, *plan);
  }
  *plan = std::move(with);
}

ReadInPlace LeftInPlace(const Graph &graph, const Plan &plan) {
  ReadInPlace left;
  for (const Stage &stage : plan.stages) {
    for (const NodeId id : stage.nodes) {
      const std::vector<Constant> &constants = graph.nodes[id].constants;
      for (size_t slot = 0; slot < constants.size(); slot++) {
        const int64_t bytes = BytesOf(constants[slot]);
        if (bytes < kLeastBytes || PrefetchOf(plan, id, static_cast<int32_t>(slot)) != nullptr) continue;
        left.bytes += bytes;
        if (bytes > left.largest) left.largest = bytes, left.node = id;
      }
    }
  }
  return left;
}

const Prefetch *PrefetchOf(const Plan &plan, NodeId node, int32_t slot) {
  for (const Prefetch &prefetch : plan.prefetches)
    if (prefetch.node == node && prefetch.slot == slot) return &prefetch;
  return nullptr;
}

}  // namespace onnx2mcu
