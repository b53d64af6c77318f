// layer_norm_worst.hpp - the longest rows and the largest factors that o2m.layer_norm admits.
#pragma once
#include "row_op.hpp"

namespace o2m {

inline constexpr int32_t kMostNormFeatures = 4096;

template <class Params>
void WorstLayerNormCases(CaseList &list) {
  const auto add = [&list](const char *name, o2m_dtype x, int32_t x_zero, int32_t features, const CaseOperand &y,
                           bool rms = false, float epsilon = 0) {
    CaseOperand to = y;
    to.dims = {1, 4, features};
    std::vector<float> gamma, beta;
    for (int32_t i = 0; i < features; ++i)
      gamma.push_back(i / 2 % 2 ? 1.0f : -1.0f), beta.push_back(i % 2 ? 1.0f : -1.0f);
    std::vector<CaseOperand> inputs = {{x, {1, 4, features}, x == O2M_S8 ? 0.03f : 1e-4f, x_zero},
                                       {O2M_F32, {features}, 0, 0, gamma}};
    if (!rms) inputs.push_back({O2M_F32, {features}, 0, 0, beta});
    list.Add(name, inputs, {to}, Params{epsilon, rms, 0, 0, 0, {}});
  };
  const CaseOperand usual = {O2M_S8, {}, 0.02f, 0}, fine = {O2M_S16, {}, 1e-4f, 0};
  const CaseOperand finest = {O2M_S16, {}, 1.00001f / 262144, 0};  // gain 2^30 at shift 4, where C is 4096
  add("longest", O2M_S8, -128, kMostNormFeatures, usual);
  add("longest_s16", O2M_S16, 32767, kMostNormFeatures, fine, false, 1e-5f);
  add("longest_rms", O2M_S8, -128, kMostNormFeatures, fine, true);
  add("longest_rms_s16", O2M_S16, -32768, kMostNormFeatures - 1, usual, true);
  add("longest_finest", O2M_S8, 127, kMostNormFeatures, finest);
  add("longest_finest_s16", O2M_S16, 32767, kMostNormFeatures, finest);
  add("two_features", O2M_S16, 32767, 2, fine);
  add("one_feature", O2M_S8, -128, 1, usual, true);
}

}  // namespace o2m
