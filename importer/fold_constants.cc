// importer/fold_constants.cc - evaluates what depends on constants alone, and finds every static shape.
//
// One walk in topological order. A node whose operands are all constants, and every Shape, becomes constants. Any other
// node is evaluated on zeros: that gives its outputs' dims and types with the very code that runs later, so shapes and
// values cannot disagree. Operands that decide a shape must be constants by then.
#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "importer/evaluate.h"
#include "importer/macs.h"
#include "importer/passes.h"

namespace onnx2mcu {
namespace {

absl::Status CheckOperators(const Graph &graph) {
  std::vector<std::string> nodes;
  std::set<std::string> nearest;
  for (const FloatNode &node : graph.float_nodes) {
    if (CanEvaluate(node.domain, node.op_type)) continue;
    const std::string name = QualifiedName(node);
    nodes.push_back(NodeText(node));
    nearest.insert(absl::StrCat(NearestEvaluableOp(name), " for ", name));
  }
  if (nodes.empty()) return absl::OkStatus();
  return absl::UnimplementedError(
      absl::StrCat(graph.file, ": ", absl::StrJoin(nodes, ", "),
                   ": no such operator is supported; the nearest that would work: ", absl::StrJoin(nearest, ", ")));
}

absl::Status CheckInputs(const Graph &graph) {
  for (TensorId input : graph.inputs) {
    const Tensor &tensor = graph.tensors[input];
    if (std::all_of(tensor.dims.begin(), tensor.dims.end(), [](int64_t d) { return d > 0; })) continue;
    return absl::InvalidArgumentError(absl::StrCat(graph.file, ": input '", tensor.name, "': shape [",
                                                   absl::StrJoin(tensor.dims, ","),
                                                   "] is not static and positive; fixed dimensions would work"));
  }
  return absl::OkStatus();
}

// The operands whose values decide the shape of the result, by operator.
const std::map<std::string, std::vector<size_t>> &ShapeOperands() {
  static const std::map<std::string, std::vector<size_t>> operands = {
      {"Reshape", {1}},         {"Expand", {1}},          {"Tile", {1}},
      {"ConstantOfShape", {0}}, {"Range", {0, 1, 2}},     {"Split", {1}},
      {"Squeeze", {1}},         {"Unsqueeze", {1}},       {"Pad", {1, 3}},
      {"OneHot", {1}},          {"NonZero", {0}},         {"Slice", {1, 2, 3, 4}},
      {"Resize", {1, 2, 3}},    {"ReduceSum", {1}},       {"ReduceMean", {1}},
      {"ReduceMax", {1}},       {"ReduceMin", {1}},       {"ReduceL1", {1}},
      {"ReduceL2", {1}},        {"ReduceProd", {1}},      {"CumSum", {1}},
      {"Trilu", {1}},           {"ReduceSumSquare", {1}}, {"ReduceLogSum", {1}},
      {"Dropout", {2}},         {"ReduceLogSumExp", {1}}};
  return operands;
}

absl::Status CheckShapeOperands(const Graph &graph, const FloatNode &node) {
  const auto found = ShapeOperands().find(QualifiedName(node));
  if (found == ShapeOperands().end()) return absl::OkStatus();
  for (size_t position : found->second) {
    if (position >= node.inputs.size() || node.inputs[position] == kNone) continue;
    const Tensor &tensor = graph.tensors[node.inputs[position]];
    if (tensor.is_constant) continue;
    return absl::InvalidArgumentError(
        absl::StrCat(graph.file, ": ", NodeText(node), ": its result depends on the values of '", tensor.name,
                     "', which change with the model's input; a constant there, as an export with static shapes has, "
                     "would work"));
  }
  return absl::OkStatus();
}

Value Zeros(const Tensor &tensor) {
  Value value;
  value.dtype = tensor.dtype;
  value.dims = tensor.dims;
  if (value.is_float()) {
    value.f.resize(ElementCount(tensor.dims));
  } else {
    value.i.resize(ElementCount(tensor.dims));
  }
  return value;
}

// Values of tensors while they are needed: of constants as they are, of all others on zero inputs.
class Folder {
 public:
  explicit Folder(Graph &graph) : graph_(graph), values_(graph.tensors.size()), left_(graph.tensors.size()) {
    for (const FloatNode &node : graph.float_nodes) {
      for (TensorId t : OperandsOf(node)) {
        if (t != kNone) left_[t]++;
      }
    }
    for (TensorId input : graph.inputs) values_[input] = Zeros(graph.tensors[input]);
  }

