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
    if (!IsFakeQuantize(node) || GridOf(node) == kCalibratedBytes) continue;
    const TensorId y = node.outputs[0];
    if (held[y] || BaseOf(graph, y) != y) given[group_of(y)] = GridOf(node);
  }
  return given;
}

namespace {

// The constant that a node alone writes; kNone where it has other operands.
TensorId ConstantOf(const Graph &graph, const Node &node) {
  const bool constant = node.inputs.size() == 1 && node.inputs[0] != kNone && graph.tensors[node.inputs[0]].is_constant;
  return constant && graph.tensors[node.inputs[0]].dtype == DType::kF32 ? node.inputs[0] : kNone;
}

// The grid that all of a group's writers copy from, and constants lie on; nothing where one of them computes, or copies
// from another grid.
std::optional<Grid> CopiedGrid(const Graph &graph, const GroupOf &group_of, const std::vector<bool> &copies,
                               const GivenGrids &given, int32_t group) {
  std::optional<Grid> grid;
  std::vector<TensorId> constants;
  for (size_t n = 0; n < graph.nodes.size(); n++) {
    const Node &node = graph.nodes[n];
    const auto writes = [&](TensorId id) { return group_of(id) == group; };
    if (std::none_of(node.outputs.begin(), node.outputs.end(), writes)) continue;
    if (copies[n] && group_of(node.inputs[0]) == group) continue;
    if (ConstantOf(graph, node) != kNone) {
      constants.push_back(node.inputs[0]);
      continue;
    }
    const std::optional<Grid> from = copies[n] ? given[group_of(node.inputs[0])] : std::nullopt;
    if (!from || (grid && !(*grid == *from))) return std::nullopt;
    grid = from;
  }
  const auto lies_on = [&](TensorId id) { return OnGrid(graph.tensors[id], *grid); };
  if (grid && !std::all_of(constants.begin(), constants.end(), lies_on)) return std::nullopt;
  return grid;
}

}  // namespace

void GiveToCopies(const Graph &graph, const GroupOf &group_of, const std::vector<bool> &copies, GivenGrids &given) {
  for (size_t n = 0; n < graph.nodes.size(); n++) {
    if (!copies[n]) continue;
    const int32_t to = group_of(graph.nodes[n].outputs[0]);
    if (!given[to]) given[to] = CopiedGrid(graph, group_of, copies, given, to);
  }
}

bool AnyGiven(const Graph &graph) {
  return std::any_of(graph.float_nodes.begin(), graph.float_nodes.end(), IsFakeQuantize);
}

std::vector<bool> CalibratedBytes(const Graph &graph, const GroupOf &group_of) {
  std::vector<bool> bytes(graph.tensors.size());
  for (const FloatNode &node : graph.float_nodes)
    if (IsFakeQuantize(node) && GridOf(node) == kCalibratedBytes) bytes[group_of(node.outputs[0])] = true;
  return bytes;
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
  if (takes_s16 || DTypeOf(grid) == DType::kS8) return grid;
  const double low = static_cast<double>(grid.low - grid.zero_point) * grid.scale;
  const double high = static_cast<double>(grid.high - grid.zero_point) * grid.scale;
  const double scale = (high - low) / 255;
  return {static_cast<float>(scale), std::lround(-128 - low / scale), -128, 127};
}

QuantParams Centred(const QuantParams &s16) {
  const double zero = s16.zero_point[0], reach = std::max(zero + 32768, 32767 - zero);
  return {{static_cast<float>(reach / 32767 * s16.scale[0])}, {0}, kNone};
}

}  // namespace onnx2mcu
