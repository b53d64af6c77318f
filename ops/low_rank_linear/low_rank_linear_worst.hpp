// low_rank_linear_worst.hpp - the deepest sums that o2m.low_rank_linear admits, in both of its layers.
#pragma once
#include "linear_layer.hpp"

namespace o2m {

struct WorstFactors {
  o2m_dtype x_dtype;
  int32_t depth, rank, x_zero;
  o2m_dtype y_dtype;
  double range;  // the largest sum of the second layer in steps of y; 0: the most that infer() admits
};

template <class Params>
void AddWorstFactors(CaseList &list, const std::string &name, const WorstFactors &f) {
  constexpr int32_t kRows = 5, kColumns = 6;
  constexpr float kScale = 0.01f, kWeight = 1.27f;
  const double reach = f.x_dtype == O2M_S16 ? 32768.0 + std::abs(f.x_zero) : 128.0 + std::abs(f.x_zero);
  const double middle = f.depth * reach * kWeight * kScale / 32766, unit = middle * kWeight / 127;
  const double sum = 65536.0 * 127 * f.rank + kLargestBias, steps = f.range > 0 ? f.range : 1073741824.0 * 0.9999;
  std::vector<float> u, v, bias;
  for (int32_t k = 0; k < f.depth; ++k)
    for (int32_t n = 0; n < f.rank; ++n) u.push_back(kWeight * EndSign(n % 2, k, f.depth));
  for (int32_t k = 0; k < f.rank; ++k)
    for (int32_t n = 0; n < kColumns; ++n) v.push_back(kWeight * EndSign(k % 2, k, f.rank) * EndSign(n, k, f.rank));
  for (int32_t n = 0; n < kColumns; ++n)
    bias.push_back(static_cast<float>(0.9999 * unit * kLargestBias) * EndSign(n, 0, 2));
  list.Add(name,
           {{f.x_dtype, {1, kRows, f.depth}, kScale, f.x_zero},
            {O2M_F32, {f.depth, f.rank}, 0, 0, u},
            {O2M_F32, {f.rank, kColumns}, 0, 0, v},
            {O2M_F32, {kColumns}, 0, 0, bias}},
           {{f.y_dtype, {1, kRows, kColumns}, static_cast<float>(unit * sum / steps), 0}}, Params{});
}

template <class Params>
void WorstLowRankCases(CaseList &list) {
  const auto most = static_cast<int32_t>(kLargestDepth);
  AddWorstFactors<Params>(list, "deepest", {O2M_S8, most, 5, -128, O2M_S16, 65536});
  AddWorstFactors<Params>(list, "deepest_high_zero", {O2M_S8, most, 7, 127, O2M_S8, 256});
  AddWorstFactors<Params>(list, "largest_rank_of_one_block", {O2M_S8, 40, 480, 0, O2M_S16, 65536});
  AddWorstFactors<Params>(list, "rank_481", {O2M_S8, 40, 481, -128, O2M_S16, 65536});
  AddWorstFactors<Params>(list, "finest", {O2M_S8, 40, 481, -128, O2M_S16, 0});
  AddWorstFactors<Params>(list, "s16", {O2M_S16, 481, 513, 1000, O2M_S16, 65536});
}

}  // namespace o2m
