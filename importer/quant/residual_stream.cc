#include "importer/quant/residual_stream.h"

namespace onnx2mcu {
namespace {

// The activations that a node sums; with a constant, one.
std::vector<TensorId> Addends(const Graph &graph, const Node &node) {
  const bool sum = node.inputs.size() == 2 && !node.float_nodes.empty() &&
                   graph.float_nodes[node.float_nodes.back()].op_type == "Add";
  std::vector<TensorId> addends;
  for (TensorId id : node.inputs)
    if (sum && IsActivation(graph, id)) addends.push_back(id);
  return addends;
}

// Groups that only one node reads, and that a function of one value writes: of a byte there are 256 results, which s16
// does not make more.
std::vector<bool> FunctionsOfBytes(const Graph &graph, const GroupOf &group_of) {
  std::vector<bool> functions(graph.tensors.size());
  for (const Node &node : graph.nodes)
    if (ExtensionOf(node.op, "o2m.unary_table/1")) functions[group_of(node.outputs[0])] = true;
  std::vector<int> readers(graph.tensors.size());
  for (const Node &node : graph.nodes)
    for (TensorId id : node.inputs)
      if (IsActivation(graph, id) && readers[BaseOf(graph, id)]++ > 0) functions[group_of(id)] = false;
  return functions;
}

}  // namespace

std::vector<bool> ResidualStream(const Graph &graph, const GroupOf &group_of, std::vector<bool> refused, bool all) {
  std::vector<bool> wide(graph.tensors.size(), all);
  for (TensorId id : graph.inputs) refused[group_of(id)] = true;
  for (TensorId id : graph.outputs) refused[group_of(id)] = true;
  const std::vector<bool> functions = FunctionsOfBytes(graph, group_of);
  for (auto node = graph.nodes.rbegin(); node != graph.nodes.rend(); ++node) {
    const std::vector<TensorId> addends = Addends(graph, *node);
    const int32_t sum = group_of(node->outputs[0]);
    if (addends.size() < 2 && (!wide[sum] || refused[sum])) continue;
    if (!addends.empty()) wide[sum] = true;
    for (TensorId id : addends)
      if (!functions[group_of(id)]) wide[group_of(id)] = true;
  }
  for (size_t id = 0; id < wide.size(); id++) wide[id] = wide[id] && !refused[id];
  return wide;
}

}  // namespace onnx2mcu
