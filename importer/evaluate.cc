// importer/evaluate.cc - the evaluator's table of operators, operand checks, and the walk over the float half.
#include "importer/evaluate.h"

#include <algorithm>
#include <cstring>

#include "importer/coverage.h"
#include "importer/dialect.h"
#include "importer/eval_op.h"
#include "importer/ir/text.h"

namespace onnx2mcu {
namespace {

using OpTable = std::map<std::string, OpEntry>;

OpTable MakeTable() {
  OpTable table;
  for (const auto &family : {ArithmeticOps(), UnaryOps(), MatMulOps(), EinsumOps(), ConvOps(), NormOps(), ReduceOps(),
                             ShapeOps(), MovementOps(), IndexOps(), ResizeOps(), AttentionOps(), QuantOps(),
                             FusedQuantOps(), ContribOps(), IntegerOps(), TransposedOps(), SelectOps(), CameraOps()}) {
    for (const OpEntry &entry : family) table.emplace(entry.name, entry);
  }
  return table;
}

const OpTable &Table() {
  static const OpTable table = MakeTable();
  return table;
}

template <class T>
void Widen(const Tensor &tensor, Value &value) {
  std::vector<T> raw(tensor.data.size() / sizeof(T));
  if (!raw.empty()) std::memcpy(raw.data(), tensor.data.data(), raw.size() * sizeof(T));
  value.i.assign(raw.begin(), raw.end());
}

template <class T>
void Narrow(const Value &value, Tensor &tensor) {
  const std::vector<T> raw(value.i.begin(), value.i.end());
  tensor.data.resize(raw.size() * sizeof(T));
  if (!raw.empty()) std::memcpy(tensor.data.data(), raw.data(), tensor.data.size());
}

absl::Status CheckOperand(char letter, size_t position, const Value &value) {
  if (letter == 'f' && !value.is_float()) {
    return Invalid("operand ", position, " is of integer type; a float tensor would work");
  }
  if (letter == 'i' && value.is_float()) {
    return Invalid("operand ", position, " is of float type; an integer or bool tensor would work");
  }
  return absl::OkStatus();
}

// Checks the operands against a signature; see OpEntry.
absl::Status CheckOperands(const char *signature, const std::vector<const Value *> &inputs) {
  size_t position = 0;
  for (const char *c = signature; *c != '\0'; c++) {
    const bool repeats = c[1] == '+', optional = c[1] == '?';
    const size_t end = repeats ? std::max(inputs.size(), position + 1) : position + 1;
    for (; position < end; position++) {
      if (position < inputs.size() && inputs[position] != nullptr) {
        O2M_RETURN_IF_ERROR(CheckOperand(*c, position, *inputs[position]));
      } else if (!optional) {
        return Invalid("operand ", position, " is missing; ONNX requires it");
      }
    }
    if (repeats || optional) c++;
  }
  for (; position < inputs.size(); position++) {
    if (inputs[position] != nullptr) return Invalid("operand ", position, " is one too many; without it it would work");
  }
  return absl::OkStatus();
}

absl::Status Prefixed(const std::string &where, const absl::Status &status) {
  return absl::Status(status.code(), absl::StrCat(where, ": ", status.message()));
}

absl::Status CheckInput(const Graph &graph, size_t position, const Value &value) {
  const Tensor &tensor = graph.tensors[graph.inputs[position]];
  // A quantised tensor keeps its float meaning here: dtype says what the MCU holds.
  const DType dtype = tensor.quant.scale.empty() ? tensor.dtype : DType::kF32;
  const bool right_count = static_cast<int64_t>(value.is_float() ? value.f.size() : value.i.size()) == Count(value);
  if (value.dims != tensor.dims || value.is_float() != (dtype == DType::kF32) || !right_count) {
    return Invalid(graph.file, ": input '", tensor.name, "': got ", DTypeName(value.dtype), " ", ShapeText(value.dims),
                   "; ", DTypeName(dtype), " ", ShapeText(tensor.dims), " would work");
  }
  return absl::OkStatus();
}

}  // namespace

Value ValueOf(const Tensor &constant) {
  Value value;
  value.dtype = constant.dtype;
  value.dims = constant.dims;
  switch (constant.dtype) {
    case DType::kF32:
      value.f.resize(constant.data.size() / sizeof(float));
      if (!value.f.empty()) std::memcpy(value.f.data(), constant.data.data(), constant.data.size());
      break;
    case DType::kS8:
      Widen<int8_t>(constant, value);
      break;
    case DType::kU8:
    case DType::kBool:
      Widen<uint8_t>(constant, value);
      break;
    case DType::kS16:
      Widen<int16_t>(constant, value);
      break;
    case DType::kS32:
      Widen<int32_t>(constant, value);
      break;
    default:
      Widen<int64_t>(constant, value);
      break;
  }
  return value;
}

void SetConstant(Tensor &tensor, const Value &value) {
  tensor.is_constant = true;
  tensor.dtype = value.dtype;
  tensor.dims = value.dims;
  switch (value.dtype) {
    case DType::kF32:
      tensor.data.resize(value.f.size() * sizeof(float));
      if (!value.f.empty()) std::memcpy(tensor.data.data(), value.f.data(), tensor.data.size());
      break;
    case DType::kS8:
      Narrow<int8_t>(value, tensor);
      break;
    case DType::kU8:
    case DType::kBool:
      Narrow<uint8_t>(value, tensor);
      break;
    case DType::kS16:
      Narrow<int16_t>(value, tensor);
      break;
    case DType::kS32:
      Narrow<int32_t>(value, tensor);
      break;
    default:
      Narrow<int64_t>(value, tensor);
      break;
  }
}

std::vector<TensorId> OperandsOf(const FloatNode &node) {
  std::vector<TensorId> operands = node.inputs;
  for (const auto &[name, tensor] : node.subgraph_constants) operands.push_back(tensor);
  return operands;
}

std::string QualifiedName(const FloatNode &node) {
  return node.domain.empty() || node.domain == "ai.onnx" ? node.op_type : absl::StrCat(node.domain, ".", node.op_type);
}

std::string NodeText(const FloatNode &node) {
  return absl::StrCat("node '", node.name, "' (", QualifiedName(node), ", opset ", node.opset, ")");
}

bool CanEvaluate(const std::string &domain, const std::string &op_type) {
  FloatNode node;
  node.domain = domain;
  node.op_type = op_type;
  return Table().count(QualifiedName(node)) > 0;
}

std::string EvaluableOperands(const std::string &qualified_name) {
  const auto entry = Table().find(qualified_name);
  return entry == Table().end() ? "" : entry->second.operands;
}

std::vector<std::string> EvaluableOps() {
  std::vector<std::string> names;
  for (const auto &[name, entry] : Table())
    if (name.rfind(absl::StrCat(kIntegerDomain, "."), 0) != 0) names.push_back(name);
  return names;
}

std::string NearestEvaluableOp(const std::string &qualified_name) { return Nearest(qualified_name, EvaluableOps()); }

Values EvaluateNode(const FloatNode &node, const std::vector<const Value *> &inputs) {
  const auto found = Table().find(QualifiedName(node));
  if (found == Table().end()) {
    return Unsupported(NodeText(node), ": no such operator is supported; the nearest is ",
                       NearestEvaluableOp(QualifiedName(node)));
  }
  absl::Status status = CheckOperands(found->second.operands, inputs);
  if (!status.ok()) return Prefixed(NodeText(node), status);
  Values values = found->second.run(OpCall{node, inputs});
  if (!values.ok()) return Prefixed(NodeText(node), values.status());
  for (size_t o = values->size(); o < node.outputs.size(); o++) {
    if (node.outputs[o] == kNone) continue;
    return Unsupported(NodeText(node), ": output ", o, " is not computed; the first ", values->size(), " are");
  }
  return values;
}

Evaluator::Evaluator(const Graph &graph)
    : graph_(graph), constants_(graph.tensors.size()), spent_(graph.float_nodes.size()) {
  std::vector<NodeId> last_use(graph.tensors.size(), kNone);
  for (size_t n = 0; n < graph.float_nodes.size(); n++) {
    for (TensorId t : OperandsOf(graph.float_nodes[n])) {
      if (t != kNone) last_use[t] = static_cast<NodeId>(n);
    }
    for (TensorId t : graph.float_nodes[n].outputs) {
      if (t != kNone) last_use[t] = static_cast<NodeId>(n);
    }
  }
  std::vector<bool> is_output(graph.tensors.size());
  for (TensorId t : graph.outputs) is_output[t] = true;
  for (size_t t = 0; t < graph.tensors.size(); t++) {
    if (graph.tensors[t].is_constant) {
      if (last_use[t] != kNone || is_output[t]) constants_[t] = ValueOf(graph.tensors[t]);
    } else if (last_use[t] != kNone && !is_output[t]) {
      spent_[last_use[t]].push_back(static_cast<TensorId>(t));
    }
  }
}

Values Evaluator::Run(const std::vector<Value> &inputs, const Visitor &visit) const {
  if (inputs.size() != graph_.inputs.size()) {
    return Invalid(graph_.file, ": got ", inputs.size(), " inputs; ", graph_.inputs.size(), " would work");
  }
  std::vector<Value> computed(graph_.tensors.size());
  std::vector<const Value *> at(graph_.tensors.size());
  for (size_t t = 0; t < at.size(); t++) at[t] = graph_.tensors[t].is_constant ? &constants_[t] : &computed[t];
  for (size_t p = 0; p < inputs.size(); p++) {
    O2M_RETURN_IF_ERROR(CheckInput(graph_, p, inputs[p]));
    at[graph_.inputs[p]] = &inputs[p];
    if (visit) visit(graph_.inputs[p], inputs[p]);
  }
  for (size_t n = 0; n < graph_.float_nodes.size(); n++) {
    const FloatNode &node = graph_.float_nodes[n];
    std::vector<const Value *> operands;
    for (TensorId t : OperandsOf(node)) operands.push_back(t == kNone ? nullptr : at[t]);
    Values results = EvaluateNode(node, operands);
    if (!results.ok()) return Prefixed(graph_.file, results.status());
    for (size_t o = 0; o < node.outputs.size() && o < results->size(); o++) {
      if (node.outputs[o] == kNone) continue;
      computed[node.outputs[o]] = std::move((*results)[o]);
      if (visit) visit(node.outputs[o], computed[node.outputs[o]]);
    }
    for (TensorId t : spent_[n]) computed[t] = Value();
  }
  std::vector<Value> outputs;
  for (TensorId t : graph_.outputs) outputs.push_back(*at[t]);
  return outputs;
}

Values Evaluate(const Graph &graph, const std::vector<Value> &inputs, const Visitor &visit) {
  return Evaluator(graph).Run(inputs, visit);
}

}  // namespace onnx2mcu
