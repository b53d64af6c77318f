// importer/eval_attention.cc - the fused attention operators: ONNX 23 and com.microsoft.
#include <algorithm>
#include <cmath>
#include <limits>

#include "importer/eval_op.h"

namespace onnx2mcu {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// One attention over heads: q [B,H,N,P], k [B,G,M,P], v [B,G,M,V], H a multiple of G.
struct Heads {
  Value q, k, v;
  Value bias;                     // added to the scores, broadcasts to [B,H,N,M]; no dims and no data: none
  bool causal = false;            // the query at position p sees keys 0 .. p
  int64_t left = -1, right = -1;  // and keys p - left .. p + right; negative: no bound
  Dims offset = {0};              // position of query 0, one for all batch entries or one each
  std::vector<int64_t> valid;     // keys seen per batch entry; empty: all
  float scale = 1, softcap = 0;
  int64_t keep = -1;  // what to return in scores: 0 q*k, 1 capped, 2 with mask, 3 after softmax
  Value scores;
};

absl::Status CheckHeads(const Heads &h) {
  const Dims &q = h.q.dims, &k = h.k.dims, &v = h.v.dims;
  if (q.size() == 4 && k.size() == 4 && v.size() == 4 && q[0] == k[0] && k[0] == v[0] && q[3] == k[3] && k[2] == v[2] &&
      k[1] == v[1] && k[1] > 0 && q[1] % k[1] == 0) {
    return CheckSize({q[0], q[1], q[2], k[2]});
  }
  return Invalid("query ", ShapeText(q), ", key ", ShapeText(k), " and value ", ShapeText(v),
                 " do not fit; [B,H,N,P], [B,H,M,P] and [B,H,M,V] would work");
}

bool Sees(const Heads &h, int64_t position, int64_t key) {
  if (h.causal && key > position) return false;
  if (h.left >= 0 && key < position - h.left) return false;
  return h.right < 0 || key <= position + h.right;
}

void MaskScores(const Heads &h, const float *bias, float *scores, int64_t batch) {
  const int64_t n = h.q.dims[2], m = h.k.dims[2];
  const int64_t valid = h.valid.empty() ? m : h.valid[batch], offset = h.offset[h.offset.size() == 1 ? 0 : batch];
  for (int64_t i = 0; i < n; i++) {
    for (int64_t j = 0; j < m; j++) {
      float &s = scores[i * m + j];
      if (bias != nullptr) s += bias[i * m + j];
      if (j >= valid || !Sees(h, i + offset, j)) s = -kInfinity;
    }
  }
}

// A row that may see no key at all gives zeros.
void SoftmaxSeen(float *scores, int64_t rows, int64_t n) {
  for (int64_t r = 0; r < rows; r++, scores += n) {
    const bool none = std::all_of(scores, scores + n, [](float s) { return s == -kInfinity; });
    if (none) {
      std::fill(scores, scores + n, 0.0f);
    } else {
      SoftmaxRows(scores, 1, n);
    }
  }
}

// softmax(scale * q k^T + bias) v -> [B,H,N,V].
absl::StatusOr<Value> Attend(Heads &h) {
  O2M_RETURN_IF_ERROR(CheckHeads(h));
  const int64_t heads = h.q.dims[1], n = h.q.dims[2], p = h.q.dims[3], m = h.k.dims[2], width = h.v.dims[3];
  const int64_t share = heads / h.k.dims[1];
  Value bias;
  if (!h.bias.f.empty()) {
    O2M_ASSIGN_OR_RETURN(bias, BroadcastTo(h.bias, {h.q.dims[0], heads, n, m}));
  }
  Value out = Floats({h.q.dims[0], heads, n, width});
  h.scores = Floats({h.q.dims[0], heads, n, m});
  std::vector<float> scores(n * m);
  for (int64_t b = 0; b < h.q.dims[0] * heads; b++) {
    const int64_t kv = b / heads * h.k.dims[1] + b % heads / share;
    const auto keep = [&](int64_t stage) {
      if (h.keep == stage) std::copy(scores.begin(), scores.end(), h.scores.f.begin() + b * n * m);
    };
    MultiplyInto(h.q.f.data() + b * n * p, h.k.f.data() + kv * m * p, scores.data(), n, p, m, true);
    for (float &s : scores) s *= h.scale;
    keep(0);
    if (h.softcap > 0) {
      for (float &s : scores) s = h.softcap * std::tanh(s / h.softcap);
    }
    keep(1);
    MaskScores(h, bias.f.empty() ? nullptr : bias.f.data() + b * n * m, scores.data(), b / heads);
    keep(2);
    SoftmaxSeen(scores.data(), n, m);
    keep(3);
    MultiplyInto(scores.data(), h.v.f.data() + kv * m * width, out.f.data() + b * n * width, n, m, width);
  }
  return out;
}

// [B,N,H*P] -> [B,H,N,P].
absl::StatusOr<Value> SplitHeads(const Value &x, int64_t heads) {
  if (x.dims.size() != 3 || heads < 1 || x.dims[2] % heads != 0) {
    return Invalid("shape ", ShapeText(x.dims), " does not split into ", heads, " heads; [B,N,heads*P] would work");
  }
  return Permute(Reshaped(x, {x.dims[0], x.dims[1], heads, x.dims[2] / heads}), {0, 2, 1, 3});
}

Value JoinHeads(const Value &x) {
  return Reshaped(Permute(x, {0, 2, 1, 3}), {x.dims[0], x.dims[2], x.dims[1] * x.dims[3]});
}

// A bool mask is true where a key is seen; a float one is added. A mask narrower than the keys hides the rest.
Value BiasFromMask(const Value &mask, int64_t keys) {
  Value bias = Floats(mask.dims);
  for (size_t k = 0; k < bias.f.size(); k++) {
    bias.f[k] = mask.is_float() ? mask.f[k] : (mask.i[k] != 0 ? 0 : -kInfinity);
  }
  if (mask.dims.empty() || mask.dims.back() >= keys || mask.dims.back() == 1) return bias;
  const int64_t n = mask.dims.back();
  Dims dims = mask.dims;
  dims.back() = keys;
  Value wide = Floats(dims);
  for (int64_t k = 0; k < Count(wide); k++) wide.f[k] = k % keys < n ? bias.f[k / keys * n + k % keys] : -kInfinity;
  return wide;
}

// past and x joined along the keys of [B,H,M,P].
absl::StatusOr<Value> JoinPast(const Value &past, const Value &x) {
  FloatNode concat;
  concat.op_type = "Concat";
  concat.attrs["axis"] = int64_t{2};
  concat.outputs = {0};
  O2M_ASSIGN_OR_RETURN(std::vector<Value> joined, EvaluateNode(concat, {&past, &x}));
  return std::move(joined[0]);
}

// Operands of ONNX's Attention: Q, K, V, attn_mask, past_key, past_value, nonpad_kv_seqlen.
absl::StatusOr<Heads> HeadsOf(const OpCall &call, bool flat) {
  Heads h;
  h.q = call.in(0);
  h.k = call.in(1);
  h.v = call.in(2);
  if (flat) {
    O2M_ASSIGN_OR_RETURN(h.q, SplitHeads(h.q, AttrInt(call.node, "q_num_heads", 0)));
    O2M_ASSIGN_OR_RETURN(h.k, SplitHeads(h.k, AttrInt(call.node, "kv_num_heads", 0)));
    O2M_ASSIGN_OR_RETURN(h.v, SplitHeads(h.v, AttrInt(call.node, "kv_num_heads", 0)));
  }
  if (call.has(4) && call.has(5)) {
    if (call.in(4).dims.size() != 4) return Invalid("past_key is not 4-D; [B,H,M,P] would work");
    h.offset = {call.in(4).dims[2]};
    O2M_ASSIGN_OR_RETURN(h.k, JoinPast(call.in(4), h.k));
    O2M_ASSIGN_OR_RETURN(h.v, JoinPast(call.in(5), h.v));
  }
  O2M_RETURN_IF_ERROR(CheckHeads(h));
  if (call.has(3)) h.bias = BiasFromMask(call.in(3), h.k.dims[2]);
  if (call.has(6)) {
    h.valid = call.in(6).i;
    if (static_cast<int64_t>(h.valid.size()) != h.q.dims[0]) {
      return Invalid("nonpad_kv_seqlen has ", h.valid.size(), " entries; ", h.q.dims[0], " would work");
    }
    h.offset.clear();
    for (int64_t valid : h.valid) h.offset.push_back(std::clamp<int64_t>(valid, 0, h.k.dims[2]) - h.q.dims[2]);
  }
  h.causal = AttrInt(call.node, "is_causal", 0) != 0;
  h.scale = AttrFloat(call.node, "scale", 1 / std::sqrt(static_cast<float>(h.q.dims[3])));
  h.softcap = AttrFloat(call.node, "softcap", 0);
  h.left = std::min<int64_t>(AttrInt(call.node, "left_window_size", -1), 1 << 28);
  h.right = std::min<int64_t>(AttrInt(call.node, "right_window_size", -1), 1 << 28);
  return h;
}

// Outputs: Y, present_key, present_value, qk_matmul_output.
Values Attention(const OpCall &call) {
  const bool flat = call.in(0).dims.size() == 3;
  O2M_ASSIGN_OR_RETURN(Heads h, HeadsOf(call, flat));
  h.keep = AttrInt(call.node, "qk_matmul_output_mode", 0);
  if (h.keep < 0 || h.keep > 3) return Invalid("qk_matmul_output_mode ", h.keep, " is unknown; 0 to 3 would work");
  O2M_ASSIGN_OR_RETURN(Value out, Attend(h));
  std::vector<Value> results;
  results.push_back(flat ? JoinHeads(out) : std::move(out));
  results.push_back(std::move(h.k));
  results.push_back(std::move(h.v));
  results.push_back(std::move(h.scores));
  return results;
}

// Columns [start, start + count) of the last dim of [B,N,D].
Value Columns(const Value &x, int64_t start, int64_t count) {
  return StridedTake(x, start, {x.dims[0], x.dims[1], count}, DenseStrides(x.dims));
}

// com.microsoft masks hide keys with a large negative number: [B,M], [B,N,M] or [B,1,N,M] of 0 and 1, or the number of
// valid keys per batch entry [B].
absl::Status ApplyMask(const OpCall &call, const Value &mask, Heads &h) {
  const Dims &dims = mask.dims;
  if (dims.size() == 1 && dims[0] == h.q.dims[0]) {
    h.valid = mask.i;
    return absl::OkStatus();
  }
  if (dims.size() < 2 || dims.size() > 4) {
    return Unsupported("mask of shape ", ShapeText(dims),
                       " is not supported; [B], [B,M], [B,N,M] or [B,1,N,M] would work");
  }
  Value bias = Floats(dims);
  const float hidden = AttrFloat(call.node, "mask_filter_value", -10000.0f);
  for (size_t k = 0; k < bias.f.size(); k++) bias.f[k] = mask.i[k] != 0 ? 0 : hidden;
  if (dims.size() == 2) bias.dims = {dims[0], 1, 1, dims[1]};
  if (dims.size() == 3) bias.dims = {dims[0], 1, dims[1], dims[2]};
  h.bias = std::move(bias);
  return absl::OkStatus();
}

absl::Status AddBias(const Value &extra, Heads &h) {
  if (h.bias.f.empty()) {
    h.bias = extra;
    return absl::OkStatus();
  }
  FloatNode add;
  add.op_type = "Add";
  add.outputs = {0};
  O2M_ASSIGN_OR_RETURN(std::vector<Value> sum, EvaluateNode(add, {&h.bias, &extra}));
  h.bias = std::move(sum[0]);
  return absl::OkStatus();
}

absl::StatusOr<Value> AttendMicrosoft(const OpCall &call, Heads &h, size_t mask, size_t bias) {
  O2M_RETURN_IF_ERROR(CheckHeads(h));
  h.causal = AttrInt(call.node, "unidirectional", 0) != 0;
  const float scale = AttrFloat(call.node, "scale", 0);
  h.scale = scale != 0 ? scale : 1 / std::sqrt(static_cast<float>(h.q.dims[3]));
  if (call.has(mask)) O2M_RETURN_IF_ERROR(ApplyMask(call, call.in(mask), h));
  if (call.has(bias)) O2M_RETURN_IF_ERROR(AddBias(call.in(bias), h));
  O2M_ASSIGN_OR_RETURN(const Value out, Attend(h));
  return JoinHeads(out);
}

// com.microsoft.Attention: x [B,N,D], weights [D,3D] and bias [3D] of q, k and v side by side.
Values PackedAttention(const OpCall &call) {
  if (call.has(4)) return Unsupported("operand past is not supported; a model without a cache would work");
  if (AttrInt(call.node, "do_rotary", 0) != 0) return Unsupported("do_rotary is not supported");
  O2M_ASSIGN_OR_RETURN(Value qkv, MatMulFloat(call.in(0), call.in(1)));
  if (qkv.dims.size() != 3) return Invalid("input of shape ", ShapeText(call.in(0).dims), "; [B,N,D] would work");
  const int64_t width = qkv.dims[2];
  if (call.has(2)) {
    if (Count(call.in(2)) != width) return Invalid("bias of ", Count(call.in(2)), " elements; ", width, " would work");
    for (int64_t k = 0; k < Count(qkv); k++) qkv.f[k] += call.in(2).f[k % width];
  }
  const Dims sizes = AttrInts(call.node, "qkv_hidden_sizes", Dims(3, width / 3));
  if (sizes.size() != 3 || std::min({sizes[0], sizes[1], sizes[2]}) < 0 || sizes[0] + sizes[1] + sizes[2] != width) {
    return Invalid("qkv_hidden_sizes ", ShapeText(sizes), " do not add up to ", width);
  }
  const int64_t heads = AttrInt(call.node, "num_heads", 0);
  Heads h;
  O2M_ASSIGN_OR_RETURN(h.q, SplitHeads(Columns(qkv, 0, sizes[0]), heads));
  O2M_ASSIGN_OR_RETURN(h.k, SplitHeads(Columns(qkv, sizes[0], sizes[1]), heads));
  O2M_ASSIGN_OR_RETURN(h.v, SplitHeads(Columns(qkv, sizes[0] + sizes[1], sizes[2]), heads));
  O2M_ASSIGN_OR_RETURN(Value out, AttendMicrosoft(call, h, 3, 5));
  return One(std::move(out));
}

// Adds columns [start, ...) of a bias over q, k and v to x [B,N,D].
absl::Status AddColumns(const Value &bias, int64_t start, Value &x) {
  const int64_t width = x.dims.back();
  if (start + width > Count(bias)) return Invalid("bias of ", Count(bias), " elements is too short");
  for (int64_t k = 0; k < Count(x); k++) x.f[k] += bias.f[start + k % width];
  return absl::OkStatus();
}

// com.microsoft.MultiHeadAttention: query, key and value [B,N,D] after their linear layers; bias [3D].
Values MultiHeadAttention(const OpCall &call) {
  for (size_t operand = 6; operand < call.inputs.size(); operand++) {
    if (call.has(operand)) return Unsupported("operand ", operand, " (a cache) is not supported");
  }
  if (!call.has(1) || !call.has(2))
    return Unsupported("packed query, key and value are not supported; three operands work");
  Value in[3] = {call.in(0), call.in(1), call.in(2)};
  const int64_t heads = AttrInt(call.node, "num_heads", 0);
  int64_t start = 0;
  for (size_t n = 0; n < 3; n++) {
    if (in[n].dims.size() == 4) continue;  // [B,H,M,P] already, without bias
    if (in[n].dims.size() != 3)
      return Invalid("operand ", n, " of shape ", ShapeText(in[n].dims), "; [B,N,D] would work");
    if (call.has(3)) O2M_RETURN_IF_ERROR(AddColumns(call.in(3), start, in[n]));
    start += in[n].dims[2];
    O2M_ASSIGN_OR_RETURN(in[n], SplitHeads(in[n], heads));
  }
  Heads h;
  h.q = std::move(in[0]);
  h.k = std::move(in[1]);
  h.v = std::move(in[2]);
  O2M_ASSIGN_OR_RETURN(Value out, AttendMicrosoft(call, h, 4, 5));
  return One(std::move(out));
}

}  // namespace

std::vector<OpEntry> AttentionOps() {
  return {{"Attention", "fff*?f?f?i?", Attention},
          {"com.microsoft.Attention", "fff?i?f?f?", PackedAttention},
          {"com.microsoft.MultiHeadAttention", "ff?f?f?i?f?", MultiHeadAttention}};
}

}  // namespace onnx2mcu
