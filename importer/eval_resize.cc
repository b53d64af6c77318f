// importer/eval_resize.cc - Resize, opset 11 and newer: one axis at a time, each a sparse matrix of weights.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "importer/eval_op.h"

namespace onnx2mcu {
namespace {

// What one output position reads along its axis. outside: the extrapolation value stands instead.
struct Taps {
  std::vector<std::pair<int64_t, double>> sources;  // index, weight
  bool outside = false;
};

struct ResizeOptions {
  std::string mode, transform, nearest;
  double cubic_a, extrapolation;
  bool antialias, exclude_outside;
};

ResizeOptions OptionsOf(const FloatNode &node) {
  ResizeOptions options;
  options.mode = AttrString(node, "mode", "nearest");
  options.transform = AttrString(node, "coordinate_transformation_mode", "half_pixel");
  options.nearest = AttrString(node, "nearest_mode", "round_prefer_floor");
  options.cubic_a = AttrFloat(node, "cubic_coeff_a", -0.75f);
  options.extrapolation = AttrFloat(node, "extrapolation_value", 0);
  options.antialias = AttrInt(node, "antialias", 0) != 0;
  options.exclude_outside = AttrInt(node, "exclude_outside", 0) != 0;
  return options;
}

struct Axis {
  int64_t in = 1, out = 1;
  double scale = 1;
  double roi_start = 0, roi_end = 1;
};

// The input coordinate of an output position.
absl::StatusOr<double> SourceCoordinate(const Axis &a, const std::string &transform, double x) {
  const double in = static_cast<double>(a.in), out = static_cast<double>(a.out);
  if (transform == "half_pixel") return (x + 0.5) / a.scale - 0.5;
  if (transform == "asymmetric") return x / a.scale;
  if (transform == "align_corners") return a.out == 1 ? 0 : x * (in - 1) / (out - 1);
  if (transform == "pytorch_half_pixel") return a.out == 1 ? -0.5 : (x + 0.5) / a.scale - 0.5;
  if (transform == "half_pixel_symmetric") {
    const double adjustment = out / (a.scale * in), center = in / 2, offset = center * (1 - adjustment);
    return offset + (x + 0.5) / a.scale - 0.5;
  }
  if (transform == "tf_half_pixel_for_nn") return (x + 0.5) / a.scale;
  if (transform == "tf_crop_and_resize") {
    if (a.out == 1) return 0.5 * (a.roi_start + a.roi_end) * (in - 1);
    return a.roi_start * (in - 1) + x * (a.roi_end - a.roi_start) * (in - 1) / (out - 1);
  }
  return Invalid("coordinate_transformation_mode '", transform, "' is unknown; half_pixel would work");
}

absl::StatusOr<int64_t> NearestIndex(const std::string &mode, double x) {
  if (mode == "floor") return static_cast<int64_t>(std::floor(x));
  if (mode == "ceil") return static_cast<int64_t>(std::ceil(x));
  if (mode == "round_prefer_ceil") return static_cast<int64_t>(std::floor(x + 0.5));
  if (mode == "round_prefer_floor") return static_cast<int64_t>(std::ceil(x - 0.5));
  return Invalid("nearest_mode '", mode,
                 "' is unknown; floor, ceil, round_prefer_floor or round_prefer_ceil would work");
}

double LinearWeight(double distance) { return std::max(0.0, 1 - std::fabs(distance)); }

// Keys, "Cubic convolution interpolation for digital image processing", 1981.
double CubicWeight(double distance, double a) {
  const double d = std::fabs(distance);
  if (d <= 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  if (d < 2) return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a;
  return 0;
}

// Weights around coordinate x; shrinking with antialias widens the filter by 1 / scale.
Taps FilterTaps(const Axis &axis, const ResizeOptions &options, double x) {
  const bool cubic = options.mode == "cubic";
  const double stretch = options.antialias && axis.scale < 1 ? axis.scale : 1, reach = (cubic ? 2 : 1) / stretch;
  Taps taps;
  double sum = 0;
  const int64_t first = static_cast<int64_t>(std::floor(x - reach)) + 1;
  const int64_t last = static_cast<int64_t>(std::ceil(x + reach)) - 1;
  for (int64_t k = std::min(first, static_cast<int64_t>(std::floor(x))); k <= last; k++) {
    const double distance = (static_cast<double>(k) - x) * stretch;
    double weight = cubic ? CubicWeight(distance, options.cubic_a) : LinearWeight(distance);
    if ((k < 0 || k >= axis.in) && options.exclude_outside) weight = 0;
    sum += weight;
    taps.sources.emplace_back(std::clamp<int64_t>(k, 0, axis.in - 1), weight);
  }
  for (auto &[index, weight] : taps.sources) weight /= sum;
  return taps;
}

absl::StatusOr<std::vector<Taps>> AxisTaps(const Axis &axis, const ResizeOptions &options) {
  std::vector<Taps> all;
  for (int64_t o = 0; o < axis.out; o++) {
    O2M_ASSIGN_OR_RETURN(const double x, SourceCoordinate(axis, options.transform, static_cast<double>(o)));
    Taps taps;
    if (options.mode == "nearest") {
      O2M_ASSIGN_OR_RETURN(const int64_t index, NearestIndex(options.nearest, x));
      taps.sources.emplace_back(std::clamp<int64_t>(index, 0, axis.in - 1), 1.0);
    } else {
      taps = FilterTaps(axis, options, x);
    }
    taps.outside = options.transform == "tf_crop_and_resize" && (x < 0 || x > static_cast<double>(axis.in - 1));
    all.push_back(std::move(taps));
  }
  return all;
}

Value ResizeAxis(const Value &x, int64_t axis, const std::vector<Taps> &taps, double extrapolation) {
  const AxisSplit split = SplitAt(x.dims, axis);
  Dims dims = x.dims;
  dims[axis] = static_cast<int64_t>(taps.size());
  Value out = Floats(dims);
  std::vector<double> line(split.inner);
  for (int64_t row = 0; row < split.outer * dims[axis]; row++) {
    const Taps &tap = taps[row % dims[axis]];
    std::fill(line.begin(), line.end(), tap.outside ? extrapolation : 0);
    for (size_t n = 0; n < tap.sources.size() && !tap.outside; n++) {
      const float *from = x.f.data() + (row / dims[axis] * split.size + tap.sources[n].first) * split.inner;
      for (int64_t k = 0; k < split.inner; k++) line[k] += tap.sources[n].second * from[k];
    }
    std::transform(line.begin(), line.end(), out.f.begin() + row * split.inner,
                   [](double v) { return static_cast<float>(v); });
  }
  return out;
}

// Sizes from scales or sizes, for the listed axes.
absl::Status SetSizes(const OpCall &call, const std::vector<float> &scales, const Dims &sizes, const Dims &axes,
                      std::vector<Axis> &all) {
  if ((scales.empty() ? sizes.size() : scales.size()) != axes.size()) {
    return Invalid("scales or sizes do not have one entry per axis (", axes.size(), "); those would work");
  }
  const std::string policy = AttrString(call.node, "keep_aspect_ratio_policy", "stretch");
  std::vector<double> ratios;
  for (size_t n = 0; n < axes.size(); n++) {
    const double in = static_cast<double>(all[axes[n]].in);
    ratios.push_back(scales.empty() ? static_cast<double>(sizes[n]) / in : double{scales[n]});
    if (!(ratios.back() > 0 && ratios.back() * in < 1 << 24)) {
      return Invalid("axis ", axes[n], " of ", in, " elements cannot be scaled by ", ratios.back());
    }
  }
  const double least = ratios.empty() ? 1 : *std::min_element(ratios.begin(), ratios.end());
  const double most = ratios.empty() ? 1 : *std::max_element(ratios.begin(), ratios.end());
  for (size_t n = 0; n < axes.size(); n++) {
    Axis &axis = all[axes[n]];
    const double in = static_cast<double>(axis.in);
    axis.scale = policy == "not_larger" ? least : policy == "not_smaller" ? most : ratios[n];
    axis.out = scales.empty() && policy == "stretch" ? sizes[n] : static_cast<int64_t>(std::floor(in * axis.scale));
    if (policy != "stretch") axis.out = static_cast<int64_t>(std::floor(in * axis.scale + 0.5));
  }
  return absl::OkStatus();
}

absl::Status CheckOptions(const ResizeOptions &options) {
  if (options.mode != "nearest" && options.mode != "linear" && options.mode != "cubic") {
    return Invalid("mode '", options.mode, "' is unknown; nearest, linear or cubic would work");
  }
  return absl::OkStatus();
}

absl::StatusOr<Dims> ResizedAxes(const OpCall &call, int64_t rank) {
  Dims axes = AttrInts(call.node, "axes");
  for (int64_t &axis : axes) {
    O2M_ASSIGN_OR_RETURN(axis, NormalAxis(axis, rank));
  }
  if (axes.empty()) {
    axes.resize(rank);
    std::iota(axes.begin(), axes.end(), 0);
  }
  return axes;
}

absl::Status SetRegion(const OpCall &call, const Dims &axes, std::vector<Axis> &all) {
  if (!call.has(1) || !call.in(1).is_float() || call.in(1).f.size() != 2 * axes.size()) {
    return Invalid("roi does not have two entries per axis; those would work");
  }
  for (size_t n = 0; n < axes.size(); n++) {
    all[axes[n]].roi_start = call.in(1).f[n];
    all[axes[n]].roi_end = call.in(1).f[n + axes.size()];
  }
  return absl::OkStatus();
}

// Operands: X, roi, scales, sizes. Integers are interpolated in float and rounded.
Values Resize(const OpCall &call) {
  Value out = ToFloat(call.in(0));
  if (Count(out) == 0)
    return Invalid("input of shape ", ShapeText(out.dims), " is empty; one with elements would work");
  const ResizeOptions options = OptionsOf(call.node);
  const bool crop = options.transform == "tf_crop_and_resize";
  O2M_RETURN_IF_ERROR(CheckOptions(options));
  O2M_ASSIGN_OR_RETURN(const Dims axes, ResizedAxes(call, static_cast<int64_t>(out.dims.size())));
  std::vector<Axis> all;
  for (int64_t dim : out.dims) all.push_back({dim, dim, 1, 0, 1});
  O2M_RETURN_IF_ERROR(SetSizes(call, call.has(2) ? call.in(2).f : std::vector<float>(),
                               call.has(3) ? call.in(3).i : Dims(), axes, all));
  if (crop) O2M_RETURN_IF_ERROR(SetRegion(call, axes, all));
  for (int64_t axis : axes) {
    if (all[axis].in == all[axis].out && all[axis].scale == 1 && !crop) continue;
    Dims dims = out.dims;
    dims[axis] = all[axis].out;
    O2M_RETURN_IF_ERROR(CheckSize(dims));
    O2M_ASSIGN_OR_RETURN(const std::vector<Taps> taps, AxisTaps(all[axis], options));
    out = ResizeAxis(out, axis, taps, options.extrapolation);
  }
  if (call.in(0).is_float()) return One(std::move(out));
  Value whole = Integers(call.in(0).dtype, out.dims);
  for (size_t k = 0; k < whole.i.size(); k++) whole.i[k] = WrapTo(whole.dtype, std::llround(out.f[k]));
  return One(std::move(whole));
}

}  // namespace

std::vector<OpEntry> ResizeOps() { return {{"Resize", "**?f?i?", Resize}}; }

}  // namespace onnx2mcu
