// LayerNormalization(x, gamma, beta) and RMSNormalization(x, gamma) over the last axis for every spelling: built in,
// written out with Pow or Mul, epsilon inside or outside the root, gamma before or after the division.
#include <algorithm>
#include <cmath>
#include <limits>

#include "importer/canonicalize.h"

namespace onnx2mcu {
namespace {

// More than o2m.layer_norm takes in a row; such a normalisation stays written out.
constexpr int64_t kMostFeatures = 4096;

// The axes of a reduction that keeps them; none if it does not.
Dims KeptAxes(const Rewriter &r, const FloatNode &node) {
  Dims axes = AttrInts(node, "axes");
  for (int64_t &axis : axes) axis = AxisOf(axis, r.DimsOf(node.inputs[0]).size());
  std::sort(axes.begin(), axes.end());
  return AttrInt(node, "keepdims", 1) == 1 ? axes : Dims{};
}

// x - mean(x) over `axes`: returns x, else kNone.
TensorId Centred(const Rewriter &r, TensorId d, const Dims &axes) {
  const FloatNode *sub = r.Producer(d, "Sub");
  const FloatNode *mean = sub ? r.Producer(sub->inputs[1], "ReduceMean") : nullptr;
  return mean && mean->inputs[0] == sub->inputs[0] && KeptAxes(r, *mean) == axes ? sub->inputs[0] : kNone;
}

// The d of d * d or Pow(d, 2), else kNone. A difference written twice counts as one (MergeEqual merges them).
TensorId SquareRoot(const Rewriter &r, TensorId square) {
  const FloatNode *mul = r.Producer(square, "Mul");
  if (mul && mul->inputs[0] == mul->inputs[1]) return mul->inputs[0];
  const FloatNode *pow = r.Producer(square, "Pow");
  return pow && r.IsScalar(pow->inputs[1], 2.0f, 0) ? pow->inputs[0] : kNone;
}

// A small number that keeps a divisor from zero, added or as a lower bound: `id` goes to what it was added to.
std::optional<float> TakeGuard(const Rewriter &r, TensorId &id) {
  const FloatNode *node = r.Producer(id);
  if (!node || !node->domain.empty()) return 0.0f;
  if (node->op_type == "Clip" && AttrFloat(*node, "max", 0) == std::numeric_limits<float>::max()) {
    id = node->inputs[0];
    return AttrFloat(*node, "min", 0);
  }
  if (node->op_type != "Add" && node->op_type != "Max") return 0.0f;
  const std::optional<float> guard = r.Scalar(node->inputs[1]);
  if (guard) id = node->inputs[0];
  return guard;
}

// A divisor sqrt(mean(d^2) + epsilon), or sqrt(mean(d^2)) + e with epsilon = e^2; of a sum in place of the mean,
// `factor` is 1/sqrt(n).
struct Root {
  TensorId d = kNone;
  Dims axes;
  float epsilon = 0, factor = 1;
};

Root MeanSquareRoot(const Rewriter &r, TensorId id) {
  const std::optional<float> outside = TakeGuard(r, id);
  const FloatNode *sqrt = r.Producer(id, "Sqrt");
  if (!sqrt || !outside || *outside < 0) return {};
  id = sqrt->inputs[0];
  const std::optional<float> inside = TakeGuard(r, id);
  if (!inside || *inside < 0) return {};
  const FloatNode *sum = r.Producer(id);
  if (!sum || (sum->op_type != "ReduceMean" && sum->op_type != "ReduceSum")) return {};
  Root root;
  root.axes = KeptAxes(r, *sum);
  root.d = SquareRoot(r, sum->inputs[0]);
  root.epsilon = *inside + *outside * *outside;
  int64_t n = 1;
  for (int64_t axis : root.axes) n *= r.DimsOf(sum->inputs[0])[axis];
  if (sum->op_type == "ReduceSum") {
    root.epsilon /= static_cast<float>(n);
    root.factor = 1 / std::sqrt(static_cast<float>(n));
  }
  if (root.axes.empty() || n > kMostFeatures) root.d = kNone;
  return root;
}

// LayerNormalization, or RMSNormalization where not `centred`, over any axes: they are moved to the end and back.
TensorId NormOver(Rewriter &r, NodeId id, TensorId x, bool centred, const Root &root) {
  Dims perm, dims;
  for (int64_t axis = 0; axis < r.Rank(x); axis++)
    if (!std::count(root.axes.begin(), root.axes.end(), axis)) perm.push_back(axis);
  perm.insert(perm.end(), root.axes.begin(), root.axes.end());
  for (int64_t axis : root.axes) dims.push_back(r.DimsOf(x)[axis]);
  const size_t n = static_cast<size_t>(ElementCount(dims));
  std::vector<TensorId> inputs = {r.Transpose(id, x, perm),
                                  r.NewFloats("gamma", dims, std::vector<float>(n, root.factor))};
  if (centred) inputs.push_back(r.NewFloats("zeros", dims, std::vector<float>(n, 0.0f)));
  const int64_t axis = -static_cast<int64_t>(dims.size());
  const Attrs attrs = {{"axis", axis}, {"epsilon", root.epsilon}};
  const TensorId y = r.Emit(id, centred ? "LayerNormalization" : "RMSNormalization", inputs, attrs);
  return r.Transpose(id, y, InversePermutation(perm));
}

// d * (g / root): the factor that hand-written code multiplies first; gamma on either side of the division.
bool HandWritten(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  if (!r.Is(id, "Div") || r.IsConstant(node.inputs[0])) return false;
  const Root root = MeanSquareRoot(r, node.inputs[1]);
  TensorId d = node.inputs[0], gamma = kNone;
  if (root.d == kNone) return false;
  if (d != root.d) {
    const FloatNode *mul = r.Producer(d, "Mul");
    if (!mul || mul->inputs[0] != root.d || !r.IsFloatConstant(mul->inputs[1])) return false;
    d = root.d, gamma = mul->inputs[1];
  }
  if (r.DimsOf(d) != r.DimsOf(node.outputs[0])) return false;
  const TensorId x = Centred(r, d, root.axes);
  const TensorId y = NormOver(r, id, x != kNone ? x : d, x != kNone, root);
  r.Replace(node.outputs[0], gamma == kNone ? y : r.Emit(id, "Mul", {y, gamma}));
  return true;
}

// d * (gamma / root) -> (d / root) * gamma: the factor first, as batch normalisations are written.
bool FactorFirst(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  if (!r.Is(id, "Mul")) return false;
  for (int side = 0; side < 2; side++) {
    const FloatNode *scale = r.Producer(node.inputs[1 - side], "Mul");
    const FloatNode *inverse = scale ? r.Producer(scale->inputs[0], "Reciprocal") : nullptr;
    if (!inverse || !r.IsFloatConstant(scale->inputs[1])) continue;
    if (MeanSquareRoot(r, inverse->inputs[0]).d == kNone) continue;
    const TensorId quotient = r.Emit(id, "Div", {node.inputs[side], inverse->inputs[0]});
    r.Replace(node.outputs[0], r.Emit(id, "Mul", {quotient, scale->inputs[1]}));
    return true;
  }
  return false;
}

// RMSNormalization(x - mean(x)) -> LayerNormalization(x)
bool CentredRms(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  if (!r.Is(id, "RMSNormalization") || AttrInt(node, "axis", -1) != -1) return false;
  const TensorId x = Centred(r, node.inputs[0], {r.Rank(node.inputs[0]) - 1});
  if (x == kNone) return false;
  const TensorId zeros =
      r.NewFloats("zeros", r.DimsOf(node.inputs[1]), std::vector<float>(ElementCount(r.DimsOf(node.inputs[1])), 0.0f));
  r.Replace(node.outputs[0], r.Emit(id, "LayerNormalization", {x, node.inputs[1], zeros},
                                    {{"axis", int64_t{-1}}, {"epsilon", AttrFloat(node, "epsilon", 1e-5f)}}));
  return true;
}

// All operands there, dims [D], axis -1, epsilon written; several trailing axes are merged into one and back.
bool NormalForm(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  const bool layer = r.Is(id, "LayerNormalization");
  if (!layer && !r.Is(id, "RMSNormalization")) return false;
  for (size_t i = 1; i < node.outputs.size(); i++)
    if (node.outputs[i] != kNone && !r.Unread(node.outputs[i])) return false;
  const Dims dims = r.DimsOf(node.inputs[0]);
  const int64_t axis = AxisOf(AttrInt(node, "axis", -1), dims.size());
  const int64_t n = ElementCount(Dims(dims.begin() + axis, dims.end()));
  const bool operands = node.inputs.size() == (layer ? 3u : 2u) && r.DimsOf(node.inputs[1]) == Dims{n} &&
                        (!layer || (node.inputs[2] != kNone && r.DimsOf(node.inputs[2]) == Dims{n}));
  if (operands && AttrInt(node, "axis", 0) == -1 && node.attrs.size() == 2 && node.attrs.count("epsilon") &&
      node.outputs.size() == 1)
    return false;
  const auto vector = [&](size_t i, const char *name, float fallback) {
    if (i >= node.inputs.size() || node.inputs[i] == kNone)
      return r.NewFloats(name, {n}, std::vector<float>(n, fallback));
    return r.Reshape(id, r.Emit(id, "Expand", {node.inputs[i], r.NewInts(Dims(dims.begin() + axis, dims.end()))}), {n});
  };
  Dims rows(dims.begin(), dims.begin() + axis);
  rows.push_back(n);
  std::vector<TensorId> inputs = {r.Reshape(id, node.inputs[0], rows), vector(1, "ones", 1.0f)};
  if (layer) inputs.push_back(vector(2, "zeros", 0.0f));
  const TensorId y =
      r.Emit(id, node.op_type, inputs, {{"axis", int64_t{-1}}, {"epsilon", AttrFloat(node, "epsilon", 1e-5f)}});
  r.Replace(node.outputs[0], r.Reshape(id, y, dims));
  return true;
}

// A row longer than any kernel takes is normalised in parts: mean, square, mean, quotient.
bool WrittenOutNorm(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  const bool layer = r.Is(id, "LayerNormalization");
  if ((!layer && !r.Is(id, "RMSNormalization")) || r.LastDim(node.inputs[0]) <= kMostFeatures) return false;
  if (AttrInt(node, "axis", 0) != -1 || node.inputs.size() != (layer ? 3u : 2u)) return false;
  const Dims axes = {r.Rank(node.inputs[0]) - 1};
  const auto mean = [&](TensorId x) {
    return r.Emit(id, "ReduceMean", {x}, {{"axes", axes}, {"keepdims", int64_t{1}}});
  };
  TensorId d = node.inputs[0];
  if (layer) d = r.Emit(id, "Sub", {d, mean(d)});
  const TensorId variance = mean(r.Emit(id, "Mul", {d, d}));
  const TensorId guarded = r.Emit(id, "Add", {variance, r.NewScalar(AttrFloat(node, "epsilon", 1e-5f))});
  TensorId y = r.Emit(id, "Div", {d, r.Emit(id, "Sqrt", {guarded})});
  y = r.Emit(id, "Mul", {y, node.inputs[1]});
  r.Replace(node.outputs[0], layer ? r.Emit(id, "Add", {y, node.inputs[2]}) : y);
  return true;
}

bool IsVector(const Rewriter &r, TensorId constant, int64_t n) {
  return r.IsFloatConstant(constant) && (r.DimsOf(constant) == Dims{n} || ElementCount(r.DimsOf(constant)) == 1) &&
         r.Rank(constant) <= 1;
}

// Norm(x) * c -> gamma c, beta c; LayerNorm(x) + c -> beta + c
bool AbsorbAffine(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  const bool add = r.Is(id, "Add");
  if (!add && !r.Is(id, "Mul")) return false;
  const FloatNode *norm = r.Producer(node.inputs[0], "LayerNormalization");
  if (!norm && !add) norm = r.Producer(node.inputs[0], "RMSNormalization");
  if (!norm || !r.OneReader(node.inputs[0]) || !norm->attrs.count("epsilon") || AttrInt(*norm, "axis", 0) != -1)
    return false;
  if (norm->op_type == "LayerNormalization" && norm->inputs.size() != 3) return false;
  if (!IsVector(r, node.inputs[1], r.LastDim(norm->inputs[0])) || !r.IsConstant(norm->inputs[1])) return false;
  std::vector<TensorId> inputs = norm->inputs;
  for (size_t i = add ? 2 : 1; i < inputs.size(); i++)
    inputs[i] = r.Emit(id, node.op_type, {inputs[i], node.inputs[1]});
  r.Replace(node.outputs[0], r.Emit(id, norm->op_type, inputs, norm->attrs));
  return true;
}

// LayerNormalization does not see a common factor or term of its input: epsilon / factor^2 keeps it exact.
bool ScalarBefore(Rewriter &r, NodeId id) {
  FloatNode &node = r.node(id);
  if (!r.Is(id, "LayerNormalization") || node.inputs.size() != 3) return false;
  TensorId at = node.inputs[0];
  std::vector<const FloatNode *> path;  // movement that only regroups elements
  const FloatNode *scale = r.Producer(at);
  while (scale && (scale->op_type == "Reshape" || scale->op_type == "Transpose") && r.OneReader(at)) {
    at = scale->inputs[0];
    scale = r.Producer(at);
  }
  if (!scale || (scale->op_type != "Mul" && scale->op_type != "Add") || !r.OneReader(at)) return false;
  const std::optional<float> value = r.Scalar(scale->inputs[1]);
  const float epsilon = AttrFloat(node, "epsilon", 1e-5f);
  if (!value || r.DimsOf(scale->inputs[0]) != r.DimsOf(at) || r.IsConstant(scale->inputs[0])) return false;
  if (scale->op_type == "Mul" && (!(*value > 0) || !std::isfinite(epsilon / (*value * *value)))) return false;
  if (scale->op_type == "Mul") node.attrs["epsilon"] = epsilon / (*value * *value);
  r.Replace(at, scale->inputs[0]);
  return true;
}

}  // namespace

std::vector<FloatRewrite> NormRewrites() {
  return {{"hand-written norm", HandWritten},  {"factor first", FactorFirst},   {"centred rms", CentredRms},
          {"norm normal form", NormalForm},    {"absorb affine", AbsorbAffine}, {"scalar before norm", ScalarBefore},
          {"written out norm", WrittenOutNorm}};
}

}  // namespace onnx2mcu
