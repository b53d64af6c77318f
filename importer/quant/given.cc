#include "importer/quant/given.h"

#include <algorithm>
#include <cmath>

namespace onnx2mcu {
namespace {

// By tensor: an op node or the caller reads or writes it.
std::vector<bool> HeldTensors(const Graph &graph) {
  std::vector<bool> held(graph.tensors.size());
  const auto hold = [&held](const std::vector<TensorId> &ids) {
    for (TensorId id : ids)
      if (id != kNone) held[id] = true;
  };
  hold(graph.inputs), hold(graph.outputs);
  for (const Node &node : graph.nodes) hold(node.inputs), hold(node.outputs);
  return held;
}

int WriterCount(const Graph &graph, const GroupOf &group_of, int32_t group) {
  int count = 0;
  for (const Node &node : graph.nodes)
    for (TensorId id : node.outputs) count += group_of(id) == group;
  return count;
}

}  // namespace

GivenGrids GivenOf(const Graph &graph, const GroupOf &group_of) {
  GivenGrids given(graph.tensors.size());
  const std::vector<bool> held = HeldTensors(graph);
  for (const FloatNode &node : graph.float_nodes) {
    if (!IsFakeQuantize(node)) continue;
    const TensorId y = node.outputs[0];
    if (held[y] || BaseOf(graph, y) != y) given[group_of(y)] = GridOf(node);
  }
  return given;
}

bool AnyGiven(const GivenGrids &given) {
  return std::any_of(given.begin(), given.end(), [](const std::optional<Grid> &grid) { return grid.has_value(); });
}

bool Rounds(const Graph &graph, const Node &node) {
  return !node.float_nodes.empty() && IsFakeQuantize(graph.float_nodes[node.float_nodes.back()]);
}

bool MayShare(const Graph &graph, const GroupOf &group_of, const GivenGrids &given, TensorId from, TensorId to) {
  const std::optional<Grid> &a = given[group_of(from)], &b = given[group_of(to)];
  if (a && b) return *a == *b;
  return !a || WriterCount(graph, group_of, group_of(to)) == 1;
}

Grid HeldAs(const Grid &grid, bool takes_s16) {
  if (DTypeOf(grid) == DType::kS8) return grid;
  const double low = static_cast<double>(grid.low - grid.zero_point) * grid.scale;
  const double high = static_cast<double>(grid.high - grid.zero_point) * grid.scale;
  if (takes_s16) {
    if (grid.zero_point == 0) return grid;
    return {static_cast<float>(std::max(-low, high) / 32767), 0, -32768, 32767};
  }
  const double scale = (high - low) / 255;
  return {static_cast<float>(scale), std::lround(-128 - low / scale), -128, 127};
}

}  // namespace onnx2mcu
