// Attention as MatMul(Softmax(S), V) with S a chain of scalar factors and constant terms over MatMul(Q, Kt).
#include <cmath>
#include <limits>

#include "importer/canonicalize.h"

namespace onnx2mcu {
namespace {

bool SwapsLastTwo(const Rewriter &r, const FloatNode *node) {
  if (!node || node->op_type != "Transpose") return false;
  const Dims perm = AttrInts(*node, "perm");
  const size_t rank = perm.size();
  if (rank < 2 || r.Rank(node->inputs[0]) != static_cast<int64_t>(rank)) return false;
  for (size_t i = 0; i + 2 < rank; i++)
    if (perm[i] != static_cast<int64_t>(i)) return false;
  return perm[rank - 1] == static_cast<int64_t>(rank) - 2;
}

bool OnlyIntoSoftmax(Rewriter &r, TensorId scores, int depth = 2) {
  if (r.IsOutput(scores) || r.Unread(scores)) return false;
  for (NodeId reader : r.Readers(scores)) {
    if (r.Is(reader, "Softmax")) continue;
    if (depth == 0 || !r.Is(reader, "Add") || !OnlyIntoSoftmax(r, r.node(reader).outputs[0], depth - 1)) return false;
  }
  return true;
}

// Where(mask, -inf, s) and Where(mask, s, -inf) with a constant mask -> s + term. Any number that leaves nothing after
// the softmax counts as -inf: it is added instead, so that it stays the number it was to some 1e-4 of itself.
bool MaskToTerm(Rewriter &r, NodeId id) {
  constexpr float kMasked = -1e4f;
  const FloatNode &node = r.node(id);
  if (!r.Is(id, "Where") || !r.IsConstant(node.inputs[0])) return false;
  const bool fill_first = r.Scalar(node.inputs[1]).has_value();
  const std::optional<float> fill = r.Scalar(node.inputs[fill_first ? 1 : 2]);
  const TensorId scores = node.inputs[fill_first ? 2 : 1], y = node.outputs[0];
  if (!fill || !(*fill <= kMasked) || r.IsConstant(scores) || r.DimsOf(scores) != r.DimsOf(y)) return false;
  if (!OnlyIntoSoftmax(r, y)) return false;
  std::vector<float> term;
  for (int64_t chosen : r.Ints(node.inputs[0])) term.push_back((chosen != 0) == fill_first ? *fill : 0.0f);
  const TensorId mask = r.NewFloats(r.tensor(node.inputs[0]).name, r.DimsOf(node.inputs[0]), term);
  r.Replace(y, r.Emit(id, "Add", {scores, mask}));
  return true;
}

// The product under a chain of Mul by scalars and Add of constants, each read once; kNone if there is none.
TensorId ProductUnder(const Rewriter &r, TensorId s) {
  while (const FloatNode *node = r.Producer(s)) {
    if (!r.OneReader(s)) return kNone;
    if (node->op_type == "MatMul") return s;
    const bool factor = node->op_type == "Mul" && r.Scalar(node->inputs[1]);
    const bool term = node->op_type == "Add" && r.IsFloatConstant(node->inputs[1]);
    if (!factor && !term) return kNone;
    s = node->inputs[0];
  }
  return kNone;
}

// The chain over `product`, transposed: (A B)^T = B^T A^T, constants transposed with it.
TensorId TransposedChain(Rewriter &r, NodeId id, TensorId s) {
  const FloatNode node = *r.Producer(s);
  if (node.op_type == "MatMul")
    return r.Emit(id, "MatMul", {r.SwapLast(id, node.inputs[1]), r.SwapLast(id, node.inputs[0])});
  const TensorId x = TransposedChain(r, id, node.inputs[0]);
  TensorId constant = node.inputs[1];
  if (r.Rank(constant) == 1) constant = r.Reshape(id, constant, {1, r.LastDim(constant)});
  if (r.Rank(constant) >= 2) constant = r.SwapLast(id, constant);
  return r.Emit(id, node.op_type, {x, constant});
}

// Softmax(Transpose(S)): scores held keys by queries are computed queries by keys.
bool TransposedScores(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  if (!r.Is(id, "Softmax")) return false;
  const FloatNode *transpose = r.Producer(node.inputs[0], "Transpose");
  if (!SwapsLastTwo(r, transpose) || !r.OneReader(node.inputs[0])) return false;
  if (ProductUnder(r, transpose->inputs[0]) == kNone) return false;
  r.SetInput(id, 0, TransposedChain(r, id, transpose->inputs[0]));
  return true;
}

// V Transpose(P) -> Transpose(P Transpose(V))
bool TransposedProbabilities(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  if (!r.Is(id, "MatMul")) return false;
  const FloatNode *transpose = r.Producer(node.inputs[1], "Transpose");
  if (!SwapsLastTwo(r, transpose) || !r.Producer(transpose->inputs[0], "Softmax")) return false;
  const TensorId p = transpose->inputs[0];
  const TensorId y = r.Emit(id, "MatMul", {p, r.SwapLast(id, node.inputs[0])});
  r.Replace(node.outputs[0], r.SwapLast(id, y));
  return true;
}

// (Q a)(K b) -> (Q K) a b: one factor on the scores, unless a linear layer takes it.
bool FactorsOnScores(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  if (!r.Is(id, "MatMul") || r.IsConstant(node.inputs[1])) return false;
  for (size_t side = 0; side < 2; side++) {
    const FloatNode *mul = r.Producer(node.inputs[side], "Mul");
    if (!mul || !r.Scalar(mul->inputs[1]) || r.Rank(mul->inputs[1]) != 0 || !r.OneReader(node.inputs[side])) continue;
    std::vector<TensorId> inputs = node.inputs;
    inputs[side] = mul->inputs[0];
    const TensorId product = r.Emit(id, "MatMul", inputs);
    r.Replace(node.outputs[0], r.Emit(id, "Mul", {product, mul->inputs[1]}));
    return true;
  }
  return false;
}

}  // namespace

std::vector<FloatRewrite> AttentionRewrites() {
  return {{"mask to term", MaskToTerm},
          {"transposed scores", TransposedScores},
          {"transposed probabilities", TransposedProbabilities}};
}

std::vector<FloatRewrite> ScoreRewrites() { return {{"factors on scores", FactorsOnScores}}; }

}  // namespace onnx2mcu
