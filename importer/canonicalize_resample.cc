// Resize by interpolation and CumSum as products with a constant matrix along each axis. The matrix is asked of the
// evaluator: column i is what the node makes of the i-th unit vector.
#include <algorithm>
#include <numeric>

#include "importer/canonicalize.h"
#include "importer/evaluate.h"

namespace onnx2mcu {
namespace {

Value Vector(const Dims &dims, int64_t one) {
  Value value{DType::kF32, dims, std::vector<float>(ElementCount(dims), 0.0f), {}};
  value.f[one] = 1.0f;
  return value;
}

// The node on tensors that are longer than one along `axis` only. Operands after the first are vectors with an entry
// per axis of the node's `axes`, those of the other axes becoming 1.
std::optional<std::vector<Value>> OperandsAlong(const Rewriter &r, const FloatNode &node, int64_t axis) {
  std::vector<Value> operands(node.inputs.size());
  Dims axes = AttrInts(node, "axes");
  if (axes.empty()) axes.resize(r.Rank(node.inputs[0])), std::iota(axes.begin(), axes.end(), 0);
  for (size_t i = 1; i < node.inputs.size(); i++) {
    if (node.inputs[i] == kNone) continue;
    if (!r.IsConstant(node.inputs[i])) return std::nullopt;
    operands[i] = ValueOf(r.tensor(node.inputs[i]));
    for (size_t k = 0; k < axes.size() && node.op_type == "Resize"; k++) {
      if (AxisOf(axes[k], r.DimsOf(node.inputs[0]).size()) == axis) continue;
      if (k < operands[i].f.size()) operands[i].f[k] = 1;
      if (k < operands[i].i.size()) operands[i].i[k] = 1;
    }
  }
  return operands;
}

// [in, out]: out = in-vector times this, along `axis`; nothing where the node is not linear along it.
std::optional<std::vector<float>> MatrixAlong(const Rewriter &r, const FloatNode &node, int64_t axis) {
  const int64_t in = r.DimsOf(node.inputs[0])[axis], out = r.DimsOf(node.outputs[0])[axis];
  auto operands = OperandsAlong(r, node, axis);
  if (!operands) return std::nullopt;
  Dims dims(r.Rank(node.inputs[0]), 1);
  dims[axis] = in;
  std::vector<float> matrix;
  for (int64_t i = 0; i < in; i++) {
    (*operands)[0] = Vector(dims, i);
    std::vector<const Value *> inputs;
    for (size_t k = 0; k < node.inputs.size(); k++)
      inputs.push_back(node.inputs[k] == kNone ? nullptr : &(*operands)[k]);
    const auto column = EvaluateNode(node, inputs);
    if (!column.ok() || ElementCount((*column)[0].dims) != out) return std::nullopt;
    matrix.insert(matrix.end(), (*column)[0].f.begin(), (*column)[0].f.end());
  }
  return matrix;
}

bool IsIdentity(const std::vector<float> &matrix, int64_t in, int64_t out) {
  if (in != out) return false;
  for (int64_t i = 0; i < in; i++)
    for (int64_t j = 0; j < out; j++)
      if (matrix[i * out + j] != (i == j ? 1.0f : 0.0f)) return false;
  return true;
}

TensorId Product(Rewriter &r, NodeId id, TensorId x, int64_t axis, const std::vector<float> &matrix, int64_t out) {
  const int64_t in = r.DimsOf(x)[axis];
  Dims perm(r.Rank(x));
  std::iota(perm.begin(), perm.end(), 0);
  std::swap(perm[axis], perm.back());
  const TensorId last = r.Transpose(id, x, perm);
  const TensorId y = r.Emit(id, "MatMul", {last, r.NewFloats("weights", {in, out}, matrix)});
  return r.Transpose(id, y, perm);
}

bool IsLinear(const Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  if (r.Is(id, "CumSum")) return true;
  if (!r.Is(id, "Resize") || AttrString(node, "mode", "nearest") == "nearest") return false;
  return AttrString(node, "coordinate_transformation_mode", "half_pixel") != "tf_crop_and_resize" &&
         AttrString(node, "keep_aspect_ratio_policy", "stretch") == "stretch";
}

bool ToProducts(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  if (!IsLinear(r, id) || r.IsConstant(node.inputs[0]) || !r.IsFloat(node.inputs[0])) return false;
  const Dims from = r.DimsOf(node.inputs[0]), to = r.DimsOf(node.outputs[0]);
  std::vector<std::vector<float>> matrices;
  for (size_t axis = 0; axis < from.size(); axis++) {
    auto matrix = MatrixAlong(r, node, static_cast<int64_t>(axis));
    if (!matrix) return false;
    matrices.push_back(std::move(*matrix));
    if (r.Is(id, "CumSum") && AxisOf(r.Ints(node.inputs[1])[0], from.size()) != static_cast<int64_t>(axis))
      matrices.back().clear();
  }
  TensorId y = node.inputs[0];
  for (size_t axis = 0; axis < from.size(); axis++)
    if (!matrices[axis].empty() && !IsIdentity(matrices[axis], from[axis], to[axis]))
      y = Product(r, id, y, static_cast<int64_t>(axis), matrices[axis], to[axis]);
  if (r.MustStay(node.outputs[0], y)) return false;
  r.Replace(node.outputs[0], y);
  return true;
}

}  // namespace

std::vector<FloatRewrite> ResampleRewrites() { return {{"to products", ToProducts}}; }

}  // namespace onnx2mcu
