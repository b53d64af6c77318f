// If nodes whose condition is known once shapes are: exporters write them where a rank or a size decides (Squeeze,
// adaptive pooling). The branch that is taken stands in their place.
#include <algorithm>
#include <map>
#include <set>
#include <vector>

#include "absl/strings/str_cat.h"
#include "importer/onnx_reader.h"
#include "importer/passes.h"
#include "onnx/onnx_pb.h"

namespace onnx2mcu {
namespace {

using onnx::GraphProto;
using onnx::NodeProto;

bool IsIf(const NodeProto &node) {
  return node.op_type() == "If" && node.domain().empty() && node.input_size() == 1 && node.output_size() > 0;
}

using Producers = std::map<std::string, int>;  // value -> node that writes it

// The nodes that a value is computed by.
std::set<int> NodesAbove(const GraphProto &graph, const Producers &producers, const std::string &value) {
  std::vector<std::string> names = {value};
  std::set<int> above;
  for (size_t i = 0; i < names.size(); i++) {
    const auto from = producers.find(names[i]);
    if (from == producers.end() || !above.insert(from->second).second) continue;
    names.insert(names.end(), graph.node(from->second).input().begin(), graph.node(from->second).input().end());
  }
  return above;
}

// What computes the conditions that no other branch decides first, as a model of its own; its outputs are these.
onnx::ModelProto ConditionsOf(const onnx::ModelProto &model) {
  const GraphProto &graph = model.graph();
  Producers producers;
  for (int n = 0; n < graph.node_size(); n++)
    for (const std::string &output : graph.node(n).output()) producers[output] = n;
  std::set<int> needed;
  std::set<std::string> names;
  for (const NodeProto &node : graph.node()) {
    if (!IsIf(node)) continue;
    std::set<int> above = NodesAbove(graph, producers, node.input(0));
    if (above.empty() || std::any_of(above.begin(), above.end(), [&](int n) { return HasGraphs(graph.node(n)); }))
      continue;
    needed.merge(above), names.insert(node.input(0));
  }
  onnx::ModelProto conditions = model;
  conditions.mutable_graph()->clear_node(), conditions.mutable_graph()->clear_output();
  for (const int n : needed) *conditions.mutable_graph()->add_node() = graph.node(n);
  for (const std::string &name : names) conditions.mutable_graph()->add_output()->set_name(name);
  return conditions;
}

using Known = std::map<std::string, bool>;

void AddConstants(const ModelFile &file, const GraphProto &graph, Known &known) {
  for (const onnx::TensorProto &proto : graph.initializer()) {
    if (proto.data_type() != onnx::TensorProto::BOOL) continue;
    const auto tensor = ReadTensor(file, proto.name(), proto);
    if (tensor.ok() && tensor->data.size() == 1) known[proto.name()] = tensor->data[0] != std::byte{0};
  }
}

// By name, the conditions that do not depend on the input's values. What cannot be evaluated is not known.
Known KnownConditions(const ModelFile &file, const onnx::ModelProto &model) {
  Known known;
  AddConstants(file, model.graph(), known);
  onnx::ModelProto conditions = ConditionsOf(model);
  std::vector<std::string> warnings;
  if (conditions.graph().node().empty() || !CheckModel(file, conditions, warnings).ok()) return known;
  absl::StatusOr<Graph> graph = BuildGraph(file, conditions, {});
  if (!graph.ok() || !FoldConstants(*graph).ok()) return known;
  for (const TensorId id : graph->outputs) {
    const Tensor &tensor = graph->tensors[id];
    if (tensor.is_constant && tensor.data.size() == 1) known[tensor.name] = tensor.data[0] != std::byte{0};
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
  const Known known = KnownConditions(file, model);
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
