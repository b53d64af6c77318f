#include "planner/variants.h"

#include <algorithm>
#include <cstring>
#include <tuple>
#include <utility>

#include "planner/cost.h"

namespace onnx2mcu {
namespace {

const o2m_variants *OfferedBy(const o2m_op *op) {
  return static_cast<const o2m_variants *>(ExtensionOf(op, "o2m.variants/1"));
}

bool Exact(const o2m_variants &offered, int32_t variant) {
  return variant < 0 || variant > 31 || (offered.inexact >> variant & 1) == 0;
}

VariantPrice PriceOf(const Graph &graph, const Node &node, const o2m_target &target, int32_t rows) {
  const int32_t steps = MemoryOf(graph, node, target, 1).steps;
  rows = steps == 0 ? 1 : rows == 0 ? steps : std::min(rows, steps);
  const Work work = WorkOf(graph, node, target, steps, rows);
  VariantPrice price{node.variant, VariantName(node), IsExact(node), ConstantBytes(node), 0, 0};
  price.time = TimeOf(work.instructions, work.flash_bytes_read, target);
  price.scratch = MemoryOf(graph, node, target, rows).scratch_bytes;
  return price;
}

bool Better(const VariantPrice &a, const VariantPrice &b, bool smallest) {
  return smallest ? std::tie(a.bytes, a.time) < std::tie(b.bytes, b.time)
                  : std::tie(a.time, a.bytes) < std::tie(b.time, b.bytes);
}

// The best exact one.
const VariantPrice &Best(const std::vector<VariantPrice> &prices, bool smallest) {
  const VariantPrice *best = prices.data();
  for (const VariantPrice &price : prices)
    if (price.exact && Better(price, *best, smallest)) best = &price;
  return *best;
}

// A node made smaller: time lost for bytes saved.
struct Step {
  NodeId node = 0;
  int32_t variant = 0;
  int64_t saved = 0, lost = 0;
};

std::vector<Step> StepsDown(const std::vector<std::vector<VariantPrice>> &prices, const Graph &graph) {
  std::vector<Step> steps;
  for (size_t id = 0; id < prices.size(); id++) {
    const auto is_taken = [&](const VariantPrice &p) { return p.variant == graph.nodes[id].variant; };
    const auto taken = std::find_if(prices[id].begin(), prices[id].end(), is_taken);
    if (taken == prices[id].end()) continue;
    const VariantPrice &smallest = Best(prices[id], true);
    if (smallest.bytes < taken->bytes)
      steps.push_back(
          {static_cast<NodeId>(id), smallest.variant, taken->bytes - smallest.bytes, smallest.time - taken->time});
  }
  const auto cheaper = [](const Step &a, const Step &b) {
    return static_cast<double>(a.lost) * static_cast<double>(b.saved) <
           static_cast<double>(b.lost) * static_cast<double>(a.saved);
  };
  std::stable_sort(steps.begin(), steps.end(), cheaper);
  return steps;
}

// Scratch is what a plan has allotted for; the rest of the contract must stay.
bool SameContract(o2m_memory a, o2m_memory b) {
  a.scratch_bytes = b.scratch_bytes = 0;
  return std::memcmp(&a, &b, sizeof a) == 0;
}

absl::Status RefineNode(Graph &graph, const Plan &plan, const Stage &stage, NodeId id, Host &host,
                        const o2m_target &target) {
  const int32_t before = graph.nodes[id].variant, rows = std::max(stage.rows, 1);
  const o2m_memory memory = MemoryOf(graph, graph.nodes[id], target, 1);
  const int64_t room = plan.scratch_of[id] == kNone ? 0 : plan.buffers[plan.scratch_of[id]].bytes;
  O2M_ASSIGN_OR_RETURN(std::vector<VariantPrice> prices, VariantsOf(graph, id, host, target, rows));
  const auto unfit = [&](const VariantPrice &p) { return p.variant != before && p.scratch > room; };
  prices.erase(std::remove_if(prices.begin(), prices.end(), unfit), prices.end());
  const auto is_before = [&](const VariantPrice &p) { return p.variant == before; };
  std::stable_partition(prices.begin(), prices.end(), is_before);
  const VariantPrice &best = Best(prices, false);
  if (best.variant == before || best.time >= prices[0].time) return absl::OkStatus();
  O2M_RETURN_IF_ERROR(SetVariant(graph, id, best.variant, host, target));
  if (SameContract(memory, MemoryOf(graph, graph.nodes[id], target, 1))) return absl::OkStatus();
  return SetVariant(graph, id, before, host, target);
}

}  // namespace

std::string VariantName(const Node &node) {
  const o2m_variants *offered = OfferedBy(node.op);
  const bool named = offered && node.variant >= 0 && node.variant < offered->count && offered->names[node.variant];
  return named ? offered->names[node.variant] : "";
}

bool IsExact(const Node &node) {
  const o2m_variants *offered = OfferedBy(node.op);
  return !offered || Exact(*offered, node.variant);
}

absl::Status SetVariant(Graph &graph, NodeId node, int32_t variant, Host &host, const o2m_target &target) {
  graph.nodes[node].variant = variant;
  return InferNode(graph, node, host, target);
}

absl::StatusOr<std::vector<VariantPrice>> VariantsOf(Graph &graph, NodeId id, Host &host, const o2m_target &target,
                                                     int32_t rows) {
  const o2m_variants *offered = OfferedBy(graph.nodes[id].op);
  std::vector<VariantPrice> prices;
  if (!offered) return prices;
  const Node before = graph.nodes[id];
  for (int32_t v = 0; v < offered->count; v++) {
    const absl::Status accepted = SetVariant(graph, id, v, host, target);
    if (accepted.ok()) prices.push_back(PriceOf(graph, graph.nodes[id], target, rows));
    if (!accepted.ok() && v == 0) return accepted;
    graph.nodes[id] = before;
  }
  return prices;
}

absl::Status ChooseVariants(Graph &graph, Host &host, const o2m_target &target, const VariantOptions &options) {
  std::vector<std::vector<VariantPrice>> prices(graph.nodes.size());
  for (NodeId id = 0; id < static_cast<NodeId>(graph.nodes.size()); id++) {
    if (!IsExact(graph.nodes[id])) continue;
    O2M_ASSIGN_OR_RETURN(prices[id], VariantsOf(graph, id, host, target, options.rows));
    if (prices[id].empty()) continue;
    const int32_t best = Best(prices[id], options.smallest).variant;
    if (best != graph.nodes[id].variant) O2M_RETURN_IF_ERROR(SetVariant(graph, id, best, host, target));
  }
  if (options.constant_room <= 0) return absl::OkStatus();
  for (const Step &step : StepsDown(prices, graph)) {
    if (ConstantBytes(graph) <= options.constant_room) break;
    O2M_RETURN_IF_ERROR(SetVariant(graph, step.node, step.variant, host, target));
  }
  return absl::OkStatus();
}

absl::Status RefineVariants(Graph &graph, const Plan &plan, Host &host, const o2m_target &target) {
  for (const Stage &stage : plan.stages)
    for (const NodeId id : stage.nodes)
      if (OfferedBy(graph.nodes[id].op) && IsExact(graph.nodes[id]))
        O2M_RETURN_IF_ERROR(RefineNode(graph, plan, stage, id, host, target));
  return absl::OkStatus();
}

}  // namespace onnx2mcu
