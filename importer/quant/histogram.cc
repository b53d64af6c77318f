#include "importer/quant/histogram.h"

#include <algorithm>
#include <cmath>

namespace onnx2mcu {
namespace {

constexpr int64_t kBins = 8192;  // even, so that pairs merge around zero
constexpr double kHeadroomS16 = 2;
constexpr int kHeadroomS32 = 4;  // bits

double Width(const Histogram &h) { return 2 * h.limit / kBins; }
double Center(const Histogram &h, int64_t bin) { return -h.limit + (static_cast<double>(bin) + 0.5) * Width(h); }

void Grow(Histogram &h) {
  std::vector<int64_t> merged(kBins, 0);
  for (int64_t i = 0; i < kBins; i++) merged[kBins / 4 + i / 2] += h.bins[i];
  h.bins = std::move(merged);
  h.limit *= 2;
}

// The value below which a share `fraction` of the counts lies, at a bin's edge.
double Quantile(const Histogram &h, double fraction) {
  const double wanted = fraction * static_cast<double>(h.count);
  double seen = 0;
  for (int64_t i = 0; i < kBins; i++) {
    seen += static_cast<double>(h.bins[i]);
    if (seen >= wanted) return -h.limit + static_cast<double>(i + 1) * Width(h);
  }
  return h.limit;
}

struct ValueRange {
  double low = 0, high = 0;
};

ValueRange RangeAt(const Histogram &h, double percentile) {
  if (percentile >= 100) return {std::min(0.0, double{h.min}), std::max(0.0, double{h.max})};
  const double tail = (100 - percentile) / 100;
  return {std::max(std::min(0.0, Quantile(h, tail)), std::min(0.0, double{h.min})),
          std::min(std::max(0.0, Quantile(h, 1 - tail)), std::max(0.0, double{h.max}))};
}

QuantParams ParamsOf(const ValueRange &range) {
  const double span = range.high - range.low;
  const float scale = span > 0 ? static_cast<float>(span / 255) : 1.0f;
  const auto zero_point = static_cast<int32_t>(std::clamp(std::lround(-128 - range.low / double{scale}), -128L, 127L));
  return {{scale}, {zero_point}, kNone};
}

// Mean distance of the outermost values, on one side, from where they begin: the scale of that tail if it is
// exponential. A few values more than one are needed to tell; so many that they are the body of the distribution tell
// nothing.
double TailScale(const Histogram &h, bool upper) {
  const double wanted = std::min(std::max(16.0, static_cast<double>(h.count) / 1000), static_cast<double>(h.count) / 3);
  double seen = 0, sum = 0, from = 0;
  for (int64_t i = 0; i < kBins && seen < wanted; i++) {
    const int64_t bin = upper ? kBins - 1 - i : i;
    const auto count = static_cast<double>(h.bins[bin]);
    if (count > 0) from = Center(h, bin);
    seen += count, sum += count * Center(h, bin);
  }
  return seen > 0 ? std::fabs(sum / seen - from) : 0;
}

// The same seen by sample, since the values of one go up and down together: the scale of the Gumbel distribution that
// has the standard deviation of the samples' extremes.
double SpreadScale(const std::vector<float> &extremes) {
  if (extremes.size() < 2) return 0;
  const auto n = static_cast<double>(extremes.size());
  double sum = 0, squares = 0;
  for (const float e : extremes) sum += double{e};
  for (const float e : extremes) squares += (double{e} - sum / n) * (double{e} - sum / n);
  return std::sqrt(6 * squares / (n - 1)) / M_PI;
}

// Few samples show less than the network will meet. The return level of extreme value theory: how many scales of their
// tail kEnoughSamples are expected to reach beyond the range of `samples`.
double Shortage(int64_t samples) {
  const auto seen = static_cast<double>(std::max<int64_t>(samples, 1));
  return std::max(0.0, std::log(static_cast<double>(kEnoughSamples) / seen));
}

// A side on which nothing lies beyond zero stays as it is.
ValueRange Margin(const Histogram &h, int64_t samples) {
  const double times = Shortage(samples);
  if (times <= 0) return {};
  return {h.min < 0 ? times * std::max(TailScale(h, false), SpreadScale(h.lows)) : 0,
          h.max > 0 ? times * std::max(TailScale(h, true), SpreadScale(h.highs)) : 0};
}

// Expected squared error, a bin's values taken at its centre; rounding inside a step adds scale^2 / 12.
double Error(const Histogram &h, const QuantParams &q) {
  const double scale = double{q.scale[0]}, low = (-128 - q.zero_point[0]) * scale,
               high = (127 - q.zero_point[0]) * scale;
  double error = static_cast<double>(h.count) * scale * scale / 12;
  for (int64_t i = 0; i < kBins; i++) {
    const double excess = std::max({low - Center(h, i), Center(h, i) - high, 0.0});
    error += static_cast<double>(h.bins[i]) * excess * excess;
  }
  return error;
}

constexpr int kCuts = 64;  // places where a side of a range may end

// By cut: the squared error of f where values beyond it are taken for it. Cut 0 is at zero, the last at `end`.
std::vector<double> CutErrors(const Histogram &h, const std::vector<float> &f, double end) {
  std::vector<double> errors(kCuts + 1, 0.0);
  for (int cut = 0; cut <= kCuts; cut++) {
    const double at = end * cut / kCuts;
    const int64_t bin_at = std::lround((at + h.limit) / Width(h)) - (end < 0);  // the first beyond the cut
    const double kept = f[std::clamp<int64_t>(bin_at, 0, kBins - 1)];
    for (int64_t i = 0; i < kBins; i++) {
      const bool beyond = end < 0 ? Center(h, i) < at : Center(h, i) > at;
      if (beyond && h.bins[i]) errors[cut] += static_cast<double>(h.bins[i]) * (f[i] - kept) * (f[i] - kept);
    }
  }
  return errors;
}

// The sum of f'^2 over all values: what a squared error of x is worth.
double SquaredSlopes(const Histogram &h, const std::vector<float> &f) {
  double sum = 0;
  for (int64_t i = 1; i + 1 < kBins; i++) {
    const double slope = (double{f[i + 1]} - f[i - 1]) / (2 * Width(h));
    if (h.bins[i]) sum += static_cast<double>(h.bins[i]) * slope * slope;
  }
  return sum;
}

}  // namespace

std::vector<float> CentersOf(const Histogram &h) {
  std::vector<float> centers(h.bins.size());
  for (size_t i = 0; i < centers.size(); i++) centers[i] = static_cast<float>(Center(h, static_cast<int64_t>(i)));
  return centers;
}

// True where f changes by a tenth of all it does within one bin: Sign, Round, a comparison, a logarithm near zero.
// Slopes then say nothing of what a step or a cut is worth.
bool Jumps(const Histogram &h, const std::vector<float> &f) {
  float low = HUGE_VALF, high = -HUGE_VALF, most = 0;
  const ValueRange seen = RangeAt(h, 100);
  for (size_t i = 0; i + 1 < f.size(); i++) {
    const double at = Center(h, static_cast<int64_t>(i));
    if (at < seen.low || at > seen.high || !std::isfinite(f[i]) || !std::isfinite(f[i + 1])) continue;
    low = std::min({low, f[i], f[i + 1]}), high = std::max({high, f[i], f[i + 1]});
    most = std::max(most, std::abs(f[i + 1] - f[i]));
  }
  return most > 0.1f * (high - low);
}

QuantParams RangeThrough(const Histogram &h, const std::vector<float> &f, int64_t samples) {
  if (h.count == 0 || f.size() != h.bins.size() || Jumps(h, f)) return RangeS8(h, samples);
  const ValueRange seen = RangeAt(h, 100), margin = Margin(h, samples);
  const std::vector<double> low = CutErrors(h, f, seen.low), high = CutErrors(h, f, seen.high);
  const double slopes = SquaredSlopes(h, f);
  double least = HUGE_VAL;
  int best_low = kCuts, best_high = kCuts;
  for (int i = kCuts; i >= 0; i--)
    for (int k = kCuts; k >= 0; k--) {
      const double step = (seen.high * k - seen.low * i) / kCuts / 255;
      const double error = low[i] + high[k] + slopes * step * step / 12;
      if (step > 0 && error < least) least = error, best_low = i, best_high = k;
    }
  const ValueRange range = {seen.low * best_low / kCuts, seen.high * best_high / kCuts};
  return ParamsOf({best_low == kCuts ? range.low - margin.low : range.low,
                   best_high == kCuts ? range.high + margin.high : range.high});
}

namespace {

// Four at a time: one after the other, each comparison waits for the one before.
ValueRange EndsOf(const float *values, int64_t count) {
  float low[4], high[4];
  for (int k = 0; k < 4; k++) low[k] = high[k] = values[std::min<int64_t>(k, count - 1)];
  int64_t i = 0;
  for (; i + 4 <= count; i += 4)
    for (int k = 0; k < 4; k++) low[k] = std::min(low[k], values[i + k]), high[k] = std::max(high[k], values[i + k]);
  for (; i < count; i++) low[0] = std::min(low[0], values[i]), high[0] = std::max(high[0], values[i]);
  return {*std::min_element(low, low + 4), *std::max_element(high, high + 4)};
}

void AddValuesIn(Histogram &h, const ValueRange &range, const float *values, int64_t count) {
  const auto low = static_cast<float>(range.low), high = static_cast<float>(range.high);
  if (h.bins.empty()) h.bins.assign(kBins, 0), h.limit = 1.0 / 1024, h.min = h.max = values[0];
  h.min = std::min(h.min, low), h.max = std::max(h.max, high), h.count += count;
  while (std::max(std::fabs(range.low), std::fabs(range.high)) >= h.limit) Grow(h);
  const double per_unit = 1 / Width(h), limit = h.limit;
  int64_t *bins = h.bins.data();
  for (int64_t i = 0; i < count; i++) {
    const auto bin = static_cast<int64_t>((double{values[i]} + limit) * per_unit);
    bins[std::clamp<int64_t>(bin, 0, kBins - 1)]++;
  }
}

}  // namespace

void AddValues(Histogram &h, const float *values, int64_t count) {
  if (count > 0) AddValuesIn(h, EndsOf(values, count), values, count);
}

void AddSample(Histogram &h, int64_t sample, const float *values, int64_t count) {
  if (count == 0) return;
  const ValueRange range = EndsOf(values, count);
  const auto low = static_cast<float>(range.low), high = static_cast<float>(range.high);
  const auto size = static_cast<size_t>(sample + 1);
  if (h.lows.size() < size) h.lows.resize(size, low), h.highs.resize(size, high);
  h.lows.back() = std::min(h.lows.back(), low), h.highs.back() = std::max(h.highs.back(), high);
  AddValuesIn(h, range, values, count);
}

QuantParams RangeS8(const Histogram &h, int64_t samples) {
  if (h.count == 0) return {{1.0f}, {0}, kNone};
  const ValueRange margin = Margin(h, samples);
  const auto at = [&](double percentile) {
    const ValueRange seen = RangeAt(h, percentile);
    return ParamsOf({seen.low - margin.low, seen.high + margin.high});
  };
  QuantParams best = at(100);
  for (const double percentile : {99.999, 99.99, 99.9}) {
    const QuantParams candidate = at(percentile);
    if (Error(h, candidate) < Error(h, best)) best = candidate;
  }
  return best;
}

double Spread(const Histogram &h, int64_t samples) {
  std::vector<float> peaks;
  for (size_t n = 0; n < h.lows.size(); n++) peaks.push_back(std::max(-h.lows[n], h.highs[n]));
  if (peaks.size() < 2) return 1;
  std::sort(peaks.begin(), peaks.end());
  const double middle = double{peaks[peaks.size() / 2]}, margin = Shortage(samples) * SpreadScale(peaks);
  return middle > 0 ? (double{peaks.back()} + margin) / middle : 1;
}

QuantParams RangeS16(const Histogram &h, int64_t samples) {
  const ValueRange margin = Margin(h, samples);
  const double limit = std::max(std::fabs(double{h.min} - margin.low), std::fabs(double{h.max} + margin.high));
  return {{limit > 0 ? static_cast<float>(kHeadroomS16 * limit / 32767) : 1.0f}, {0}, kNone};
}

QuantParams RangeFine(const Histogram &h, double step, int64_t samples) {
  const ValueRange margin = Margin(h, samples), seen = RangeAt(h, 100);
  const double low = seen.low - margin.low, high = seen.high + margin.high;
  if (step > 0 && std::max(-low, high) <= 32767 * step) return {{static_cast<float>(step)}, {0}, kNone};
  if (!(high > low)) return {{1.0f}, {0}, kNone};
  const auto scale = static_cast<float>((high - low) / 65535);
  return {{scale}, {static_cast<int32_t>(std::clamp(std::lround(-32768 - low / scale), -32768L, 32767L))}, kNone};
}

QuantParams RangeS32(const Histogram &h, int64_t samples) {
  const ValueRange margin = Margin(h, samples), seen = RangeAt(h, 100);
  const double limit = std::max({margin.low - seen.low, seen.high + margin.high, 0x1p-60});
  int exponent = 0;
  std::frexp(limit, &exponent);
  return {{static_cast<float>(std::ldexp(1.0, exponent + kHeadroomS32 - 31))}, {0}, kNone};
}

}  // namespace onnx2mcu
