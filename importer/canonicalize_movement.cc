// Movement: Reshape and Transpose composed with themselves, Reshape below Transpose where only ones move.
#include <algorithm>
#include <numeric>

#include "importer/canonicalize.h"

namespace onnx2mcu {
namespace {

Dims NonUnitAxes(const Dims &dims) {
  Dims axes;
  for (size_t i = 0; i < dims.size(); i++)
    if (dims[i] != 1) axes.push_back(static_cast<int64_t>(i));
  return axes;
}

bool SameButOnes(const Dims &a, const Dims &b) {
  return PermutedDims(a, NonUnitAxes(a)) == PermutedDims(b, NonUnitAxes(b));
}

bool IsReshapeLike(const Rewriter &r, NodeId id) {
  for (const char *type : {"Reshape", "Squeeze", "Unsqueeze", "Flatten"})
    if (r.Is(id, type)) return true;
  const FloatNode &node = r.node(id);
  return r.Is(id, "Expand") && ElementCount(r.DimsOf(node.inputs[0])) == ElementCount(r.DimsOf(node.outputs[0]));
}

// Squeeze, Unsqueeze, Flatten and every Reshape as a Reshape to constant dims without 0 and -1.
bool ToReshape(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  if (!IsReshapeLike(r, id) || node.inputs.empty()) return false;
  const Dims dims = r.DimsOf(node.outputs[0]);
  if (r.Is(id, "Reshape") && node.attrs.empty() && r.Ints(node.inputs[1]) == dims) return false;
  r.Replace(node.outputs[0], r.Emit(id, "Reshape", {node.inputs[0], r.NewInts(dims)}));
  return true;
}

bool MergeReshapes(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  const FloatNode *first = r.Is(id, "Reshape") ? r.Producer(node.inputs[0], "Reshape") : nullptr;
  if (!first) return false;
  const TensorId y = r.Reshape(id, first->inputs[0], r.DimsOf(node.outputs[0]));
  if (r.MustStay(node.outputs[0], y)) return false;
  r.Replace(node.outputs[0], y);
  return true;
}

bool ExplicitPermutation(Rewriter &r, NodeId id) {
  FloatNode &node = r.node(id);
  if (!r.Is(id, "Transpose") || node.attrs.count("perm")) return false;
  Dims perm(r.DimsOf(node.inputs[0]).size());
  std::iota(perm.rbegin(), perm.rend(), 0);
  node.attrs["perm"] = perm;
  return true;
}

bool MergeTransposes(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  const FloatNode *first = r.Is(id, "Transpose") ? r.Producer(node.inputs[0], "Transpose") : nullptr;
  if (!first || !node.attrs.count("perm") || !first->attrs.count("perm")) return false;
  const TensorId y = r.Transpose(id, first->inputs[0], PermutedDims(AttrInts(*first, "perm"), AttrInts(node, "perm")));
  if (r.MustStay(node.outputs[0], y)) return false;
  r.Replace(node.outputs[0], y);
  return true;
}

// A Transpose that moves only ones is a Reshape, or nothing.
bool TransposeOfOnes(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  if (!r.Is(id, "Transpose") || !node.attrs.count("perm")) return false;
  Dims order;
  for (int64_t axis : AttrInts(node, "perm"))
    if (r.DimsOf(node.inputs[0])[axis] != 1) order.push_back(axis);
  if (!std::is_sorted(order.begin(), order.end())) return false;
  const TensorId y = r.Reshape(id, node.inputs[0], r.DimsOf(node.outputs[0]));
  if (r.MustStay(node.outputs[0], y)) return false;
  r.Replace(node.outputs[0], y);
  return true;
}

// Transpose(Reshape(x)) where the Reshape only adds or drops ones -> Reshape(Transpose(x)), so that Transposes meet.
bool TransposeAboveOnes(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  const FloatNode *reshape = r.Is(id, "Transpose") ? r.Producer(node.inputs[0], "Reshape") : nullptr;
  if (!reshape || !node.attrs.count("perm")) return false;
  const TensorId x = reshape->inputs[0];
  const Dims from = r.DimsOf(x), to = r.DimsOf(node.inputs[0]);
  if (!SameButOnes(from, to)) return false;
  const Dims from_axes = NonUnitAxes(from), to_axes = NonUnitAxes(to);
  Dims perm(from.size());
  std::iota(perm.begin(), perm.end(), 0);
  size_t slot = 0;
  for (int64_t axis : AttrInts(node, "perm")) {
    const auto it = std::find(to_axes.begin(), to_axes.end(), axis);
    if (it != to_axes.end()) perm[from_axes[slot++]] = from_axes[it - to_axes.begin()];
  }
  r.Replace(node.outputs[0], r.Reshape(id, r.Transpose(id, x, perm), r.DimsOf(node.outputs[0])));
  return true;
}

// Fine axes between two Transposes: every non-unit axis of `before` or `after` is a run of them, whichever is longer.
struct Refinement {
  Dims dims;
  std::vector<std::pair<size_t, size_t>> before, after;  // per axis: its run of fine axes (empty for ones)
};

// Nothing if some group of axes is neither merged nor split but regrouped.
std::optional<Refinement> Refine(const Dims &before, const Dims &after) {
  Refinement fine;
  fine.before.resize(before.size()), fine.after.resize(after.size());
  const Dims a = NonUnitAxes(before), b = NonUnitAxes(after);
  for (size_t i = 0, j = 0; i < a.size() && j < b.size();) {
    size_t i_end = i + 1, j_end = j + 1;
    int64_t x = before[a[i]], y = after[b[j]];
    while (x != y) (x < y) ? x *= before[a[i_end++]] : y *= after[b[j_end++]];
    const size_t first = fine.dims.size();
    const bool split = i_end - i == 1;
    if (!split && j_end - j != 1) return std::nullopt;
    for (size_t k = split ? j : i; k < (split ? j_end : i_end); k++)
      fine.dims.push_back(split ? after[b[k]] : before[a[k]]);
    for (size_t k = i; k < i_end; k++)
      fine.before[a[k]] = split ? std::pair(first, fine.dims.size()) : std::pair(first + k - i, first + k - i + 1);
    for (size_t k = j; k < j_end; k++)
      fine.after[b[k]] = split ? std::pair(first + k - j, first + k - j + 1) : std::pair(first, fine.dims.size());
    i = i_end, j = j_end;
  }
  return fine;
}

// Transpose(Reshape(Transpose(x))) -> Reshape(Transpose(Reshape(x))) where the Reshape in the middle splits and merges
// axes: patches cut out in two directions become one permutation of six axes.
bool OneTranspose(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  const FloatNode *middle = r.Is(id, "Transpose") ? r.Producer(node.inputs[0], "Reshape") : nullptr;
  const FloatNode *first = middle ? r.Producer(middle->inputs[0], "Transpose") : nullptr;
  if (!first || !node.attrs.count("perm") || !first->attrs.count("perm")) return false;
  if (!r.OneReader(node.inputs[0]) || !r.OneReader(middle->inputs[0])) return false;
  const auto fine = Refine(r.DimsOf(middle->inputs[0]), r.DimsOf(node.inputs[0]));
  if (!fine || fine->dims.size() > O2M_MAX_RANK) return false;
  Dims order, target, dims;  // fine axes in the order of x, and in that of the result
  for (int64_t axis : InversePermutation(AttrInts(*first, "perm")))
    for (size_t k = fine->before[axis].first; k < fine->before[axis].second; k++) order.push_back(k);
  for (int64_t axis : AttrInts(node, "perm"))
    for (size_t k = fine->after[axis].first; k < fine->after[axis].second; k++) target.push_back(k);
  const Dims position = InversePermutation(order);
  Dims perm;
  for (int64_t k : target) perm.push_back(position[k]);
  for (int64_t k : order) dims.push_back(fine->dims[k]);
  const TensorId y = r.Transpose(id, r.Reshape(id, first->inputs[0], dims), perm);
  r.Replace(node.outputs[0], r.Reshape(id, y, r.DimsOf(node.outputs[0])));
  return true;
}

// Reshape(Transpose(x)) that only splits axes and is read in slices -> Transpose(Reshape(x)): the slices then reach
// what computes x.
bool SplitAboveTranspose(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  const FloatNode *first = r.Is(id, "Reshape") ? r.Producer(node.inputs[0], "Transpose") : nullptr;
  if (!first || !first->attrs.count("perm") || !r.OneReader(node.inputs[0]) || r.Unread(node.outputs[0])) return false;
  for (NodeId reader : r.Readers(node.outputs[0]))
    if (!r.Is(reader, "Slice")) return false;
  const auto fine = Refine(r.DimsOf(node.inputs[0]), r.DimsOf(node.outputs[0]));
  const Dims axes = NonUnitAxes(r.DimsOf(node.outputs[0]));
  if (!fine || fine->dims.size() != axes.size() || fine->dims.size() == NonUnitAxes(r.DimsOf(node.inputs[0])).size())
    return false;
  Dims order, dims;
  for (int64_t axis : InversePermutation(AttrInts(*first, "perm")))
    for (size_t k = fine->before[axis].first; k < fine->before[axis].second; k++) order.push_back(k);
  for (int64_t k : order) dims.push_back(fine->dims[k]);
  const TensorId y = r.Transpose(id, r.Reshape(id, first->inputs[0], dims), InversePermutation(order));
  r.Replace(node.outputs[0], r.Reshape(id, y, r.DimsOf(node.outputs[0])));
  return true;
}

// A reduction above a Transpose, or above a Reshape of ones, reduces the other axes.
bool ReduceAboveMovement(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  if (!r.Is(id, "ReduceMean") && !r.Is(id, "ReduceMax") && !r.Is(id, "ReduceSum")) return false;
  const FloatNode *move = r.Producer(node.inputs[0]);
  if (!move || !node.attrs.count("axes") || (move->op_type != "Transpose" && move->op_type != "Reshape")) return false;
  const TensorId x = move->inputs[0];
  const Dims to = r.DimsOf(node.inputs[0]);
  const bool transpose = move->op_type == "Transpose";
  if (transpose ? !move->attrs.count("perm") : !SameButOnes(r.DimsOf(x), to)) return false;
  const Dims from_axes = NonUnitAxes(r.DimsOf(x)), to_axes = NonUnitAxes(to), perm = AttrInts(*move, "perm");
  Dims axes;
  for (int64_t axis : AttrInts(node, "axes")) {
    const auto it = std::find(to_axes.begin(), to_axes.end(), axis);
    if (transpose) axes.push_back(perm[axis]);
    if (!transpose && it != to_axes.end()) axes.push_back(from_axes[it - to_axes.begin()]);
  }
  if (axes.empty()) return false;
  std::sort(axes.begin(), axes.end());
  TensorId y = r.Emit(id, node.op_type, {x}, {{"axes", axes}, {"keepdims", int64_t{1}}});
  if (transpose) y = r.Transpose(id, y, perm);
  r.Replace(node.outputs[0], r.Reshape(id, y, r.DimsOf(node.outputs[0])));
  return true;
}

bool IsUnary(const std::string &type) {
  static constexpr const char *kTypes[] = {
      "Relu",       "Gelu",     "Sigmoid",         "Tanh", "Erf", "HardSwish", "Mish", "Softplus", "Elu",
      "LeakyRelu",  "Clip",     "HardSigmoid",     "Sqrt", "Exp", "Log",       "Abs",  "Selu",     "Swish",
      "Reciprocal", "Softsign", "ThresholdedRelu", "Celu"};
  return std::any_of(std::begin(kTypes), std::end(kTypes), [&](const char *t) { return type == t; });
}

// True where `node` treats every element alike: then it may run on the other side of any movement.
bool Elementwise(const Rewriter &r, const FloatNode &node) {
  if (!node.domain.empty()) return false;
  if (node.op_type == "Pow") return r.Scalar(node.inputs[1]).has_value() && r.DimsOf(node.inputs[1]).size() == 0;
  if (node.op_type == "Add" || node.op_type == "Mul")
    return r.Scalar(node.inputs[1]).has_value() && r.DimsOf(node.inputs[1]).size() == 0;
  return IsUnary(node.op_type);
}

// True where `node` treats every row of the last axis alike: LayerNormalization, a linear layer, a bias.
bool Rowwise(const Rewriter &r, const FloatNode &node) {
  if (!node.domain.empty()) return false;
  const std::string &type = node.op_type;
  if (type == "LayerNormalization" || type == "RMSNormalization" || type == "Softmax")
    return AttrInt(node, "axis", -1) == -1 && node.outputs.size() == 1;
  if (type == "MatMul") return r.IsConstant(node.inputs[1]) && r.Rank(node.inputs[1]) == 2;
  if (type == "Add" || type == "Mul") return r.IsFloatConstant(node.inputs[1]) && r.Rank(node.inputs[1]) == 1;
  return false;
}

// Op(Reshape(x)) -> Reshape(Op(x)), Op(Transpose(x)) -> Transpose(Op(x)): movement sinks until it meets its inverse.
bool SinkMovement(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  const FloatNode *move = node.inputs.empty() ? nullptr : r.Producer(node.inputs[0]);
  if (!move || !r.OneReader(node.inputs[0])) return false;
  const bool reshape = move->op_type == "Reshape";
  if (!reshape && (move->op_type != "Transpose" || !move->attrs.count("perm"))) return false;
  const TensorId x = move->inputs[0];
  const bool keeps_rows = reshape && r.Rank(x) > 1 && r.LastDim(x) == r.LastDim(node.inputs[0]);
  if (!Elementwise(r, node) && !(keeps_rows && Rowwise(r, node))) return false;
  std::vector<TensorId> inputs = node.inputs;
  inputs[0] = x;
  const TensorId y = r.Emit(id, node.op_type, inputs, node.attrs);
  r.Replace(node.outputs[0],
            reshape ? r.Reshape(id, y, r.DimsOf(node.outputs[0])) : r.Transpose(id, y, AttrInts(*move, "perm")));
  return true;
}

// Add(Reshape(a), Reshape(b)) -> Reshape(Add(a, b)); the same for Mul and for equal Transposes.
bool SinkFromBoth(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  if ((!r.Is(id, "Add") && !r.Is(id, "Mul")) || node.inputs.size() != 2) return false;
  const FloatNode *a = r.Producer(node.inputs[0]), *b = r.Producer(node.inputs[1]);
  if (!a || !b || a->op_type != b->op_type || !r.OneReader(node.inputs[0]) || !r.OneReader(node.inputs[1]))
    return false;
  if (r.DimsOf(node.inputs[0]) != r.DimsOf(node.inputs[1])) return false;
  const bool transpose = a->op_type == "Transpose" && AttrInts(*a, "perm") == AttrInts(*b, "perm");
  if (!transpose && a->op_type != "Reshape") return false;
  if (r.DimsOf(a->inputs[0]) != r.DimsOf(b->inputs[0])) return false;
  const TensorId y = r.Emit(id, node.op_type, {a->inputs[0], b->inputs[0]});
  r.Replace(node.outputs[0],
            transpose ? r.Transpose(id, y, AttrInts(*a, "perm")) : r.Reshape(id, y, r.DimsOf(node.outputs[0])));
  return true;
}

bool FlattenConcat(Rewriter &r, NodeId id) {
  FloatNode &node = r.node(id);
  if (!r.Is(id, "Concat")) return false;
  const int64_t axis = AxisOf(AttrInt(node, "axis", 0), r.DimsOf(node.outputs[0]).size());
  std::vector<TensorId> inputs;
  for (TensorId input : node.inputs) {
    const FloatNode *inner = r.Producer(input, "Concat");
    const bool merge =
        inner && r.OneReader(input) && AxisOf(AttrInt(*inner, "axis", 0), r.DimsOf(input).size()) == axis;
    const std::vector<TensorId> parts = merge ? inner->inputs : std::vector<TensorId>{input};
    inputs.insert(inputs.end(), parts.begin(), parts.end());
  }
  if (AttrInt(node, "axis", 0) == axis && inputs == node.inputs) return false;
  node.attrs["axis"] = axis;
  r.SetInputs(id, inputs);
  return true;
}

}  // namespace

bool Moves(const FloatNode &node) {
  if (!node.domain.empty()) return false;
  for (const char *type : {"Reshape", "Transpose", "Slice", "Squeeze", "Unsqueeze", "Flatten", "Gather", "Identity"})
    if (node.op_type == type) return true;
  return false;
}

std::vector<FloatRewrite> ReshapeRewrites() {
  return {{"to reshape", ToReshape},
          {"merge reshapes", MergeReshapes},
          {"explicit permutation", ExplicitPermutation},
          {"merge transposes", MergeTransposes},
          {"transpose of ones", TransposeOfOnes},
          {"transpose above ones", TransposeAboveOnes},
          {"one transpose", OneTranspose},
          {"split above transpose", SplitAboveTranspose},
          {"reduce above movement", ReduceAboveMovement},
          {"sink movement", SinkMovement},
          {"sink from both", SinkFromBoth},
          {"flatten concat", FlattenConcat}};
}

}  // namespace onnx2mcu