  absl::Status Run() {
    std::vector<FloatNode> kept;
    for (FloatNode &node : graph_.float_nodes) {
      O2M_ASSIGN_OR_RETURN(const bool folded, Visit(node));
      if (!folded) kept.push_back(std::move(node));
    }
    graph_.float_nodes = std::move(kept);
    return absl::OkStatus();
  }

 private:
  // True where the node's outputs became constants.
  absl::StatusOr<bool> Visit(const FloatNode &node) {
    const std::vector<TensorId> operands = OperandsOf(node);
    const bool reads_shape = QualifiedName(node) == "Shape" || QualifiedName(node) == "Size";
    const bool constant = reads_shape || std::all_of(operands.begin(), operands.end(), [&](TensorId t) {
                            return t == kNone || graph_.tensors[t].is_constant;
                          });
    if (!constant) O2M_RETURN_IF_ERROR(CheckShapeOperands(graph_, node));
    std::vector<const Value *> inputs;
    for (TensorId t : operands) inputs.push_back(t == kNone ? nullptr : &Load(t));
    absl::StatusOr<std::vector<Value>> results = EvaluateNode(node, inputs);
    if (!results.ok()) {
      return absl::Status(results.status().code(), absl::StrCat(graph_.file, ": ", results.status().message()));
    }
    for (size_t o = 0; o < node.outputs.size(); o++) {
      if (node.outputs[o] != kNone) Store(node.outputs[o], std::move((*results)[o]), constant);
    }
    for (TensorId t : operands) {
      if (t != kNone && --left_[t] == 0) values_[t] = Value();
    }
    return constant;
  }

  const Value &Load(TensorId t) {
    Value &value = values_[t];
    if (graph_.tensors[t].is_constant && value.f.empty() && value.i.empty()) value = ValueOf(graph_.tensors[t]);
    return value;
  }

  void Store(TensorId t, Value value, bool constant) {
    Tensor &tensor = graph_.tensors[t];
    if (constant) {
      SetConstant(tensor, value);
      return;
    }
    tensor.dims = value.dims;
    tensor.dtype = value.dtype;
    if (left_[t] > 0) values_[t] = std::move(value);
  }

