#include "importer/rewriter.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "importer/evaluate.h"

namespace onnx2mcu {
namespace {

// Emitted nodes have the meaning of this opset or a later one (Softmax on one axis, axes as inputs).
constexpr int32_t kOldestEmitted = 13;

Value ZerosLike(const Tensor &tensor) {
  Value value;
  value.dtype = tensor.dtype;
  value.dims = tensor.dims;
  const size_t count = static_cast<size_t>(ElementCount(tensor.dims));
  if (value.is_float())
    value.f.assign(count, 0.0f);
  else
    value.i.assign(count, 0);
  return value;
}

// Known without multiplying: a product of zeros is the one inference that costs.
std::optional<Dims> MatMulDims(const Dims &a, const Dims &b) {
  if (a.size() < 2 || b.size() < 2) return std::nullopt;
  const size_t rank = std::max(a.size(), b.size());
  Dims dims(rank, 1);
  for (size_t i = 0; i + 2 < rank; i++) {
    const int64_t x = i + a.size() >= rank ? a[i + a.size() - rank] : 1;
    const int64_t y = i + b.size() >= rank ? b[i + b.size() - rank] : 1;
    dims[i] = std::max(x, y);
  }
  dims[rank - 2] = a[a.size() - 2];
  dims[rank - 1] = b.back();
  return dims;
}

}  // namespace

int64_t AxisOf(int64_t axis, size_t rank) { return axis < 0 ? axis + static_cast<int64_t>(rank) : axis; }

Dims PermutedDims(const Dims &dims, const Dims &perm) {
  Dims out;
  for (int64_t axis : perm) out.push_back(dims[axis]);
  return out;
}

Dims InversePermutation(const Dims &perm) {
  Dims inverse(perm.size());
  for (size_t i = 0; i < perm.size(); i++) inverse[perm[i]] = static_cast<int64_t>(i);
  return inverse;
}

Rewriter::Rewriter(Graph &graph) : graph_(graph), is_output_(graph.tensors.size()) {
  producers_ = Producers(graph);
  readers_ = Consumers(graph);
  for (TensorId id : graph.outputs) is_output_[id] = true;
  nodes_.assign(std::make_move_iterator(graph.float_nodes.begin()), std::make_move_iterator(graph.float_nodes.end()));
  graph.float_nodes.clear();
}

void Rewriter::Commit() {
  for (NodeId id : TopologicalOrder()) graph_.float_nodes.push_back(std::move(nodes_[id]));
  nodes_.clear();
}

std::vector<NodeId> Rewriter::TopologicalOrder() const {
  enum : uint8_t { kNew, kOpen, kDone };
  std::vector<uint8_t> state(nodes_.size(), kNew);
  std::vector<NodeId> order, stack;
  for (size_t root = 0; root < nodes_.size(); root++) {
    if (!alive(static_cast<NodeId>(root)) || state[root] != kNew) continue;
    stack.push_back(static_cast<NodeId>(root));
    while (!stack.empty()) {
      const NodeId id = stack.back();
      if (state[id] == kNew) {
        state[id] = kOpen;
        for (TensorId input : nodes_[id].inputs) {
          const NodeId before = ProducerId(input);
          if (before != kNone && state[before] == kNew) stack.push_back(before);
        }
        continue;
      }
      stack.pop_back();
      if (state[id] == kOpen) order.push_back(id), state[id] = kDone;
    }
  }
  return order;
}

bool Rewriter::Is(NodeId id, const char *op_type, const char *domain) const {
  return id != kNone && nodes_[id].op_type == op_type && nodes_[id].domain == domain;
}

const FloatNode *Rewriter::Producer(TensorId id, const char *op_type) const {
  const NodeId node = ProducerId(id);
  if (node == kNone || nodes_[node].outputs[0] != id) return nullptr;
  return !op_type || Is(node, op_type) ? &nodes_[node] : nullptr;
}

std::vector<float> Rewriter::Floats(TensorId id) const {
  const Tensor &t = graph_.tensors[id];
  return {FloatData(t), FloatData(t) + ElementCount(t.dims)};
}

Dims Rewriter::Ints(TensorId id) const {
  if (!IsConstant(id) || IsFloat(id)) return {};
  return ValueOf(graph_.tensors[id]).i;
}

std::optional<float> Rewriter::Scalar(TensorId id) const {
  if (!IsFloatConstant(id) || ElementCount(DimsOf(id)) != 1) return std::nullopt;
  return FloatData(tensor(id))[0];
}

bool Rewriter::IsScalar(TensorId id, float value, float tolerance) const {
  const std::optional<float> scalar = Scalar(id);
  return scalar && std::abs(*scalar - value) <= tolerance * std::max(1.0f, std::abs(value));
}

Rewriter::Operands Rewriter::Split(const FloatNode &node) const {
  if (node.inputs.size() != 2) return {};
  const TensorId a = node.inputs[0], b = node.inputs[1];
  if (IsFloatConstant(b) && !IsConstant(a)) return {a, b};
  if (IsFloatConstant(a) && !IsConstant(b)) return {b, a};
  return {};
}

TensorId Rewriter::NewTensor(Tensor tensor) {
  graph_.tensors.push_back(std::move(tensor));
  producers_.push_back(kNone);
  readers_.emplace_back();
  is_output_.push_back(false);
  return static_cast<TensorId>(graph_.tensors.size()) - 1;
}

TensorId Rewriter::NewFloats(std::string name, Dims dims, const std::vector<float> &values) {
  Tensor tensor;
  tensor.name = name;
  Value value;
  value.dims = dims;
  value.f = values;
  SetConstant(tensor, value);
  return NewTensor(std::move(tensor));
}

TensorId Rewriter::NewScalar(float value) { return NewFloats("scalar", {}, {value}); }

TensorId Rewriter::NewInts(Dims values) {
  Tensor tensor;
  tensor.name = "ints";
  Value value;
  value.dtype = DType::kS64;
  value.dims = {static_cast<int64_t>(values.size())};
  value.i = values;
  SetConstant(tensor, value);
  return NewTensor(std::move(tensor));
}

void Rewriter::Fail(const absl::Status &status) {
  if (status_.ok()) status_ = absl::InternalError(absl::StrCat(graph_.file, ": ", std::string(status.message())));
}

std::optional<TensorId> Rewriter::Evaluated(const FloatNode &node) {
  std::deque<Value> values;
  std::vector<const Value *> inputs;
  for (TensorId id : node.inputs) {
    if (id != kNone && !IsConstant(id)) return std::nullopt;
    if (id != kNone) values.push_back(ValueOf(tensor(id)));
    inputs.push_back(id == kNone ? nullptr : &values.back());
  }
  const auto results = EvaluateNode(node, inputs);
  if (!results.ok()) return std::nullopt;
  Tensor constant;
  constant.name = tensor(node.inputs[0]).name;
  SetConstant(constant, (*results)[0]);
  return NewTensor(std::move(constant));
}

bool Rewriter::InferInto(const FloatNode &node, Tensor &out) {
  if (node.op_type == "MatMul") {
    const auto dims = MatMulDims(DimsOf(node.inputs[0]), DimsOf(node.inputs[1]));
    if (dims) out.dims = *dims;
    if (dims) return true;
  }
  std::deque<Value> values;
  std::vector<const Value *> inputs;
  for (TensorId id : node.inputs) {
    if (id != kNone) values.push_back(IsConstant(id) ? ValueOf(tensor(id)) : ZerosLike(tensor(id)));
    inputs.push_back(id == kNone ? nullptr : &values.back());
  }
  const auto results = EvaluateNode(node, inputs);
  if (!results.ok()) Fail(results.status());
  if (!results.ok()) return false;
  out.dims = (*results)[0].dims;
  out.dtype = (*results)[0].dtype;
  return true;
}

TensorId Rewriter::Emit(NodeId origin, const std::string &op_type, const std::vector<TensorId> &inputs, Attrs attrs) {
  FloatNode made;
  const size_t dot = op_type.rfind('.');
  made.name = nodes_[origin].name;
  if (dot != std::string::npos) made.domain = op_type.substr(0, dot);
  made.op_type = op_type.substr(dot == std::string::npos ? 0 : dot + 1);
  made.opset = std::max(graph_.opset, kOldestEmitted);
  made.inputs = inputs;
  made.attrs = std::move(attrs);
  made.source = nodes_[origin].source;
  made.outputs = {kNone};
  if (const std::optional<TensorId> constant = Evaluated(made)) return *constant;
  Tensor out;
  const std::vector<TensorId> &named = nodes_[origin].outputs;
  out.name = named.empty() || named[0] == kNone ? made.name : tensor(named[0]).name;
  InferInto(made, out);
  made.outputs = {NewTensor(std::move(out))};
  nodes_.push_back(std::move(made));
  Attach(static_cast<NodeId>(nodes_.size()) - 1);
  return nodes_.back().outputs[0];
}

TensorId Rewriter::Reshape(NodeId origin, TensorId x, Dims dims) {
  return DimsOf(x) == dims ? x : Emit(origin, "Reshape", {x, NewInts(dims)});
}

TensorId Rewriter::Transpose(NodeId origin, TensorId x, Dims perm) {
  return std::is_sorted(perm.begin(), perm.end()) ? x : Emit(origin, "Transpose", {x}, {{"perm", perm}});
}

TensorId Rewriter::SwapLast(NodeId origin, TensorId x) {
  Dims perm(DimsOf(x).size());
  std::iota(perm.begin(), perm.end(), 0);
  std::swap(perm[perm.size() - 1], perm[perm.size() - 2]);
  return Transpose(origin, x, perm);
}

TensorId Rewriter::Slice(NodeId origin, TensorId x, int64_t axis, int64_t start, int64_t end) {
  if (start == 0 && end == DimsOf(x)[axis]) return x;
  return Emit(origin, "Slice", {x, NewInts({start}), NewInts({end}), NewInts({axis}), NewInts({1})});
}

void Rewriter::Attach(NodeId id) {
  for (TensorId input : nodes_[id].inputs)
    if (input != kNone) readers_[input].push_back(id);
  for (TensorId output : nodes_[id].outputs)
    if (output != kNone) producers_[output] = id;
}

void Rewriter::Detach(NodeId id) {
  const std::vector<TensorId> inputs = nodes_[id].inputs;
  for (TensorId output : nodes_[id].outputs)
    if (output != kNone && producers_[output] == id) producers_[output] = kNone;
  nodes_[id].op_type.clear();
  nodes_[id].inputs.clear();
  for (TensorId input : inputs) {
    if (input == kNone) continue;
    auto &readers = readers_[input];
    readers.erase(std::find(readers.begin(), readers.end(), id));
  }
  for (TensorId input : inputs) Release(input);
}

void Rewriter::Release(TensorId id) {
  if (id == kNone || !Unread(id)) return;
  const NodeId node = ProducerId(id);
  if (node == kNone) return;
  for (TensorId output : nodes_[node].outputs)
    if (output != kNone && !Unread(output)) return;
  Detach(node);
}

// A value that cannot take over the name of an output (it has one to keep) gets an Identity that can.
TensorId Rewriter::KeepOutput(TensorId old, TensorId by) {
  FloatNode made;
  made.name = tensor(old).name;
  made.op_type = "Identity";
  made.opset = std::max(graph_.opset, kOldestEmitted);
  made.inputs = {by};
  Tensor out;
  out.name = tensor(old).name;
  out.dims = DimsOf(by);
  out.dtype = tensor(by).dtype;
  made.outputs = {NewTensor(std::move(out))};
  nodes_.push_back(std::move(made));
  Attach(static_cast<NodeId>(nodes_.size()) - 1);
  return nodes_.back().outputs[0];
}

void Rewriter::Replace(TensorId old, TensorId by) {
  if (old == by) return;
  if (DimsOf(old) != DimsOf(by) || tensor(old).dtype != tensor(by).dtype)
    return Fail(absl::InternalError(absl::StrCat("value '", tensor(old).name, "' changes its shape")));
  const std::vector<NodeId> readers = readers_[old];
  for (NodeId reader : readers)
    for (TensorId &input : nodes_[reader].inputs)
      if (input == old) input = by;
  readers_[by].insert(readers_[by].end(), readers.begin(), readers.end());
  readers_[old].clear();
  if (is_output_[old]) {
    if (IsConstant(by) || ProducerId(by) == kNone || is_output_[by]) by = KeepOutput(old, by);
    for (TensorId &output : graph_.outputs)
      if (output == old) output = by;
    is_output_[old] = false;
    is_output_[by] = true;
    std::swap(graph_.tensors[old].name, graph_.tensors[by].name);
  }
  Release(old);
}

void Rewriter::SetInput(NodeId id, size_t position, TensorId value) {
  std::vector<TensorId> inputs = nodes_[id].inputs;
  inputs[position] = value;
  SetInputs(id, inputs);
}

void Rewriter::SetInputs(NodeId id, const std::vector<TensorId> &inputs) {
  const std::vector<TensorId> before = nodes_[id].inputs;
  for (TensorId input : inputs)
    if (input != kNone) readers_[input].push_back(id);
  nodes_[id].inputs = inputs;
  for (TensorId input : before) {
    if (input == kNone) continue;
    auto &readers = readers_[input];
    readers.erase(std::find(readers.begin(), readers.end(), id));
  }
  for (TensorId input : before) Release(input);
}

void Rewriter::Truncate(NodeId id, size_t count) {
  std::vector<TensorId> inputs = nodes_[id].inputs;
  if (inputs.size() > count) inputs.resize(count);
  SetInputs(id, inputs);
}

}  // namespace onnx2mcu
