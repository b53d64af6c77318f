// Poolings in one form: two spatial axes, numbers for auto_pad, padding of their own; those of three axes and of norms
// by simpler ones. Convolutions of three axes, and transposed ones, by convolutions of two.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "importer/canonicalize.h"

namespace onnx2mcu {
namespace {

// Everything a pooling says, by spatial axis; pads are begins, then ends.
struct PoolWindow {
  Dims kernel, strides, dilations, pads;
};

PoolWindow PoolWindowOf(const Rewriter &r, const FloatNode &node) {
  const Dims &in = r.DimsOf(node.inputs[0]), &out = r.DimsOf(node.outputs[0]);
  PoolWindow w;
  w.kernel = AttrInts(node, "kernel_shape");
  const size_t n = w.kernel.size();
  w.strides = AttrInts(node, "strides", Dims(n, 1));
  w.dilations = AttrInts(node, "dilations", Dims(n, 1));
  w.pads = AttrInts(node, "pads", Dims(2 * n, 0));
  const std::string mode = AttrString(node, "auto_pad", "NOTSET");
  if (mode == "NOTSET") return w;
  w.pads.assign(2 * n, 0);
  for (size_t i = 0; i < n && mode != "VALID"; i++) {
    const int64_t reach = (w.kernel[i] - 1) * w.dilations[i] + 1;
    const int64_t total = std::max<int64_t>(0, (out[i + 2] - 1) * w.strides[i] + reach - in[i + 2]);
    w.pads[i] = mode == "SAME_LOWER" ? (total + 1) / 2 : total / 2;
    w.pads[i + n] = total - w.pads[i];
  }
  return w;
}

bool IsPool(const Rewriter &r, NodeId id) { return r.Is(id, "MaxPool") || r.Is(id, "AveragePool"); }

bool IsPadded(const PoolWindow &w) {
  return std::any_of(w.pads.begin(), w.pads.end(), [](int64_t pad) { return pad != 0; });
}

Attrs AttrsOf(const FloatNode &node, const PoolWindow &w) {
  Attrs attrs = {{"kernel_shape", w.kernel}, {"strides", w.strides}, {"dilations", w.dilations}, {"pads", w.pads}};
  attrs["ceil_mode"] = AttrInt(node, "ceil_mode", 0);
  if (node.op_type == "AveragePool") attrs["count_include_pad"] = AttrInt(node, "count_include_pad", 0);
  return attrs;
}

// Axes `first` and the one after it of a window.
PoolWindow TwoAxes(const PoolWindow &w, size_t first) {
  const size_t n = w.kernel.size();
  const auto pick = [&](const Dims &values) { return Dims{values[first], values[first + 1]}; };
  PoolWindow two = {pick(w.kernel), pick(w.strides), pick(w.dilations), {}};
  for (size_t at : {first, first + 1, first + n, first + n + 1}) two.pads.push_back(w.pads[at]);
  return two;
}

// One spatial axis becomes two, the first of size 1.
bool PoolOfOneAxis(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  if (!IsPool(r, id) || r.Rank(node.inputs[0]) != 3) return false;
  PoolWindow w = PoolWindowOf(r, node);
  Dims in = r.DimsOf(node.inputs[0]);
  in.insert(in.begin() + 2, 1);
  for (Dims *values : {&w.kernel, &w.strides, &w.dilations}) values->insert(values->begin(), 1);
  w.pads = {0, w.pads[0], 0, w.pads[1]};
  const TensorId y = r.Emit(id, node.op_type, {r.Reshape(id, node.inputs[0], in)}, AttrsOf(node, w));
  r.Replace(node.outputs[0], r.Reshape(id, y, r.DimsOf(node.outputs[0])));
  return true;
}

bool ExplicitPoolPads(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  if (!IsPool(r, id) || !node.attrs.count("auto_pad")) return false;
  const TensorId y = r.Emit(id, node.op_type, node.inputs, AttrsOf(node, PoolWindowOf(r, node)));
  if (r.DimsOf(y) != r.DimsOf(node.outputs[0])) return false;
  r.Replace(node.outputs[0], y);
  return true;
}

// Three spatial axes: the inner two with the outer one among the channels, then the outer one. Averages do not mind
// where each has as many places.
bool PoolOfThreeAxes(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  if (!IsPool(r, id) || r.Rank(node.inputs[0]) != 5) return false;
  const PoolWindow w = PoolWindowOf(r, node);
  const bool even = !IsPadded(w) && AttrInt(node, "ceil_mode", 0) == 0;
  if (node.op_type == "AveragePool" && !even) return false;
  const Dims x = r.DimsOf(node.inputs[0]), y = r.DimsOf(node.outputs[0]);
  const TensorId planes = r.Reshape(id, node.inputs[0], {x[0], x[1] * x[2], x[3], x[4]});
  const TensorId inner = r.Emit(id, node.op_type, {planes}, AttrsOf(node, TwoAxes(w, 1)));
  PoolWindow outer = TwoAxes(w, 0);
  outer.kernel[1] = outer.strides[1] = outer.dilations[1] = 1;
  outer.pads[1] = outer.pads[3] = 0;
  const TensorId columns = r.Reshape(id, inner, {x[0], x[1], x[2], y[3] * y[4]});
  const TensorId all = r.Emit(id, node.op_type, {columns}, AttrsOf(node, outer));
  if (ElementCount(r.DimsOf(all)) != ElementCount(y)) return false;
  r.Replace(node.outputs[0], r.Reshape(id, all, y));
  return true;
}

// Several images: poolings see each channel alone, convolutions run image by image on the same weights.
bool PoolOfImages(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  if (!IsPool(r, id) || r.Rank(node.inputs[0]) != 4 || r.DimsOf(node.inputs[0])[0] == 1) return false;
  const Dims x = r.DimsOf(node.inputs[0]);
  const TensorId y =
      r.Emit(id, node.op_type, {r.Reshape(id, node.inputs[0], {1, x[0] * x[1], x[2], x[3]})}, node.attrs);
  r.Replace(node.outputs[0], r.Reshape(id, y, r.DimsOf(node.outputs[0])));
  return true;
}

bool ConvOfImages(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  if (!r.Is(id, "Conv") || r.Rank(node.inputs[0]) < 3 || r.DimsOf(node.inputs[0])[0] == 1) return false;
  const int64_t images = r.DimsOf(node.inputs[0])[0];
  std::vector<TensorId> outputs, inputs = node.inputs;
  for (int64_t i = 0; i < images; i++) {
    inputs[0] = r.Slice(id, node.inputs[0], 0, i, i + 1);
    outputs.push_back(r.Emit(id, "Conv", inputs, node.attrs));
  }
  r.Replace(node.outputs[0], r.Emit(id, "Concat", outputs, {{"axis", int64_t{0}}}));
  return true;
}

// The largest of everything, and means of powers.
bool OtherPools(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  const bool global = r.Is(id, "GlobalMaxPool");
  if (!global && (!r.Is(id, "LpPool") || node.attrs.count("auto_pad"))) return false;
  const TensorId x = node.inputs[0];
  const int64_t p = AttrInt(node, "p", 2), rank = r.Rank(x);
  Dims axes(rank - 2);
  std::iota(axes.begin(), axes.end(), 2);
  TensorId y = kNone;
  if (global) {
    y = r.Emit(id, "ReduceMax", {x}, {{"axes", axes}, {"keepdims", int64_t{1}}});
  } else {
    const TensorId power = p == 1 ? r.Emit(id, "Abs", {x})
                                  : r.Emit(id, "Pow", {p % 2 ? r.Emit(id, "Abs", {x}) : x, r.NewScalar(float(p))});
    const PoolWindow w = PoolWindowOf(r, node);
    Attrs attrs = AttrsOf(node, w);
    attrs["count_include_pad"] = int64_t{1};
    const TensorId mean = r.Emit(id, "AveragePool", {power}, attrs);
    const TensorId sum = r.Emit(id, "Mul", {mean, r.NewScalar(static_cast<float>(ElementCount(w.kernel)))});
    y = p == 1 ? sum : r.Emit(id, "Pow", {sum, r.NewScalar(1.0f / static_cast<float>(p))});
  }
  r.Replace(node.outputs[0], y);
  return true;
}

bool NeverNegative(const Rewriter &r, TensorId x) {
  const FloatNode *node = r.Producer(x);
  if (!node || !node->domain.empty()) return false;
  if (node->op_type == "Clip") return AttrFloat(*node, "min", -1) >= 0;
  for (const char *type : {"Relu", "Sigmoid", "Softmax", "Abs", "Exp", "HardSigmoid"})
    if (node->op_type == type) return true;
  return false;
}

// Padding before a pooling is its own: zeros that an average counts, and what no maximum can be.
bool PadIntoPool(Rewriter &r, NodeId id) {
  FloatNode &node = r.node(id);
  if (!IsPool(r, id) || r.Rank(node.inputs[0]) != 4 || node.attrs.count("auto_pad")) return false;
  const FloatNode *pad = r.Producer(node.inputs[0], "Pad");
  if (!pad || AttrString(*pad, "mode", "constant") != "constant" || pad->inputs.size() < 2 || pad->inputs.size() > 3)
    return false;
  const float value = pad->inputs.size() < 3 || pad->inputs[2] == kNone
                          ? 0.0f
                          : r.Scalar(pad->inputs[2]).value_or(std::numeric_limits<float>::quiet_NaN());
  const Dims amounts = r.Ints(pad->inputs[1]);
  PoolWindow w = PoolWindowOf(r, node);
  if (amounts.size() != 8 || amounts[0] || amounts[1] || amounts[4] || amounts[5]) return false;
  for (int i : {2, 3, 6, 7})
    if (amounts[i] < 0 || amounts[i] >= w.kernel[i % 2]) return false;
  const bool average = r.Is(id, "AveragePool");
  if (average && (value != 0 || (IsPadded(w) && AttrInt(node, "count_include_pad", 0) == 0))) return false;
  if (!average && !(value <= -1e30f) && !(value == 0 && NeverNegative(r, pad->inputs[0]))) return false;
  for (size_t i = 0; i < 2; i++) w.pads[i] += amounts[2 + i], w.pads[2 + i] += amounts[6 + i];
  Attrs attrs = AttrsOf(node, w);
  if (average) attrs["count_include_pad"] = int64_t{1};
  const TensorId y = r.Emit(id, node.op_type, {pad->inputs[0]}, attrs);
  if (r.DimsOf(y) != r.DimsOf(node.outputs[0])) return false;
  r.Replace(node.outputs[0], y);
  return true;
}

TensorId OptionalBias(Rewriter &r, const FloatNode &node, int64_t channels) {
  if (node.inputs.size() > 2 && node.inputs[2] != kNone) return node.inputs[2];
  return r.NewFloats("no_bias", {channels}, std::vector<float>(channels, 0.0f));
}

// A convolution of three axes, one slice of the output's first axis at a time: the slices of the input that it sees
// are channels of a convolution of two. Those outside see zeros, so their weights go.
bool ConvOfThreeAxes(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  if (!r.Is(id, "Conv") || r.Rank(node.inputs[0]) != 5 || !r.IsFloatConstant(node.inputs[1])) return false;
  if (AttrString(node, "auto_pad", "NOTSET") != "NOTSET") return false;
  const Dims x = r.DimsOf(node.inputs[0]), y = r.DimsOf(node.outputs[0]), w = r.DimsOf(node.inputs[1]);
  const Dims strides = AttrInts(node, "strides", {1, 1, 1}), dilations = AttrInts(node, "dilations", {1, 1, 1});
  const Dims pads = AttrInts(node, "pads", Dims(6, 0));
  const TensorId bias = OptionalBias(r, node, w[0]), weight = node.inputs[1], input = node.inputs[0];
  const Attrs attrs = {{"strides", Dims{strides[1], strides[2]}},
                       {"pads", Dims{pads[1], pads[2], pads[4], pads[5]}},
                       {"dilations", Dims{dilations[1], dilations[2]}},
                       {"group", AttrInt(node, "group", 1)}};
  std::vector<TensorId> slices;
  for (int64_t d = 0; d < y[2]; d++) {
    const int64_t start = d * strides[0] - pads[0], step = dilations[0];
    const int64_t first = start < 0 ? (-start + step - 1) / step : 0;
    const int64_t end = std::min(w[2], (x[2] - start + step - 1) / step), count = end - first;
    if (count < 1) return false;
    const int64_t from = start + first * step;
    const TensorId seen = r.Emit(
        id, "Slice",
        {input, r.NewInts({from}), r.NewInts({from + (count - 1) * step + 1}), r.NewInts({2}), r.NewInts({step})});
    const TensorId kernel = r.Reshape(id, r.Slice(id, weight, 2, first, end), {w[0], w[1] * count, w[3], w[4]});
    const TensorId plane = r.Reshape(id, seen, {x[0], x[1] * count, x[3], x[4]});
    slices.push_back(r.Reshape(id, r.Emit(id, "Conv", {plane, kernel, bias}, attrs), {y[0], y[1], 1, y[3], y[4]}));
  }
  r.Replace(node.outputs[0], slices.size() == 1 ? slices[0] : r.Emit(id, "Concat", slices, {{"axis", int64_t{2}}}));
  return true;
}

}  // namespace

std::vector<FloatRewrite> PoolRewrites() {
  return {{"pool of one axis", PoolOfOneAxis},     {"explicit pool pads", ExplicitPoolPads},
          {"pool of images", PoolOfImages},        {"conv of images", ConvOfImages},
          {"pool of three axes", PoolOfThreeAxes}, {"other pools", OtherPools},
          {"pad into pool", PadIntoPool},          {"conv of three axes", ConvOfThreeAxes}};
}

}  // namespace onnx2mcu
