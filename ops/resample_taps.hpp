// resample_taps.hpp - how an axis of an image is scaled: the triangle filter, widened where the image shrinks, pixels
// at their centres, renormalised at the borders (what PIL and torchvision call bilinear with antialiasing), in
// integers.
#pragma once
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <vector>

namespace o2m {

inline constexpr int32_t kTapBits = 14;  // the weights of a place sum to 2^14

// Places offset .. offset + count of `full` that `size` becomes.
struct Scaling {
  int32_t size, full, offset, count;
};

// Place i is the sum over t < taps of weights[i * taps + t] * x[first[i] + t], / 2^14.
struct Taps {
  int32_t taps = 0;
  std::vector<int16_t> first, weights;
};

// Position j weighs max(0, 2 max(size, full) - |(2j + 1) full - (2i + 1) size|) for place i, before the sum is made
// 2^14.
inline int64_t TriangleAt(const Scaling &s, int64_t place, int64_t position) {
  const int64_t distance = std::llabs((2 * position + 1) * s.full - (2 * place + 1) * s.size);
  return std::max<int64_t>(0, 2 * std::max(s.size, s.full) - distance);
}

inline Taps TapsOf(const Scaling &s) {
  Taps taps;
  std::vector<int32_t> begin, end;
  for (int32_t i = s.offset; i < s.offset + s.count; ++i) {
    const int64_t middle = (int64_t{2} * i + 1) * s.size / (2 * s.full);
    int64_t from = std::clamp<int64_t>(middle, 0, s.size - 1), to = from + 1;
    while (from > 0 && TriangleAt(s, i, from - 1) > 0) --from;
    while (to < s.size && TriangleAt(s, i, to) > 0) ++to;
    begin.push_back(static_cast<int32_t>(from)), end.push_back(static_cast<int32_t>(to));
    taps.taps = std::max(taps.taps, end.back() - begin.back());
  }
  for (size_t i = 0; i < begin.size(); ++i) {
    const int32_t first = std::min(begin[i], s.size - taps.taps), place = s.offset + static_cast<int32_t>(i);
    int64_t total = 0, so_far = 0, given = 0;
    for (int32_t j = begin[i]; j < end[i]; ++j) total += TriangleAt(s, place, j);
    taps.first.push_back(static_cast<int16_t>(first));
    for (int32_t j = first; j < first + taps.taps; ++j) {
      if (j >= begin[i] && j < end[i]) so_far += TriangleAt(s, place, j);
      const int64_t sum = ((so_far << kTapBits) + total / 2) / total;  // rounded, so that the last one is 2^14
      taps.weights.push_back(static_cast<int16_t>(sum - given));
      given = sum;
    }
  }
  return taps;
}

}  // namespace o2m
