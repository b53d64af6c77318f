// Operators as simpler ones: normalisations, reductions, sums of several operands, truth values as the numbers 0 and 1.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "importer/canonicalize.h"

namespace onnx2mcu {
namespace {

TensorId Reduce(Rewriter &r, NodeId id, const char *type, TensorId x, const Dims &axes, int64_t keepdims = 1) {
  return r.Emit(id, type, {x}, {{"axes", axes}, {"keepdims", keepdims}});
}

// One value per channel of [1,C,...] as a constant that broadcasts against it.
TensorId ChannelVector(Rewriter &r, NodeId id, TensorId constant, int64_t rank) {
  Dims dims(rank - 1, 1);
  dims[0] = ElementCount(r.DimsOf(constant));
  return r.Reshape(id, constant, dims);
}

// x normalised over the axes from `axis` on.
TensorId Standardized(Rewriter &r, NodeId id, TensorId x, int64_t axis, float epsilon) {
  const Dims &dims = r.DimsOf(x);
  const Dims last(dims.begin() + axis, dims.end());
  const size_t n = static_cast<size_t>(ElementCount(last));
  const TensorId ones = r.NewFloats("ones", last, std::vector<float>(n, 1.0f));
  const TensorId zeros = r.NewFloats("zeros", last, std::vector<float>(n, 0.0f));
  return r.Emit(id, "LayerNormalization", {x, ones, zeros}, {{"axis", axis}, {"epsilon", epsilon}});
}

bool InstanceNorm(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  if (!r.Is(id, "InstanceNormalization") || r.Rank(node.inputs[0]) < 3) return false;
  if (!r.IsFloatConstant(node.inputs[1]) || !r.IsFloatConstant(node.inputs[2])) return false;
  const int64_t rank = r.Rank(node.inputs[0]);
  const TensorId y = Standardized(r, id, node.inputs[0], 2, AttrFloat(node, "epsilon", 1e-5f));
  const TensorId scaled = r.Emit(id, "Mul", {y, ChannelVector(r, id, node.inputs[1], rank)});
  r.Replace(node.outputs[0], r.Emit(id, "Add", {scaled, ChannelVector(r, id, node.inputs[2], rank)}));
  return true;
}

// Below opset 21 scale and bias are per group; whichever is there is repeated until there is one per channel.
TensorId PerChannel(Rewriter &r, NodeId id, TensorId constant, int64_t channels) {
  const int64_t count = ElementCount(r.DimsOf(constant));
  const TensorId column = r.Reshape(id, constant, {count, 1});
  return r.Reshape(id, r.Emit(id, "Expand", {column, r.NewInts({count, channels / count})}), {channels});
}

bool GroupNorm(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  if (!r.Is(id, "GroupNormalization")) return false;
  if (!r.IsFloatConstant(node.inputs[1]) || !r.IsFloatConstant(node.inputs[2])) return false;
  const Dims dims = r.DimsOf(node.inputs[0]);
  const int64_t groups = AttrInt(node, "num_groups", 1), rank = static_cast<int64_t>(dims.size());
  const TensorId x = r.Reshape(id, node.inputs[0], {dims[0], groups, ElementCount(dims) / dims[0] / groups});
  const TensorId y = r.Reshape(id, Standardized(r, id, x, 2, AttrFloat(node, "epsilon", 1e-5f)), dims);
  const TensorId scale = ChannelVector(r, id, PerChannel(r, id, node.inputs[1], dims[1]), rank);
  const TensorId bias = ChannelVector(r, id, PerChannel(r, id, node.inputs[2], dims[1]), rank);
  r.Replace(node.outputs[0], r.Emit(id, "Add", {r.Emit(id, "Mul", {y, scale}), bias}));
  return true;
}

// x / |x| and (x - mean) / deviation, written out; NormRewrites() knows those.
bool OtherNorms(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  const TensorId x = node.inputs.empty() ? kNone : node.inputs[0];
  TensorId d = x, divisor = kNone;
  if (r.Is(id, "LpNormalization")) {
    const Dims axes = {AxisOf(AttrInt(node, "axis", -1), r.DimsOf(x).size())};
    divisor = Reduce(r, id, AttrInt(node, "p", 2) == 1 ? "ReduceL1" : "ReduceL2", x, axes);
  } else if (r.Is(id, "MeanVarianceNormalization")) {
    const Dims axes = AttrInts(node, "axes", {0, 2, 3});
    d = r.Emit(id, "Sub", {x, Reduce(r, id, "ReduceMean", x, axes)});
    const TensorId variance = Reduce(r, id, "ReduceMean", r.Emit(id, "Mul", {d, d}), axes);
    divisor = r.Emit(id, "Sqrt", {r.Emit(id, "Add", {variance, r.NewScalar(1e-9f)})});
  }
  if (divisor == kNone) return false;
  r.Replace(node.outputs[0], r.Emit(id, "Div", {d, divisor}));
  return true;
}

// Sums of powers and exponentials by ReduceSum and functions of one value.
bool OtherReductions(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  if (node.inputs.size() != 1 || !node.attrs.count("axes") || !r.IsFloat(node.inputs[0])) return false;
  const TensorId x = node.inputs[0];
  const Dims axes = AttrInts(node, "axes");
  const int64_t keep = AttrInt(node, "keepdims", 1);
  TensorId y = kNone;
  const auto sum = [&](TensorId of) { return Reduce(r, id, "ReduceSum", of, axes, keep); };
  if (r.Is(id, "ReduceL1")) y = sum(r.Emit(id, "Abs", {x}));
  if (r.Is(id, "ReduceSumSquare")) y = sum(r.Emit(id, "Mul", {x, x}));
  if (r.Is(id, "ReduceL2")) y = r.Emit(id, "Sqrt", {sum(r.Emit(id, "Mul", {x, x}))});
  if (r.Is(id, "ReduceLogSum")) y = r.Emit(id, "Log", {sum(x)});
  if (r.Is(id, "ReduceLogSumExp")) {  // the largest taken out, so that every exponential is at most 1
    const TensorId most = Reduce(r, id, "ReduceMax", x, axes);
    const TensorId rest = r.Emit(id, "Log", {sum(r.Emit(id, "Exp", {r.Emit(id, "Sub", {x, most})}))});
    y = r.Emit(id, "Add", {rest, r.Reshape(id, most, r.DimsOf(rest))});
  }
  if (y == kNone) return false;
  r.Replace(node.outputs[0], y);
  return true;
}

// A product over few values: one factor after the other.
bool ProductOfSlices(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  if (!r.Is(id, "ReduceProd") || node.inputs.size() != 1 || !node.attrs.count("axes")) return false;
  TensorId y = node.inputs[0];
  for (int64_t axis : AttrInts(node, "axes")) {
    const int64_t size = r.DimsOf(y)[axis];
    if (size > 64) return false;
    TensorId product = r.Slice(id, y, axis, 0, 1);
    for (int64_t i = 1; i < size; i++) product = r.Emit(id, "Mul", {product, r.Slice(id, y, axis, i, i + 1)});
    y = product;
  }
  r.Replace(node.outputs[0], r.Reshape(id, y, r.DimsOf(node.outputs[0])));
  return true;
}

// Neighbouring axes that are both reduced, or both not, are one where there would be more than kernels have loops for.
bool MergeAxes(Rewriter &r, NodeId id) {
  constexpr int kMostAxes = 3;  // of either kind
  const FloatNode &node = r.node(id);
  bool reduction = false;
  for (const char *type : {"ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin"})
    reduction = reduction || r.Is(id, type);
  if (!reduction || node.inputs.size() != 1 || !node.attrs.count("axes")) return false;
  const Dims axes = AttrInts(node, "axes"), &dims = r.DimsOf(node.inputs[0]);
  Dims merged, merged_axes;
  int count[2] = {0, 0}, last = -1;
  for (size_t i = 0; i < dims.size(); i++) {
    const int reduced = std::count(axes.begin(), axes.end(), static_cast<int64_t>(i)) > 0 ? 1 : 0;
    if (dims[i] == 1) continue;
    count[reduced]++;
    if (reduced != last) merged.push_back(1);
    if (reduced != last && reduced) merged_axes.push_back(static_cast<int64_t>(merged.size()) - 1);
    merged.back() *= dims[i];
    last = reduced;
  }
  if (std::max(count[0], count[1]) <= kMostAxes || merged_axes.empty() || merged.size() == dims.size()) return false;
  const TensorId y = Reduce(r, id, node.op_type.c_str(), r.Reshape(id, node.inputs[0], merged), merged_axes);
  r.Replace(node.outputs[0], r.Reshape(id, y, r.DimsOf(node.outputs[0])));
  return true;
}

// Max, Min and Mean of several operands.
bool OfTwo(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  const bool mean = r.Is(id, "Mean");
  if (!mean && ((!r.Is(id, "Max") && !r.Is(id, "Min")) || node.inputs.size() < 3)) return false;
  TensorId y = node.inputs[0];
  const std::string type = mean ? "Add" : node.op_type;
  for (size_t i = 1; i < node.inputs.size(); i++) y = r.Emit(id, type, {y, node.inputs[i]});
  if (mean) y = r.Emit(id, "Mul", {y, r.NewScalar(1.0f / static_cast<float>(node.inputs.size()))});
  if (r.MustStay(node.outputs[0], y)) return false;
  r.Replace(node.outputs[0], y);
  return true;
}

// Swish(x, alpha), PRelu with a slope per channel, Pow of two tensors.
bool OtherActivations(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  TensorId y = kNone;
  if (r.Is(id, "Swish")) {
    TensorId inner = node.inputs[0];
    if (const float alpha = AttrFloat(node, "alpha", 1); alpha != 1)
      inner = r.Emit(id, "Mul", {inner, r.NewScalar(alpha)});
    y = r.Emit(id, "Mul", {node.inputs[0], r.Emit(id, "Sigmoid", {inner})});
  } else if (r.Is(id, "PRelu") && !r.Scalar(node.inputs[1])) {
    const TensorId negative =
        r.Emit(id, "Clip", {node.inputs[0]}, {{"min", -std::numeric_limits<float>::max()}, {"max", 0.0f}});
    y = r.Emit(id, "Add", {r.Emit(id, "Relu", {node.inputs[0]}), r.Emit(id, "Mul", {negative, node.inputs[1]})});
  } else if (r.Is(id, "Pow") && !r.Scalar(node.inputs[0]) && !r.Scalar(node.inputs[1]) && r.IsFloat(node.inputs[1])) {
    y = r.Emit(id, "Exp", {r.Emit(id, "Mul", {r.Emit(id, "Log", {node.inputs[0]}), node.inputs[1]})});
  }
  if (y == kNone) return false;
  r.Replace(node.outputs[0], y);
  return true;
}

// An operand of a binary operator that is repeated needs no Expand: the operator repeats it.
bool DropExpand(Rewriter &r, NodeId id) {
  FloatNode &node = r.node(id);
  bool binary = false;
  for (const char *type : {"Add", "Sub", "Mul", "Div", "Max", "Min", "Pow"}) binary = binary || r.Is(id, type);
  if (!binary || node.inputs.size() != 2) return false;
  for (size_t side = 0; side < 2; side++) {
    const FloatNode *expand = r.Producer(node.inputs[side], "Expand");
    const Dims &other = r.DimsOf(node.inputs[1 - side]);
    if (!expand || other != r.DimsOf(node.outputs[0]) || r.Rank(expand->inputs[0]) > r.Rank(node.outputs[0])) continue;
    r.SetInput(id, side, expand->inputs[0]);
    return true;
  }
  return false;
}

// Products of activations: vectors as matrices, and one batch axis where both operands have the same ones.
bool BatchesOfProducts(Rewriter &r, NodeId id) {
  constexpr int64_t kMostRank = 4;
  const FloatNode &node = r.node(id);
  if (!r.Is(id, "MatMul") || r.IsConstant(node.inputs[0]) || r.IsConstant(node.inputs[1])) return false;
  Dims a = r.DimsOf(node.inputs[0]), b = r.DimsOf(node.inputs[1]);
  if (a.size() == 1) a.insert(a.begin(), 1);
  if (b.size() == 1) b.push_back(1);
  const bool same = Dims(a.begin(), a.end() - 2) == Dims(b.begin(), b.end() - 2);
  if (same && static_cast<int64_t>(a.size()) > kMostRank) {
    const int64_t batches = ElementCount(Dims(a.begin(), a.end() - 2));
    a = {batches, a[a.size() - 2], a.back()}, b = {batches, b[b.size() - 2], b.back()};
  }
  if (a == r.DimsOf(node.inputs[0]) && b == r.DimsOf(node.inputs[1])) return false;
  const TensorId y = r.Emit(id, "MatMul", {r.Reshape(id, node.inputs[0], a), r.Reshape(id, node.inputs[1], b)});
  r.Replace(node.outputs[0], r.Reshape(id, y, r.DimsOf(node.outputs[0])));
  return true;
}

// ---- Truth values ----

bool IsBool(const Rewriter &r, TensorId id) { return id != kNone && r.tensor(id).dtype == DType::kBool; }

TensorId AsNumber(Rewriter &r, NodeId id, TensorId truth) { return r.Emit(id, "Cast", {truth}, {{"to", int64_t{1}}}); }

TensorId OneMinus(Rewriter &r, NodeId id, TensorId x) { return r.Emit(id, "Sub", {r.NewScalar(1.0f), x}); }

bool IsComparison(const FloatNode &node) {
  for (const char *type : {"Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Equal"})
    if (node.op_type == type) return node.domain.empty();
  return false;
}

// Cast to float moves towards the comparison that makes the truth value; what combines them becomes arithmetic.
bool CastOfTruth(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  if (!r.Is(id, "Cast") || !IsBool(r, node.inputs[0]) || !r.IsFloat(node.outputs[0])) return false;
  const FloatNode *from = r.Producer(node.inputs[0]);
  if (!from || !from->domain.empty()) return false;
  const std::string &type = from->op_type;
  TensorId y = kNone;
  const auto number = [&](size_t i) { return AsNumber(r, id, from->inputs[i]); };
  if (type == "Not") y = OneMinus(r, id, number(0));
  if (type == "And") y = r.Emit(id, "Mul", {number(0), number(1)});
  if (type == "Or") y = r.Emit(id, "Max", {number(0), number(1)});
  if (type == "Xor") y = r.Emit(id, "Abs", {r.Emit(id, "Sub", {number(0), number(1)})});
  if (y == kNone && Moves(*from)) {
    std::vector<TensorId> inputs = from->inputs;
    inputs[0] = number(0);
    y = r.Emit(id, type, inputs, from->attrs);
  }
  if (y == kNone || r.DimsOf(y) != r.DimsOf(node.outputs[0])) return false;
  r.Replace(node.outputs[0], y);
  return true;
}

// a > b of two tensors is a - b > 0: a function of one value.
bool CompareWithZero(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  if (!IsComparison(node) || !r.IsFloat(node.inputs[0]) || !r.IsFloat(node.inputs[1])) return false;
  const TensorId a = node.inputs[0], b = node.inputs[1];
  if ((r.IsConstant(a) && r.IsConstant(b)) || r.Scalar(b)) return false;
  if (r.Scalar(a)) {  // the constant second
    const std::string &type = node.op_type;
    const bool equal = type.size() > 7 && type.find("OrEqual") != std::string::npos;
    const std::string turned = type == "Equal" ? type : (type[0] == 'G' ? "Less" : "Greater");
    r.Replace(node.outputs[0], r.Emit(id, equal ? turned + "OrEqual" : turned, {b, a}));
    return true;
  }
  r.Replace(node.outputs[0], r.Emit(id, node.op_type, {r.Emit(id, "Sub", {a, b}), r.NewScalar(0.0f)}));
  return true;
}

// What guards against NaN guards nothing here: no integer is one.
bool DropNanChoice(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  if (!r.Is(id, "Where")) return false;
  const FloatNode *is_nan = r.Producer(node.inputs[0], "IsNaN");
  const TensorId p = node.inputs[2], y = node.outputs[0];
  if (!is_nan || is_nan->inputs[0] != p || r.DimsOf(p) != r.DimsOf(y) || r.MustStay(y, p)) return false;
  r.Replace(y, p);
  return true;
}

bool IsFinite(const Rewriter &r, TensorId id) {
  if (!r.IsFloatConstant(id)) return r.IsFloat(id);
  const std::vector<float> values = r.Floats(id);
  return std::all_of(values.begin(), values.end(), [](float v) { return std::abs(v) < 1e30f; });
}

// Where(c, a, b) -> c a + (1 - c) b with c as 0 or 1.
bool ChoiceToSum(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  if (!r.Is(id, "Where") || !IsFinite(r, node.inputs[1]) || !IsFinite(r, node.inputs[2])) return false;
  if (r.IsConstant(node.inputs[0]) && r.IsConstant(node.inputs[1]) && r.IsConstant(node.inputs[2])) return false;
  const TensorId c = AsNumber(r, id, node.inputs[0]);
  TensorId y = kNone;
  for (size_t i = 1; i < 3; i++) {
    if (r.IsScalar(node.inputs[i], 0.0f, 0)) continue;
    const TensorId part = r.Emit(id, "Mul", {i == 1 ? c : OneMinus(r, id, c), node.inputs[i]});
    y = y == kNone ? part : r.Emit(id, "Add", {y, part});
  }
  if (y == kNone || r.DimsOf(y) != r.DimsOf(node.outputs[0])) return false;
  r.Replace(node.outputs[0], y);
  return true;
}

}  // namespace

std::vector<FloatRewrite> DecomposeRewrites() {
  return {{"instance norm", InstanceNorm},
          {"group norm", GroupNorm},
          {"other norms", OtherNorms},
          {"other reductions", OtherReductions},
          {"product of slices", ProductOfSlices},
          {"merge axes", MergeAxes},
          {"of two", OfTwo},
          {"other activations", OtherActivations},
          {"drop expand", DropExpand},
          {"batches of products", BatchesOfProducts},
          {"drop NaN choice", DropNanChoice}};
}

std::vector<FloatRewrite> TruthRewrites() {
  return {{"compare with zero", CompareWithZero}, {"cast of truth", CastOfTruth}, {"choice to sum", ChoiceToSum}};
}

}  // namespace onnx2mcu
