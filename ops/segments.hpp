// segments.hpp - a function of an s16 value as lines, each good for a run of inputs and so near to the function that
// the output is within one step of the correctly rounded value for each of the 65,536 inputs, and mostly that value.
#pragma once
#include <cmath>
#include <cstdint>
#include <vector>

#include "elementwise.hpp"

namespace o2m {

// y = (base + slope * (x - start)) / SegmentUnit() from `start` up to the next segment's.
struct Segment {
  int32_t start, base, slope;
};
inline double SegmentUnit(o2m_dtype y) { return std::ldexp(1.0, y == O2M_S8 ? 22 : 14); }  // as in o2m_unary_s16.h
// In steps of y. A byte's are 256 times as large. fine: next to what a model's own roundings leave open, at four times
// as many segments.
inline double SegmentTolerance(o2m_dtype y, bool fine) {
  if (y == O2M_S8) return fine ? 1.0 / 256 : 1.0 / 32;
  return fine ? 1.0 / 32 : 0.49;
}

// f at every value of x, from the lowest, in steps of y; what y cannot hold saturates, and where f has no value it is
// y's zero.
template <class Function>
std::vector<double> FunctionValues(const o2m_tensor &x, const o2m_tensor &y, const Function &f) {
  const double low = LowOf(y.dtype), high = HighOf(y.dtype);
  std::vector<double> values;
  for (int32_t q = LowOf(x.dtype); q <= HighOf(x.dtype); ++q) {
    const double value = f(static_cast<double>(ScaleOf(x)) * (q - ZeroPointOf(x))) / ScaleOf(y) + ZeroPointOf(y);
    values.push_back(std::isnan(value) ? ZeroPointOf(y) : std::fmin(std::fmax(value, low), high));
  }
  return values;
}

// The segment from values[first] on, as long as one slope serves; `end` is where the next begins.
inline Segment LongestSegment(const std::vector<double> &values, o2m_dtype y, bool fine, size_t first, size_t *end) {
  const double unit = SegmentUnit(y), reach = SegmentTolerance(y, fine) * unit,
               base = std::nearbyint(values[first] * unit);
  double low = -HUGE_VAL, high = HUGE_VAL;
  size_t i = first + 1;
  for (; i < values.size(); ++i) {
    const auto run = static_cast<double>(i - first);
    const double least = std::fmax(low, std::ceil((values[i] * unit - base - reach) / run));
    const double most = std::fmin(high, std::floor((values[i] * unit - base + reach) / run));
    if (least > most) break;
    low = least, high = most;
  }
  *end = i;
  const double slope = i == first + 1 ? 0 : std::floor((low + high) / 2);
  return {static_cast<int32_t>(first) - 32768, static_cast<int32_t>(base), static_cast<int32_t>(slope)};
}

inline std::vector<Segment> SegmentsOf(const std::vector<double> &values, o2m_dtype y, bool fine) {
  std::vector<Segment> segments;
  for (size_t at = 0; at < values.size();) segments.push_back(LongestSegment(values, y, fine, at, &at));
  return segments;
}

}  // namespace o2m
