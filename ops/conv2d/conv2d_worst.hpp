// conv2d_worst.hpp - the deepest sums and the largest factors that o2m.conv2d admits.
#pragma once
#include "channel_weights.hpp"

namespace o2m {

struct WorstConv {
  o2m_dtype x;
  int32_t x_zero;
  int32_t groups, inputs, outputs, kernel_h, kernel_w;  // of a group
  int32_t height, width, pad;
  o2m_dtype y;
  double range;     // the largest sum in steps of y; 0: the most that infer() admits
  double bias = 0;  // in units of the accumulator; 0: the largest
};

template <class Params>
void AddWorstConv(CaseList &list, const std::string &name, const WorstConv &c) {
  constexpr float kScale = 0.01f, kWeight = 1.27f;
  const int32_t outputs = c.groups * c.outputs, depth = c.inputs * c.kernel_h * c.kernel_w;
  const double unit = double{kScale} * kWeight / 127, most = c.x == O2M_S16 ? 65536 : 256,
               largest_bias = c.x == O2M_S16 ? kLargestWideBias : kLargestChannelBias,
               sum = most * 127 * depth + largest_bias;
  const Params p = {c.groups, 1, 1, c.pad, c.pad, c.pad, c.pad, 1, 1, 0, {}};
  std::vector<float> weights, bias;
  for (int32_t o = 0; o < outputs; ++o)
    for (int32_t k = 0; k < depth; ++k) weights.push_back(kWeight * EndSign(o, k, depth));
  const auto size = static_cast<float>(unit * (c.bias > 0 ? c.bias : 0.9999 * largest_bias));
  for (int32_t o = 0; o < outputs; ++o) bias.push_back(size * EndSign(o, 0, depth));
  const double rounded = sum * kLargestRoundedFactor / std::ldexp(1.0, c.x == O2M_S16 ? WideAccShift(depth) : 0);
  const double steps = c.range > 0 ? c.range : std::fmin(1073741824.0, rounded) * 0.99999;
  list.Add(name,
           {{c.x, {1, c.groups * c.inputs, c.height, c.width}, kScale, c.x_zero},
            {O2M_F32, {outputs, c.inputs, c.kernel_h, c.kernel_w}, 0, 0, weights},
            {O2M_F32, {outputs}, 0, 0, bias}},
           {{c.y,
             {1, outputs, c.height + 2 * c.pad - c.kernel_h + 1, c.width + 2 * c.pad - c.kernel_w + 1},
             static_cast<float>(unit * sum / steps),
             0}},
           p);
}

template <class Params>
void WorstConvCases(CaseList &list) {
  const auto add = [&list](const char *name, const WorstConv &c) { AddWorstConv<Params>(list, name, c); };
  add("deepest", {O2M_S8, -128, 1, 1200, 5, 5, 5, 6, 6, 0, O2M_S16, 65536});
  add("deepest_high_zero", {O2M_S8, 127, 1, 1200, 4, 5, 5, 5, 7, 0, O2M_S8, 256});
  add("deepest_u8", {O2M_U8, 255, 1, 1200, 5, 5, 5, 5, 6, 0, O2M_S16, 65536});
  add("deepest_u8_low_zero", {O2M_U8, 0, 1, 1199, 6, 5, 5, 5, 6, 0, O2M_S16, 65536});
  add("deepest_finest", {O2M_S8, -128, 1, 1200, 5, 5, 5, 5, 6, 0, O2M_S16, 0});
  add("deepest_padded", {O2M_U8, 255, 1, 3333, 5, 3, 3, 3, 2, 1, O2M_S16, 65536});
  add("deepest_depthwise", {O2M_S8, -128, 5, 1, 1, 173, 173, 174, 175, 0, O2M_S16, 65536});
  add("deepest_depthwise_u8", {O2M_U8, 255, 4, 1, 1, 173, 173, 173, 174, 0, O2M_S8, 256});
  add("deepest_groups", {O2M_S8, 127, 2, 1200, 3, 5, 5, 5, 6, 0, O2M_S16, 65536});
  add("deepest_s16", {O2M_S16, 0, 1, 1200, 5, 5, 5, 5, 6, 0, O2M_S16, 65536});
  add("deepest_s16_finest", {O2M_S16, 0, 1, 1200, 5, 5, 5, 5, 6, 0, O2M_S16, 0});
  add("deepest_s16_depthwise", {O2M_S16, 0, 5, 1, 1, 173, 173, 174, 175, 0, O2M_S8, 256});
  add("shallowest_s16_finest", {O2M_S16, 0, 1, 1, 5, 1, 1, 3, 3, 0, O2M_S16, 0});
  add("shallowest_finest", {O2M_S8, 127, 1, 1, 5, 1, 1, 3, 3, 0, O2M_S16, 0});
  add("rounded_bias", {O2M_S8, 127, 1, 1, 5, 1, 1, 3, 3, 0, O2M_S16, 0, 500.499});
  add("rounded_bias_s16", {O2M_S16, 0, 1, 1, 5, 1, 1, 3, 3, 0, O2M_S16, 0, 500.499});
}

}  // namespace o2m
