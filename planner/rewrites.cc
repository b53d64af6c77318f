#include "planner/rewrites.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "planner/contract.h"
#include "planner/cost.h"

namespace onnx2mcu {
namespace {

// ---- recompute: a cheap step-wise node is done again by each reader, so that its result never has to be whole

struct Recompute {
  const Graph &graph;
  Contracts contracts;
  std::vector<std::vector<NodeId>> readers, writers;  // by TensorId; readers by node, once each
  std::vector<bool> cheap;                            // by NodeId
};

bool IsCheap(const Recompute &r, const o2m_target &target, NodeId id) {
  const Node &node = r.graph.nodes[id];
  const Contract &contract = r.contracts.nodes[id];
  if (node.outputs.size() != 1 || contract.steps <= 1 || contract.state_bytes > 0) return false;
  const Tensor &output = r.graph.tensors[node.outputs[0]];
  if (output.base != kNone || r.contracts.homes[node.outputs[0]].place != Place::kArena) return false;
  if (r.writers[node.outputs[0]].size() != 1) return false;
  for (const Touch &touch : contract.touches)
    if (touch.whole) return false;
  return WorkOf(r.graph, node, target, contract.steps, 1).macs == 0;
}

// Who touches each base, and which nodes are cheap.
void Classify(Recompute &r, const o2m_target &target) {
  r.readers.resize(r.graph.tensors.size()), r.writers.resize(r.graph.tensors.size());
  for (size_t id = 0; id < r.graph.nodes.size(); id++) {
    for (const Touch &touch : r.contracts.nodes[id].touches) {
      std::vector<NodeId> &nodes = (touch.write ? r.writers : r.readers)[touch.base];
      if (nodes.empty() || nodes.back() != static_cast<NodeId>(id)) nodes.push_back(static_cast<NodeId>(id));
    }
  }
  for (size_t id = 0; id < r.graph.nodes.size(); id++) r.cheap.push_back(IsCheap(r, target, static_cast<NodeId>(id)));
}

// True if all that `node` reads is alive anyway until `last` runs, or can be recomputed then.
bool SourcesLive(const Recompute &r, NodeId node, NodeId last) {
  for (const Touch &touch : r.contracts.nodes[node].touches) {
    if (touch.write || r.contracts.homes[touch.base].place != Place::kArena) continue;
    if (r.readers[touch.base].back() >= last) continue;
    const std::vector<NodeId> &writers = r.writers[touch.base];
    if (writers.size() != 1 || !r.cheap[writers[0]] || !SourcesLive(r, writers[0], last)) return false;
  }
  return true;
}

bool Reads(const Graph &graph, const Node &node, TensorId base) {
  return std::any_of(node.inputs.begin(), node.inputs.end(),
                     [&](TensorId input) { return input != kNone && BaseOf(graph, input) == base; });
}

// `original` once more, for `reader` alone.
Node CloneFor(Graph &graph, const Node &original, Node &reader) {
  const TensorId from = original.outputs[0];
  const TensorId to = AddTensor(graph, Tensor(graph.tensors[from]));
  for (TensorId &input : reader.inputs) {
    if (input == kNone || BaseOf(graph, input) != from) continue;
    if (input == from) {
      input = to;
      continue;
    }
    Tensor view = graph.tensors[input];
    view.base = to;
    input = AddTensor(graph, std::move(view));
  }
  Node clone = original;
  clone.outputs[0] = to;
  return clone;
}

// Every reader of node `id` but the first gets a clone right before it.
void CloneReaders(Graph &graph, NodeId id) {
  const TensorId output = graph.nodes[id].outputs[0];
  bool first = true;
  for (size_t reader = id + 1; reader < graph.nodes.size(); reader++) {
    if (!Reads(graph, graph.nodes[reader], output) || std::exchange(first, false)) continue;
    Node clone = CloneFor(graph, graph.nodes[id], graph.nodes[reader]);
    graph.nodes.insert(graph.nodes.begin() + static_cast<std::ptrdiff_t>(reader), std::move(clone));
    reader++;
  }
}

// From the last node to the first, so that a clone is itself a reader of what stands before it.
absl::StatusOr<Graph> ApplyRecompute(const Graph &graph, Host &, const o2m_target &target) {
  O2M_ASSIGN_OR_RETURN(Contracts contracts, ContractsOf(graph, target));
  Recompute r{graph, std::move(contracts), {}, {}, {}};
  Classify(r, target);
  Graph cloned = graph;
  for (NodeId id = static_cast<NodeId>(graph.nodes.size()) - 1; id >= 0; id--) {
    if (!r.cheap[id]) continue;
    const std::vector<NodeId> &readers = r.readers[graph.nodes[id].outputs[0]];
    if (!readers.empty() && SourcesLive(r, id, readers.back())) CloneReaders(cloned, id);
  }
  return cloned;
}

// ---- merging

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

Graph WithoutData(const Graph &graph) {
  Graph light;
  light.name = graph.name, light.file = graph.file, light.opset = graph.opset;
  light.inputs = graph.inputs, light.outputs = graph.outputs;
  light.nodes = graph.nodes;
  for (Node &node : light.nodes)
    for (Constant &constant : node.constants) constant.data.clear();
  for (const Tensor &tensor : graph.tensors) {
    Tensor &copy = light.tensors.emplace_back();
    copy.name = tensor.name, copy.dtype = tensor.dtype, copy.dims = tensor.dims;
    copy.is_constant = tensor.is_constant, copy.quant = tensor.quant;
    copy.base = tensor.base, copy.view_offset = tensor.view_offset, copy.strides = tensor.strides;
  }
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

Graph MergeDuplicates(const Graph &graph, const std::vector<Stage> &stages, bool *changed) {
  Graph merged = graph;
  const std::vector<NodeId> first = FirstOfDuplicates(graph);
  std::set<NodeId> gone;
  for (const Stage &stage : stages) {
    std::map<NodeId, NodeId> kept;  // by first of the duplicates: the one of this stage
    for (NodeId id : stage.nodes) {
      const auto [it, fresh] = kept.try_emplace(first[id], id);
      if (fresh) continue;
      const std::vector<TensorId> from = merged.nodes[id].outputs, to = merged.nodes[it->second].outputs;
      for (size_t k = 0; k < from.size(); k++) Redirect(merged, from[k], to[k]);
      gone.insert(id);
    }
  }
  std::vector<Node> nodes;
  for (size_t id = 0; id < merged.nodes.size(); id++)
    if (!gone.count(static_cast<NodeId>(id))) nodes.push_back(std::move(merged.nodes[id]));
  merged.nodes = std::move(nodes);
  *changed = !gone.empty();
  return merged;
}

const std::vector<Rewrite> &Rewrites() {
  static const std::vector<Rewrite> kRewrites = {{"recompute", true, ApplyRecompute}};
  return kRewrites;
}

}  // namespace onnx2mcu
