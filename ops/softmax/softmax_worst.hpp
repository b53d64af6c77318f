// softmax_worst.hpp - the longest rows and the ends of all scales that o2m.softmax admits.
#pragma once
#include "row_op.hpp"

namespace o2m {

inline constexpr int32_t kMostSoftmaxFeatures = 65536;

template <class Params>
void WorstSoftmaxCases(CaseList &list) {
  const auto add = [&list](const char *name, o2m_dtype x, float x_scale, int32_t features, const CaseOperand &y) {
    CaseOperand to = y;
    to.dims = {1, 2, features};
    list.Add(name, {{x, {1, 2, features}, x_scale, LowOf(x)}}, {to}, Params{});
  };
  const CaseOperand usual = {O2M_S8, {}, 1.0f / 256, -128}, finest = {O2M_S16, {}, 1.0001f / 131072, -32768};
  add("longest", O2M_S8, 1e-4f, kMostSoftmaxFeatures, usual);
  add("longest_finest", O2M_S8, 0.02f, kMostSoftmaxFeatures - 1, finest);
  add("longest_s16", O2M_S16, 1e-7f, kMostSoftmaxFeatures, finest);
  add("longest_s16_sharp", O2M_S16, 1.0f, kMostSoftmaxFeatures - 3, usual);
  add("sharp", O2M_S8, 100.0f, 7, finest);
  add("coarsest", O2M_S8, 0.01f, 7, {O2M_S8, {}, 1.0f, -128});
  add("saturating", O2M_S8, 0.01f, 3, {O2M_S8, {}, 1.0f / 65536, 127});
  add("one_feature", O2M_S16, 1.0f, 1, finest);
}

}  // namespace o2m
