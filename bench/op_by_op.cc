#include "bench/op_by_op.h"

#include <algorithm>

namespace onnx2mcu {
namespace {

// Who writes and reads what, and what costs an interpreter nothing.
struct Walk {
  const Graph &graph;
  std::vector<NodeId> producer;
  std::vector<std::vector<NodeId>> consumers;
  explicit Walk(const Graph &g) : graph(g), producer(Producers(g)), consumers(Consumers(g)) {}
  const FloatNode &node(NodeId id) const { return graph.float_nodes[id]; }
  NodeId count() const { return static_cast<NodeId>(graph.float_nodes.size()); }
  bool IsConstant(TensorId id) const { return id == kNone || graph.tensors[id].is_constant; }
  int64_t Bytes(TensorId id) const {
    const Tensor &tensor = graph.tensors[id];
    return ElementCount(tensor.dims) * (tensor.dtype == DType::kF32 ? 1 : DTypeBytes(tensor.dtype));
  }
};

bool IsReshape(const FloatNode &node) {
  return node.op_type == "Reshape" || node.op_type == "Identity" || node.op_type == "Flatten" ||
         node.op_type == "Squeeze" || node.op_type == "Unsqueeze";
}

bool IsLayer(const Walk &walk, NodeId id) {
  if (id == kNone) return false;
  const FloatNode &node = walk.node(id);
  return (node.op_type == "MatMul" || node.op_type == "Gemm" || node.op_type == "Conv") &&
         walk.IsConstant(node.inputs[1]);
}

// The Add of a constant vector to a layer's result that nobody else reads.
bool IsBias(const Walk &walk, NodeId id) {
  const FloatNode &node = walk.node(id);
  if (node.op_type != "Add" || walk.IsConstant(node.inputs[0]) || !walk.IsConstant(node.inputs[1])) return false;
  const std::vector<int64_t> &dims = walk.graph.tensors[node.inputs[1]].dims;
  const bool vector = !dims.empty() && ElementCount(dims) == dims.back();
  return vector && IsLayer(walk, walk.producer[node.inputs[0]]) && walk.consumers[node.inputs[0]].size() == 1;
}

bool IsFree(const Walk &walk, NodeId id) { return IsReshape(walk.node(id)) || IsBias(walk, id); }

// The tensor whose memory this one is.
TensorId Memory(const Walk &walk, TensorId id) {
  for (NodeId by = walk.producer[id]; by != kNone && IsFree(walk, by); by = walk.producer[id])
    id = walk.node(by).inputs[0];
  return id;
}

int64_t BiasBytes(const Walk &walk, TensorId result) {
  int64_t bytes = 0;
  for (const NodeId reader : walk.consumers[result])
    if (IsBias(walk, reader)) bytes += 4 * ElementCount(walk.graph.tensors[walk.node(reader).inputs[1]].dims);
  return bytes;
}

}  // namespace

std::vector<WholeTensor> WholeTensors(const Graph &graph) {
  const Walk walk(graph);
  std::vector<WholeTensor> tensors(graph.tensors.size());
  for (NodeId id = 0; id < walk.count(); id++) {
    if (IsFree(walk, id)) continue;
    for (const TensorId out : walk.node(id).outputs)
      if (out != kNone) tensors[out] = {walk.Bytes(out), id, id};
    for (const TensorId in : walk.node(id).inputs)
      if (!walk.IsConstant(in)) tensors[Memory(walk, in)].last = id;
  }
  for (const TensorId out : graph.outputs) tensors[Memory(walk, out)].bytes = 0;
  tensors.erase(
      std::remove_if(tensors.begin(), tensors.end(), [](const WholeTensor &tensor) { return tensor.bytes == 0; }),
      tensors.end());
  return tensors;
}

int64_t GreedyBySize(std::vector<WholeTensor> tensors) {
  std::stable_sort(tensors.begin(), tensors.end(),
                   [](const WholeTensor &a, const WholeTensor &b) { return a.bytes > b.bytes; });
  struct Placed {
    int64_t begin = 0, end = 0;
    int32_t first = 0, last = 0;
  };
  std::vector<Placed> placed;  // by begin
  int64_t arena = 0;
  for (const WholeTensor &tensor : tensors) {
    int64_t offset = 0;
    for (const Placed &other : placed) {
      if (other.first > tensor.last || other.last < tensor.first) continue;
      if (other.begin >= offset + tensor.bytes) break;
      offset = std::max(offset, other.end);
    }
    const Placed own{offset, offset + tensor.bytes, tensor.first, tensor.last};
    const auto behind = std::upper_bound(placed.begin(), placed.end(), own,
                                         [](const Placed &a, const Placed &b) { return a.begin < b.begin; });
    placed.insert(behind, own);
    arena = std::max(arena, own.end);
  }
  return arena;
}

int64_t WeightsAndLargerSide(const Graph &graph) {
  const Walk walk(graph);
  int64_t most = 0;
  for (NodeId id = 0; id < walk.count(); id++) {
    if (IsFree(walk, id)) continue;
    int64_t weights = 0, in = 0, out = 0;
    for (const TensorId operand : walk.node(id).inputs)
      if (operand != kNone) (walk.IsConstant(operand) ? weights : in) += walk.Bytes(operand);
    for (const TensorId result : walk.node(id).outputs)
      if (result != kNone) out += walk.Bytes(result), weights += BiasBytes(walk, result);
    most = std::max(most, weights + std::max(in, out));
  }
  return most;
}

}  // namespace onnx2mcu
