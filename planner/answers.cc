#include "planner/answers.h"

#include <algorithm>
#include <utility>

#include "importer/ir/op_node.h"

namespace onnx2mcu {
namespace {

template <class Value>
void PutAll(std::string &text, const std::vector<Value> &values) {
  PutBytes(text, static_cast<uint32_t>(values.size()));
  if (!values.empty()) text.append(reinterpret_cast<const char *>(values.data()), values.size() * sizeof(Value));
}

void PutQuant(std::string &text, const QuantParams &quant) {
  PutAll(text, quant.scale), PutAll(text, quant.zero_point);
  PutBytes(text, quant.axis);
}

void PutOperand(std::string &text, const Graph &graph, TensorId id) {
  if (id == kNone) return PutBytes(text, kNone);
  const Tensor &tensor = graph.tensors[id];
  const uint8_t flags = static_cast<uint8_t>(tensor.is_constant | graph.tensors[BaseOf(graph, id)].is_constant << 1);
  PutBytes(text, flags, tensor.dtype, tensor.view_offset);
  PutAll(text, tensor.dims), PutAll(text, tensor.strides);
  PutQuant(text, tensor.quant);
}

// All that an op can see of a node but names and data.
void PutFields(std::string &text, const Graph &graph, const Node &node) {
  PutBytes(text, node.op, node.variant, node.inputs.size(), node.epilogue.size(), node.constants.size());
  PutAll(text, node.params);
  for (TensorId id : node.inputs) PutOperand(text, graph, id);
  for (TensorId id : node.outputs) PutOperand(text, graph, id);
  for (const Epilogue &epilogue : node.epilogue) PutQuant(text, epilogue.in);
  for (const Constant &constant : node.constants) PutBytes(text, constant.dtype, constant.count);
}

void PutTouch(std::string &text, const Touch &touch) {
  PutBytes(text, touch.write, touch.whole, touch.operand, touch.offset, touch.element, touch.rows, touch.row_stride,
           touch.step, touch.extent, touch.before, touch.inner.size());
  for (const ByteAxis &axis : touch.inner) PutBytes(text, axis.dim, axis.stride);
}

void PutShapes(std::string &text, const Graph &graph, const std::vector<TensorId> &operands) {
  PutBytes(text, operands.size());
  for (TensorId id : operands) {
    PutBytes(text, id == kNone);
    if (id == kNone) continue;
    PutBytes(text, graph.tensors[id].is_constant, graph.tensors[id].dtype);
    PutAll(text, graph.tensors[id].dims);
  }
}

// All that a planner can learn of a node: its contract, its work, and what a rewrite may make of it.
std::string Contents(const Graph &graph, const Node &node, const Contract &contract, const o2m_target &target) {
  std::string text;
  const Work one = WorkOf(graph, node, target, contract.steps, 1);
  const Work all = WorkOf(graph, node, target, contract.steps, std::max(contract.steps, 1));
  PutBytes(text, node.op, node.variant, contract.steps, contract.state_bytes, one.instructions, one.flash_bytes_read,
           all.instructions, all.flash_bytes_read, all.macs, contract.scratch.size(), node.constants.size());
  for (const auto &[rows, bytes] : contract.scratch) PutBytes(text, rows, bytes);
  for (const Constant &constant : node.constants) PutBytes(text, constant.dtype, constant.count);
  for (const bool in_place : contract.in_place) PutBytes(text, in_place);
  for (const Touch &touch : contract.touches) PutTouch(text, touch);
  PutShapes(text, graph, node.inputs), PutShapes(text, graph, node.outputs);
  PutAll(text, SplitsOf(graph, node));
  return text;
}

// The node and its operands alone, without data.
Graph Alone(const Graph &graph, Node node) {
  Graph alone;
  alone.file = graph.file;
  const auto add = [&](TensorId id) {
    const Tensor &tensor = graph.tensors[id];
    Tensor &copy = alone.tensors.emplace_back();
    copy.name = tensor.name, copy.dtype = tensor.dtype, copy.dims = tensor.dims, copy.quant = tensor.quant;
    copy.is_constant = tensor.is_constant, copy.view_offset = tensor.view_offset, copy.strides = tensor.strides;
    return static_cast<TensorId>(alone.tensors.size()) - 1;
  };
  const auto take = [&](TensorId &id) {
    if (id == kNone) return;
    const TensorId base = graph.tensors[id].base;
    const TensorId copy = add(id), whole = base == kNone ? kNone : add(base);
    alone.tensors[copy].base = whole;
    id = copy;
  };
  for (TensorId &id : node.inputs) take(id);
  for (TensorId &id : node.outputs) take(id);
  for (Constant &constant : node.constants) constant.data.clear();
  alone.nodes.push_back(std::move(node));
  return alone;
}

}  // namespace

absl::StatusOr<const Answer *> AnswerOf(Answers &known, const Graph &graph, const Node &node,
                                        const o2m_target &target) {
  std::string fields;
  fields.reserve(1024);
  PutFields(fields, graph, node);
  const auto found = known.by_fields.find(fields);
  if (found != known.by_fields.end()) return &found->second;
  const Graph alone = Alone(graph, node);
  Answer answer;
  O2M_ASSIGN_OR_RETURN(answer.contract, ContractOf(alone, alone.nodes[0], target));
  for (Touch &touch : answer.contract.touches) touch.tensor = touch.base = kNone;
  const std::string contents = Contents(alone, alone.nodes[0], answer.contract, target);
  answer.kind = known.kinds.try_emplace(contents, static_cast<int32_t>(known.kinds.size())).first->second;
  return &known.by_fields.emplace(std::move(fields), std::move(answer)).first->second;
}

}  // namespace onnx2mcu
