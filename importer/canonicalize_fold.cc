// Constant factors and terms go into the weights before or after them. Movement in between is looked through: the
// constant is moved the same way. This is how the scaling of pixels, batch normalisations, layer scales and the
// 1/sqrt(P) of attention disappear.
#include <algorithm>

#include "importer/canonicalize.h"
#include "importer/evaluate.h"

namespace onnx2mcu {
namespace {

bool IsBinary(const Rewriter &r, NodeId id) {
  if (!r.Is(id, "Add") && !r.Is(id, "Mul")) return false;
  const std::vector<TensorId> &inputs = r.node(id).inputs;
  return inputs.size() == 2 && r.IsFloatConstant(inputs[1]) && !r.IsConstant(inputs[0]);
}

// (x W + b) c -> x (W c) + b c, for a factor per column or one for all
bool FactorAfterLinear(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  if (!r.Is(id, "Mul") || !IsBinary(r, id) || !r.OneReader(node.inputs[0])) return false;
  const Linear linear = LinearOf(r, node.inputs[0]);
  const TensorId c = node.inputs[1];
  if (linear.matmul == kNone || r.Rank(c) > 1) return false;
  if (ElementCount(r.DimsOf(c)) != 1 && r.LastDim(c) != r.LastDim(node.inputs[0])) return false;
  const NodeId origin = linear.matmul;
  TensorId y = r.Emit(origin, "MatMul", {linear.x, r.Emit(origin, "Mul", {linear.weight, c})});
  if (linear.bias != kNone) y = r.Emit(linear.add, "Add", {y, r.Emit(linear.add, "Mul", {linear.bias, c})});
  r.Replace(node.outputs[0], y);
  return true;
}

// The constant as one value per channel of [1,C,H,W]; empty if it varies otherwise.
std::vector<float> PerChannel(const Rewriter &r, TensorId c, int64_t channels) {
  const Dims dims = r.DimsOf(c);
  const std::vector<float> values = r.Floats(c);
  if (ElementCount(dims) == 1) return std::vector<float>(channels, values[0]);
  if (dims.size() < 3 || dims[dims.size() - 3] != channels || ElementCount(dims) != channels) return {};
  return values;
}

// conv(x) * c and conv(x) + c with one c per channel
bool ConstantAfterConv(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  if (!IsBinary(r, id) || !r.OneReader(node.inputs[0])) return false;
  const FloatNode *conv = r.Producer(node.inputs[0], "Conv");
  if (!conv || conv->inputs.size() != 3 || r.Rank(conv->inputs[0]) != 4 || !r.IsFloatConstant(conv->inputs[2]))
    return false;
  const int64_t channels = r.DimsOf(conv->inputs[1])[0];
  const std::vector<float> c = PerChannel(r, node.inputs[1], channels);
  if (c.empty()) return false;
  std::vector<TensorId> inputs = conv->inputs;
  if (r.Is(id, "Mul")) inputs[1] = r.Emit(id, "Mul", {inputs[1], r.NewFloats("factor", {channels, 1, 1, 1}, c)});
  inputs[2] = r.Emit(id, node.op_type, {inputs[2], r.NewFloats("term", {channels}, c)});
  r.Replace(node.outputs[0], r.Emit(r.ProducerId(node.inputs[0]), "Conv", inputs, conv->attrs));
  return true;
}

// Add and Mul with a constant above a Reshape that only adds or drops ones: the constant gets them too.
bool SinkOnes(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  if (!IsBinary(r, id) || !r.OneReader(node.inputs[0])) return false;
  const FloatNode *reshape = r.Producer(node.inputs[0], "Reshape");
  if (!reshape) return false;
  const Dims from = r.DimsOf(reshape->inputs[0]), to = r.DimsOf(node.inputs[0]);
  if (r.DimsOf(node.outputs[0]) != to || r.Rank(node.inputs[1]) < 2) return false;
  Dims c = r.DimsOf(node.inputs[1]), moved;
  c.insert(c.begin(), to.size() - c.size(), 1);
  size_t j = 0;
  for (size_t i = 0; i < from.size(); i++) {
    while (j < to.size() && to[j] == 1) j++;
    if (from[i] != 1 && (j == to.size() || to[j] != from[i])) return false;
    moved.push_back(from[i] == 1 ? 1 : c[j++]);
  }
  while (j < to.size() && to[j] == 1) j++;
  if (j < to.size()) return false;
  const TensorId y = r.Emit(id, node.op_type, {reshape->inputs[0], r.Reshape(id, node.inputs[1], moved)});
  r.Replace(node.outputs[0], r.Reshape(id, y, to));
  return true;
}

// (a + b) s -> a s + b s where both are linear layers that take the factor.
bool Distribute(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  if (!r.Is(id, "Mul") || !IsBinary(r, id) || !r.Scalar(node.inputs[1])) return false;
  const FloatNode *sum = r.Producer(node.inputs[0], "Add");
  if (!sum || !r.OneReader(node.inputs[0])) return false;
  for (TensorId part : sum->inputs)
    if (!r.OneReader(part) || LinearOf(r, part).matmul == kNone) return false;
  const TensorId a = r.Emit(id, "Mul", {sum->inputs[0], node.inputs[1]});
  r.Replace(node.outputs[0], r.Emit(id, "Add", {a, r.Emit(id, "Mul", {sum->inputs[1], node.inputs[1]})}));
  return true;
}

// ---- Constants before weights ----

// A reader of a moved value whose weights can take a factor or a term, and the constant as it arrives there: one value
// per row of a MatMul's weight, or per input channel of a convolution.
struct Leaf {
  NodeId node = kNone;
  std::vector<float> values;
};

// One value per index of `axis`, if `value` varies along that axis alone.
std::vector<float> AlongAxis(const Value &value, int64_t axis) {
  const int64_t size = value.dims[axis];
  const int64_t inner = ElementCount(Dims(value.dims.begin() + axis + 1, value.dims.end()));
  std::vector<float> along(size);
  for (int64_t i = 0; i < size; i++) along[i] = value.f[i * inner];
  for (size_t k = 0; k < value.f.size(); k++)
    if (value.f[k] != along[static_cast<int64_t>(k) / inner % size]) return {};
  return along;
}

bool UnpaddedOrFactor(const FloatNode &conv, bool factor) {
  const Dims pads = AttrInts(conv, "pads");
  return factor || std::all_of(pads.begin(), pads.end(), [](int64_t pad) { return pad == 0; });
}

std::optional<Value> Moved(const Rewriter &r, const FloatNode &move, const Value &value) {
  std::vector<Value> operands;
  operands.reserve(move.inputs.size());
  std::vector<const Value *> inputs = {&value};
  for (size_t i = 1; i < move.inputs.size(); i++) {
    if (!r.IsConstant(move.inputs[i])) return std::nullopt;
    operands.push_back(ValueOf(r.tensor(move.inputs[i])));
    inputs.push_back(&operands.back());
  }
  auto moved = EvaluateNode(move, inputs);
  if (!moved.ok()) return std::nullopt;
  return std::move((*moved)[0]);
}

// Follows `id` through movement to every reader; false if one of them cannot take the constant.
bool CollectLeaves(Rewriter &r, TensorId id, const Value &value, bool factor, int depth, std::vector<Leaf> &leaves) {
  if (r.IsOutput(id) || depth == 0) return false;
  for (NodeId reader : r.Readers(id)) {
    const FloatNode &node = r.node(reader);
    if (node.inputs[0] != id || std::count(node.inputs.begin(), node.inputs.end(), id) != 1) return false;
    Leaf leaf{reader, {}};
    if (Moves(node)) {
      const std::optional<Value> moved = Moved(r, node, value);
      if (!moved || !CollectLeaves(r, node.outputs[0], *moved, factor, depth - 1, leaves)) return false;
      continue;
    }
    const bool matmul = node.op_type == "MatMul" && r.IsFloatConstant(node.inputs[1]) && r.Rank(node.inputs[1]) == 2;
    const bool conv = node.op_type == "Conv" && node.inputs.size() == 3 && value.dims.size() == 4 &&
                      r.IsFloatConstant(node.inputs[1]) && node.attrs.count("pads") && UnpaddedOrFactor(node, factor);
    if (matmul && !value.dims.empty()) leaf.values = AlongAxis(value, static_cast<int64_t>(value.dims.size()) - 1);
    if (conv) leaf.values = AlongAxis(value, 1);
    if (leaf.values.empty()) return false;
    leaves.push_back(std::move(leaf));
  }
  return !leaves.empty();
}

void ScaleMatMul(Rewriter &r, const Leaf &leaf) {
  const int64_t k = static_cast<int64_t>(leaf.values.size());
  const TensorId weight = r.node(leaf.node).inputs[1];
  r.SetInput(leaf.node, 1, r.Emit(leaf.node, "Mul", {weight, r.NewFloats("factor", {k, 1}, leaf.values)}));
}

void ShiftMatMul(Rewriter &r, const Leaf &leaf) {
  const FloatNode &node = r.node(leaf.node);
  const int64_t k = static_cast<int64_t>(leaf.values.size()), n = r.LastDim(node.inputs[1]);
  const TensorId row = r.Emit(leaf.node, "MatMul", {r.NewFloats("term", {1, k}, leaf.values), node.inputs[1]});
  const TensorId product = r.Emit(leaf.node, "MatMul", node.inputs);
  r.Replace(node.outputs[0], r.Emit(leaf.node, "Add", {product, r.Reshape(leaf.node, row, {n})}));
}

// Weights [O, C/g, kh, kw]: channel c of group g is the input's channel g * (C/g) + c.
void ChangeConv(Rewriter &r, const Leaf &leaf, bool factor) {
  const FloatNode &node = r.node(leaf.node);
  const Dims dims = r.DimsOf(node.inputs[1]);
  const int64_t per_group = dims[0] / AttrInt(node, "group", 1), area = dims[2] * dims[3];
  std::vector<float> weight = r.Floats(node.inputs[1]), bias = r.Floats(node.inputs[2]);
  for (int64_t o = 0; o < dims[0]; o++) {
    double shift = 0;
    for (int64_t c = 0; c < dims[1]; c++) {
      const float value = leaf.values[o / per_group * dims[1] + c];
      float *w = weight.data() + (o * dims[1] + c) * area;
      for (int64_t i = 0; i < area; i++) {
        shift += static_cast<double>(w[i]) * value;
        if (factor) w[i] *= value;
      }
    }
    if (!factor) bias[o] = static_cast<float>(bias[o] + shift);
  }
  if (factor) r.SetInput(leaf.node, 1, r.NewFloats(r.tensor(node.inputs[1]).name, dims, weight));
  if (!factor) r.SetInput(leaf.node, 2, r.NewFloats(r.tensor(node.inputs[2]).name, {dims[0]}, bias));
}

Value Broadcast(const Rewriter &r, TensorId constant, const Dims &dims) {
  FloatNode expand;
  expand.op_type = "Expand";
  expand.opset = 13;
  expand.outputs = {0};
  Value shape;
  shape.dtype = DType::kS64;
  shape.dims = {static_cast<int64_t>(dims.size())};
  shape.i = dims;
  const Value value = ValueOf(r.tensor(constant));
  auto expanded = EvaluateNode(expand, {&value, &shape});
  return expanded.ok() ? std::move((*expanded)[0]) : Value{};
}

// W (s x) = (W s) x, W (x + c) + b = W x + (W c + b): exact but for rounding, for every reader of the value or for
// none.
bool ConstantBefore(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  if (!IsBinary(r, id) || !r.IsFloat(node.outputs[0])) return false;
  const TensorId x = node.inputs[0], y = node.outputs[0];
  if (r.DimsOf(x) != r.DimsOf(y) || r.Readers(y).empty()) return false;
  const FloatNode *before = r.Producer(x);
  if (before && (before->op_type == "MatMul" || before->op_type == "Conv"))
    return false;  // a bias stays with its layer
  const bool factor = node.op_type == "Mul";
  const Value value = Broadcast(r, node.inputs[1], r.DimsOf(y));
  std::vector<Leaf> leaves;
  if (value.dims != r.DimsOf(y) || !CollectLeaves(r, y, value, factor, 8, leaves)) return false;
  for (const Leaf &leaf : leaves) {
    if (r.node(leaf.node).op_type == "Conv")
      ChangeConv(r, leaf, factor);
    else if (factor)
      ScaleMatMul(r, leaf);
    else
      ShiftMatMul(r, leaf);
  }
  r.Replace(y, x);
  return true;
}

bool IsGiven(const Rewriter &r, TensorId x) {
  const NodeId producer = r.ProducerId(x);
  return producer == kNone ? !r.IsConstant(x) : r.Is(producer, "Camera", "onnx2mcu");
}

// Pixels x f + o, by channel, that no layer took: a convolution of each channel by itself, which reads bytes.
bool NormalisedPixels(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  if (!r.Is(id, "Add") || !IsBinary(r, id) || !r.OneReader(node.inputs[0])) return false;
  const NodeId scale = r.ProducerId(node.inputs[0]);
  if (scale == kNone || !r.Is(scale, "Mul") || !IsBinary(r, scale)) return false;
  const TensorId x = r.node(scale).inputs[0];
  const Dims dims = r.DimsOf(x);
  if (!IsGiven(r, x) || dims.size() != 4 || dims[1] == 1 || r.DimsOf(node.outputs[0]) != dims) return false;
  const int64_t channels = dims[1];
  const std::vector<float> factor = PerChannel(r, r.node(scale).inputs[1], channels);
  const std::vector<float> term = PerChannel(r, node.inputs[1], channels);
  if (factor.empty() || term.empty()) return false;
  const std::vector<TensorId> inputs = {x, r.NewFloats("factor", {channels, 1, 1, 1}, factor),
                                        r.NewFloats("term", {channels}, term)};
  r.Replace(
      node.outputs[0],
      r.Emit(id, "Conv", inputs,
             {{"strides", Dims{1, 1}}, {"pads", Dims{0, 0, 0, 0}}, {"dilations", Dims{1, 1}}, {"group", channels}}));
  return true;
}

}  // namespace

std::vector<FloatRewrite> PixelRewrites() { return {{"normalised pixels", NormalisedPixels}}; }

std::vector<FloatRewrite> FoldRewrites() {
  return {{"factor after linear", FactorAfterLinear},
          {"constant after conv", ConstantAfterConv},
          {"sink ones", SinkOnes},
          {"distribute", Distribute},
          {"constant before", ConstantBefore}};
}

}  // namespace onnx2mcu
