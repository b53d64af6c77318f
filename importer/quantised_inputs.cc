// Graph inputs that are quantised tensors: real numbers that the model rounds first, which is what a quantised model
// with a float input has. So nothing behind it needs to know of them.
#include <algorithm>
#include <optional>

#include "importer/evaluate.h"
#include "importer/passes.h"

namespace onnx2mcu {
namespace {

// The operands that hold scale and zero point of input `position`; nothing where the node does not read it as a
// quantised tensor.
std::optional<std::pair<size_t, size_t>> ParamsAt(const FloatNode &node, size_t position) {
  const auto is = [&](const char *type) { return node.op_type == type; };
  if (is("DequantizeLinear") && position == 0) return {{1, 2}};
  const bool first = is("QLinearConv") || is("QLinearMatMul") || is("QGemm") || is("QLinearAdd") || is("QLinearMul") ||
                     is("QLinearSigmoid") || is("QLinearLeakyRelu") || is("QLinearSoftmax") ||
                     is("QLinearReduceMean") || is("QLinearAveragePool") || is("QLinearGlobalAveragePool");
  const bool second = is("QLinearMatMul") || is("QLinearAdd") || is("QLinearMul");
  if (first && position == 0) return {{1, 2}};
  if (second && position == 3) return {{4, 5}};
  if (is("QLinearConcat") && position >= 2 && position % 3 == 2) return {{position + 1, position + 2}};
  return std::nullopt;
}

bool IsScalar(const Graph &graph, const FloatNode &node, size_t i) {
  return i < node.inputs.size() && node.inputs[i] != kNone && graph.tensors[node.inputs[i]].is_constant &&
         ElementCount(graph.tensors[node.inputs[i]].dims) == 1;
}

struct Params {
  TensorId scale = kNone, zero = kNone;
};

// Of the first node that reads the tensor, or what it moves to, as a quantised one.
std::optional<Params> ParamsOf(const Graph &graph, TensorId id) {
  static constexpr const char *kMoves[] = {"Reshape", "Transpose", "Slice", "Squeeze", "Unsqueeze",
                                           "Flatten", "Identity",  "Split", "MaxPool", "Gather"};
  for (const FloatNode &node : graph.float_nodes)
    for (size_t i = 0; i < node.inputs.size(); i++) {
      if (node.inputs[i] != id) continue;
      const auto at = ParamsAt(node, i);
      const bool zero_left_out = at && (node.inputs.size() <= at->second || node.inputs[at->second] == kNone);
      if (at && IsScalar(graph, node, at->first) && (zero_left_out || IsScalar(graph, node, at->second)))
        return Params{node.inputs[at->first], zero_left_out ? kNone : node.inputs[at->second]};
      const bool moves = std::any_of(std::begin(kMoves), std::end(kMoves),
                                     [&](const char *type) { return node.domain.empty() && node.op_type == type; });
      for (size_t o = 0; moves && i == 0 && o < node.outputs.size(); o++)
        if (const std::optional<Params> further = ParamsOf(graph, node.outputs[o])) return further;
    }
  return std::nullopt;
}

TensorId AddZero(Graph &graph, DType dtype) {
  Tensor zero;
  zero.name = "zero_point", zero.dtype = dtype, zero.is_constant = true, zero.data.resize(dtype == DType::kS16 ? 2 : 1);
  return AddTensor(graph, zero);
}

}  // namespace

void DequantiseInputs(Graph &graph) {
  graph.quantised_inputs.assign(graph.inputs.size(), {});
  if (graph.integerised) return;
  for (size_t i = 0; i < graph.inputs.size(); i++) {
    const TensorId q = graph.inputs[i];
    const DType dtype = graph.tensors[q].dtype;
    if (dtype != DType::kS8 && dtype != DType::kU8 && dtype != DType::kS16) continue;
    std::optional<Params> params = ParamsOf(graph, q);
    if (params && params->zero == kNone) params->zero = AddZero(graph, dtype);
    if (!params || graph.tensors[params->zero].dtype != dtype) continue;
    Tensor real = graph.tensors[q];
    real.dtype = DType::kF32;
    graph.tensors[q].name += "_quantized";
    graph.inputs[i] = AddTensor(graph, real);
    FloatNode quantize;
    quantize.name = real.name, quantize.op_type = "QuantizeLinear", quantize.opset = graph.opset;
    quantize.inputs = {graph.inputs[i], params->scale, params->zero}, quantize.outputs = {q};
    graph.float_nodes.insert(graph.float_nodes.begin(), quantize);
    graph.quantised_inputs[i] = {FloatData(graph.tensors[params->scale])[0], ValueOf(graph.tensors[params->zero]).i[0]};
  }
}

}  // namespace onnx2mcu
