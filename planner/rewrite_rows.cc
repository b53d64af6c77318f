// Rows that nobody reads are not computed: of the last block of a model that looks at one token only, the query, the
// projection and the hidden layer of that token are left. Exact, and never dearer.
#include <algorithm>
#include <utility>

#include "planner/contract.h"
#include "planner/rewrites.h"
#include "planner/slice.h"

namespace onnx2mcu {
namespace {

// Steps [first, end) of a node.
struct Steps {
  int64_t first = 0, end = 0;
};

struct Users {
  std::vector<std::vector<NodeId>> readers, writers;  // by TensorId of a base, once each
};

Users UsersOf(const Graph &graph, const Contracts &contracts) {
  Users users{std::vector<std::vector<NodeId>>(graph.tensors.size()),
              std::vector<std::vector<NodeId>>(graph.tensors.size())};
  for (size_t id = 0; id < graph.nodes.size(); id++)
    for (const Touch &touch : contracts.nodes[id].touches)
      (touch.write ? users.writers : users.readers)[touch.base].push_back(static_cast<NodeId>(id));
  return users;
}

// The steps whose rows some reader needs; all of them where that cannot be told.
Steps StepsNeeded(const Contracts &contracts, const std::vector<NodeId> &readers, const Touch &write, int32_t steps) {
  const Slots slots = SlotsOf(write, steps);
  if (slots.stride == 0 || slots.period != 0) return {0, steps};
  int64_t low = INT64_MAX, high = 0;
  for (NodeId reader : readers) {
    for (const Touch &touch : contracts.nodes[reader].touches) {
      if (touch.write || touch.base != write.base) continue;
      low = std::min(low, FirstByte(touch)), high = std::max(high, EndByte(touch));
    }
  }
  const int64_t first = std::max<int64_t>((low - slots.begin) / slots.stride, 0);
  const int64_t end = std::min<int64_t>(CeilDiv(high - slots.begin, slots.stride), steps);
  return first < end ? Steps{first, end} : Steps{0, steps};
}

// Steps are independent rows of every stepped operand: no bands that overlap, no state.
bool IsRowwise(const o2m_memory &memory, size_t inputs) {
  const auto rowwise = [](const o2m_access &a) { return a.extent == 0 || (a.extent == a.step && a.before == 0); };
  for (size_t i = 0; i < inputs; i++)
    if (!rowwise(memory.inputs[i])) return false;
  return memory.steps > 1 && memory.state_bytes == 0 && memory.outputs[0].extent > 0 && rowwise(memory.outputs[0]);
}

TensorId CutRows(Graph &graph, TensorId id, const o2m_access &access, const Steps &steps) {
  if (id == kNone || access.extent == 0) return id;
  const int64_t first = steps.first * access.step;
  const int64_t count = std::min(steps.end * access.step, graph.tensors[id].dims[access.axis]) - first;
  return SliceTensor(graph, id, access.axis, first, count);
}

// Views of the old base now lie in the smaller one, `shift` elements earlier.
void Rebase(Graph &graph, TensorId from, TensorId to, int64_t shift) {
  for (Tensor &tensor : graph.tensors)
    if (tensor.base == from) tensor.base = to, tensor.view_offset -= shift;
}

absl::Status KeepSteps(Graph &graph, NodeId id, const RewriteTools &tools, const o2m_memory &memory,
                       const Steps &steps) {
  const TensorId y = graph.nodes[id].outputs[0], base = BaseOf(graph, y);
  const o2m_access &access = memory.outputs[0];
  const int64_t first = steps.first * access.step, rows = graph.tensors[y].dims[access.axis];
  const int64_t count = std::min(steps.end * access.step, rows) - first;
  const int64_t shift = first * StridesOf(graph.tensors[y])[access.axis];
  std::vector<TensorId> inputs = graph.nodes[id].inputs;
  for (size_t i = 0; i < inputs.size(); i++) inputs[i] = CutRows(graph, inputs[i], memory.inputs[i], steps);
  const TensorId cut = AddCompact(graph, y, access.axis, count, graph.tensors[y].name);
  graph.nodes[id].inputs = std::move(inputs);
  graph.nodes[id].outputs[0] = cut;
  Rebase(graph, base, BaseOf(graph, cut), shift);
  return InferNode(graph, id, tools.host, tools.target);
}

// An op may refuse the fewer rows, or not follow the shapes of its operands: tried on a graph without data first.
bool TakesSteps(const Graph &graph, NodeId id, const RewriteTools &tools, const o2m_memory &memory,
                const Steps &steps) {
  Graph trial = WithoutData(graph);
  return KeepSteps(trial, id, tools, memory, steps).ok() && ContractsOf(trial, tools.target).ok();
}

// Only windows read it: a reader of the base itself needs its shape.
bool ReadThroughViews(const Graph &graph, const std::vector<NodeId> &readers, TensorId base) {
  return std::none_of(readers.begin(), readers.end(), [&](NodeId reader) {
    const std::vector<TensorId> &inputs = graph.nodes[reader].inputs;
    return std::find(inputs.begin(), inputs.end(), base) != inputs.end();
  });
}

}  // namespace

// From the last node to the first, so that what a node no longer reads is known when its writer's turn comes.
absl::StatusOr<Graph> DropUnreadRows(const Graph &graph, const RewriteTools &tools) {
  Graph cut = graph;
  O2M_ASSIGN_OR_RETURN(Contracts contracts, ContractsOf(cut, tools.target));
  for (NodeId id = static_cast<NodeId>(cut.nodes.size()) - 1; id >= 0; id--) {
    const Node &node = cut.nodes[id];
    if (node.outputs.size() != 1) continue;
    const TensorId base = BaseOf(cut, node.outputs[0]);
    const Users users = UsersOf(cut, contracts);
    if (contracts.homes[base].place != Place::kArena || users.writers[base].size() != 1) continue;
    if (!CoversBase(cut, node.outputs[0]) || !ReadThroughViews(cut, users.readers[base], base)) continue;
    const o2m_memory memory = MemoryOf(cut, node, tools.target, 1);
    if (!IsRowwise(memory, node.inputs.size())) continue;
    const Touch &write = contracts.nodes[id].touches.back();
    const Steps steps = StepsNeeded(contracts, users.readers[base], write, memory.steps);
    if (steps.first == 0 && steps.end == memory.steps) continue;
    if (!TakesSteps(cut, id, tools, memory, steps)) continue;
    O2M_RETURN_IF_ERROR(KeepSteps(cut, id, tools, memory, steps));
    O2M_ASSIGN_OR_RETURN(contracts, ContractsOf(cut, tools.target));
  }
  return cut;
}

}  // namespace onnx2mcu