  Graph &graph_;
  std::vector<Value> values_;
  std::vector<int> left_;  // operands still to be read, by tensor
};

bool AllZero(const std::vector<int64_t> &values) {
  return std::all_of(values.begin(), values.end(), [](int64_t v) { return v == 0; });
}

std::vector<int64_t> IntegersOf(const Graph &graph, const FloatNode &node, size_t operand) {
  if (operand >= node.inputs.size() || node.inputs[operand] == kNone) return {};
  return ValueOf(graph.tensors[node.inputs[operand]]).i;
}

// Slice of every element, in order.
bool SlicesAll(const Graph &graph, const FloatNode &node) {
  const std::vector<int64_t> steps = IntegersOf(graph, node, 4);
  return std::all_of(steps.begin(), steps.end(), [](int64_t step) { return step > 0; });
}

bool IsIdentity(const std::vector<int64_t> &perm) { return !perm.empty() && std::is_sorted(perm.begin(), perm.end()); }

// Operators that hand on the operand unchanged where its shape and type stay the same.
bool PassesOn(const Graph &graph, const FloatNode &node) {
  static const std::set<std::string> always = {"Identity", "Dropout", "Cast",      "CastLike", "Reshape", "Flatten",
                                               "Squeeze",  "Expand",  "Unsqueeze", "Tile",     "Concat",  "Split"};
  static const std::set<std::string> alone = {"Sum", "Mean", "Max", "Min"};
  const std::string op = QualifiedName(node);
  if (always.count(op) > 0) return true;
  if (alone.count(op) > 0) return node.inputs.size() == 1;
  if (op == "Transpose") return IsIdentity(AttrInts(node, "perm"));
  if (op == "Slice") return SlicesAll(graph, node);
  if (op == "Pad") return AllZero(IntegersOf(graph, node, 1));
  return false;
}

// The operand that output 0 equals, or kNone.
TensorId UnchangedOperand(const Graph &graph, const FloatNode &node) {
  if (node.inputs.empty() || !PassesOn(graph, node)) return kNone;
  for (size_t o = 1; o < node.outputs.size(); o++) {
    if (node.outputs[o] != kNone && node.op_type != "Dropout") return kNone;
  }
  const Tensor &y = graph.tensors[node.outputs[0]];
  for (TensorId t : node.inputs) {  // of Concat the one part that is not empty
    if (t == kNone || (node.op_type == "Concat" && ElementCount(graph.tensors[t].dims) == 0)) continue;
    const Tensor &x = graph.tensors[t];
    return x.dims == y.dims && x.dtype == y.dtype ? t : kNone;
  }
  return kNone;
}

// True where a graph output may be read off `source` instead: it then takes the output's name.
bool MayBecomeOutput(const Graph &graph, TensorId source) {
  return !graph.tensors[source].is_constant && !Contains(graph.inputs, source) && !Contains(graph.outputs, source);
}

void RemoveNoOps(Graph &graph) {
  const std::vector<std::vector<NodeId>> consumers = Consumers(graph);
  std::vector<TensorId> stands_for(graph.tensors.size());
  for (size_t t = 0; t < stands_for.size(); t++) stands_for[t] = static_cast<TensorId>(t);
  std::vector<FloatNode> kept;
  for (FloatNode &node : graph.float_nodes) {
    for (TensorId &t : node.inputs) {
      if (t != kNone) t = stands_for[t];
    }
    const TensorId source = UnchangedOperand(graph, node), result = node.outputs.empty() ? kNone : node.outputs[0];
    const bool mask_read = node.outputs.size() > 1 && node.outputs[1] != kNone && !consumers[node.outputs[1]].empty();
    const bool is_output = result != kNone && Contains(graph.outputs, result);
    if (source == kNone || mask_read || (is_output && !MayBecomeOutput(graph, source))) {
      kept.push_back(std::move(node));
      continue;
    }
    stands_for[result] = source;
    if (!is_output) continue;
    std::replace(graph.outputs.begin(), graph.outputs.end(), result, source);
    std::swap(graph.tensors[source].name, graph.tensors[result].name);
  }
  graph.float_nodes = std::move(kept);
}

// Constants that nobody reads any more give back their memory.
void DropUnreadConstants(Graph &graph) {
  std::vector<bool> read(graph.tensors.size());
  for (TensorId t : graph.outputs) read[t] = true;
  for (const FloatNode &node : graph.float_nodes) {
    for (TensorId t : OperandsOf(node)) {
      if (t != kNone) read[t] = true;
    }
  }
  for (size_t t = 0; t < read.size(); t++) {
    if (read[t] || !graph.tensors[t].is_constant) continue;
    graph.tensors[t].is_constant = false;
    graph.tensors[t].data = {};
  }
}

}  // namespace

void RemoveDeadFloatNodes(Graph &graph) {
  std::vector<bool> read(graph.tensors.size());
  for (TensorId t : graph.outputs) read[t] = true;
  std::vector<FloatNode> kept;
  for (size_t n = graph.float_nodes.size(); n-- > 0;) {
    FloatNode &node = graph.float_nodes[n];
    const bool live =
        std::any_of(node.outputs.begin(), node.outputs.end(), [&](TensorId t) { return t != kNone && read[t]; });
    if (!live) continue;
    for (TensorId t : OperandsOf(node)) {
      if (t != kNone) read[t] = true;
    }
    kept.push_back(std::move(node));
  }
  std::reverse(kept.begin(), kept.end());
  graph.float_nodes = std::move(kept);
}

absl::Status FoldConstants(Graph &graph) {
  RemoveDeadFloatNodes(graph);
  O2M_RETURN_IF_ERROR(CheckOperators(graph));
  O2M_RETURN_IF_ERROR(CheckInputs(graph));
  O2M_RETURN_IF_ERROR(Folder(graph).Run());
  RemoveNoOps(graph);
  RemoveDeadFloatNodes(graph);
  DropUnreadConstants(graph);
  graph.macs = CountMacs(graph);
  return absl::OkStatus();
}

}  // namespace onnx2mcu
