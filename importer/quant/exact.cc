#include "importer/quant/exact.h"

#include <algorithm>
#include <cmath>

namespace onnx2mcu {
namespace {

// The finer of two steps where it divides the other, else 0. Scales are floats: ratios have 22 bits.
double Common(double a, double b) {
  const double fine = std::min(a, b), ratio = fine > 0 ? std::max(a, b) / fine : 0;
  return std::fabs(ratio - std::nearbyint(ratio)) < 1e-6 * ratio ? fine : 0;
}

// Of the result of `node`, whose inputs have these steps.
double StepOf(const Graph &graph, const Node &node, const std::vector<double> &inputs) {
  if (node.float_nodes.size() != 1 || node.outputs.size() != 1) return 0;
  const std::string &type = graph.float_nodes[node.float_nodes[0]].op_type;
  if (inputs.size() == 2 && (type == "Add" || type == "Sub")) return Common(inputs[0], inputs[1]);
  if (inputs.size() != 1 || (type != "ReduceMean" && type != "ReduceSum")) return 0;
  const int64_t values = ElementCount(graph.tensors[node.inputs[0]].dims);
  const int64_t results = ElementCount(graph.tensors[node.outputs[0]].dims);
  return type == "ReduceSum" || results == 0 ? inputs[0] : inputs[0] * static_cast<double>(results) / values;
}

}  // namespace

std::vector<double> ExactSteps(const Graph &graph, const GroupOf &group_of, const GivenGrids &given) {
  std::vector<double> steps(graph.tensors.size());
  std::vector<int> writers(graph.tensors.size());
  for (size_t id = 0; id < given.size(); id++)
    if (given[id]) steps[id] = double{given[id]->scale};
  for (const Node &node : graph.nodes)
    for (TensorId id : node.outputs) writers[group_of(id)]++;
  for (const Node &node : graph.nodes) {
    std::vector<double> inputs;
    for (TensorId id : node.inputs)
      inputs.push_back(id == kNone || graph.tensors[id].is_constant ? 0 : steps[group_of(id)]);
    for (TensorId id : node.outputs)
      if (!given[group_of(id)] && writers[group_of(id)] == 1) steps[group_of(id)] = StepOf(graph, node, inputs);
  }
  return steps;
}

}  // namespace onnx2mcu
