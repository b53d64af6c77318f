// importer/eval_conv.cc - convolution by im2col and Eigen, and pooling, over any number of spatial dimensions.
#include <algorithm>
#include <cmath>
#include <limits>

#include "importer/eval_op.h"

namespace onnx2mcu {
namespace {

// The windows of a convolution or a pooling.
struct Windows {
  Dims in, kernel, out;                 // spatial
  Dims strides, dilations, begin, end;  // one per spatial dim; pads at both ends
};

bool Within(const Dims &values, int64_t low) {
  constexpr int64_t kHigh = 1 << 20;
  return std::all_of(values.begin(), values.end(), [low](int64_t v) { return v >= low && v <= kHigh; });
}

absl::Status CheckRanges(const Windows &w) {
  if (Within(w.kernel, 1) && Within(w.strides, 1) && Within(w.dilations, 1) && Within(w.begin, 0) && Within(w.end, 0)) {
    return absl::OkStatus();
  }
  return Invalid("kernel, strides, dilations or pads are out of range; positive ones and pads >= 0 would work");
}

absl::Status CheckWindows(const Windows &w) {
  for (size_t d = 0; d < w.in.size(); d++) {
    if (w.in[d] + w.begin[d] + w.end[d] < (w.kernel[d] - 1) * w.dilations[d] + 1) {
      return Invalid("the kernel is wider than the padded input ", ShapeText(w.in), "; larger pads would work");
    }
  }
  return absl::OkStatus();
}

// auto_pad SAME: out = ceil(in / stride), an odd pad more at the end (UPPER) or the beginning (LOWER).
void PadSame(Windows &w, bool lower) {
  for (size_t d = 0; d < w.in.size(); d++) {
    const int64_t out = (w.in[d] + w.strides[d] - 1) / w.strides[d];
    const int64_t pad =
        std::max<int64_t>(0, (out - 1) * w.strides[d] + (w.kernel[d] - 1) * w.dilations[d] + 1 - w.in[d]);
    w.begin[d] = lower ? pad - pad / 2 : pad / 2;
    w.end[d] = pad - w.begin[d];
  }
}

absl::StatusOr<Windows> WindowsOf(const FloatNode &node, const Dims &x, const Dims &kernel) {
  const size_t rank = kernel.size();
  if (x.size() != rank + 2 || rank == 0) {
    return Invalid("input of shape ", ShapeText(x), " and a kernel of ", rank,
                   " dimensions do not fit; [1,C] and one dimension per kernel dimension would work");
  }
  Windows w;
  w.in.assign(x.begin() + 2, x.end());
  w.kernel = kernel;
  w.strides = AttrInts(node, "strides", Dims(rank, 1));
  w.dilations = AttrInts(node, "dilations", Dims(rank, 1));
  const Dims pads = AttrInts(node, "pads", Dims(2 * rank, 0));
  if (w.strides.size() != rank || w.dilations.size() != rank || pads.size() != 2 * rank) {
    return Invalid("strides, dilations or pads do not have one entry per spatial dimension");
  }
  w.begin.assign(pads.begin(), pads.begin() + static_cast<int64_t>(rank));
  w.end.assign(pads.begin() + static_cast<int64_t>(rank), pads.end());
  O2M_RETURN_IF_ERROR(CheckRanges(w));
  const std::string auto_pad = AttrString(node, "auto_pad", "NOTSET");
  if (auto_pad == "VALID") w.begin = w.end = Dims(rank, 0);
  if (auto_pad == "SAME_UPPER" || auto_pad == "SAME_LOWER") PadSame(w, auto_pad == "SAME_LOWER");
  O2M_RETURN_IF_ERROR(CheckWindows(w));
  const bool ceil_mode = AttrInt(node, "ceil_mode", 0) != 0;
  for (size_t d = 0; d < rank; d++) {
    const int64_t room = w.in[d] + w.begin[d] + w.end[d] - (w.kernel[d] - 1) * w.dilations[d] - 1;
    int64_t out = room / w.strides[d] + 1;
    // ceil_mode adds a window that overhangs the end, unless it would start in the padding behind the input.
    if (ceil_mode && room % w.strides[d] != 0 && out * w.strides[d] < w.in[d] + w.begin[d]) out++;
    w.out.push_back(out);
  }
  O2M_RETURN_IF_ERROR(CheckSize({ElementCount(w.kernel), ElementCount(w.out)}));
  return w;
}

void Advance(Dims &index, const Dims &dims) {
  for (size_t d = dims.size(); d-- > 0;) {
    if (++index[d] < dims[d]) return;
    index[d] = 0;
  }
}

// What element `tap` of the kernel reads at output position `at`.
enum : int64_t { kPadding = -1, kBeyond = -2 };  // within the pads; past them, by ceil_mode
int64_t SourceOf(const Windows &w, const Dims &tap, const Dims &at) {
  int64_t source = 0;
  bool padding = false;
  for (size_t d = 0; d < w.in.size(); d++) {
    const int64_t p = at[d] * w.strides[d] - w.begin[d] + tap[d] * w.dilations[d];
    if (p >= w.in[d] + w.end[d]) return kBeyond;
    padding |= p < 0 || p >= w.in[d];
    source = source * w.in[d] + p;
  }
  return padding ? int64_t{kPadding} : source;
}

// [kernel][out]: flat spatial index into one channel, or kPadding or kBeyond. The same for every channel.
std::vector<int64_t> SourceTable(const Windows &w) {
  const int64_t taps = ElementCount(w.kernel), positions = ElementCount(w.out);
  std::vector<int64_t> table(taps * positions);
  Dims tap(w.kernel.size(), 0);
  for (int64_t k = 0; k < taps; k++, Advance(tap, w.kernel)) {
    Dims at(w.out.size(), 0);
    for (int64_t o = 0; o < positions; o++, Advance(at, w.out)) table[k * positions + o] = SourceOf(w, tap, at);
  }
  return table;
}

struct ConvShape {
  Windows windows;
  int64_t batch, group, in_channels, out_channels;  // channels per group
  Dims dims;                                        // of the result
};

absl::StatusOr<ConvShape> ConvShapeOf(const FloatNode &node, const Dims &x, const Dims &w) {
  if (w.size() < 3) return Invalid("weight of shape ", ShapeText(w), "; [O,C/group,kernel...] would work");
  const Dims kernel(w.begin() + 2, w.end());
  const Dims declared = AttrInts(node, "kernel_shape", kernel);
  if (declared != kernel) {
    return Invalid("kernel_shape ", ShapeText(declared), " differs from the weight's ", ShapeText(kernel));
  }
  ConvShape shape;
  O2M_ASSIGN_OR_RETURN(shape.windows, WindowsOf(node, x, kernel));
  shape.group = AttrInt(node, "group", 1);
  if (shape.group < 1 || w[0] % shape.group != 0 || x[1] != w[1] * shape.group) {
    return Invalid("input ", ShapeText(x), " and weight ", ShapeText(w), " do not fit with group = ", shape.group,
                   "; the weight's second dimension must be channels / group");
  }
  O2M_RETURN_IF_ERROR(CheckSize({w[1], ElementCount(kernel), ElementCount(shape.windows.out)}));
  shape.batch = x[0];
  shape.in_channels = w[1];
  shape.out_channels = w[0] / shape.group;
  shape.dims = {x[0], w[0]};
  shape.dims.insert(shape.dims.end(), shape.windows.out.begin(), shape.windows.out.end());
  return shape;
}

// y = w * columns(x) per sample and group. A kernel of one element with stride 1 needs no columns.
template <class T>
void Convolve(const ConvShape &s, const T *x, const T *w, T *y) {
  const std::vector<int64_t> table = SourceTable(s.windows);
  const int64_t taps = ElementCount(s.windows.kernel), positions = ElementCount(s.windows.out);
  const int64_t pixels = ElementCount(s.windows.in), inner = s.in_channels * taps;
  std::vector<T> columns(inner * positions);
  for (int64_t g = 0; g < s.batch * s.group; g++) {
    for (int64_t c = 0; c < s.in_channels; c++) {
      const T *channel = x + (g * s.in_channels + c) * pixels;
      T *column = columns.data() + c * taps * positions;
      for (int64_t k = 0; k < taps * positions; k++) column[k] = table[k] < 0 ? T{0} : channel[table[k]];
    }
    MultiplyInto(w + (g % s.group) * s.out_channels * inner, columns.data(), y + g * s.out_channels * positions,
                 s.out_channels, inner, positions);
  }
}

Values Conv(const OpCall &call) {
  O2M_ASSIGN_OR_RETURN(Value out,
                       ConvolveFloat(call.node, call.in(0), call.in(1), call.has(2) ? &call.in(2) : nullptr));
  return One(std::move(out));
}

absl::StatusOr<Windows> PoolWindows(const OpCall &call) {
  const Dims kernel = AttrInts(call.node, "kernel_shape");
  if (kernel.empty()) return Invalid("attribute kernel_shape is missing; ONNX requires it");
  return WindowsOf(call.node, call.in(0).dims, kernel);
}

Dims PooledDims(const Dims &x, const Windows &w) {
  Dims dims = {x[0], x[1]};
  dims.insert(dims.end(), w.out.begin(), w.out.end());
  return dims;
}

// Output 1: where the maximum was, as a flat index into the whole input.
Values MaxPool(const OpCall &call) {
  O2M_ASSIGN_OR_RETURN(const Windows w, PoolWindows(call));
  if (AttrInt(call.node, "storage_order", 0) != 0 && call.wants(1)) {
    return Unsupported("indices in column-major order are not supported; storage_order = 0 would work");
  }
  const Value x = ToFloat(call.in(0));
  const std::vector<int64_t> table = SourceTable(w);
  const int64_t taps = ElementCount(w.kernel), positions = ElementCount(w.out), pixels = ElementCount(w.in);
  std::vector<Value> out = {Like(call.in(0), PooledDims(x.dims, w)), Integers(DType::kS64, PooledDims(x.dims, w))};
  for (int64_t n = 0; n < Count(out[0]); n++) {
    const int64_t channel = n / positions * pixels;
    int64_t best = kPadding;
    for (int64_t k = 0; k < taps; k++) {
      const int64_t source = table[k * positions + n % positions];
      if (source >= 0 && (best < 0 || x.f[channel + source] > x.f[channel + best])) best = source;
    }
    out[1].i[n] = best < 0 ? -1 : channel + best;
    if (out[0].is_float()) {
      out[0].f[n] = best < 0 ? std::numeric_limits<float>::lowest() : x.f[channel + best];
    } else {
      out[0].i[n] = best < 0 ? LowestOf(out[0].dtype) : call.in(0).i[channel + best];
    }
  }
  return out;
}

// Sums fn(x) over each window; count is what an average divides by.
template <class Term, class Finish>
Values SumPool(const OpCall &call, Term term, Finish finish) {
  O2M_ASSIGN_OR_RETURN(const Windows w, PoolWindows(call));
  const bool count_pads = AttrInt(call.node, "count_include_pad", 0) != 0;
  const std::vector<int64_t> table = SourceTable(w);
  const int64_t taps = ElementCount(w.kernel), positions = ElementCount(w.out), pixels = ElementCount(w.in);
  Value out = Floats(PooledDims(call.in(0).dims, w));
  for (int64_t n = 0; n < Count(out); n++) {
    double sum = 0;
    int64_t count = 0;
    for (int64_t k = 0; k < taps; k++) {
      const int64_t source = table[k * positions + n % positions];
      if (source >= 0) sum += term(double{call.in(0).f[n / positions * pixels + source]});
      if (source >= 0 || (source == kPadding && count_pads)) count++;
    }
    out.f[n] = static_cast<float>(finish(sum, count));
  }
  return One(std::move(out));
}

Values AveragePool(const OpCall &call) {
  return SumPool(
      call, [](double x) { return x; },
      [](double sum, int64_t count) { return count == 0 ? 0 : sum / static_cast<double>(count); });
}

Values LpPool(const OpCall &call) {
  const double p = static_cast<double>(AttrInt(call.node, "p", 2));
  return SumPool(
      call, [p](double x) { return std::pow(std::fabs(x), p); },
      [p](double sum, int64_t) { return std::pow(sum, 1 / p); });
}

// Rows of all spatial positions of a channel; the result keeps a 1 for each spatial dim.
template <class Reduce>
Values GlobalPool(const OpCall &call, Reduce reduce) {
  const Dims &x = call.in(0).dims;
  if (x.size() < 3) return Invalid("input of shape ", ShapeText(x), "; [1,C,spatial...] would work");
  Dims dims(x.size(), 1);
  dims[0] = x[0];
  dims[1] = x[1];
  Value out = Floats(dims);
  const int64_t pixels = ElementCount(Dims(x.begin() + 2, x.end()));
  for (int64_t c = 0; c < Count(out); c++) out.f[c] = reduce(call.in(0).f.data() + c * pixels, pixels);
  return One(std::move(out));
}

Values GlobalAveragePool(const OpCall &call) {
  return GlobalPool(call, [](const float *x, int64_t n) {
    double sum = 0;
    for (int64_t k = 0; k < n; k++) sum += x[k];
    return static_cast<float>(sum / static_cast<double>(n));
  });
}

Values GlobalMaxPool(const OpCall &call) {
  return GlobalPool(call, [](const float *x, int64_t n) {
    return n == 0 ? std::numeric_limits<float>::lowest() : *std::max_element(x, x + n);
  });
}

}  // namespace

absl::StatusOr<Value> ConvolveFloat(const FloatNode &node, const Value &x, const Value &w, const Value *bias) {
  O2M_ASSIGN_OR_RETURN(const ConvShape shape, ConvShapeOf(node, x.dims, w.dims));
  if (bias != nullptr && Count(*bias) != w.dims[0]) {
    return Invalid("bias of ", Count(*bias), " elements for ", w.dims[0], " output channels; as many would work");
  }
  Value out = Floats(shape.dims);
  Convolve(shape, x.f.data(), w.f.data(), out.f.data());
  if (bias == nullptr) return out;
  const int64_t positions = ElementCount(shape.windows.out);
  for (int64_t k = 0; k < Count(out); k++) out.f[k] += bias->f[k / positions % w.dims[0]];
  return out;
}

absl::StatusOr<Value> ConvolveInteger(const FloatNode &node, const Value &x, const Value &w) {
  O2M_ASSIGN_OR_RETURN(const ConvShape shape, ConvShapeOf(node, x.dims, w.dims));
  const std::vector<double> a(x.i.begin(), x.i.end()), b(w.i.begin(), w.i.end());
  std::vector<double> y(ElementCount(shape.dims));
  Convolve(shape, a.data(), b.data(), y.data());
  Value out = Integers(DType::kS32, shape.dims);
  std::transform(y.begin(), y.end(), out.i.begin(), [](double v) { return static_cast<int64_t>(v); });
  return out;
}

std::vector<OpEntry> ConvOps() {
  return {{"Conv", "fff?", Conv},
          {"MaxPool", "*", MaxPool},
          {"AveragePool", "f", AveragePool},
          {"LpPool", "f", LpPool},
          {"GlobalAveragePool", "f", GlobalAveragePool},
          {"GlobalMaxPool", "f", GlobalMaxPool}};
}

}  // namespace onnx2mcu
