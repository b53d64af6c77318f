// Quantised weights of more than s8: bytes less a zero point that is not 128, -138 .. 117 say. Integer kernels hold
// -127 .. 127 and a -128 here and there, so what lies beyond is moved into further rows of the weights, and the values
// those rows belong to are read twice: x W = [x, x'] [W1; W2], exactly. Which rows that are is decided by the weights:
// of those of a trained network a few, of evenly distributed ones all.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "importer/canonicalize.h"
#include "importer/fake_quantize.h"
#include "ops/weight_grid.hpp"

namespace onnx2mcu {
namespace {

constexpr double kLargestStep = 127;  // steps that a kernel holds on either side

// Weights of one layer as outputs x depth.
struct Weights {
  std::vector<float> values;
  int64_t outputs = 0, depth = 0;
};

// Whether -128 stands at an even k and at the next: linear kernels add the products of such two in s16.
bool HasLowestTwice(const float *values, int64_t depth, double step) {
  const auto is_lowest = [&](int64_t k) { return values[k] < -(kLargestStep + 0.5) * step; };
  for (int64_t k = 0; k + 1 < depth; k += 2)
    if (is_lowest(k) && is_lowest(k + 1)) return true;
  return false;
}

double StepOfBytes(const float *values, int64_t count) {
  float step = 0;
  int32_t zero = 0;
  return o2m::AsymmetricGrid(values, count, &step, &zero) ? double{step} : 0.0;
}

// By output: the step of its grid where s8 does not reach its ends, else 0. Empty: there is no such output, or one
// whose weights lie on no grid of bytes.
std::vector<double> WideSteps(const Weights &w) {
  double common = o2m::GridStep(w.values.data(), w.outputs * w.depth, 1);
  if (common == 0) common = StepOfBytes(w.values.data(), w.outputs * w.depth);
  std::vector<double> steps(w.outputs, 0.0);
  bool wide = false;
  for (int64_t o = 0; o < w.outputs; o++) {
    const float *values = w.values.data() + o * w.depth;
    const double step = o2m::GridStep(values, w.depth, 1);
    if (step > 0 && !HasLowestTwice(values, w.depth, step)) continue;
    steps[o] = step > 0 ? step : common > 0 ? common : StepOfBytes(values, w.depth);
    if (steps[o] == 0) return {};
    const auto [low, high] = std::minmax_element(values, values + w.depth);
    wide = wide || std::max(-*low, *high) > (kLargestStep + 0.5) * steps[o];
  }
  return wide ? steps : std::vector<double>();
}

// Splits the weights into what 127 steps hold and the rest.
Weights TakeRest(Weights &w, const std::vector<double> &steps) {
  Weights rest = w;
  for (int64_t i = 0; i < w.outputs * w.depth; i++) {
    const double step = steps[i / w.depth], counted = step > 0 ? std::round(w.values[i] / step) : 0;
    const double kept = std::clamp(counted, -kLargestStep, kLargestStep);
    rest.values[i] = static_cast<float>((counted - kept) * step);
    if (counted != kept) w.values[i] = static_cast<float>(kept * step);
  }
  return rest;
}

// Where every group's rest is zero needs no copy: by input of a group, whether any output has one. `taps` weights of an
// output belong to each input.
std::vector<int64_t> InputsWithRest(const Weights &rest, int64_t taps) {
  std::vector<int64_t> inputs;
  for (int64_t i = 0; i < rest.depth / taps; i++) {
    bool any = false;
    for (int64_t o = 0; o < rest.outputs; o++)
      for (int64_t t = 0; t < taps; t++) any = any || rest.values[o * rest.depth + i * taps + t] != 0;
    if (any) inputs.push_back(i);
  }
  return inputs;
}

// [W1, W2 of `inputs`], outputs x (depth + taps * inputs.size()).
std::vector<float> Widened(const Weights &w, const Weights &rest, const std::vector<int64_t> &inputs, int64_t taps) {
  std::vector<float> all;
  for (int64_t o = 0; o < w.outputs; o++) {
    const auto row = w.values.begin() + o * w.depth, more = rest.values.begin() + o * w.depth;
    all.insert(all.end(), row, row + w.depth);
    for (const int64_t i : inputs) all.insert(all.end(), more + i * taps, more + (i + 1) * taps);
  }
  return all;
}

bool IsRounded(const Rewriter &r, TensorId x) {
  const FloatNode *node = r.Producer(x);
  while (node && (Moves(*node) || node->op_type == "Concat" || node->op_type == "MaxPool"))
    node = r.Producer(node->inputs[0]);
  return node && IsFakeQuantize(*node) && DTypeOf(GridOf(*node)) == DType::kS8;
}

std::vector<float> Transposed(const std::vector<float> &values, int64_t rows, int64_t columns) {
  std::vector<float> result(values.size());
  for (int64_t i = 0; i < rows; i++)
    for (int64_t j = 0; j < columns; j++) result[j * rows + i] = values[i * columns + j];
  return result;
}

// x with the elements `indices` of `axis` once more behind the others.
TensorId ReadTwice(Rewriter &r, NodeId id, TensorId x, const std::vector<int64_t> &indices, int64_t axis) {
  const bool run = indices.back() - indices.front() + 1 == static_cast<int64_t>(indices.size());
  const TensorId again = run ? r.Slice(id, x, axis, indices.front(), indices.back() + 1)
                             : r.Emit(id, "Gather", {x, r.NewInts(indices)}, {{"axis", axis}});
  return r.Emit(id, "Concat", {x, again}, {{"axis", axis}});
}

bool WideLinear(Rewriter &r, NodeId id) {
  if (!r.Is(id, "MatMul")) return false;
  const FloatNode &node = r.node(id);
  const TensorId x = node.inputs[0], weight = node.inputs[1];
  if (!r.IsFloatConstant(weight) || r.Rank(weight) != 2 || !IsRounded(r, x)) return false;
  const int64_t depth = r.DimsOf(weight)[0], columns = r.DimsOf(weight)[1];
  Weights w = {Transposed(r.Floats(weight), depth, columns), columns, depth};
  const std::vector<double> steps = WideSteps(w);
  if (steps.empty()) return false;
  const Weights rest = TakeRest(w, steps);
  const std::vector<int64_t> again = InputsWithRest(rest, 1);
  const auto wider = depth + static_cast<int64_t>(again.size());
  const TensorId widened =
      r.NewFloats(r.tensor(weight).name, {wider, columns}, Transposed(Widened(w, rest, again, 1), columns, wider));
  r.SetInputs(id, {ReadTwice(r, id, x, again, r.Rank(x) - 1), widened});
  return true;
}

// The channels of a convolution in groups, those to be read twice at the end of each group.
std::vector<int64_t> ChannelsTwice(int64_t channels, int64_t groups, const std::vector<int64_t> &again) {
  std::vector<int64_t> order;
  for (int64_t g = 0; g < groups; g++) {
    for (int64_t i = 0; i < channels / groups; i++) order.push_back(g * (channels / groups) + i);
    for (const int64_t i : again) order.push_back(g * (channels / groups) + i);
  }
  return order;
}

bool WideConv(Rewriter &r, NodeId id) {
  if (!r.Is(id, "Conv")) return false;
  const FloatNode &node = r.node(id);
  const TensorId x = node.inputs[0], weight = node.inputs[1];
  if (!r.IsFloatConstant(weight) || !IsRounded(r, x)) return false;
  Dims dims = r.DimsOf(weight);
  const int64_t depth = ElementCount(dims) / dims[0], taps = depth / dims[1], groups = AttrInt(node, "group", 1);
  Weights w = {r.Floats(weight), dims[0], depth};
  const std::vector<double> steps = WideSteps(w);
  if (steps.empty()) return false;
  const Weights rest = TakeRest(w, steps);
  const std::vector<int64_t> again = InputsWithRest(rest, taps);
  dims[1] += static_cast<int64_t>(again.size());
  std::vector<TensorId> inputs = node.inputs;
  inputs[1] = r.NewFloats(r.tensor(weight).name, dims, Widened(w, rest, again, taps));
  inputs[0] = groups == 1 ? ReadTwice(r, id, x, again, 1)
                          : r.Emit(id, "Gather", {x, r.NewInts(ChannelsTwice(r.DimsOf(x)[1], groups, again))},
                                   {{"axis", int64_t{1}}});
  r.SetInputs(id, inputs);
  return true;
}

}  // namespace

std::vector<FloatRewrite> WideWeightRewrites() { return {{"wide linear", WideLinear}, {"wide conv", WideConv}}; }

}  // namespace onnx2mcu
