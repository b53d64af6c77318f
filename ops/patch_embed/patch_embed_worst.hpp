// patch_embed_worst.hpp - the deepest sums and the largest factors that o2m.patch_embed admits.
#pragma once
#include "channel_weights.hpp"

namespace o2m {

struct WorstPatch {
  o2m_dtype x;
  int32_t x_zero;
  int32_t channels, kernel, outputs, piece;  // piece 0: infer() chooses
  o2m_dtype y;
  double range;     // the largest sum in steps of y; 0: the most that infer() admits
  double bias = 0;  // in units of the accumulator; 0: the largest
};

template <class Params>
void AddWorstPatch(CaseList &list, const std::string &name, const WorstPatch &w) {
  constexpr float kScale = 0.01f, kWeight = 1.27f;
  const int32_t depth = w.channels * w.kernel * w.kernel;
  const double unit = double{kScale} * kWeight / 127, sum = 256.0 * 127 * depth + kLargestChannelBias;
  std::vector<float> weights, bias;
  for (int32_t o = 0; o < w.outputs; ++o)
    for (int32_t k = 0; k < depth; ++k) weights.push_back(kWeight * EndSign(o, k, depth));
  const auto size = static_cast<float>(unit * (w.bias > 0 ? w.bias : 0.9999 * kLargestChannelBias));
  for (int32_t o = 0; o < w.outputs; ++o) bias.push_back(size * EndSign(o, 0, depth));
  const double steps = w.range > 0 ? w.range : std::fmin(1073741824.0, sum * kLargestRoundedFactor) * 0.99999;
  list.Add(name,
           {{w.x, {1, w.channels, w.kernel, 3 * w.kernel}, kScale, w.x_zero},
            {O2M_F32, {w.outputs, w.channels, w.kernel, w.kernel}, 0, 0, weights},
            {O2M_F32, {w.outputs}, 0, 0, bias}},
           {{w.y, {1, w.outputs, 1, 3}, static_cast<float>(unit * sum / steps), 0}},
           Params{w.kernel, w.kernel, w.piece, w.piece, 0, {}});
}

template <class Params>
void WorstPatchCases(CaseList &list) {
  const auto add = [&list](const char *name, const WorstPatch &w) { AddWorstPatch<Params>(list, name, w); };
  add("deepest", {O2M_S8, -128, 3, 100, 5, 0, O2M_S16, 65536});
  add("deepest_high_zero", {O2M_S8, 127, 3, 100, 6, 0, O2M_S8, 256});
  add("deepest_u8", {O2M_U8, 255, 3, 100, 5, 0, O2M_S16, 65536});
  add("deepest_u8_low_zero", {O2M_U8, 0, 3, 99, 5, 7, O2M_S16, 65536});
  add("deepest_whole", {O2M_U8, 255, 3, 100, 8, 100, O2M_S16, 65536});
  add("deepest_whole_s8", {O2M_S8, -128, 3, 100, 8, 100, O2M_S8, 256});
  add("deepest_finest", {O2M_U8, 0, 3, 100, 8, 100, O2M_S16, 0});
  add("shallow_finest", {O2M_S8, 127, 1, 2, 5, 0, O2M_S16, 0});
  add("rounded_bias", {O2M_S8, 127, 1, 2, 5, 0, O2M_S16, 0, 500.499});
}

}  // namespace o2m
