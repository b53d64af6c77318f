#include "planner/rewrites.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"

namespace onnx2mcu {
namespace {

bool SameWork(const Node &a, const Node &b) {
  return a.op == b.op && a.params == b.params && a.variant == b.variant && a.float_nodes == b.float_nodes &&
         a.name == b.name && a.inputs.size() == b.inputs.size() && a.outputs.size() == b.outputs.size();
}

void Redirect(Graph &graph, TensorId from, TensorId to) {
  for (Tensor &tensor : graph.tensors)
    if (tensor.base == from) tensor.base = to;
  for (Node &node : graph.nodes)
    for (TensorId &input : node.inputs)
      if (input == from) input = to;
}

bool Mergeable(const Graph &graph, const Node &node) {
  return std::all_of(node.outputs.begin(), node.outputs.end(), [&](TensorId output) {
    const bool given = std::find(graph.outputs.begin(), graph.outputs.end(), output) != graph.outputs.end();
    return graph.tensors[output].base == kNone && !given;
  });
}

}  // namespace

Tensor WithoutData(const Tensor &tensor) {
  Tensor light;
  light.name = tensor.name, light.dtype = tensor.dtype, light.dims = tensor.dims;
  light.is_constant = tensor.is_constant, light.quant = tensor.quant;
  light.base = tensor.base, light.view_offset = tensor.view_offset, light.strides = tensor.strides;
  light.in_arena = tensor.in_arena;
  return light;
}

Graph WithoutData(const Graph &graph) {
  Graph light;
  light.name = graph.name, light.file = graph.file, light.opset = graph.opset;
  light.inputs = graph.inputs, light.outputs = graph.outputs;
  light.nodes = graph.nodes;
  for (Node &node : light.nodes)
    for (Constant &constant : node.constants) constant.data.clear();
  for (const Tensor &tensor : graph.tensors) light.tensors.push_back(WithoutData(tensor));
  return light;
}

std::vector<NodeId> FirstOfDuplicates(const Graph &graph) {
  std::vector<TensorId> same(graph.tensors.size());  // the tensor of the same values that was written first
  for (size_t id = 0; id < same.size(); id++) same[id] = static_cast<TensorId>(id);
  const auto value = [&](TensorId id) {  // views of clones keep their own ids: they are the same window of another base
    if (id == kNone) return std::make_tuple(kNone, int64_t{0}, std::vector<int64_t>{});
    const Tensor &tensor = graph.tensors[id];
    return std::make_tuple(same[BaseOf(graph, id)], tensor.view_offset, StridesOf(tensor));
  };
  std::vector<NodeId> first(graph.nodes.size());
  for (size_t i = 0; i < first.size(); i++) {
    const Node &node = graph.nodes[i];
    const auto equal = [&](NodeId other) {
      const Node &before = graph.nodes[other];
      if (first[other] != other || !SameWork(before, node) || !Mergeable(graph, node)) return false;
      return std::equal(node.inputs.begin(), node.inputs.end(), before.inputs.begin(),
                        [&](TensorId a, TensorId b) { return value(a) == value(b); });
    };
    first[i] = static_cast<NodeId>(i);
    for (NodeId other = 0; other < static_cast<NodeId>(i); other++)
      if (equal(other)) first[i] = other;
    for (size_t k = 0; k < node.outputs.size(); k++) same[node.outputs[k]] = same[graph.nodes[first[i]].outputs[k]];
  }
  return first;
}

Duplicates DuplicatesIn(const Graph &graph, const std::vector<Stage> &stages) {
  const std::vector<NodeId> first = FirstOfDuplicates(graph);
  Duplicates duplicates;
  for (const Stage &stage : stages) {
    std::map<NodeId, NodeId> kept;  // by first of the duplicates: the one of this stage
    for (NodeId id : stage.nodes) {
      const auto [it, fresh] = kept.try_emplace(first[id], id);
      if (!fresh) duplicates.emplace_back(id, it->second);
    }
  }
  return duplicates;
}

Graph MergeDuplicates(const Graph &graph, const Duplicates &duplicates) {
  Graph merged = graph;
  std::set<NodeId> gone;
  for (const auto &[id, kept] : duplicates) {
    const std::vector<TensorId> from = merged.nodes[id].outputs, to = merged.nodes[kept].outputs;
    for (size_t k = 0; k < from.size(); k++) Redirect(merged, from[k], to[k]);
    gone.insert(id);
  }
  std::vector<Node> nodes;
  for (size_t id = 0; id < merged.nodes.size(); id++)
    if (!gone.count(static_cast<NodeId>(id))) nodes.push_back(std::move(merged.nodes[id]));
  merged.nodes = std::move(nodes);
  return merged;
}

std::vector<std::vector<Rewrite>> RewriteChains(const Graph &graph, const RewriteTools &tools) {
  const Rewrite recompute{"recompute", true, RecomputeCheap};
  std::vector<std::vector<Rewrite>> chains = {{}, {recompute}};
  for (const auto &[parts, kept] : PartChoices(graph, tools)) {
    const auto split = [parts = parts, kept = kept](const Graph &g, const RewriteTools &t) {
      return SplitIntoParts(g, t, parts, kept);
    };
    chains.push_back({{absl::StrCat("parts ", kept, "/", parts), true, split}, recompute});
  }
  return chains;
}

}  // namespace onnx2mcu
