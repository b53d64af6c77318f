// Differences of opset and of taste: axes become attributes, one operator stands for each thing, no-ops go.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "importer/canonicalize.h"

namespace onnx2mcu {
namespace {

constexpr float kLargest = std::numeric_limits<float>::max();

// Operators that are the identity wherever the output has the dims and dtype of the input.
bool IdentityWhenShapesAgree(const Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  for (const char *type :
       {"Identity", "Dropout", "Cast", "CastLike", "Expand", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Tile"})
    if (r.Is(id, type)) return true;
  for (const char *type : {"Concat", "Sum", "Max", "Min", "Mean"})
    if (r.Is(id, type)) return node.inputs.size() == 1;
  if (r.Is(id, "Split")) return node.outputs.size() == 1;
  if (r.Is(id, "Slice")) {
    const Dims steps = node.inputs.size() > 4 ? r.Ints(node.inputs[4]) : Dims{};
    return std::all_of(steps.begin(), steps.end(), [](int64_t step) { return step == 1; });
  }
  if (r.Is(id, "Pad")) {
    const Dims pads = node.inputs.size() > 1 ? r.Ints(node.inputs[1]) : AttrInts(node, "pads");
    return std::all_of(pads.begin(), pads.end(), [](int64_t pad) { return pad == 0; });
  }
  return false;
}

bool DropNoOp(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  if (!IdentityWhenShapesAgree(r, id)) return false;
  const TensorId x = node.inputs[0], y = node.outputs[0];
  for (size_t i = 1; i < node.outputs.size(); i++)  // Dropout's mask
    if (node.outputs[i] != kNone && !r.Unread(node.outputs[i])) return false;
  if (r.DimsOf(x) != r.DimsOf(y) || r.tensor(x).dtype != r.tensor(y).dtype || r.MustStay(y, x)) return false;
  r.Replace(y, x);
  return true;
}

// The guard that transformers puts around a softmax with masks: Where(IsNaN(p), 0, p).
bool DropNanGuard(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  if (!r.Is(id, "Where")) return false;
  const FloatNode *is_nan = r.Producer(node.inputs[0], "IsNaN");
  const TensorId p = node.inputs[2], y = node.outputs[0];
  if (!is_nan || is_nan->inputs[0] != p || !r.Producer(p, "Softmax")) return false;
  if (r.DimsOf(p) != r.DimsOf(y) || r.MustStay(y, p)) return false;
  r.Replace(y, p);
  return true;
}

float Bound(const Rewriter &r, const FloatNode &node, size_t input, const char *attr, float fallback) {
  if (input < node.inputs.size() && node.inputs[input] != kNone)
    return r.Scalar(node.inputs[input]).value_or(std::numeric_limits<float>::quiet_NaN());
  return AttrFloat(node, attr, fallback);
}

// Clip with both bounds as attributes; Clip(0, inf) is Relu.
bool ClipBounds(Rewriter &r, NodeId id) {
  FloatNode &node = r.node(id);
  if (!r.Is(id, "Clip") || !r.IsFloat(node.inputs[0])) return false;
  const float low = std::max(Bound(r, node, 1, "min", -kLargest), -kLargest);
  const float high = std::min(Bound(r, node, 2, "max", kLargest), kLargest);
  if (std::isnan(low) || std::isnan(high)) return false;
  if (low == 0 && high == kLargest) {
    r.Replace(node.outputs[0], r.Emit(id, "Relu", {node.inputs[0]}));
    return true;
  }
  if (node.inputs.size() == 1 && node.attrs.count("min") && node.attrs.count("max")) return false;
  r.Truncate(id, 1);
  node.attrs["min"] = low;
  node.attrs["max"] = high;
  return true;
}

bool IsReduction(const Rewriter &r, NodeId id) {
  for (const char *type : {"ReduceMean", "ReduceMax", "ReduceMin", "ReduceSum", "ReduceProd", "ReduceL1", "ReduceL2",
                           "ReduceLogSum", "ReduceLogSumExp", "ReduceSumSquare"})
    if (r.Is(id, type)) return true;
  return false;
}

// Axes as a sorted attribute of numbers >= 0, keepdims always there.
bool ReductionAxes(Rewriter &r, NodeId id) {
  FloatNode &node = r.node(id);
  if (!IsReduction(r, id) || (node.attrs.count("axes") && node.attrs.count("keepdims") && node.inputs.size() == 1))
    return false;
  const size_t rank = r.DimsOf(node.inputs[0]).size();
  if (node.inputs.size() > 1 && node.inputs[1] != kNone && !r.IsConstant(node.inputs[1])) return false;
  Dims axes = node.inputs.size() > 1 ? r.Ints(node.inputs[1]) : AttrInts(node, "axes");
  for (int64_t &axis : axes) axis = AxisOf(axis, rank);
  if (axes.empty() && AttrInt(node, "noop_with_empty_axes", 0) != 0) return false;
  if (axes.empty()) axes.resize(rank), std::iota(axes.begin(), axes.end(), 0);
  std::sort(axes.begin(), axes.end());
  node.attrs["axes"] = axes;
  node.attrs["keepdims"] = AttrInt(node, "keepdims", 1);
  node.attrs.erase("noop_with_empty_axes");
  r.Truncate(id, 1);
  return true;
}

bool NegativeAxes(Rewriter &r, NodeId id) {
  FloatNode &node = r.node(id);
  if (!IsReduction(r, id)) return false;
  Dims axes = AttrInts(node, "axes");
  const Dims before = axes;
  for (int64_t &axis : axes) axis = AxisOf(axis, r.DimsOf(node.inputs[0]).size());
  std::sort(axes.begin(), axes.end());
  if (axes == before) return false;
  node.attrs["axes"] = axes;
  return true;
}

// A reduction over axes of size 1 moves nothing; AveragePool over the whole image and GlobalAveragePool are ReduceMean.
bool PoolToMean(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  const bool global = r.Is(id, "GlobalAveragePool");
  if (!global && !r.Is(id, "AveragePool")) return false;
  const Dims &dims = r.DimsOf(node.inputs[0]);
  const Dims spatial(dims.begin() + 2, dims.end());
  const Dims pads = AttrInts(node, "pads");
  const bool padded = std::any_of(pads.begin(), pads.end(), [](int64_t pad) { return pad != 0; });
  if (!global && (AttrInts(node, "kernel_shape") != spatial || padded)) return false;
  Dims axes(spatial.size());
  std::iota(axes.begin(), axes.end(), 2);
  r.Replace(node.outputs[0], r.Emit(id, "ReduceMean", {node.inputs[0]}, {{"axes", axes}, {"keepdims", int64_t{1}}}));
  return true;
}

bool TrivialReduction(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  if (!r.Is(id, "ReduceMean") && !r.Is(id, "ReduceMax") && !r.Is(id, "ReduceMin") && !r.Is(id, "ReduceSum"))
    return false;
  const Dims &dims = r.DimsOf(node.inputs[0]);
  for (int64_t axis : AttrInts(node, "axes"))
    if (dims[AxisOf(axis, dims.size())] != 1) return false;
  const TensorId y = r.Reshape(id, node.inputs[0], r.DimsOf(node.outputs[0]));
  if (r.MustStay(node.outputs[0], y)) return false;
  r.Replace(node.outputs[0], y);
  return true;
}

// ReduceSum * 1/n -> ReduceMean
bool SumToMean(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  const FloatNode *sum = r.Is(id, "Mul") ? r.Producer(node.inputs[0], "ReduceSum") : nullptr;
  if (!sum || !sum->attrs.count("axes") || !r.OneReader(node.inputs[0])) return false;
  double count = 1;
  for (int64_t axis : AttrInts(*sum, "axes")) count *= static_cast<double>(r.DimsOf(sum->inputs[0])[axis]);
  if (!r.IsScalar(node.inputs[1], static_cast<float>(1 / count), 1e-7f)) return false;
  r.Replace(node.outputs[0], r.Emit(id, "ReduceMean", {sum->inputs[0]}, sum->attrs));
  return true;
}

// Softmax and LogSoftmax on the last axis, axis -1: another axis is moved there and back. Below opset 13 the axes from
// `axis` on count as one.
bool SoftmaxLast(Rewriter &r, NodeId id) {
  FloatNode &node = r.node(id);
  if (!r.Is(id, "Softmax") && !r.Is(id, "LogSoftmax")) return false;
  const Dims dims = r.DimsOf(node.inputs[0]);
  const int64_t rank = static_cast<int64_t>(dims.size());
  const int64_t axis = AxisOf(AttrInt(node, "axis", node.opset < 13 ? 1 : -1), dims.size());
  if (axis == rank - 1 && AttrInt(node, "axis", 0) == -1 && node.opset >= 13) return false;
  TensorId x = node.inputs[0];
  Dims perm(dims.size()), flat(dims.begin(), dims.begin() + axis);
  std::iota(perm.begin(), perm.end(), 0);
  if (node.opset < 13) {
    flat.push_back(ElementCount(Dims(dims.begin() + axis, dims.end())));
    x = r.Reshape(id, x, flat);
  } else {
    std::swap(perm[axis], perm[rank - 1]);
    x = r.Transpose(id, x, perm);
  }
  const TensorId p = r.Emit(id, node.op_type, {x}, {{"axis", int64_t{-1}}});
  r.Replace(node.outputs[0], node.opset < 13 ? r.Reshape(id, p, dims) : r.Transpose(id, p, perm));
  return true;
}

// HardSwish, LeakyRelu ... keep their defaults; Gelu says which.
bool GeluApproximate(Rewriter &r, NodeId id) {
  FloatNode &node = r.node(id);
  if (!r.Is(id, "Gelu") || node.attrs.count("approximate")) return false;
  node.attrs["approximate"] = std::string("none");
  return true;
}

}  // namespace

std::vector<FloatRewrite> SpellingRewrites() {
  return {{"drop no-op", DropNoOp},
          {"drop NaN guard", DropNanGuard},
          {"clip bounds", ClipBounds},
          {"reduction axes", ReductionAxes},
          {"negative axes", NegativeAxes},
          {"pool to mean", PoolToMean},
          {"trivial reduction", TrivialReduction},
          {"sum to mean", SumToMean},
          {"softmax last", SoftmaxLast},
          {"gelu approximate", GeluApproximate}};
}

}  // namespace onnx2mcu
