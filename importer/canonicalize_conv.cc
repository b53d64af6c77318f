// Convolutions in one form: two spatial axes, bias always there, strides, pads, dilations and group always written;
// BatchNormalization as a factor and a term per channel, which FoldRewrites() then takes into the weights.
#include <algorithm>
#include <cmath>

#include "importer/canonicalize.h"

namespace onnx2mcu {
namespace {

// SAME_UPPER, SAME_LOWER and VALID as numbers.
Dims ExplicitPads(const FloatNode &node, const Dims &in, const Dims &out, const Dims &kernel, const Dims &strides,
                  const Dims &dilations) {
  const size_t n = kernel.size();
  const std::string mode = AttrString(node, "auto_pad", "NOTSET");
  if (mode == "NOTSET") return AttrInts(node, "pads", Dims(2 * n, 0));
  Dims pads(2 * n, 0);
  for (size_t i = 0; i < n && mode != "VALID"; i++) {
    const int64_t reach = (kernel[i] - 1) * dilations[i] + 1;
    const int64_t total = std::max<int64_t>(0, (out[i + 2] - 1) * strides[i] + reach - in[i + 2]);
    pads[i] = mode == "SAME_LOWER" ? (total + 1) / 2 : total / 2;
    pads[i + n] = total - pads[i];
  }
  return pads;
}

bool IsNormalConv(const FloatNode &node, size_t rank) {
  return rank == 4 && node.inputs.size() == 3 && node.inputs[2] != kNone && node.attrs.count("strides") &&
         node.attrs.count("pads") && node.attrs.count("dilations") && node.attrs.count("group") &&
         !node.attrs.count("auto_pad") && !node.attrs.count("kernel_shape");
}

// One spatial axis becomes two, the first of size 1.
Dims WithOne(Dims values, size_t at, int64_t one) {
  values.insert(values.begin() + at, one);
  return values;
}

bool NormalConv(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  if (!r.Is(id, "Conv") || !r.IsFloatConstant(node.inputs[1])) return false;
  const Dims in = r.DimsOf(node.inputs[0]), w = r.DimsOf(node.inputs[1]), out = r.DimsOf(node.outputs[0]);
  if ((in.size() != 3 && in.size() != 4) || IsNormalConv(node, in.size())) return false;
  const Dims kernel(w.begin() + 2, w.end()), ones(kernel.size(), 1);
  Dims strides = AttrInts(node, "strides", ones), dilations = AttrInts(node, "dilations", ones);
  Dims pads = ExplicitPads(node, in, out, kernel, strides, dilations);
  TensorId x = node.inputs[0], weight = node.inputs[1];
  if (in.size() == 3) {
    strides = WithOne(strides, 0, 1), dilations = WithOne(dilations, 0, 1);
    pads = WithOne(WithOne(pads, 1, 0), 0, 0);
    x = r.Reshape(id, x, WithOne(in, 2, 1)), weight = r.Reshape(id, weight, WithOne(w, 2, 1));
  }
  const bool biased = node.inputs.size() > 2 && node.inputs[2] != kNone;
  const TensorId bias = biased ? node.inputs[2] : r.NewFloats("no_bias", {w[0]}, std::vector<float>(w[0], 0.0f));
  const TensorId y =
      r.Emit(id, "Conv", {x, weight, bias},
             {{"strides", strides}, {"pads", pads}, {"dilations", dilations}, {"group", AttrInt(node, "group", 1)}});
  r.Replace(node.outputs[0], r.Reshape(id, y, out));
  return true;
}

// y = scale (x - mean) / sqrt(var + epsilon) + shift, per channel of axis 1.
bool BatchNormToAffine(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  if (!r.Is(id, "BatchNormalization") || AttrInt(node, "training_mode", 0) != 0) return false;
  for (size_t i = 1; i < 5; i++)
    if (!r.IsFloatConstant(node.inputs[i])) return false;
  const std::vector<float> scale = r.Floats(node.inputs[1]), shift = r.Floats(node.inputs[2]);
  const std::vector<float> mean = r.Floats(node.inputs[3]), var = r.Floats(node.inputs[4]);
  const float epsilon = AttrFloat(node, "epsilon", 1e-5f);
  std::vector<float> factor, term;
  for (size_t c = 0; c < scale.size(); c++) {
    const double f = scale[c] / std::sqrt(static_cast<double>(var[c]) + epsilon);
    factor.push_back(static_cast<float>(f));
    term.push_back(static_cast<float>(shift[c] - mean[c] * f));
  }
  const int64_t rank = r.Rank(node.inputs[0]);
  Dims dims(rank < 2 ? 1 : rank - 1, 1);
  dims[0] = static_cast<int64_t>(scale.size());
  const TensorId scaled = r.Emit(id, "Mul", {node.inputs[0], r.NewFloats("bn_factor", dims, factor)});
  r.Replace(node.outputs[0], r.Emit(id, "Add", {scaled, r.NewFloats("bn_term", dims, term)}));
  return true;
}

// Zero padding before a convolution is the convolution's own.
bool PadIntoConv(Rewriter &r, NodeId id) {
  FloatNode &node = r.node(id);
  if (!r.Is(id, "Conv") || !IsNormalConv(node, r.Rank(node.inputs[0]))) return false;
  const FloatNode *pad = r.Producer(node.inputs[0], "Pad");
  if (!pad || AttrString(*pad, "mode", "constant") != "constant" || pad->inputs.size() < 2 ||
      r.Rank(pad->inputs[0]) != 4)
    return false;
  if (pad->inputs.size() > 2 && pad->inputs[2] != kNone && !r.IsScalar(pad->inputs[2], 0.0f, 0)) return false;
  if (pad->inputs.size() > 3 && pad->inputs[3] != kNone) return false;
  const Dims amounts = r.Ints(pad->inputs[1]);
  if (amounts.size() != 8 || amounts[0] || amounts[1] || amounts[4] || amounts[5]) return false;
  if (std::any_of(amounts.begin(), amounts.end(), [](int64_t a) { return a < 0; })) return false;
  Dims pads = AttrInts(node, "pads");
  for (size_t i = 0; i < 2; i++) pads[i] += amounts[2 + i], pads[2 + i] += amounts[6 + i];
  node.attrs["pads"] = pads;
  r.SetInput(id, 0, pad->inputs[0]);
  return true;
}

bool IsPointwise(const Rewriter &r, const FloatNode &node) {
  const Dims w = r.DimsOf(node.inputs[1]);
  const Dims pads = AttrInts(node, "pads"), strides = AttrInts(node, "strides");
  return w[2] == 1 && w[3] == 1 && AttrInt(node, "group", 1) == 1 && std::count(pads.begin(), pads.end(), 0) == 4 &&
         std::count(strides.begin(), strides.end(), 1) == 2;
}

// The weights and biases of two convolutions in a row, of which the first is 1x1, as one.
struct ConvWeights {
  Dims dims;
  std::vector<float> weight, bias;
};
ConvWeights Composed(const ConvWeights &first, const ConvWeights &second) {
  const int64_t in = first.dims[1], middle = second.dims[1], area = second.dims[2] * second.dims[3];
  std::vector<double> weight(second.dims[0] * in * area), bias(second.bias.begin(), second.bias.end());
  for (int64_t o = 0; o < second.dims[0]; o++)
    for (int64_t c = 0; c < middle; c++)
      for (int64_t k = 0; k < area; k++) {
        const double w = second.weight[(o * middle + c) * area + k];
        bias[o] += w * first.bias[c];
        for (int64_t i = 0; i < in; i++) weight[(o * in + i) * area + k] += w * first.weight[c * in + i];
      }
  return {
      {second.dims[0], in, second.dims[2], second.dims[3]}, {weight.begin(), weight.end()}, {bias.begin(), bias.end()}};
}

// The constants of a convolution in normal form; nothing where they are computed.
std::optional<ConvWeights> WeightsOf(const Rewriter &r, NodeId id) {
  if (id == kNone || !r.Is(id, "Conv") || !IsNormalConv(r.node(id), r.Rank(r.node(id).inputs[0]))) return std::nullopt;
  const std::vector<TensorId> &inputs = r.node(id).inputs;
  if (!r.IsFloatConstant(inputs[1]) || !r.IsFloatConstant(inputs[2])) return std::nullopt;
  return ConvWeights{r.DimsOf(inputs[1]), r.Floats(inputs[1]), r.Floats(inputs[2])};
}

// W2 (W1 x + b1) + b2 = (W2 W1) x + (W2 b1 + b2) where W1 is 1x1: how the order of colours, and grey in place of
// colours, reach the first layer. Padding stands for zeros before W2, so b1 must then be zero. Not where weights would
// grow.
bool PointwiseIntoConv(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  if (!r.Is(id, "Conv") || AttrInt(node, "group", 1) != 1 || !r.OneReader(node.inputs[0])) return false;
  const NodeId before = r.ProducerId(node.inputs[0]);
  const std::optional<ConvWeights> first = WeightsOf(r, before), second = WeightsOf(r, id);
  if (!first || !second || !IsPointwise(r, r.node(before)) || first->dims[1] > first->dims[0]) return false;
  const Dims pads = AttrInts(node, "pads");
  const bool shifted = std::any_of(first->bias.begin(), first->bias.end(), [](float b) { return b != 0; });
  if (shifted && std::count(pads.begin(), pads.end(), 0) != 4) return false;
  const ConvWeights both = Composed(*first, *second);
  r.SetInputs(id, {r.node(before).inputs[0], r.NewFloats(r.tensor(node.inputs[1]).name, both.dims, both.weight),
                   r.NewFloats(r.tensor(node.inputs[2]).name, {both.dims[0]}, both.bias)});
  return true;
}

// A 1x1 convolution of tokens that were transposed into an image is a linear layer: Conv(x^T) = (x W + b)^T.
bool PointwiseOfTokens(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  if (!r.Is(id, "Conv") || !IsNormalConv(node, r.Rank(node.inputs[0])) || !IsPointwise(r, node)) return false;
  const FloatNode *move = r.Producer(node.inputs[0]);
  if (move && move->op_type == "Reshape") move = r.Producer(move->inputs[0]);
  const Dims in = r.DimsOf(node.inputs[0]), w = r.DimsOf(node.inputs[1]), out = r.DimsOf(node.outputs[0]);
  if (!move || move->op_type != "Transpose" || in[0] != 1) return false;
  const TensorId rows = r.Transpose(id, r.Reshape(id, node.inputs[0], {in[1], in[2] * in[3]}), {1, 0});
  const TensorId weight = r.SwapLast(id, r.Reshape(id, node.inputs[1], {w[0], w[1]}));
  const TensorId y = r.Emit(id, "Add", {r.Emit(id, "MatMul", {rows, weight}), node.inputs[2]});
  r.Replace(node.outputs[0], r.Reshape(id, r.Transpose(id, y, {1, 0}), out));
  return true;
}

}  // namespace

std::vector<FloatRewrite> ConvRewrites() {
  return {{"normal conv", NormalConv},
          {"batch norm to affine", BatchNormToAffine},
          {"pad into conv", PadIntoConv},
          {"pointwise into conv", PointwiseIntoConv},
          {"pointwise of tokens", PointwiseOfTokens}};
}

}  // namespace onnx2mcu
