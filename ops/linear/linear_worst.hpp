// linear_worst.hpp - the deepest sums and the largest and smallest factors that o2m.linear admits.
#pragma once
#include <vector>

#include "linear_variants.hpp"

namespace o2m {

// One layer with weights of one magnitude and biases of kLargestBias units, either of both signs.
struct WorstLayer {
  o2m_dtype x_dtype = O2M_S8;
  int32_t depth = kLargestDepth;
  int32_t x_zero = 0;
  o2m_dtype y_dtype = O2M_S8;
  double range = 0;   // the factor maps the largest sum to so many steps of y; 0: the most that infer() admits
  int32_t zeros = 0;  // of so many blocks of 4 k one holds weights; of so many weights one, where below 0
  std::vector<int64_t> x_strides = {};

  // What infer() takes for the largest |acc|.
  double LargestSum() const { return (x_dtype == O2M_S16 ? 65536.0 : 256.0) * 127 * depth + kLargestBias; }
  bool Holds(int32_t k) const {
    if (zeros < 0) return k % -zeros == 0;
    return zeros == 0 || k / 4 % zeros == 0 || k + 4 >= depth;
  }
};

inline void AddWorstLayer(CaseList &list, const std::string &name, const WorstLayer &layer) {
  constexpr int32_t kRows = 5, kColumns = 6;
  constexpr float kScale = 0.01f, kWeight = 1.27f;
  const double unit = double{kScale} * kWeight / 127;  // of acc
  const int32_t depth = layer.depth;
  std::vector<float> weights, bias;
  for (int32_t k = 0; k < depth; ++k) {
    for (int32_t n = 0; n < kColumns; ++n) weights.push_back(layer.Holds(k) ? kWeight * EndSign(n, k, depth) : 0.0f);
  }
  for (int32_t n = 0; n < kColumns; ++n)
    bias.push_back(static_cast<float>(0.9999 * unit * kLargestBias) * EndSign(n, 0, depth));
  const double steps = layer.range > 0 ? layer.range : 1073741824.0 * 0.99999;
  const auto y_scale = static_cast<float>(unit * layer.LargestSum() / steps);
  const int32_t y_zero = layer.y_dtype == O2M_S8 ? std::clamp(layer.x_zero, -128, 127) : 0;
  list.Add(name,
           {{layer.x_dtype, {1, kRows, depth}, kScale, layer.x_zero, {}, layer.x_strides},
            {O2M_F32, {depth, kColumns}, 0, 0, weights},
            {O2M_F32, {kColumns}, 0, 0, bias}},
           {{layer.y_dtype, {1, kRows, kColumns}, y_scale, y_zero}}, LinearState{});
}

// The largest |zero point| of an s16 input with weights of 127, whatever the scales; and where the shift is 31: what
// the bias has room for.
inline int32_t LargestZero(int32_t depth) { return std::min(32767, static_cast<int32_t>(kLargestBias / 127 / depth)); }
inline int32_t FarthestZero(int32_t depth) {
  return static_cast<int32_t>(std::fmin(32767, (INT32_MAX - kLargestBias) / 127.5 / depth));
}

inline void WorstLinearCases(CaseList &list) {
  const auto most = static_cast<int32_t>(kLargestDepth);
  AddWorstLayer(list, "deepest_s32", {O2M_S8, most, -128, O2M_S32});
  AddWorstLayer(list, "deepest_high_zero_s32", {O2M_S8, most, 127, O2M_S32});
  AddWorstLayer(list, "deepest_s16", {O2M_S8, most, -128, O2M_S16, 65536});
  AddWorstLayer(list, "deepest_s8", {O2M_S8, most, 0, O2M_S8, 256});
  AddWorstLayer(list, "deepest_coarse", {O2M_S8, most, 127, O2M_S8, 3});
  AddWorstLayer(list, "deepest_odd", {O2M_S8, most - 1, -128, O2M_S16, 65536});
  AddWorstLayer(list, "deepest_apart", {O2M_S8, most - 3, -128, O2M_S32, 1e8, 0, {0, 2 * (most - 3), 2}});
  AddWorstLayer(list, "deepest_sparse", {O2M_S8, most, -128, O2M_S32, 1e8, 2});
  AddWorstLayer(list, "sparse_far", {O2M_S8, most, 127, O2M_S32, 1e6, 500});  // gaps beyond what a byte says
  AddWorstLayer(list, "deepest_nonzeros", {O2M_S8, most, -128, O2M_S32, 1e8, -2});
  AddWorstLayer(list, "shallowest_s32", {O2M_S8, 1, -128, O2M_S32});
  AddWorstLayer(list, "shallowest_s8", {O2M_S8, 1, 127, O2M_S8});
  AddWorstLayer(list, "shallowest_coarse", {O2M_S8, 3, 127, O2M_S8, 1e-3});
  // s16: what is summed in 32 bits ends at 480 k with DSP instructions, at 512 in C
  for (const int32_t depth : {1, 225, 226, 480, 481, 512, 513, 20000}) {
    AddWorstLayer(list, Str("s16_", depth), {O2M_S16, depth, LargestZero(depth), O2M_S32});
    AddWorstLayer(list, Str("s16_to_s16_", depth), {O2M_S16, depth, -FarthestZero(depth), O2M_S16, 65536});
  }
  AddWorstLayer(list, "s16_to_s8", {O2M_S16, 4000, FarthestZero(4000), O2M_S8, 256});
  AddWorstLayer(list, "s16_apart", {O2M_S16, 4001, 0, O2M_S16, 65536, 0, {0, 8002, 2}});
}

}  // namespace o2m
