// If nodes whose condition is known once shapes are: exporters write them where a rank or a size decides (Squeeze,
// adaptive pooling). The branch that is taken stands in their place.
#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "importer/onnx_reader.h"
#include "importer/passes.h"
#include "onnx/onnx_pb.h"

namespace onnx2mcu {
namespace {

using onnx::GraphProto;
using onnx::NodeProto;

bool IsIf(const NodeProto &node) { return node.op_type() == "If" && node.domain().empty() && node.input_size() == 1; }

// Conditions, in the order of their nodes, and what they are computed from; empty where another branch decides first.
struct Conditions {
  std::vector<std::string> names;
  onnx::ModelProto model;
};
Conditions ConditionsOf(const onnx::ModelProto &model) {
  const GraphProto &graph = model.graph();
  std::map<std::string, int> producer;
  for (int n = 0; n < graph.node_size(); n++)
    for (const std::string &output : graph.node(n).output()) producer[output] = n;
  std::set<int> needed;
  Conditions found;
  for (const NodeProto &node : graph.node()) {
    if (!IsIf(node)) continue;
    std::vector<std::string> names = {node.input(0)};
    std::set<int> above;
    for (size_t i = 0; i < names.size(); i++)
      if (const auto from = producer.find(names[i]); from != producer.end() && above.insert(from->second).second)
        names.insert(names.end(), graph.node(from->second).input().begin(), graph.node(from->second).input().end());
    bool decided = true;
    for (const int n : above) decided = decided && !HasGraphs(graph.node(n));
    if (decided) needed.merge(above), found.names.push_back(node.input(0));
  }
  found.model = model;
  GraphProto &part = *found.model.mutable_graph();
  part.clear_node(), part.clear_output();
  for (const int n : needed) *part.add_node() = graph.node(n);
  for (const std::string &name : std::set<std::string>(found.names.begin(), found.names.end()))
    part.add_output()->set_name(name);
  return found;
}

// By name, the conditions that do not depend on the input's values. What cannot be evaluated is not known.
std::map<std::string, bool> KnownConditions(const ModelFile &file, const onnx::ModelProto &model) {
  std::map<std::string, bool> known;
  Conditions conditions = ConditionsOf(model);
  for (const onnx::TensorProto &tensor : model.graph().initializer())
    for (const std::string &name : conditions.names)
      if (tensor.name() == name && tensor.data_type() == onnx::TensorProto::BOOL)
        known[name] = tensor.raw_data().empty() ? tensor.int32_data_size() > 0 && tensor.int32_data(0) != 0
                                                : tensor.raw_data()[0] != 0;
  std::vector<std::string> warnings;
  if (conditions.model.graph().node().empty() || !CheckModel(file, conditions.model, warnings).ok()) return known;
  absl::StatusOr<Graph> graph = BuildGraph(file, conditions.model, {});
  if (!graph.ok() || !FoldConstants(*graph).ok()) return known;
  for (const TensorId id : graph->outputs) {
    const Tensor &tensor = graph->tensors[id];
    if (tensor.is_constant && !tensor.data.empty()) known[tensor.name] = tensor.data[0] != std::byte{0};
  }
  return known;
}

using Renamed = std::map<std::string, std::string>;

void Rename(const Renamed &names, std::string *name) {
  if (const auto it = names.find(*name); it != names.end()) *name = it->second;
}

// Inner graphs see the names of outer ones.
void RenameIn(const Renamed &names, NodeProto &node) {
  for (std::string &input : *node.mutable_input()) Rename(names, &input);
  for (std::string &output : *node.mutable_output()) Rename(names, &output);
  for (onnx::AttributeProto &attribute : *node.mutable_attribute()) {
    if (!attribute.has_g()) continue;
    for (NodeProto &inner : *attribute.mutable_g()->mutable_node()) RenameIn(names, inner);
    for (onnx::ValueInfoProto &output : *attribute.mutable_g()->mutable_output()) Rename(names, output.mutable_name());
  }
}

// What the branch defines is named after the node: two branches of a file may use the same names.
void PutBranch(const NodeProto &node, GraphProto branch, GraphProto &graph) {
  Renamed names;
  const auto define = [&](const std::string &name) { names[name] = absl::StrCat(node.output(0), "/", name); };
  for (const NodeProto &inner : branch.node())
    for (const std::string &output : inner.output())
      if (!output.empty()) define(output);
  for (const onnx::TensorProto &tensor : branch.initializer()) define(tensor.name());
  for (onnx::TensorProto &tensor : *branch.mutable_initializer()) {
    Rename(names, tensor.mutable_name());
    *graph.add_initializer() = tensor;
  }
  for (NodeProto &inner : *branch.mutable_node()) {
    RenameIn(names, inner);
    *graph.add_node() = inner;
  }
  for (int i = 0; i < node.output_size(); i++) {
    std::string from = branch.output(i).name();
    Rename(names, &from);
    NodeProto &identity = *graph.add_node();
    identity.set_op_type("Identity"), identity.set_name(absl::StrCat(node.name(), "/", i));
    identity.add_input(from), identity.add_output(node.output(i));
  }
}

const GraphProto *BranchOf(const NodeProto &node, bool condition) {
  for (const onnx::AttributeProto &attribute : node.attribute())
    if (attribute.name() == (condition ? "then_branch" : "else_branch") &&
        attribute.g().output_size() == node.output_size())
      return &attribute.g();
  return nullptr;
}

}  // namespace

bool HasGraphs(const NodeProto &node) {
  for (const onnx::AttributeProto &attribute : node.attribute())
    if (attribute.has_g() || !attribute.graphs().empty()) return true;
  return false;
}

bool TakeBranches(const ModelFile &file, onnx::ModelProto &model) {
  const std::map<std::string, bool> known = KnownConditions(file, model);
  const google::protobuf::RepeatedPtrField<NodeProto> nodes = model.graph().node();
  GraphProto &graph = *model.mutable_graph();
  bool changed = false;
  graph.clear_node();
  for (const NodeProto &node : nodes) {
    const auto condition = IsIf(node) ? known.find(node.input(0)) : known.end();
    const GraphProto *branch = condition == known.end() ? nullptr : BranchOf(node, condition->second);
    if (branch == nullptr)
      *graph.add_node() = node;
    else
      PutBranch(node, *branch, graph), changed = true;
  }
  return changed;
}

}  // namespace onnx2mcu
