// Rows that nobody reads are not computed: of the last block of a model that looks at one token only, the query, the
// projection and the hidden layer of that token are left. Exact, and never dearer.
#include <algorithm>
#include <utility>

#include "importer/ir/slice.h"
#include "planner/contract.h"
#include "planner/rewrites.h"

namespace onnx2mcu {
namespace {

// Steps [first, end) of a node.
struct Steps {
  int64_t first = 0, end = 0;
};

// What is written to a base step by step, by one node or by several side by side: `stride` bytes a step.
struct Rows {
  TensorId base = kNone;
  std::vector<NodeId> writers;
  int32_t axis = 0;  // of the base, its outermost
  int32_t steps = 0;
  int64_t stride = 0;
};

// The steps whose rows some reader needs; all of them where that cannot be told.
Steps StepsNeeded(const Contracts &contracts, const std::vector<NodeId> &readers, const Rows &rows) {
  int64_t low = INT64_MAX, high = 0;
  for (NodeId reader : readers) {
    for (const Touch &touch : contracts.nodes[reader].touches) {
      if (touch.write || touch.base != rows.base) continue;
      low = std::min(low, FirstByte(touch)), high = std::max(high, EndByte(touch));
    }
  }
  const Steps needed{low / rows.stride, std::min<int64_t>(CeilDiv(high, rows.stride), rows.steps)};
  return needed.first < needed.end ? needed : Steps{0, rows.steps};
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

// Every writer walks the same steps, one after the other through the base.
bool Fill(const Graph &graph, const Contracts &contracts, const RewriteTools &tools, Rows &rows) {
  const Tensor &base = graph.tensors[rows.base];
  while (rows.axis + 1 < static_cast<int32_t>(base.dims.size()) && base.dims[rows.axis] == 1) rows.axis++;
  for (NodeId writer : rows.writers) {
    const Node &node = graph.nodes[writer];
    const Contract &contract = contracts.nodes[writer];
    const Slots slots = SlotsOf(contract.touches.back(), contract.steps);
    const bool same = rows.stride == 0 || (rows.stride == slots.stride && rows.steps == contract.steps);
    if (!same || slots.stride == 0 || slots.period != 0 || slots.end > slots.stride) return false;
    if (node.outputs.size() != 1 || !IsRowwise(MemoryOf(graph, node, tools.target, 1), node.inputs.size()))
      return false;
    rows.stride = slots.stride, rows.steps = contract.steps;
  }
  const int64_t row = DenseStrides(base.dims)[rows.axis] * DTypeBytes(base.dtype);
  return !base.dims.empty() && rows.stride % row == 0 && rows.stride / row * rows.steps >= base.dims[rows.axis];
}

// Views of the old base now lie in the smaller one, `shift` elements earlier.
void Rebase(Graph &graph, TensorId from, TensorId to, int64_t shift) {
  for (Tensor &tensor : graph.tensors)
    if (tensor.base == from) tensor.base = to, tensor.view_offset -= shift;
}

TensorId AddSmaller(Graph &graph, const Rows &rows, const Steps &steps) {
  Tensor base = graph.tensors[rows.base];
  const int64_t per_step = rows.stride / (DenseStrides(base.dims)[rows.axis] * DTypeBytes(base.dtype));
  base.dims[rows.axis] = std::min(steps.end * per_step, base.dims[rows.axis]) - steps.first * per_step;
  return AddTensor(graph, std::move(base));
}

absl::Status KeepSteps(Graph &graph, const Rows &rows, const RewriteTools &tools, const Steps &steps) {
  const TensorId smaller = AddSmaller(graph, rows, steps);
  const int64_t shift = steps.first * rows.stride / DTypeBytes(graph.tensors[rows.base].dtype);
  Rebase(graph, rows.base, smaller, shift);
  for (NodeId id : rows.writers) {
    const o2m_memory memory = MemoryOf(graph, graph.nodes[id], tools.target, 1);
    for (size_t i = 0; i < graph.nodes[id].inputs.size(); i++)
      graph.nodes[id].inputs[i] = CutRows(graph, graph.nodes[id].inputs[i], memory.inputs[i], steps);
    const TensorId y = graph.nodes[id].outputs[0];
    const o2m_access &access = memory.outputs[0];
    Tensor view = graph.tensors[y];
    view.dims[access.axis] = std::min(steps.end * access.step, view.dims[access.axis]) - steps.first * access.step;
    view.view_offset += shift;  // it begins with the first row kept
    graph.nodes[id].outputs[0] = y == rows.base ? smaller : AddTensor(graph, std::move(view));
    O2M_RETURN_IF_ERROR(InferNode(graph, id, tools.host, tools.target));
  }
  return absl::OkStatus();
}

// An op may refuse the fewer rows, or not follow the shapes of its operands: tried on a graph without data first.
bool TakesSteps(const Graph &graph, const Rows &rows, const RewriteTools &tools, const Steps &steps) {
  Graph trial = WithoutData(graph);
  if (!KeepSteps(trial, rows, tools, steps).ok() || !ContractsOf(trial, tools.target).ok()) return false;
  return std::all_of(rows.writers.begin(), rows.writers.end(),
                     [&](NodeId id) { return TakesItsStrides(trial, trial.nodes[id], tools.target); });
}

// Only windows read it: a reader of the base itself needs its shape.
bool ReadThroughViews(const Graph &graph, const std::vector<NodeId> &readers, TensorId base) {
  return std::none_of(readers.begin(), readers.end(), [&](NodeId reader) {
    const std::vector<TensorId> &inputs = graph.nodes[reader].inputs;
    return std::find(inputs.begin(), inputs.end(), base) != inputs.end();
  });
}

bool Beyond(const RewriteTools &tools, TensorId base) {
  const auto has = [base](const std::vector<TensorId> &bases) {
    return std::find(bases.begin(), bases.end(), base) != bases.end();
  };
  return tools.border && (has(tools.border->in) || has(tools.border->out));
}

// From the last node to the first, so that what a node no longer reads is known when its writer's turn comes.
absl::Status DropOnce(Graph &cut, const RewriteTools &tools, bool *changed) {
  O2M_ASSIGN_OR_RETURN(Contracts contracts, ContractsOf(cut, tools.target));
  for (NodeId id = static_cast<NodeId>(cut.nodes.size()) - 1; id >= 0; id--) {
    if (cut.nodes[id].outputs.empty()) continue;
    const Users users = OpUsers(cut);
    Rows rows{BaseOf(cut, cut.nodes[id].outputs[0]), {}, 0, 0, 0};
    rows.writers = users.writers[rows.base];
    const std::vector<NodeId> &readers = users.readers[rows.base];
    if (rows.writers.empty() || rows.writers.front() != id || readers.empty() || Beyond(tools, rows.base)) continue;
    if (contracts.homes[rows.base].place != Place::kArena || !ReadThroughViews(cut, readers, rows.base)) continue;
    if (!Fill(cut, contracts, tools, rows)) continue;
    const Steps steps = StepsNeeded(contracts, readers, rows);
    if ((steps.first == 0 && steps.end == rows.steps) || !TakesSteps(cut, rows, tools, steps)) continue;
    O2M_RETURN_IF_ERROR(KeepSteps(cut, rows, tools, steps));
    O2M_ASSIGN_OR_RETURN(contracts, ContractsOf(cut, tools.target));
    *changed = true;
  }
  return absl::OkStatus();
}

}  // namespace

// Several writers of one base have their turn at the first of them, which may be past what the others read: again.
absl::StatusOr<Graph> DropUnreadRows(const Graph &graph, const RewriteTools &tools) {
  Graph cut = graph;
  for (bool changed = true; changed;) {
    changed = false;
    O2M_RETURN_IF_ERROR(DropOnce(cut, tools, &changed));
  }
  return cut;
}

}  // namespace onnx2mcu
