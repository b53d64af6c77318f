// attention_random.hpp - any attention that o2m.attention takes: tails, layouts, masks, scores up to saturation.
#pragma once
#include "attention_heads.hpp"

namespace o2m {

// [groups, heads, rows, columns]: as Strides() says, or the columns of all heads side by side, or transposed.
inline CaseOperand RandomHeads(Random &r, std::vector<int32_t> dims, double scale) {
  CaseOperand o = r.Operand(O2M_S8, dims, scale);
  const int64_t h = dims[1], n = dims[2], c = dims[3];
  const int32_t kind = r.Below(4);
  if (kind == 0) o.strides = {h * n * c, c, h * c, 1};
  if (kind == 1) o.strides = {h * n * c, c * n, 1, n};
  if (kind == 2) o.strides = {h * n * c, n, 1, h * n};
  return o;
}

inline CaseOperand RandomMask(Random &r, const std::vector<int32_t> &dims) {
  CaseOperand mask = r.Constant(dims, 3.0f);
  for (float &m : mask.constant) m = r.OneIn(4) ? -INFINITY : r.OneIn(20) ? -1e9f : m;
  return mask;
}

inline void RandomAttentionCase(CaseList &list, Random &r) {
  const int32_t groups = r.OneIn(6) ? 2 : 1, heads = 1 + r.Below(3), queries = r.Size(20);
  const int32_t keys = r.Size(r.OneIn(8) ? 210 : r.OneIn(3) ? 70 : 24), depth = r.Size(40), columns = r.Size(20);
  const float v_scale = r.Scale(1e-3, 1), q_scale = r.Scale(1e-3, 1), k_scale = r.Scale(1e-3, 1);
  const bool shared = groups == 1 && r.OneIn(6), wide = r.OneIn(4);
  const int32_t key_heads = shared ? 1 : heads;
  const double ratio = r.Scale(0.05, wide ? 1000 : 60);  // of v's scale to y's
  CaseOperand y = RandomHeads(r, {groups, heads, queries, columns}, v_scale / ratio);
  if (wide) y.dtype = O2M_S16, y.zero_point = r.ZeroPoint(O2M_S16);
  std::vector<CaseOperand> inputs = {RandomHeads(r, {groups, heads, queries, depth}, q_scale),
                                     RandomHeads(r, {groups, key_heads, depth, keys}, k_scale),
                                     RandomHeads(r, {groups, key_heads, keys, columns}, v_scale)};
  const bool per_head = groups == 1 && r.OneIn(2);
  if (r.OneIn(4)) inputs.push_back(RandomMask(r, {1, per_head ? heads : 1, r.OneIn(2) ? queries : 1, keys}));
  // a unit of q k^T in units of a score: flat rows to rows of which all but one score saturate
  const double unit = r.Scale(1e-4, 20);
  const auto factor = static_cast<float>(unit / (double{q_scale} * k_scale * kScoreUnits));
  list.Add("random", inputs, {y}, AttentionParams{factor, {1, 0}, 0, 0, 0, 0});
}

}  // namespace o2m
