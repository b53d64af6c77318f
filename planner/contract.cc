#include "planner/contract.h"

#include <algorithm>
#include <numeric>
#include <string>

#include "absl/strings/str_cat.h"
#include "planner/answers.h"

namespace onnx2mcu {

Home HomeOf(const Graph &graph, TensorId base) {
  if (graph.tensors[base].is_constant) return {Place::kConstant, base};
  for (size_t i = 0; i < graph.inputs.size(); i++)
    if (graph.inputs[i] == base && !graph.tensors[base].in_arena) return {Place::kInput, static_cast<int32_t>(i)};
  for (size_t i = 0; i < graph.outputs.size(); i++)
    if (graph.outputs[i] == base) return {Place::kOutput, static_cast<int32_t>(i)};
  return {Place::kArena, base};
}

int64_t InnerSpan(const Touch &touch) {
  int64_t span = touch.element;
  for (const ByteAxis &axis : touch.inner) span += (axis.dim - 1) * std::max<int64_t>(axis.stride, 0);
  return span;
}

int64_t FirstByte(const Touch &touch) {
  int64_t first = touch.offset + (touch.rows - 1) * std::min<int64_t>(touch.row_stride, 0);
  for (const ByteAxis &axis : touch.inner) first += (axis.dim - 1) * std::min<int64_t>(axis.stride, 0);
  return first;
}

int64_t EndByte(const Touch &touch) {
  return touch.offset + (touch.rows - 1) * std::max<int64_t>(touch.row_stride, 0) + InnerSpan(touch);
}

bool InnerDense(const Touch &touch) {
  std::vector<ByteAxis> axes = touch.inner;
  std::sort(axes.begin(), axes.end(), [](const ByteAxis &a, const ByteAxis &b) { return a.stride < b.stride; });
  int64_t next = touch.element;
  for (const ByteAxis &axis : axes) {
    if (axis.stride != next) return false;
    next *= axis.dim;
  }
  return true;
}

namespace {

std::vector<ByteAxis> AllAxes(const Touch &touch) {
  std::vector<ByteAxis> axes = touch.inner;
  if (touch.rows > 1) axes.push_back({touch.rows, touch.row_stride});
  return axes;
}

// The bytes of `touch` modulo `stride` lie in [first, end), or nothing can be said (end > stride).
struct Columns {
  int64_t first = 0, end = 0;
};
Columns ColumnsOf(const Touch &touch, int64_t stride) {
  Columns columns{touch.offset % stride, touch.offset % stride + touch.element};
  for (const ByteAxis &axis : AllAxes(touch)) {
    if (axis.stride < 0) return {0, stride + 1};
    if (axis.stride % stride != 0) columns.end += (axis.dim - 1) * axis.stride;
  }
  return columns;
}

}  // namespace

bool MayOverlap(const Touch &a, const Touch &b) {
  if (a.tensor == b.tensor) return true;
  if (EndByte(a) <= FirstByte(b) || EndByte(b) <= FirstByte(a)) return false;
  for (const ByteAxis &axis : AllAxes(a)) {
    if (axis.stride <= 0) continue;
    const Columns x = ColumnsOf(a, axis.stride), y = ColumnsOf(b, axis.stride);
    if (x.end > axis.stride || y.end > axis.stride) continue;
    if (x.end <= y.first || y.end <= x.first) return false;
  }
  return true;
}

Slots SlotsOf(const Touch &touch, int32_t steps) {
  if (touch.whole || touch.extent != touch.step || touch.before != 0 || touch.row_stride <= 0) return {};
  Slots slots{touch.step * touch.row_stride, 0, touch.offset, 0};
  int64_t inner = touch.element + (touch.step - 1) * touch.row_stride;
  for (const ByteAxis &axis : touch.inner) {
    if (axis.stride < 0) return {};
    if (axis.stride < slots.stride)
      inner += (axis.dim - 1) * axis.stride;
    else
      slots.period = std::gcd(slots.period, axis.stride);
  }
  slots.end = slots.begin + inner;
  const bool fits = inner <= slots.stride && (slots.period == 0 || slots.period >= steps * slots.stride);
  return fits ? slots : Slots{};
}

bool SameSlots(const Touch &a, const Touch &b, int32_t steps) {
  Slots x = SlotsOf(a, steps), y = SlotsOf(b, steps);
  if (x.stride == 0 || x.stride != y.stride) return false;
  const int64_t period = std::gcd(x.period, y.period);
  if (period != 0) {
    if (period < steps * x.stride) return false;
    for (Slots *s : {&x, &y}) {
      const int64_t shift = s->begin / period * period;
      s->begin -= shift, s->end -= shift;
    }
  }
  return std::max(x.end, y.end) - std::min(x.begin, y.begin) <= x.stride;
}

namespace {

Touch TouchOf(const Graph &graph, TensorId id, const o2m_access &access, int32_t steps, bool write, int32_t operand) {
  const Tensor &tensor = graph.tensors[id];
  const std::vector<int64_t> strides = StridesOf(tensor);
  Touch touch;
  touch.tensor = id, touch.base = BaseOf(graph, id);
  touch.write = write, touch.operand = operand;
  touch.element = DTypeBytes(tensor.dtype);
  touch.offset = tensor.view_offset * touch.element;
  touch.whole = steps == 0 || access.extent == 0;
  for (size_t i = 0; i < tensor.dims.size(); i++) {
    const ByteAxis axis{tensor.dims[i], strides[i] * touch.element};
    if (!touch.whole && access.axis == static_cast<int32_t>(i)) {
      touch.rows = axis.dim, touch.row_stride = axis.stride;
      touch.step = access.step, touch.extent = access.extent, touch.before = access.before;
    } else if (axis.dim > 1) {
      touch.inner.push_back(axis);
    }
  }
  return touch;
}

absl::Status Nonsense(const Graph &graph, const Node &node, const std::string &what) {
  return absl::InvalidArgumentError(absl::StrCat(graph.file, ": node '", node.name, "' (", node.op->id,
                                                 "): its memory contract ", what,
                                                 "; run `onnx2mcu check` on the plugin of this op"));
}

std::string AccessError(const o2m_access &access, const Tensor &tensor, int32_t steps, bool write) {
  if (access.extent < 0 || access.step < 0 || access.before < 0) return "has a negative step, extent or before";
  if (access.layout < O2M_DENSE || access.layout > O2M_ANY_STRIDES) return "has a layout that does not exist";
  if (access.extent == 0 || steps == 0) return "";
  if (access.axis < 0 || access.axis >= static_cast<int32_t>(tensor.dims.size()))
    return absl::StrCat("walks axis ", access.axis, " of a tensor of rank ", tensor.dims.size());
  const int64_t dim = tensor.dims[access.axis];
  const int64_t last = int64_t{steps - 1} * access.step - access.before;
  if (last >= dim) return absl::StrCat("walks past the ", dim, " rows of axis ", access.axis);
  if (!write) return "";
  if (access.extent != access.step || access.before != 0) return "writes rows twice or leaves rows out";
  if (last + access.extent < dim) return absl::StrCat("writes fewer than the ", dim, " rows of axis ", access.axis);
  return "";
}

absl::Status CheckOperand(const Graph &graph, const Node &node, const o2m_memory &memory, bool write, size_t i) {
  const TensorId id = (write ? node.outputs : node.inputs)[i];
  if (id == kNone) return absl::OkStatus();
  const o2m_access &access = (write ? memory.outputs : memory.inputs)[i];
  const std::string error = AccessError(access, graph.tensors[id], memory.steps, write);
  if (error.empty()) return absl::OkStatus();
  return Nonsense(graph, node, absl::StrCat("of ", write ? "output " : "input ", i, " ", error));
}

absl::Status CheckMemory(const Graph &graph, const Node &node, const o2m_memory &memory) {
  if (memory.steps < 0) return Nonsense(graph, node, absl::StrCat("has ", memory.steps, " steps"));
  if (memory.scratch_bytes < 0 || memory.state_bytes < 0) return Nonsense(graph, node, "asks for negative memory");
  if (memory.in_place_inputs >> node.inputs.size()) return Nonsense(graph, node, "overwrites an input it has not got");
  for (size_t i = 0; i < node.inputs.size(); i++) O2M_RETURN_IF_ERROR(CheckOperand(graph, node, memory, false, i));
  for (size_t i = 0; i < node.outputs.size(); i++) O2M_RETURN_IF_ERROR(CheckOperand(graph, node, memory, true, i));
  return absl::OkStatus();
}

bool SameButScratch(const o2m_memory &a, const o2m_memory &b) {
  if (a.steps != b.steps || a.in_place_inputs != b.in_place_inputs || a.state_bytes != b.state_bytes) return false;
  for (int i = 0; i < O2M_MAX_OPERANDS; i++)
    if (!SameAccess(a.inputs[i], b.inputs[i]) || !SameAccess(a.outputs[i], b.outputs[i])) return false;
  return true;
}

}  // namespace

absl::StatusOr<Contract> ContractOf(const Graph &graph, const Node &node, const o2m_target &target) {
  if (node.inputs.size() > O2M_MAX_OPERANDS || node.outputs.size() > O2M_MAX_OPERANDS)
    return Nonsense(graph, node, absl::StrCat("covers ", O2M_MAX_OPERANDS, " operands, the node has more"));
  const o2m_memory memory = MemoryOf(graph, node, target, 1);
  O2M_RETURN_IF_ERROR(CheckMemory(graph, node, memory));
  Contract contract;
  contract.steps = memory.steps, contract.state_bytes = memory.state_bytes;
  contract.scratch[1] = memory.scratch_bytes;
  if (memory.steps > 1) {
    const o2m_memory all = MemoryOf(graph, node, target, memory.steps);
    O2M_RETURN_IF_ERROR(CheckMemory(graph, node, all));
    if (!SameButScratch(memory, all)) return Nonsense(graph, node, "changes with the rows per call");
    contract.scratch[memory.steps] = all.scratch_bytes;
  }
  const auto add = [&](TensorId id, const o2m_access &access, bool write, int32_t i) {
    if (id == kNone || graph.tensors[BaseOf(graph, id)].is_constant) return;
    contract.touches.push_back(TouchOf(graph, id, access, memory.steps, write, i));
    contract.in_place.push_back(!write && memory.steps > 0 && (memory.in_place_inputs >> i & 1));
  };
  for (size_t i = 0; i < node.inputs.size(); i++) add(node.inputs[i], memory.inputs[i], false, static_cast<int32_t>(i));
  for (size_t i = 0; i < node.outputs.size(); i++)
    add(node.outputs[i], memory.outputs[i], true, static_cast<int32_t>(i));
  return contract;
}

namespace {

// What was said of a node that looks like this one.
absl::StatusOr<Contract> KnownContract(Answers &known, const Graph &graph, const Node &node, const o2m_target &target,
                                       std::vector<int32_t> &kinds) {
  O2M_ASSIGN_OR_RETURN(const Answer *answer, AnswerOf(known, graph, node, target));
  Contract contract = answer->contract;
  for (Touch &touch : contract.touches) {
    touch.tensor = (touch.write ? node.outputs : node.inputs)[touch.operand];
    touch.base = BaseOf(graph, touch.tensor);
  }
  kinds.push_back(answer->kind);
  return contract;
}

// Nodes stand in topological order, so the writers of what a node reads are the earlier ones that touch the same bytes.
void FindDependencies(const Graph &graph, Contracts &contracts) {
  struct Write {
    NodeId node;
    const Touch *touch;
  };
  std::vector<std::vector<Write>> writes(graph.tensors.size());
  contracts.reads_from.resize(graph.nodes.size());
  for (size_t node = 0; node < graph.nodes.size(); node++) {
    std::vector<NodeId> &from = contracts.reads_from[node];
    for (const Touch &touch : contracts.nodes[node].touches) {
      if (touch.write) continue;
      for (const Write &write : writes[touch.base])
        if (MayOverlap(*write.touch, touch)) from.push_back(write.node);
    }
    std::sort(from.begin(), from.end());
    from.erase(std::unique(from.begin(), from.end()), from.end());
    for (const Touch &touch : contracts.nodes[node].touches)
      if (touch.write) writes[touch.base].push_back({static_cast<NodeId>(node), &touch});
  }
}

// A base may become a tile if every touch has slots of one stride that start at its first byte and no outer axes: then
// the rows of a step are one piece, and pieces of consecutive steps follow each other.
void FindTiles(const Graph &graph, Contracts &contracts) {
  std::vector<int32_t> steps(graph.tensors.size(), kNone);
  contracts.tile_stride.assign(graph.tensors.size(), kNone);
  for (const Contract &contract : contracts.nodes) {
    for (const Touch &touch : contract.touches) {
      const Slots slots = SlotsOf(touch, contract.steps);
      int64_t &stride = contracts.tile_stride[touch.base];
      const bool fits = slots.stride > 0 && slots.period == 0 && slots.end <= slots.stride;
      const bool same = stride == kNone || (stride == slots.stride && steps[touch.base] == contract.steps);
      stride = fits && same ? slots.stride : 0;
      steps[touch.base] = contract.steps;
    }
  }
  for (int64_t &stride : contracts.tile_stride) stride = std::max<int64_t>(stride, 0);
}

}  // namespace

absl::StatusOr<Contracts> ContractsOf(const Graph &graph, const o2m_target &target, Answers *known) {
  Contracts contracts;
  contracts.nodes.reserve(graph.nodes.size());
  contracts.base_bytes.assign(graph.tensors.size(), 0);
  contracts.homes.resize(graph.tensors.size());
  for (const Node &node : graph.nodes) {
    O2M_ASSIGN_OR_RETURN(Contract contract, known ? KnownContract(*known, graph, node, target, contracts.kinds)
                                                  : ContractOf(graph, node, target));
    for (const Touch &touch : contract.touches) {
      int64_t &bytes = contracts.base_bytes[touch.base];
      if (bytes == 0) bytes = BytesOf(graph.tensors[touch.base]);
      bytes = std::max(bytes, EndByte(touch));
      contracts.homes[touch.base] = HomeOf(graph, touch.base);
    }
    contracts.nodes.push_back(std::move(contract));
  }
  for (TensorId id : graph.outputs)
    if (graph.tensors[id].base != kNone)
      return absl::InternalError(
          absl::StrCat(graph.file, ": output '", graph.tensors[id].name, "' is a view of another tensor"));
  FindDependencies(graph, contracts);
  FindTiles(graph, contracts);
  return contracts;
}

int64_t ScratchOf(const Graph &graph, const o2m_target &target, Contracts &contracts, NodeId node, int32_t rows) {
  std::map<int32_t, int64_t> &known = contracts.nodes[node].scratch;
  const auto it = known.find(rows);
  if (it != known.end()) return it->second;
  const int64_t bytes = MemoryOf(graph, graph.nodes[node], target, rows).scratch_bytes;
  return known[rows] = std::max<int64_t>(bytes, 0);
}

}  // namespace onnx2mcu
