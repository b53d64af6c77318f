// Operators that stand for several: those of com.microsoft, Attention of opset 23, Einsum. Each is taken apart into the
// forms that exporters write, so that one set of patterns serves them all.
// Semantics: onnxruntime docs/ContribOperators.md; ONNX operator specification.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <set>
#include <string>

#include "importer/canonicalize.h"

namespace onnx2mcu {
namespace {

bool OnlyFirstOutput(const Rewriter &r, const FloatNode &node) {
  for (size_t i = 1; i < node.outputs.size(); i++)
    if (node.outputs[i] != kNone && !r.Unread(node.outputs[i])) return false;
  return true;
}

bool Gelus(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  const bool bias = r.Is(id, "BiasGelu", kMs), fast = r.Is(id, "FastGelu", kMs);
  if (!bias && !fast && !r.Is(id, "Gelu", kMs)) return false;
  const TensorId x = Has(node, 1) ? r.Emit(id, "Add", {node.inputs[0], node.inputs[1]}) : node.inputs[0];
  r.Replace(node.outputs[0], r.Emit(id, "Gelu", {x}, {{"approximate", std::string(fast ? "tanh" : "none")}}));
  return true;
}

bool QuickGelu(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  if (!r.Is(id, "QuickGelu", kMs)) return false;
  const TensorId scaled = r.Emit(id, "Mul", {node.inputs[0], r.NewScalar(AttrFloat(node, "alpha", 1.702f))});
  r.Replace(node.outputs[0], r.Emit(id, "Mul", {node.inputs[0], r.Emit(id, "Sigmoid", {scaled})}));
  return true;
}

// (input, skip, gamma, beta, bias) -> LayerNormalization(input + skip + bias); output 3 is the sum. The bias goes to
// the operand that a linear layer without one writes.
bool SkipNorm(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  const bool rms = r.Is(id, "SkipSimplifiedLayerNormalization", kMs);
  if (!rms && !r.Is(id, "SkipLayerNormalization", kMs)) return false;
  for (size_t i = 1; i < 3 && i < node.outputs.size(); i++)
    if (node.outputs[i] != kNone && !r.Unread(node.outputs[i])) return false;
  const size_t bias_at = rms ? 3 : 4;
  TensorId a = node.inputs[0], b = node.inputs[1];
  if (Has(node, bias_at)) {
    TensorId &biased = LinearOf(r, b).matmul != kNone && LinearOf(r, a).matmul == kNone ? b : a;
    biased = r.Emit(id, "Add", {biased, node.inputs[bias_at]});
  }
  const TensorId sum = r.Emit(id, "Add", {a, b});
  const float epsilon = AttrFloat(node, "epsilon", 1e-12f);
  std::vector<TensorId> inputs = {sum, node.inputs[2]};
  if (!rms && Has(node, 3)) inputs.push_back(node.inputs[3]);
  const TensorId y = r.Emit(id, rms ? "RMSNormalization" : "LayerNormalization", inputs,
                            {{"axis", int64_t{-1}}, {"epsilon", epsilon}});
  const TensorId sum_out = node.outputs.size() > 3 ? node.outputs[3] : kNone, out = node.outputs[0];
  if (sum_out != kNone && !r.Unread(sum_out)) r.Replace(sum_out, sum);
  r.Replace(out, y);
  return true;
}

bool FusedMatMul(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  if (!r.Is(id, "FusedMatMul", kMs) && !r.Is(id, "TransposeMatMul", kMs)) return false;
  if (AttrInt(node, "transBatchA", 0) != 0 || AttrInt(node, "transBatchB", 0) != 0) return false;
  const TensorId a = AttrInt(node, "transA", 0) ? r.SwapLast(id, node.inputs[0]) : node.inputs[0];
  const TensorId b = AttrInt(node, "transB", 0) ? r.SwapLast(id, node.inputs[1]) : node.inputs[1];
  const TensorId product = r.Emit(id, "MatMul", {a, b});
  r.Replace(node.outputs[0], r.Emit(id, "Mul", {product, r.NewScalar(AttrFloat(node, "alpha", 1.0f))}));
  return true;
}

// ---- Attention ----

// q [..,N,P], k [..,M,P], v [..,M,P]; mask a term of the scores or kNone.
TensorId EmitAttention(Rewriter &r, NodeId id, TensorId q, TensorId k, TensorId v, float scale, TensorId mask) {
  const float factor = scale != 0 ? scale : 1.0f / std::sqrt(static_cast<float>(r.LastDim(q)));
  TensorId scores = r.Emit(id, "MatMul", {q, r.SwapLast(id, k)});
  scores = r.Emit(id, "Mul", {scores, r.NewScalar(factor)});
  if (mask != kNone) scores = r.Emit(id, "Add", {scores, mask});
  return r.Emit(id, "MatMul", {r.Emit(id, "Softmax", {scores}, {{"axis", int64_t{-1}}}), v});
}

TensorId CausalMask(Rewriter &r, int64_t n, int64_t m) {
  std::vector<float> mask(static_cast<size_t>(n * m), 0.0f);
  for (int64_t i = 0; i < n; i++)
    for (int64_t j = i + 1; j < m; j++) mask[i * m + j] = -std::numeric_limits<float>::infinity();
  return r.NewFloats("causal_mask", {n, m}, mask);
}

// A mask of bools: true may be attended.
TensorId FloatMask(Rewriter &r, TensorId mask) {
  if (!r.IsConstant(mask) || r.IsFloat(mask)) return mask;
  std::vector<float> values;
  for (int64_t keep : r.Ints(mask)) values.push_back(keep ? 0.0f : -std::numeric_limits<float>::infinity());
  return r.NewFloats(r.tensor(mask).name, r.DimsOf(mask), values);
}

// [B,N,H*P] -> [B,H,N,P]
TensorId SplitHeads(Rewriter &r, NodeId id, TensorId x, int64_t heads) {
  const Dims dims = r.DimsOf(x);
  return r.Transpose(id, r.Reshape(id, x, {dims[0], dims[1], heads, dims[2] / heads}), {0, 2, 1, 3});
}

TensorId JoinHeads(Rewriter &r, NodeId id, TensorId x) {
  const Dims dims = r.DimsOf(x);
  return r.Reshape(id, r.Transpose(id, x, {0, 2, 1, 3}), {dims[0], dims[2], dims[1] * dims[3]});
}

// Attention of opset 23 without caches, soft caps and grouped heads.
bool Attention23(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  if (!r.Is(id, "Attention") || Has(node, 4) || Has(node, 5) || !OnlyFirstOutput(r, node)) return false;
  if (AttrFloat(node, "softcap", 0) != 0 ||
      (Has(node, 3) && !r.IsFloat(node.inputs[3]) && !r.IsConstant(node.inputs[3])))
    return false;
  TensorId q = node.inputs[0], k = node.inputs[1], v = node.inputs[2];
  const bool flat = r.Rank(q) == 3;
  const int64_t heads = AttrInt(node, "q_num_heads", 0), kv_heads = AttrInt(node, "kv_num_heads", heads);
  if (flat && (heads <= 0 || heads != kv_heads)) return false;
  if (flat) q = SplitHeads(r, id, q, heads), k = SplitHeads(r, id, k, heads), v = SplitHeads(r, id, v, heads);
  if (r.Rank(q) != 4 || r.DimsOf(q)[1] != r.DimsOf(k)[1]) return false;
  TensorId mask = Has(node, 3) ? FloatMask(r, node.inputs[3]) : kNone;
  if (AttrInt(node, "is_causal", 0) != 0) {
    const TensorId causal = CausalMask(r, r.DimsOf(q)[2], r.DimsOf(k)[2]);
    mask = mask == kNone ? causal : r.Emit(id, "Add", {mask, causal});
  }
  const TensorId y = EmitAttention(r, id, q, k, v, AttrFloat(node, "scale", 0), mask);
  r.Replace(node.outputs[0], flat ? JoinHeads(r, id, y) : y);
  return true;
}

// (input [B,N,D], weight [D,3E], bias [3E]), no masks by index and no past: linear layers, then attention.
bool MsAttention(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  if (!r.Is(id, "Attention", kMs) || Has(node, 3) || Has(node, 4) || node.inputs.size() > 6) return false;
  if (!OnlyFirstOutput(r, node) || r.Rank(node.inputs[0]) != 3 || !r.IsConstant(node.inputs[1])) return false;
  const int64_t heads = AttrInt(node, "num_heads", 1), third = r.LastDim(node.inputs[1]) / 3;
  Dims sizes = AttrInts(node, "qkv_hidden_sizes", {third, third, third});
  TensorId all = r.Emit(id, "MatMul", {node.inputs[0], node.inputs[1]});
  if (Has(node, 2)) all = r.Emit(id, "Add", {all, node.inputs[2]});
  const TensorId q = r.Slice(id, all, 2, 0, sizes[0]), k = r.Slice(id, all, 2, sizes[0], sizes[0] + sizes[1]);
  const TensorId v = r.Slice(id, all, 2, sizes[0] + sizes[1], sizes[0] + sizes[1] + sizes[2]);
  const int64_t tokens = r.DimsOf(all)[1];
  TensorId mask = Has(node, 5) ? node.inputs[5] : kNone;
  if (AttrInt(node, "unidirectional", 0)) mask = CausalMask(r, tokens, tokens);
  const TensorId y = EmitAttention(r, id, SplitHeads(r, id, q, heads), SplitHeads(r, id, k, heads),
                                   SplitHeads(r, id, v, heads), AttrFloat(node, "scale", 0), mask);
  r.Replace(node.outputs[0], JoinHeads(r, id, y));
  return true;
}

// (query [B,N,D], key [B,M,D] or [B,H,M,P], value alike, bias [D+D+D]), no padding mask and no past.
bool MultiHeadAttention(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  if (!r.Is(id, "MultiHeadAttention", kMs) || Has(node, 4) || node.inputs.size() > 6) return false;
  if (node.inputs.size() < 3 || !Has(node, 1) || !Has(node, 2) || !OnlyFirstOutput(r, node)) return false;
  const int64_t heads = AttrInt(node, "num_heads", 1);
  TensorId parts[3];
  int64_t start = 0;
  for (int i = 0; i < 3; i++) {
    TensorId x = node.inputs[i];
    if (r.Rank(x) != 3 && (i == 0 || r.Rank(x) != 4)) return false;
    const int64_t size = r.Rank(x) == 3 ? r.LastDim(x) : heads * r.LastDim(x);
    if (Has(node, 3) && r.Rank(x) == 3) x = r.Emit(id, "Add", {x, r.Slice(id, node.inputs[3], 0, start, start + size)});
    parts[i] = r.Rank(x) == 3 ? SplitHeads(r, id, x, heads) : x;
    start += size;
  }
  const TensorId mask = Has(node, 5) ? node.inputs[5] : kNone;
  const TensorId y = EmitAttention(r, id, parts[0], parts[1], parts[2], AttrFloat(node, "scale", 0), mask);
  r.Replace(node.outputs[0], JoinHeads(r, id, y));
  return true;
}

// ---- Einsum of two operands ----

struct AttentionEquation {
  std::string a, b, out;
};

std::optional<AttentionEquation> ParseEquation(std::string text) {
  text.erase(std::remove(text.begin(), text.end(), ' '), text.end());
  const size_t comma = text.find(','), arrow = text.find("->");
  if (comma == std::string::npos || arrow == std::string::npos || text.find('.') != std::string::npos)
    return std::nullopt;
  AttentionEquation e{text.substr(0, comma), text.substr(comma + 1, arrow - comma - 1), text.substr(arrow + 2)};
  if (e.b.find(',') != std::string::npos) return std::nullopt;
  for (const std::string *labels : {&e.a, &e.b, &e.out})
    if (std::set<char>(labels->begin(), labels->end()).size() != labels->size()) return std::nullopt;
  return e;
}

bool In(const std::string &labels, char c) { return labels.find(c) != std::string::npos; }

// x with its axes in the order `labels`, neighbours merged into groups of the given sizes.
TensorId Arrange(Rewriter &r, NodeId id, TensorId x, const std::string &from, const std::string &to, const Dims &dims) {
  Dims perm;
  for (char c : to) perm.push_back(static_cast<int64_t>(from.find(c)));
  return r.Reshape(id, r.Transpose(id, x, perm), dims);
}

// "bnhp,bmhp->bhnm": batch bh, rows n, columns m, sum over p.
bool EinsumToMatMul(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  if (!r.Is(id, "Einsum") || node.inputs.size() != 2) return false;
  const auto e = ParseEquation(AttrString(node, "equation", ""));
  if (!e || e->a.size() != r.DimsOf(node.inputs[0]).size() || e->b.size() != r.DimsOf(node.inputs[1]).size())
    return false;
  std::map<char, int64_t> size;
  for (size_t i = 0; i < e->a.size(); i++) size[e->a[i]] = r.DimsOf(node.inputs[0])[i];
  for (size_t i = 0; i < e->b.size(); i++)
    if (!size.emplace(e->b[i], r.DimsOf(node.inputs[1])[i]).second && size[e->b[i]] != r.DimsOf(node.inputs[1])[i])
      return false;
  std::string batch, rows, columns, sum;
  for (char c : e->out) (In(e->a, c) ? (In(e->b, c) ? batch : rows) : columns) += c;
  for (char c : e->a)
    if (!In(e->out, c)) sum += c;
  for (char c : e->a + e->b)
    if (!In(e->out, c) && (!In(e->a, c) || !In(e->b, c))) return false;
  const auto count = [&](const std::string &labels) {
    return std::accumulate(labels.begin(), labels.end(), int64_t{1}, [&](int64_t n, char c) { return n * size[c]; });
  };
  Dims a_dims, out_dims;
  for (char c : batch) a_dims.push_back(size[c]);
  Dims b_dims = a_dims;
  a_dims.insert(a_dims.end(), {count(rows), count(sum)});
  b_dims.insert(b_dims.end(), {count(sum), count(columns)});
  const TensorId product = r.Emit(id, "MatMul",
                                  {Arrange(r, id, node.inputs[0], e->a, batch + rows + sum, a_dims),
                                   Arrange(r, id, node.inputs[1], e->b, batch + sum + columns, b_dims)});
  const std::string order = batch + rows + columns;
  for (char c : order) out_dims.push_back(size[c]);
  Dims perm;
  for (char c : e->out) perm.push_back(static_cast<int64_t>(order.find(c)));
  r.Replace(node.outputs[0], r.Transpose(id, r.Reshape(id, product, out_dims), perm));
  return true;
}

// Of one operand: what the result lacks is summed up, the rest put in order.
bool EinsumOfOne(Rewriter &r, NodeId id) {
  const FloatNode &node = r.node(id);
  if (!r.Is(id, "Einsum") || node.inputs.size() != 1) return false;
  std::string equation = AttrString(node, "equation", "");
  equation.erase(std::remove(equation.begin(), equation.end(), ' '), equation.end());
  const size_t arrow = equation.find("->");
  const std::string from = equation.substr(0, arrow), to = arrow == std::string::npos ? "" : equation.substr(arrow + 2);
  if (arrow == std::string::npos || from.find('.') != std::string::npos) return false;
  if (std::set<char>(from.begin(), from.end()).size() != from.size()) return false;
  Dims axes, perm;
  std::string kept;
  for (size_t i = 0; i < from.size(); i++) {
    if (to.find(from[i]) == std::string::npos) axes.push_back(static_cast<int64_t>(i));
    if (to.find(from[i]) != std::string::npos) kept.push_back(from[i]);
  }
  for (char label : to) perm.push_back(static_cast<int64_t>(kept.find(label)));
  TensorId y = node.inputs[0];
  if (!axes.empty()) y = r.Emit(id, "ReduceSum", {y}, {{"axes", axes}, {"keepdims", int64_t{0}}});
  y = r.Transpose(id, y, perm);
  if (r.MustStay(node.outputs[0], y)) return false;
  r.Replace(node.outputs[0], y);
  return true;
}

}  // namespace

std::vector<FloatRewrite> FusedRewrites() {
  return {{"gelus", Gelus},
          {"quick gelu", QuickGelu},
          {"skip norm", SkipNorm},
          {"fused matmul", FusedMatMul},
          {"attention 23", Attention23},
          {"attention of com.microsoft", MsAttention},
          {"multi-head attention", MultiHeadAttention},
          {"einsum to matmul", EinsumToMatMul},
          {"einsum of one", EinsumOfOne}};
}

}  // namespace onnx2mcu
