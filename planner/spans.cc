#include "planner/spans.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace onnx2mcu {
namespace {

void AddSpans(const Contracts &contracts, Spans &s) {
  std::vector<int32_t> span_of(contracts.homes.size(), kNone);
  s.at.resize(s.order.size());
  for (int32_t k = 0; k < static_cast<int32_t>(s.order.size()); k++) {
    const Contract &contract = contracts.nodes[s.order[k]];
    for (size_t i = 0; i < contract.touches.size(); i++) {
      const Touch &touch = contract.touches[i];
      if (contracts.homes[touch.base].place != Place::kArena) continue;
      int32_t &id = span_of[touch.base];
      if (id == kNone) {
        id = static_cast<int32_t>(s.all.size());
        const int64_t bytes = AlignUp(contracts.base_bytes[touch.base], kTensorAlign);
        s.all.push_back({touch.base, bytes, contracts.tile_stride[touch.base], k, k, false, {}, {}});
      }
      Span &span = s.all[id];
      span.last = k;
      (touch.write ? span.writes : span.reads).push_back({k, &touch, contract.in_place[i]});
      if (s.at[k].empty() || s.at[k].back() != id) s.at[k].push_back(id);
    }
  }
}

// A node that reads what an earlier node writes may join its loop only if both do so in the same slots.
void AddBarriers(const Contracts &contracts, Spans &s) {
  s.barrier.assign(s.order.size(), 0);
  for (int32_t k = 0; k < static_cast<int32_t>(s.order.size()); k++) {
    const int32_t steps = contracts.nodes[s.order[k]].steps;
    for (int32_t id : s.at[k]) {
      for (const Use &read : s.all[id].reads) {
        if (read.time != k) continue;
        for (const Use &write : s.all[id].writes) {
          if (write.time >= k || !MayOverlap(*write.touch, *read.touch)) continue;
          if (!SameSlots(*write.touch, *read.touch, steps)) s.barrier[k] = std::max(s.barrier[k], write.time + 1);
        }
      }
    }
  }
}

void FindOneLoopSpans(const Contracts &contracts, Spans &s) {
  for (Span &span : s.all) {
    if (span.first < 0 || span.last >= static_cast<int32_t>(s.order.size())) continue;
    const int32_t steps = contracts.nodes[s.order[span.first]].steps;
    span.one_loop = span.tile_stride > 0;
    for (int32_t k = span.first + 1; k <= span.last && span.one_loop; k++)
      span.one_loop = contracts.nodes[s.order[k]].steps == steps && s.barrier[k] <= span.first;
  }
}

void AddBorder(const Border &border, Spans &s) {
  const auto has = [](const std::vector<TensorId> &bases, TensorId base) {
    return std::find(bases.begin(), bases.end(), base) != bases.end();
  };
  for (Span &span : s.all) {
    if (has(border.in, span.base)) span.first = -1;
    if (has(border.out, span.base)) span.last = static_cast<int32_t>(s.order.size());
  }
}

}  // namespace

Spans SpansOf(const Contracts &contracts, std::vector<NodeId> order, const Border &border) {
  Spans s;
  s.order = std::move(order);
  AddSpans(contracts, s);
  AddBorder(border, s);
  AddBarriers(contracts, s);
  FindOneLoopSpans(contracts, s);
  return s;
}

Spans SpansOfAll(const Graph &graph, const Contracts &contracts, const Border &border) {
  std::vector<NodeId> order(graph.nodes.size());
  std::iota(order.begin(), order.end(), 0);
  return SpansOf(contracts, std::move(order), border);
}

}  // namespace onnx2mcu
