// Recompute: a cheap step-wise node is done again by each reader, so that its result never has to be whole. Exact.
#include <algorithm>
#include <utility>

#include "planner/contract.h"
#include "planner/cost.h"
#include "planner/rewrites.h"

namespace onnx2mcu {
namespace {

struct Recompute {
  const Graph &graph;
  Contracts contracts;
  Users users;
  std::vector<bool> cheap;  // by NodeId
};

bool IsCheap(const Recompute &r, const o2m_target &target, NodeId id) {
  const Node &node = r.graph.nodes[id];
  const Contract &contract = r.contracts.nodes[id];
  if (node.outputs.size() != 1 || contract.steps <= 1 || contract.state_bytes > 0) return false;
  const Tensor &output = r.graph.tensors[node.outputs[0]];
  if (output.base != kNone || r.contracts.homes[node.outputs[0]].place != Place::kArena) return false;
  if (r.users.writers[node.outputs[0]].size() != 1) return false;
  for (const Touch &touch : contract.touches)
    if (touch.whole) return false;
  // an op that does not state its work may be dear
  return ExtensionOf(node.op, "o2m.cost/1") && WorkOf(r.graph, node, target, contract.steps, 1).macs == 0;
}

// True if all that `node` reads is alive anyway until `last` runs, or can be recomputed then.
bool SourcesLive(const Recompute &r, NodeId node, NodeId last) {
  for (const Touch &touch : r.contracts.nodes[node].touches) {
    if (touch.write || r.contracts.homes[touch.base].place != Place::kArena) continue;
    if (r.users.readers[touch.base].back() >= last) continue;
    const std::vector<NodeId> &writers = r.users.writers[touch.base];
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

}  // namespace

// From the last node to the first, so that a clone is itself a reader of what stands before it.
absl::StatusOr<Graph> RecomputeCheap(const Graph &graph, const RewriteTools &tools) {
  O2M_ASSIGN_OR_RETURN(Contracts contracts, ContractsOf(graph, tools.target));
  Recompute r{graph, std::move(contracts), OpUsers(graph), {}};
  for (NodeId id = 0; id < static_cast<NodeId>(graph.nodes.size()); id++)
    r.cheap.push_back(IsCheap(r, tools.target, id));
  Graph cloned = graph;
  for (NodeId id = static_cast<NodeId>(graph.nodes.size()) - 1; id >= 0; id--) {
    if (!r.cheap[id]) continue;
    const std::vector<NodeId> &readers = r.users.readers[graph.nodes[id].outputs[0]];
    if (!readers.empty() && SourcesLive(r, id, readers.back())) CloneReaders(cloned, id);
  }
  return DropUnreadRows(cloned, tools);  // a clone computes what its one reader needs
}

}  // namespace onnx2mcu
