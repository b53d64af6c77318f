// importer/quant/histogram.h - the distribution of one storage's values, in one pass, and the range that loses least.
#pragma once
#include <cstdint>
#include <vector>

#include "importer/ir/graph.h"

namespace onnx2mcu {

// Bins over [-limit, limit]; the limit doubles, and bins merge in pairs, when a value lies outside.
struct Histogram {
  double limit = 0;
  std::vector<int64_t> bins;
  int64_t count = 0;
  float min = 0, max = 0;
  std::vector<float> lows, highs;  // of each sample that AddSample() saw
};
void AddValues(Histogram &histogram, const float *values, int64_t count);
// The values of sample number `sample`, counted from 0 in ascending order; several calls may add to one.
void AddSample(Histogram &histogram, int64_t sample, const float *values, int64_t count);

inline constexpr int64_t kEnoughSamples = 128;  // from here on what was seen is taken for all there is

// Asymmetric s8 range: the percentile of {99.9, 99.99, 99.999, 100} with the least mean squared error. Zero is exact.
// The values come from so many samples: the fewer, the more room for what they did not show.
QuantParams RangeS8(const Histogram &histogram, int64_t samples = kEnoughSamples);
// The same for values that only a function of one value reads, where those of f that the range cuts are lost, and a
// step of the range is worth what f makes of it: what ReLU or GELU flatten needs no range. f: at CentersOf(histogram).
QuantParams RangeThrough(const Histogram &histogram, const std::vector<float> &f, int64_t samples = kEnoughSamples);
std::vector<float> CentersOf(const Histogram &histogram);  // of the bins
// How much larger the largest magnitude of kEnoughSamples is, as far as so many samples tell, than the middle one of
// theirs; 1 where fewer than two are known.
double Spread(const Histogram &histogram, int64_t samples = kEnoughSamples);
// Symmetric s16, zero point 0, twice the range: a bit is less than what saturates would cost.
QuantParams RangeS16(const Histogram &histogram, int64_t samples = kEnoughSamples);
// s16 of just the range, where what comes in is bounded by roundings of the model's own. On multiples of `step`, not 0,
// if s16 reaches far enough so.
QuantParams RangeFine(const Histogram &histogram, double step, int64_t samples = kEnoughSamples);
// Symmetric s32, a power of two, so that sums of such tensors are exact; 16 times the range and more.
QuantParams RangeS32(const Histogram &histogram, int64_t samples = kEnoughSamples);

}  // namespace onnx2mcu
