// importer/eval_contrib.cc - operators that put several others together: RotaryEmbedding of opset 23 and com.microsoft,
// com.microsoft.FusedConv and SkipSimplifiedLayerNormalization.
// Semantics: ONNX operator specification; onnxruntime docs/ContribOperators.md.
#include <cmath>

#include "importer/eval_op.h"

namespace onnx2mcu {
namespace {

absl::StatusOr<Value> Run(const FloatNode &like, const std::string &type, const std::vector<const Value *> &inputs,
                          std::map<std::string, Attr> attrs = {}) {
  FloatNode node;
  node.name = like.name, node.op_type = type, node.opset = 13;
  node.attrs = std::move(attrs);
  node.outputs = {0};
  O2M_ASSIGN_OR_RETURN(std::vector<Value> results, EvaluateNode(node, inputs));
  return std::move(results[0]);
}

// ---- RotaryEmbedding ----

// x as [B, H, N, P], and the angle of each row.
struct Rotary {
  Dims dims;
  Dims strides;              // of x as it lies: [B,H,N,P] or [B,N,H*P]
  int64_t width = 0;         // leading values of a head that are rotated
  bool interleaved = false;  // pairs lie side by side; else half a width apart
};

absl::StatusOr<Rotary> RotaryOf(const OpCall &call, const Value &x) {
  Rotary r;
  int64_t heads = AttrInt(call.node, "num_heads", 0);
  if (x.dims.size() == 4) {
    r.dims = x.dims, r.strides = DenseStrides(x.dims);
  } else if (x.dims.size() == 3) {
    const int64_t given = AttrInt(call.node, "rotary_embedding_dim", 0);
    if (heads == 0 && given == 0) heads = x.dims[2] / (2 * call.in(call.node.domain.empty() ? 1 : 2).dims.back());
    if (heads <= 0 || x.dims[2] % heads != 0) return Invalid("num_heads ", heads, " does not divide ", x.dims[2]);
    const int64_t p = x.dims[2] / heads;
    r.dims = {x.dims[0], heads, x.dims[1], p};
    r.strides = {x.dims[1] * x.dims[2], p, x.dims[2], 1};
  } else {
    return Invalid("input of shape ", ShapeText(x.dims), "; [B,H,N,P] or [B,N,D] would work");
  }
  r.width = AttrInt(call.node, "rotary_embedding_dim", 0);
  if (r.width == 0) r.width = r.dims[3];
  r.interleaved = AttrInt(call.node, "interleaved", 0) != 0;
  if (r.width % 2 != 0 || r.width > r.dims[3]) return Invalid("rotary_embedding_dim ", r.width, " does not fit");
  return r;
}

// Row of the caches for token n of batch b: positions [B,N], an offset [1], or none (caches [B,N,R/2]).
int64_t CacheRow(const Value *positions, const Rotary &r, int64_t b, int64_t n) {
  if (positions == nullptr) return b * r.dims[2] + n;
  if (Count(*positions) == 1) return positions->i[0] + n;
  return positions->i[b * r.dims[2] + n];
}

Values Rotate(const OpCall &call, const Value &cos, const Value &sin, const Value *positions) {
  const Value &x = call.in(0);
  if (cos.dims.empty() || cos.dims.back() == 0 || cos.dims != sin.dims)
    return Invalid("caches of shape ", ShapeText(cos.dims), " and ", ShapeText(sin.dims));
  O2M_ASSIGN_OR_RETURN(const Rotary r, RotaryOf(call, x));
  const int64_t half = r.width / 2, rows = Count(cos) / cos.dims.back();
  if (cos.dims.back() != half) return Invalid("caches of shape ", ShapeText(cos.dims));
  if (positions != nullptr && Count(*positions) != 1 && Count(*positions) != r.dims[0] * r.dims[2])
    return Invalid("position_ids of shape ", ShapeText(positions->dims));
  Value y = x;
  const int64_t apart = r.interleaved ? 1 : half, next = r.interleaved ? 2 : 1;
  for (int64_t b = 0; b < r.dims[0]; b++)
    for (int64_t n = 0; n < r.dims[2]; n++) {
      const int64_t row = CacheRow(positions, r, b, n);
      if (row < 0 || row >= rows) return Invalid("position ", row, " is outside of caches of ", rows, " rows");
      for (int64_t h = 0; h < r.dims[1]; h++)
        for (int64_t k = 0; k < half; k++) {
          const int64_t at = b * r.strides[0] + h * r.strides[1] + n * r.strides[2] + k * next;
          const float c = cos.f[row * half + k], s = sin.f[row * half + k], p = x.f[at], q = x.f[at + apart];
          y.f[at] = c * p - s * q, y.f[at + apart] = s * p + c * q;
        }
    }
  return One(std::move(y));
}

// X, cos_cache, sin_cache, position_ids
Values RotaryEmbedding(const OpCall &call) {
  return Rotate(call, call.in(1), call.in(2), call.has(3) ? &call.in(3) : nullptr);
}
// input, position_ids, cos_cache, sin_cache
Values RotaryMicrosoft(const OpCall &call) { return Rotate(call, call.in(2), call.in(3), &call.in(1)); }

// ---- The others ----

absl::StatusOr<Value> Activated(const OpCall &call, const Value &x) {
  const std::string type = AttrString(call.node, "activation", "");
  const auto found = call.node.attrs.find("activation_params");
  const auto *params = found == call.node.attrs.end() ? nullptr : std::get_if<std::vector<float>>(&found->second);
  const size_t count = params == nullptr ? 0 : params->size();
  if (type.empty()) return x;
  if (type == "Relu" || type == "Sigmoid" || type == "Tanh") return Run(call.node, type, {&x});
  if (type == "LeakyRelu" && count == 1) return Run(call.node, type, {&x}, {{"alpha", (*params)[0]}});
  if (type == "HardSigmoid" && count == 2)
    return Run(call.node, type, {&x}, {{"alpha", (*params)[0]}, {"beta", (*params)[1]}});
  if (type != "Clip" || count != 2) return Unsupported("activation ", type, " with ", count, " params");
  Value y = x;
  for (float &v : y.f) v = std::fmin(std::fmax(v, (*params)[0]), (*params)[1]);
  return y;
}

// X, W, B, Z: activation(Conv(X, W, B) + Z)
Values FusedConv(const OpCall &call) {
  std::map<std::string, Attr> attrs = call.node.attrs;
  attrs.erase("activation"), attrs.erase("activation_params");
  O2M_ASSIGN_OR_RETURN(Value y,
                       Run(call.node, "Conv", {&call.in(0), &call.in(1), call.has(2) ? &call.in(2) : nullptr}, attrs));
  if (call.has(3)) {
    O2M_ASSIGN_OR_RETURN(y, Run(call.node, "Add", {&y, &call.in(3)}));
  }
  O2M_ASSIGN_OR_RETURN(y, Activated(call, y));
  return One(std::move(y));
}

// input, skip, gamma, bias: outputs y, (mean), (inverse deviation), input + skip + bias
Values SkipSimplified(const OpCall &call) {
  O2M_ASSIGN_OR_RETURN(Value sum, Run(call.node, "Add", {&call.in(0), &call.in(1)}));
  if (call.has(3)) {
    O2M_ASSIGN_OR_RETURN(sum, Run(call.node, "Add", {&sum, &call.in(3)}));
  }
  O2M_ASSIGN_OR_RETURN(Value y, Run(call.node, "RMSNormalization", {&sum, &call.in(2)},
                                    {{"axis", int64_t{-1}}, {"epsilon", AttrFloat(call.node, "epsilon", 1e-12f)}}));
  for (size_t o : {1, 2})
    if (call.wants(o)) return Unsupported("output ", o, " (statistics) is not supported");
  return std::vector<Value>{std::move(y), Floats({}), Floats({}), std::move(sum)};
}

}  // namespace

std::vector<OpEntry> ContribOps() {
  return {{"RotaryEmbedding", "fffi?", RotaryEmbedding},
          {"com.microsoft.RotaryEmbedding", "fiff", RotaryMicrosoft},
          {"com.microsoft.FusedConv", "fff?f?", FusedConv},
          {"com.microsoft.SkipSimplifiedLayerNormalization", "ffff?", SkipSimplified}};
}

}  // namespace onnx2mcu
