// Linear layers: MatMul(x, W) with W a constant [K,N], then Add(y, b) with b a constant [N].
#include <algorithm>

#include "importer/canonicalize.h"

namespace onnx2mcu {
namespace {

bool IsWeight(const Rewriter &r, TensorId id) { return r.IsFloatConstant(id) && r.Rank(id) == 2; }

// y = alpha A' B' + beta C
bool GemmToMatMul(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  if (!r.Is(id, "Gemm")) return false;
  const TensorId a = AttrInt(node, "transA", 0) ? r.SwapLast(id, node.inputs[0]) : node.inputs[0];
  TensorId b = AttrInt(node, "transB", 0) ? r.SwapLast(id, node.inputs[1]) : node.inputs[1];
  const float alpha = AttrFloat(node, "alpha", 1.0f), beta = AttrFloat(node, "beta", 1.0f);
  if (alpha != 1.0f) b = r.Emit(id, "Mul", {b, r.NewScalar(alpha)});
  TensorId y = r.Emit(id, "MatMul", {a, b});
  if (node.inputs.size() > 2 && node.inputs[2] != kNone && beta != 0.0f) {
    TensorId c = node.inputs[2];
    if (beta != 1.0f) c = r.Emit(id, "Mul", {c, r.NewScalar(beta)});
    const Dims bias = {r.LastDim(y)};
    const bool row = r.Rank(c) < 2 || r.DimsOf(c)[0] == 1;
    if (r.IsConstant(c) && row) c = r.Reshape(id, r.Emit(id, "Expand", {c, r.NewInts({1, bias[0]})}), bias);
    y = r.Emit(id, "Add", {y, c});
  }
  r.Replace(node.outputs[0], y);
  return true;
}

// C x with a constant C -> (x^T C^T)^T: the weight is always the second operand.
bool WeightSecond(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  if (!r.Is(id, "MatMul") || !IsWeight(r, node.inputs[0]) || r.IsConstant(node.inputs[1]) || r.Rank(node.inputs[1]) < 2)
    return false;
  const TensorId y = r.Emit(id, "MatMul", {r.SwapLast(id, node.inputs[1]), r.SwapLast(id, node.inputs[0])});
  r.Replace(node.outputs[0], r.SwapLast(id, y));
  return true;
}

// W [1,..,1,K,N] -> [K,N]; a vector on either side becomes a matrix with one row or column.
bool WeightRank(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  if (!r.Is(id, "MatMul") || !r.IsFloatConstant(node.inputs[1]) || r.IsConstant(node.inputs[0])) return false;
  const Dims w = r.DimsOf(node.inputs[1]), x = r.DimsOf(node.inputs[0]);
  if ((w.size() == 2 && x.size() >= 2) || w.empty() || x.empty()) return false;
  if (w.size() > 2 && (w.size() > x.size() || ElementCount(w) != w[w.size() - 2] * w.back())) return false;
  const Dims matrix = w.size() == 1 ? Dims{w[0], 1} : Dims{w[w.size() - 2], w.back()};
  const TensorId rows = x.size() == 1 ? r.Reshape(id, node.inputs[0], {1, x[0]}) : node.inputs[0];
  const TensorId y = r.Emit(id, "MatMul", {rows, r.Reshape(id, node.inputs[1], matrix)});
  r.Replace(node.outputs[0], r.Reshape(id, y, r.DimsOf(node.outputs[0])));
  return true;
}

// A bias that is one number stands for a vector of it.
bool BiasVector(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  if (!r.Is(id, "Add") || !r.Scalar(node.inputs[1])) return false;
  const FloatNode *product = r.Producer(node.inputs[0], "MatMul");
  if (!product || !IsWeight(r, product->inputs[1]) || !r.OneReader(node.inputs[0])) return false;
  const int64_t n = r.LastDim(node.inputs[0]);
  if (r.DimsOf(node.inputs[0]) != r.DimsOf(node.outputs[0]) || r.Rank(node.inputs[1]) == 1) return false;
  r.SetInput(id, 1, r.NewFloats(r.tensor(node.inputs[1]).name, {n}, std::vector<float>(n, *r.Scalar(node.inputs[1]))));
  return true;
}

}  // namespace

Linear LinearOf(const Rewriter &r, TensorId y) {
  Linear linear;
  linear.y = y;
  NodeId id = r.ProducerId(y);
  if (r.Is(id, "Add")) {
    const FloatNode &add = *r.Producer(y);
    linear.add = id;
    linear.bias = add.inputs[1];
    if (!r.IsFloatConstant(linear.bias) || r.Rank(linear.bias) != 1 || r.LastDim(linear.bias) != r.LastDim(y))
      return {};
    if (!r.OneReader(add.inputs[0])) return {};
    id = r.ProducerId(add.inputs[0]);
  }
  if (!r.Is(id, "MatMul")) return {};
  const TensorId product = linear.add == kNone ? y : r.Producer(y)->inputs[0];
  const FloatNode &matmul = *r.Producer(product);
  if (!IsWeight(r, matmul.inputs[1]) || r.IsConstant(matmul.inputs[0]) || r.Rank(matmul.inputs[0]) < 2) return {};
  linear.matmul = id;
  linear.x = matmul.inputs[0];
  linear.weight = matmul.inputs[1];
  return linear;
}

std::vector<FloatRewrite> LinearRewrites() {
  return {{"gemm to matmul", GemmToMatMul},
          {"weight second", WeightSecond},
          {"weight rank", WeightRank},
          {"bias vector", BiasVector}};
}

}  // namespace onnx2mcu
