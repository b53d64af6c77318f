// attention_worst.hpp - the most keys, the deepest products and the ends of all factors that o2m.attention admits.
#pragma once
#include "attention_heads.hpp"

namespace o2m {

struct WorstAttention {
  int32_t depth, keys;
  int32_t q_zero, k_zero, v_zero;
  double unit;   // of a product of q and k, in units of a score; 0: the most that infer() admits
  double ratio;  // of v's scale to y's
  o2m_dtype y_dtype = O2M_S8;
  bool apart = false;  // keys and columns lie apart, as no projection leaves them
};

inline void AddWorstAttention(CaseList &list, const std::string &name, const WorstAttention &a) {
  constexpr int32_t kQueries = 3, kColumns = 5;
  constexpr float kScale = 0.03125f;
  const int64_t p = a.depth, m = a.keys, r = kColumns;
  const double unit = a.unit > 0 ? a.unit : 1073741824.0 * 0.99999 / (255.0 * 255 * a.depth);
  std::vector<int64_t> k = {0, 0, 1, p}, v = {};
  if (a.apart) k = {0, 0, 2 * m, 2}, v = {0, 0, 2 * r, 2};
  list.Add(name,
           {{O2M_S8, {1, 1, kQueries, a.depth}, kScale, a.q_zero},
            {O2M_S8, {1, 1, a.depth, a.keys}, kScale, a.k_zero, {}, k},
            {O2M_S8, {1, 1, a.keys, kColumns}, kScale, a.v_zero, {}, v}},
           {{a.y_dtype, {1, 1, kQueries, kColumns}, static_cast<float>(kScale / a.ratio), 0}},
           AttentionParams{static_cast<float>(unit / (kScale * kScale * kScoreUnits)), {1, 1}, 0, 0, 0, 0});
}

inline void WorstAttentionCases(CaseList &list) {
  // all keys alike: the largest sum of exponentials, and of 255 times 255
  AddWorstAttention(list, "most_keys", {4, kMostKeys, -128, 127, -128, 0, 0.5});
  AddWorstAttention(list, "most_keys_s16", {3, kMostKeys, 127, -128, 127, 1e-4, 128, O2M_S16});
  AddWorstAttention(list, "most_keys_apart", {1, kMostKeys - 1, -128, -128, -128, 0.3, 128, O2M_S16, true});
  AddWorstAttention(list, "deepest", {kMostDepth, 7, -128, -128, 0, 0, 1});
  AddWorstAttention(list, "deepest_apart", {kMostDepth - 1, 9, 127, 127, 127, 0, 200, O2M_S16, true});
  AddWorstAttention(list, "deepest_flat", {kMostDepth, 6, 127, -128, -128, 1e-7, 1});
  AddWorstAttention(list, "finest_output", {16, 21, -128, 127, -128, 0, 2097151.0 * 0.99, O2M_S16});
  AddWorstAttention(list, "coarsest_output", {16, 21, -128, 127, -128, 0.1, 1.01 / 256});
}

}  // namespace o2m
