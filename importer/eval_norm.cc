// importer/eval_norm.cc - normalisations and softmax.
#include <algorithm>
#include <cmath>
#include <limits>

#include "importer/eval_op.h"

namespace onnx2mcu {
namespace {

float Epsilon(const OpCall &call, float fallback) { return AttrFloat(call.node, "epsilon", fallback); }

absl::Status CheckCount(const Value &value, int64_t count, const char *what) {
  if (Count(value) == count) return absl::OkStatus();
  return Invalid(what, " of ", Count(value), " elements; ", count, " would work");
}

// gamma or beta as one dense array over the normalised dims (they may broadcast).
absl::StatusOr<std::vector<float>> OverDims(const Value &value, const Dims &dims) {
  O2M_ASSIGN_OR_RETURN(Value wide, BroadcastTo(value, dims));
  return wide.f;
}

Dims StatisticsDims(const Dims &x, int64_t axis) {
  Dims dims = x;
  std::fill(dims.begin() + axis, dims.end(), 1);
  return dims;
}

// Over the dims from `axis` on. Outputs 1 and 2: mean and 1 / standard deviation.
Values LayerNormalization(const OpCall &call) {
  const Value &x = call.in(0);
  O2M_ASSIGN_OR_RETURN(const int64_t axis,
                       NormalAxis(AttrInt(call.node, "axis", -1), static_cast<int64_t>(x.dims.size())));
  const Dims inner(x.dims.begin() + axis, x.dims.end());
  O2M_ASSIGN_OR_RETURN(const std::vector<float> gamma, OverDims(call.in(1), inner));
  std::vector<float> beta;
  if (call.has(2)) {
    O2M_ASSIGN_OR_RETURN(beta, OverDims(call.in(2), inner));
  }
  const int64_t n = ElementCount(inner), rows = ElementCount(Dims(x.dims.begin(), x.dims.begin() + axis));
  std::vector<Value> out = {Floats(x.dims), Floats(StatisticsDims(x.dims, axis)), Floats(StatisticsDims(x.dims, axis))};
  NormalizeRows(x.f.data(), out[0].f.data(), rows, n, Epsilon(call, 1e-5f), gamma.data(),
                beta.empty() ? nullptr : beta.data(), &out[1].f, &out[2].f);
  return out;
}

// y = x / sqrt(mean(x^2) + epsilon) * gamma (Zhang and Sennrich, 2019).
Values RmsNormalization(const OpCall &call) {
  const Value &x = call.in(0);
  O2M_ASSIGN_OR_RETURN(const int64_t axis,
                       NormalAxis(AttrInt(call.node, "axis", -1), static_cast<int64_t>(x.dims.size())));
  const Dims inner(x.dims.begin() + axis, x.dims.end());
  O2M_ASSIGN_OR_RETURN(const std::vector<float> gamma, OverDims(call.in(1), inner));
  const int64_t n = ElementCount(inner);
  const float epsilon = Epsilon(call, 1e-5f);
  Value out = Floats(x.dims);
  for (int64_t start = 0; start < Count(x); start += n) {
    double square = 0;
    for (int64_t k = 0; k < n; k++) square += double{x.f[start + k]} * x.f[start + k];
    const double scale = 1 / std::sqrt(square / static_cast<double>(n) + epsilon);
    for (int64_t k = 0; k < n; k++) out.f[start + k] = static_cast<float>(x.f[start + k] * scale) * gamma[k];
  }
  return One(std::move(out));
}

// com.microsoft: layer normalisation of input + skip (+ bias). Output 3 is that sum.
Values SkipLayerNormalization(const OpCall &call) {
  O2M_ASSIGN_OR_RETURN(const Value skip, BroadcastTo(call.in(1), call.in(0).dims));
  Value sum = call.in(0);
  if (sum.dims.empty()) return Invalid("input is a scalar; at least one dimension would work");
  const int64_t n = sum.dims.back(), rows = n == 0 ? 0 : Count(sum) / n;
  for (size_t operand = 2; operand < 5; operand++) {
    if (call.has(operand)) O2M_RETURN_IF_ERROR(CheckCount(call.in(operand), n, "gamma, beta or bias"));
  }
  for (size_t k = 0; k < sum.f.size(); k++) sum.f[k] += skip.f[k] + (call.has(4) ? call.in(4).f[k % n] : 0);
  const Dims statistics = StatisticsDims(sum.dims, static_cast<int64_t>(sum.dims.size()) - 1);
  std::vector<Value> out = {Floats(sum.dims), Floats(statistics), Floats(statistics), std::move(sum)};
  NormalizeRows(out[3].f.data(), out[0].f.data(), rows, n, Epsilon(call, 1e-12f), call.in(2).f.data(),
                call.has(3) ? call.in(3).f.data() : nullptr, &out[1].f, &out[2].f);
  return out;
}

// Inference: the stored statistics.
// With the statistics of x itself, and the running ones moved towards them: how weights are standardised in some
// exports.
Values BatchStatistics(const OpCall &call, const AxisSplit &split) {
  const Value &x = call.in(0);
  const float momentum = AttrFloat(call.node, "momentum", 0.9f), epsilon = Epsilon(call, 1e-5f);
  const double n = static_cast<double>(split.outer * split.inner);
  std::vector<Value> out = {Floats(x.dims), call.in(3), call.in(4)};
  for (int64_t c = 0; c < split.size; c++) {
    const auto each = [&](const auto &fn) {
      for (int64_t o = 0; o < split.outer; o++)
        for (int64_t k = 0; k < split.inner; k++) fn((o * split.size + c) * split.inner + k);
    };
    double sum = 0, square = 0;
    each([&](int64_t at) { sum += x.f[at]; });
    const double mean = sum / n;
    each([&](int64_t at) { square += (x.f[at] - mean) * (x.f[at] - mean); });
    const double scale = call.in(1).f[c] / std::sqrt(square / n + epsilon);
    each([&](int64_t at) { out[0].f[at] = static_cast<float>((x.f[at] - mean) * scale + call.in(2).f[c]); });
    out[1].f[c] = static_cast<float>(call.in(3).f[c] * momentum + mean * (1 - momentum));
    out[2].f[c] = static_cast<float>(call.in(4).f[c] * momentum + square / n * (1 - momentum));
  }
  out.resize(std::min<size_t>(out.size(), std::max<size_t>(call.node.outputs.size(), 1)));
  return out;
}

Values BatchNormalization(const OpCall &call) {
  const Value &x = call.in(0);
  if (x.dims.size() < 2) return Invalid("input of shape ", ShapeText(x.dims), "; [1,C,...] would work");
  const AxisSplit split = SplitAt(x.dims, 1);
  for (size_t operand = 1; operand < 5; operand++) {
    O2M_RETURN_IF_ERROR(CheckCount(call.in(operand), split.size, "scale, bias, mean or variance"));
  }
  if (AttrInt(call.node, "training_mode", 0) != 0) return BatchStatistics(call, split);
  const float epsilon = Epsilon(call, 1e-5f);
  Value out = Floats(x.dims);
  for (int64_t row = 0; row < split.outer * split.size; row++) {
    const int64_t c = row % split.size;
    const float scale = call.in(1).f[c] / std::sqrt(call.in(4).f[c] + epsilon);
    for (int64_t k = row * split.inner; k < (row + 1) * split.inner; k++) {
      out.f[k] = (x.f[k] - call.in(3).f[c]) * scale + call.in(2).f[c];
    }
  }
  return One(std::move(out));
}

// Normalises each of `groups` runs of channels; scale and bias have one entry per channel, or per group (opset 18).
Values NormalizeGroups(const OpCall &call, int64_t groups) {
  const Value &x = call.in(0);
  if (x.dims.size() < 2) return Invalid("input of shape ", ShapeText(x.dims), "; [1,C,...] would work");
  const AxisSplit split = SplitAt(x.dims, 1);
  if (groups < 1 || split.size % groups != 0) {
    return Invalid(groups, " groups do not divide ", split.size, " channels; a divisor would work");
  }
  const int64_t entries = Count(call.in(1)), per_entry = entries == split.size ? 1 : split.size / groups;
  if (entries != split.size && entries != groups) {
    return Invalid("scale of ", entries, " elements; ", split.size, " would work");
  }
  O2M_RETURN_IF_ERROR(CheckCount(call.in(2), entries, "bias"));
  Value out = Floats(x.dims);
  NormalizeRows(x.f.data(), out.f.data(), split.outer * groups, split.size / groups * split.inner, Epsilon(call, 1e-5f),
                nullptr, nullptr);
  for (int64_t k = 0; k < Count(out); k++) {
    const int64_t entry = k / split.inner % split.size / per_entry;
    out.f[k] = out.f[k] * call.in(1).f[entry] + call.in(2).f[entry];
  }
  return One(std::move(out));
}

Values InstanceNormalization(const OpCall &call) {
  return NormalizeGroups(call, call.in(0).dims.size() < 2 ? 1 : call.in(0).dims[1]);
}

Values GroupNormalization(const OpCall &call) { return NormalizeGroups(call, AttrInt(call.node, "num_groups", 0)); }

// Walks every line along `axis`: fn(x, y, n, stride).
template <class F>
Values AlongAxis(const OpCall &call, int64_t axis, F fn) {
  const Value &x = call.in(0);
  const AxisSplit split = SplitAt(x.dims, axis);
  Value out = Floats(x.dims);
  for (int64_t o = 0; o < split.outer; o++) {
    for (int64_t i = 0; i < split.inner; i++) {
      const int64_t at = o * split.size * split.inner + i;
      fn(x.f.data() + at, out.f.data() + at, split.size, split.inner);
    }
  }
  return One(std::move(out));
}

Values LpNormalization(const OpCall &call) {
  O2M_ASSIGN_OR_RETURN(const int64_t axis,
                       NormalAxis(AttrInt(call.node, "axis", -1), static_cast<int64_t>(call.in(0).dims.size())));
  const int64_t p = AttrInt(call.node, "p", 2);
  if (p != 1 && p != 2) return Invalid("p = ", p, " is not a norm of this operator; 1 or 2 would work");
  return AlongAxis(call, axis, [p](const float *x, float *y, int64_t n, int64_t stride) {
    double sum = 0;
    for (int64_t k = 0; k < n; k++) sum += p == 1 ? std::fabs(x[k * stride]) : double{x[k * stride]} * x[k * stride];
    const double norm = p == 1 ? sum : std::sqrt(sum);
    for (int64_t k = 0; k < n; k++) y[k * stride] = norm == 0 ? 0 : static_cast<float>(x[k * stride] / norm);
  });
}

Values MeanVarianceNormalization(const OpCall &call) {
  const Value &x = call.in(0);
  Dims perm, axes = AttrInts(call.node, "axes", {0, 2, 3});
  const int64_t rank = static_cast<int64_t>(x.dims.size());
  for (int64_t &axis : axes) {
    O2M_ASSIGN_OR_RETURN(axis, NormalAxis(axis, rank));
  }
  for (int64_t d = 0; d < rank; d++)
    if (std::find(axes.begin(), axes.end(), d) == axes.end()) perm.push_back(d);
  perm.insert(perm.end(), axes.begin(), axes.end());
  Value moved = Permute(x, perm);
  int64_t n = 1;
  for (int64_t axis : axes) n *= x.dims[axis];
  NormalizeRows(moved.f.data(), moved.f.data(), Count(x) / n, n, 1e-9f, nullptr, nullptr);
  Dims back(perm.size());
  for (size_t d = 0; d < perm.size(); d++) back[perm[d]] = static_cast<int64_t>(d);
  return One(Permute(moved, back));
}

void SoftmaxLine(const float *x, float *y, int64_t n, int64_t stride) {
  float top = -std::numeric_limits<float>::infinity();
  for (int64_t k = 0; k < n; k++) top = std::max(top, x[k * stride]);
  double sum = 0;
  for (int64_t k = 0; k < n; k++) sum += y[k * stride] = std::exp(x[k * stride] - top);
  for (int64_t k = 0; k < n; k++) y[k * stride] = static_cast<float>(y[k * stride] / sum);
}

void LogSoftmaxLine(const float *x, float *y, int64_t n, int64_t stride) {
  float top = -std::numeric_limits<float>::infinity();
  for (int64_t k = 0; k < n; k++) top = std::max(top, x[k * stride]);
  double sum = 0;
  for (int64_t k = 0; k < n; k++) sum += std::exp(double{x[k * stride]} - top);
  for (int64_t k = 0; k < n; k++) y[k * stride] = static_cast<float>(double{x[k * stride]} - top - std::log(sum));
}

// From opset 13 on along one axis; before, over all dims from the axis on, seen as one row.
template <void (*kLine)(const float *, float *, int64_t, int64_t)>
Values Softmax(const OpCall &call) {
  const Value &x = call.in(0);
  const bool flattens = call.node.opset < 13;
  const int64_t rank = static_cast<int64_t>(x.dims.size());
  if (rank == 0) return Invalid("input is a scalar; at least one dimension would work");
  O2M_ASSIGN_OR_RETURN(const int64_t axis, NormalAxis(AttrInt(call.node, "axis", flattens ? 1 : -1), rank));
  if (!flattens) return AlongAxis(call, axis, kLine);
  Value out = Floats(x.dims);
  const int64_t n = ElementCount(Dims(x.dims.begin() + axis, x.dims.end()));
  for (int64_t start = 0; start < Count(x); start += n) kLine(x.f.data() + start, out.f.data() + start, n, 1);
  return One(std::move(out));
}

}  // namespace

void SoftmaxRows(float *x, int64_t rows, int64_t n) {
  for (int64_t r = 0; r < rows; r++) SoftmaxLine(x + r * n, x + r * n, n, 1);
}

void NormalizeRows(const float *x, float *y, int64_t rows, int64_t n, float epsilon, const float *gamma,
                   const float *beta, std::vector<float> *means, std::vector<float> *inv_stds) {
  for (int64_t r = 0; r < rows; r++, x += n, y += n) {
    double sum = 0, square = 0;
    for (int64_t k = 0; k < n; k++) sum += x[k];
    const double mean = sum / static_cast<double>(n);
    for (int64_t k = 0; k < n; k++) square += (x[k] - mean) * (x[k] - mean);
    const double inv_std = 1 / std::sqrt(square / static_cast<double>(n) + epsilon);
    for (int64_t k = 0; k < n; k++) {
      const double z = (x[k] - mean) * inv_std * (gamma == nullptr ? 1 : gamma[k]);
      y[k] = static_cast<float>(z + (beta == nullptr ? 0 : beta[k]));
    }
    if (means != nullptr) (*means)[r] = static_cast<float>(mean);
    if (inv_stds != nullptr) (*inv_stds)[r] = static_cast<float>(inv_std);
  }
}

std::vector<OpEntry> NormOps() {
  return {{"LayerNormalization", "fff?", LayerNormalization},
          {"RMSNormalization", "ff", RmsNormalization},
          {"com.microsoft.SkipLayerNormalization", "ffff?f?", SkipLayerNormalization},
          {"BatchNormalization", "fffff", BatchNormalization},
          {"InstanceNormalization", "fff", InstanceNormalization},
          {"GroupNormalization", "fff", GroupNormalization},
          {"LpNormalization", "f", LpNormalization},
          {"MeanVarianceNormalization", "f", MeanVarianceNormalization},
          {"Softmax", "f", Softmax<SoftmaxLine>},
          {"LogSoftmax", "f", Softmax<LogSoftmaxLine>}};
}

}  // namespace onnx2mcu
