// reduce_worst.hpp - the most values and the ends of the factors that o2m.reduce admits.
#pragma once
#include "elementwise.hpp"

namespace o2m {

inline constexpr int32_t kMostBytesSummed = 8388608, kMostS16Summed = 32768;

template <class Params>
void WorstReduceCases(CaseList &list) {
  const auto add = [&list](const char *name, int32_t kind, o2m_dtype x, int32_t x_zero, std::vector<int32_t> dims,
                           double y_scale, o2m_dtype y = O2M_S16) {
    const Params p = {kind, dims.size() == 2 ? 1u : 3u, 1, 0, 0, {}, 0};
    const std::vector<int32_t> to = dims.size() == 2 ? std::vector<int32_t>{1, dims[1]} : std::vector<int32_t>{1, 1, 1};
    list.Add(name, {{x, dims, 1.0f, x_zero}}, {{y, to, static_cast<float>(y_scale), 0}}, p);
  };
  const double least = 65536.0 / 1073741824 * 1.00001;  // of a mean, and of a value of a sum
  add("host_mean_of_s8", 0, O2M_S8, -128, {4096, kMostBytesSummed / 4096, 1}, 1.0 / 128);
  add("host_sum_of_u8", 1, O2M_U8, 255, {4096, kMostBytesSummed / 4096, 1}, kMostBytesSummed / 128.0);
  add("mean_of_s8", 0, O2M_S8, 127, {200000, 1}, 1.0 / 128);
  add("sum_of_u8", 1, O2M_U8, 0, {200000, 1}, 200000, O2M_S8);
  add("mean_of_s16", 0, O2M_S16, -32768, {kMostS16Summed, 2}, 2);
  add("sum_of_s16", 1, O2M_S16, 32767, {kMostS16Summed, 2}, kMostS16Summed * 2.0);
  add("sum_of_s16_finest", 1, O2M_S16, 32767, {kMostS16Summed, 2}, kMostS16Summed * least);
  add("mean_finest", 0, O2M_S16, -32768, {kMostS16Summed, 1}, least);
  add("maximum_finest", 2, O2M_S16, -32768, {100, 3}, least);
  add("minimum_finest", 3, O2M_S16, 32767, {100, 3}, least);
  add("mean_square_of_s16", 4, O2M_S16, -32768, {kMostS16Summed, 2}, 65536.0 * 2);
  add("mean_square_of_u8", 4, O2M_U8, 255, {200000, 1}, 2);
  add("minimum", 3, O2M_S8, 127, {100, 3}, 1.0 / 128);
}

}  // namespace o2m
