// RotaryEmbedding and FusedConv taken apart.
// Semantics: ONNX operator specification; onnxruntime docs/ContribOperators.md.
#include "importer/canonicalize.h"

namespace onnx2mcu {
namespace {

// activation(Conv(X, W, B) + Z)
bool FusedConv(Rewriter &r, NodeId id) {
  if (!r.Is(id, "FusedConv", kMs)) return false;
  const FloatNode node = r.node(id);
  Attrs attrs = node.attrs;
  attrs.erase("activation"), attrs.erase("activation_params");
  std::vector<TensorId> inputs = {node.inputs[0], node.inputs[1]};
  if (Has(node, 2)) inputs.push_back(node.inputs[2]);
  TensorId y = r.Emit(id, "Conv", inputs, attrs);
  if (Has(node, 3)) y = r.Emit(id, "Add", {y, node.inputs[3]});
  const std::string type = AttrString(node, "activation", "");
  const auto found = node.attrs.find("activation_params");
  const auto *params = found == node.attrs.end() ? nullptr : std::get_if<std::vector<float>>(&found->second);
  const auto param = [&](size_t i) { return params && i < params->size() ? (*params)[i] : 0.0f; };
  if (type == "Clip")
    y = r.Emit(id, type, {y, r.NewScalar(param(0)), r.NewScalar(param(1))});
  else if (type == "LeakyRelu")
    y = r.Emit(id, type, {y}, {{"alpha", param(0)}});
  else if (type == "HardSigmoid")
    y = r.Emit(id, type, {y}, {{"alpha", param(0)}, {"beta", param(1)}});
  else if (!type.empty())
    y = r.Emit(id, type, {y});
  r.Replace(node.outputs[0], y);
  return true;
}

// Rows of a cache [max, R/2] for N tokens, as [1, 1, N, R/2]. kNone: the positions are not constant.
TensorId CacheRows(Rewriter &r, NodeId id, TensorId cache, TensorId positions, int64_t tokens) {
  const int64_t half = r.LastDim(cache);
  if (positions == kNone) return r.Reshape(id, cache, {1, 1, tokens, half});
  if (!r.IsConstant(positions)) return kNone;
  Dims rows = r.Ints(positions);
  if (rows.size() == 1) {
    for (int64_t n = 1; n < tokens; n++) rows.push_back(rows[0] + n);
  }
  if (static_cast<int64_t>(rows.size()) != tokens) return kNone;
  return r.Reshape(id, r.Emit(id, "Gather", {cache, r.NewInts(rows)}, {{"axis", int64_t{0}}}), {1, 1, tokens, half});
}

TensorId Every(Rewriter &r, NodeId id, TensorId x, int64_t start, int64_t end, int64_t step) {
  return r.Emit(id, "Slice", {x, r.NewInts({start}), r.NewInts({end}), r.NewInts({3}), r.NewInts({step})});
}

// x [1,H,N,P] -> the same, the first `width` values of every head rotated.
TensorId Rotated(Rewriter &r, NodeId id, TensorId x, TensorId cos, TensorId sin, int64_t width, bool interleaved) {
  const Dims dims = r.DimsOf(x);
  const int64_t half = width / 2;
  const TensorId a = interleaved ? Every(r, id, x, 0, width, 2) : r.Slice(id, x, 3, 0, half);
  const TensorId b = interleaved ? Every(r, id, x, 1, width, 2) : r.Slice(id, x, 3, half, width);
  const TensorId real = r.Emit(id, "Sub", {r.Emit(id, "Mul", {a, cos}), r.Emit(id, "Mul", {b, sin})});
  const TensorId imaginary = r.Emit(id, "Add", {r.Emit(id, "Mul", {a, sin}), r.Emit(id, "Mul", {b, cos})});
  std::vector<TensorId> parts = {real, imaginary};
  if (interleaved) {
    for (TensorId &part : parts) part = r.Reshape(id, part, {dims[0], dims[1], dims[2], half, 1});
    const TensorId pairs = r.Emit(id, "Concat", parts, {{"axis", int64_t{4}}});
    parts = {r.Reshape(id, pairs, {dims[0], dims[1], dims[2], width})};
  }
  if (width < dims[3]) parts.push_back(r.Slice(id, x, 3, width, dims[3]));
  return parts.size() == 1 ? parts[0] : r.Emit(id, "Concat", parts, {{"axis", int64_t{3}}});
}

bool RotaryEmbedding(Rewriter &r, NodeId id) {
  const bool ms = r.Is(id, "RotaryEmbedding", kMs);
  if (!ms && !r.Is(id, "RotaryEmbedding")) return false;
  const FloatNode node = r.node(id);
  TensorId x = node.inputs[0];
  const TensorId cos = node.inputs[ms ? 2 : 1], sin = node.inputs[ms ? 3 : 2];
  const TensorId positions = ms ? node.inputs[1] : Has(node, 3) ? node.inputs[3] : kNone;
  const Dims dims = r.DimsOf(x);
  const int64_t given = AttrInt(node, "rotary_embedding_dim", 0);
  int64_t heads = AttrInt(node, "num_heads", 0);
  if (heads == 0 && dims.size() == 3 && given == 0) heads = dims[2] / (2 * r.LastDim(cos));
  if (dims[0] != 1 || !r.IsConstant(cos) || !r.IsConstant(sin) || (dims.size() == 3 && heads == 0)) return false;
  const int64_t tokens = dims[dims.size() - 2];
  const TensorId c = CacheRows(r, id, cos, positions, tokens), s = CacheRows(r, id, sin, positions, tokens);
  if (c == kNone || s == kNone) return false;
  if (dims.size() == 3) x = r.Transpose(id, r.Reshape(id, x, {1, tokens, heads, dims[2] / heads}), {0, 2, 1, 3});
  const int64_t width = given != 0 ? given : r.LastDim(x);
  TensorId y = Rotated(r, id, x, c, s, width, AttrInt(node, "interleaved", 0) != 0);
  if (dims.size() == 3) y = r.Reshape(id, r.Transpose(id, y, {0, 2, 1, 3}), dims);
  r.Replace(node.outputs[0], y);
  return true;
}

}  // namespace

std::vector<FloatRewrite> ContribRewrites() {
  return {{"fused convolution", FusedConv}, {"rotary embedding", RotaryEmbedding}};
}

}  // namespace onnx2mcu
