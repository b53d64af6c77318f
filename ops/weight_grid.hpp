// weight_grid.hpp - weights that are multiples of one step already: those of a quantised model, whatever spelling they
// came in (scales per tensor or per channel, folded factors, transposed), and those trained to be so. Held in units of
// that step they cost no accuracy at all.
#pragma once
#include <cmath>
#include <cstdint>

namespace o2m {

// As many values between 0 and the largest are evidence of a grid; fewer lie on one by chance.
inline constexpr int64_t kGridEvidence = 6;

inline bool HasEvidence(const float *values, int64_t count, int64_t stride, double largest) {
  int64_t between = 0;
  for (int64_t i = 0; i < count && between < kGridEvidence; ++i) {
    const double magnitude = std::fabs(static_cast<double>(values[i * stride]));
    between += magnitude > 0 && magnitude < largest;
  }
  return between >= kGridEvidence;
}

// Whether all values are within `tolerance` of multiples of `step`.
inline bool OnGrid(const float *values, int64_t count, int64_t stride, double step, double tolerance) {
  for (int64_t i = 0; i < count; ++i) {
    const double v = values[i * stride];
    if (std::fabs(v - step * std::floor(v / step + 0.5)) > tolerance) return false;
  }
  return true;
}

// The step of which all values are multiples -128 .. 127, or 0. What is found by chance does no harm: the tolerance is
// an eighth of what rounding to 127 steps may cost.
inline double GridStep(const float *values, int64_t count, int64_t stride) {
  double low = 0, high = 0;
  for (int64_t i = 0; i < count; ++i) {
    low = std::fmin(low, static_cast<double>(values[i * stride]));
    high = std::fmax(high, static_cast<double>(values[i * stride]));
  }
  const double largest = std::fmax(-low, high), tolerance = std::ldexp(largest, -11);
  if (!HasEvidence(values, count, stride, largest)) return 0;
  for (int32_t steps = 127; steps >= 64; --steps) {  // a coarser grid is one of these, too
    if (OnGrid(values, count, stride, largest / steps, tolerance)) return largest / steps;
  }
  const bool negative = -low > high;
  return negative && OnGrid(values, count, stride, largest / 128, tolerance) ? largest / 128 : 0;
}

// The most by which a scale out of GridStep() exceeds largest / 127.
inline constexpr double kGridFactor = 127.0 / 64;

// A scale and a zero point of s8 with which all values are integers: those of a quantised tensor. False: there is none.
inline bool AsymmetricGrid(const float *values, int64_t count, float *scale, int32_t *zero_point) {
  double low = 0, high = 0;
  for (int64_t i = 0; i < count; ++i) {
    low = std::fmin(low, static_cast<double>(values[i]));
    high = std::fmax(high, static_cast<double>(values[i]));
  }
  const double largest = std::fmax(-low, high);
  if (!HasEvidence(values, count, 1, largest)) return false;
  for (int32_t steps = 255; steps >= 64; --steps) {
    const double step = largest / steps;
    if ((high - low) / step > 255.01 || !OnGrid(values, count, 1, step, std::ldexp(largest, -12))) continue;
    *scale = static_cast<float>(step);
    const auto first = static_cast<int32_t>(std::floor(low / step + 0.5)),
               last = static_cast<int32_t>(std::floor(high / step + 0.5));
    *zero_point = last > 127 ? 127 - last : first < -128 ? -128 - first : 0;
    return true;
  }
  return false;
}

// The same of s16. What a float rounds is at most 1/200 of such a step.
inline bool WideGrid(const float *values, int64_t count, float *scale, int32_t *zero_point) {
  double low = 0, high = 0;
  for (int64_t i = 0; i < count; ++i) {
    low = std::fmin(low, static_cast<double>(values[i]));
    high = std::fmax(high, static_cast<double>(values[i]));
  }
  const double largest = std::fmax(-low, high);
  if (!HasEvidence(values, count, 1, largest)) return false;
  for (auto steps = static_cast<int32_t>(65535 * largest / (high - low)); steps > 16383; --steps) {
    const double step = largest / steps;
    if (!OnGrid(values, count, 1, step, step / 50)) continue;
    *scale = static_cast<float>(step);
    const auto first = static_cast<int32_t>(std::floor(low / step + 0.5)),
               last = static_cast<int32_t>(std::floor(high / step + 0.5));
    *zero_point = last > 32767 ? 32767 - last : first < -32768 ? -32768 - first : 0;
    return true;
  }
  return false;
}

}  // namespace o2m
