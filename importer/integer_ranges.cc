// Interval arithmetic over the float half of an integerised model: what integers every tensor may hold.
#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "importer/dialect.h"
#include "importer/evaluate.h"

namespace onnx2mcu {
namespace {

IntegerRange Hull(const IntegerRange &a, const IntegerRange &b) {
  if (!a.known()) return b;
  if (!b.known()) return a;
  return {std::min(a.low, b.low), std::max(a.high, b.high)};
}

IntegerRange Times(const IntegerRange &a, const IntegerRange &b) {
  const auto [low, high] = std::minmax({a.low * b.low, a.low * b.high, a.high * b.low, a.high * b.high});
  return {low, high};
}
IntegerRange Plus(const IntegerRange &a, const IntegerRange &b) { return {a.low + b.low, a.high + b.high}; }
IntegerRange Times(const IntegerRange &a, int64_t count) { return {a.low * count, a.high * count}; }

std::vector<int64_t> ConstantIntegers(const Tensor &tensor) {
  const Value value = ValueOf(tensor);
  if (!value.is_float()) return value.i;
  std::vector<int64_t> out;
  for (float v : value.f) out.push_back(std::llround(v));
  return out;
}

IntegerRange ConstantRange(const Tensor &tensor) {
  const std::vector<int64_t> values = ConstantIntegers(tensor);
  if (values.empty()) return {0, 0};
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  return {*low, *high};
}

// The sum over `depth` weights of each output, over all of them; weights by (output, position).
template <class Weight>
IntegerRange WeightedRange(int64_t outputs, int64_t depth, const IntegerRange &x, const Weight &weight) {
  IntegerRange range;
  for (int64_t o = 0; o < outputs; o++) {
    IntegerRange sum = {0, 0};
    for (int64_t k = 0; k < depth; k++) sum = Plus(sum, Times(x, {weight(o, k), weight(o, k)}));
    range = Hull(range, sum);
  }
  return range;
}

IntegerRange MatMulSum(const Graph &graph, const FloatNode &node, const std::vector<IntegerRange> &ranges) {
  const Tensor &a = graph.tensors[node.inputs[0]], &b = graph.tensors[node.inputs[1]];
  const int64_t depth = a.dims.back(), n = b.dims.back();
  if (!b.is_constant || ElementCount(b.dims) != depth * n)
    return Times(Times(ranges[node.inputs[0]], ranges[node.inputs[1]]), depth);
  const std::vector<int64_t> w = ConstantIntegers(b);
  return WeightedRange(n, depth, ranges[node.inputs[0]], [&](int64_t o, int64_t k) { return w[k * n + o]; });
}

// Padding may leave out any of the sum.
IntegerRange ConvSum(const Graph &graph, const FloatNode &node, const std::vector<IntegerRange> &ranges) {
  const Tensor &weights = graph.tensors[node.inputs[1]];
  const std::vector<int64_t> w = ConstantIntegers(weights), pads = AttrInts(node, "pads");
  IntegerRange x = ranges[node.inputs[0]];
  if (std::any_of(pads.begin(), pads.end(), [](int64_t p) { return p > 0; })) x = Hull(x, {0, 0});
  const int64_t outputs = weights.dims[0], depth = ElementCount(weights.dims) / outputs;
  return WeightedRange(outputs, depth, x, [&](int64_t o, int64_t k) { return w[o * depth + k]; });
}

IntegerRange EvaluatedRange(const FloatNode &node, const IntegerRange &x) {
  FloatNode exact = node;
  exact.attrs["wide"] = int64_t{1}, exact.attrs["requant"] = int64_t{0};
  exact.outputs = {0};
  Value all{DType::kS64, {x.high - x.low + 1}, {}, {}};
  for (int64_t v = x.low; v <= x.high; v++) all.i.push_back(v);
  const auto out = EvaluateNode(exact, {&all});
  if (!out.ok()) return {};
  const auto [low, high] = std::minmax_element((*out)[0].i.begin(), (*out)[0].i.end());
  return {*low, *high};
}

// Of values that are too many to try: |x| times the largest factor.
IntegerRange FactorBound(const FloatNode &node, const IntegerRange &x) {
  const int64_t b = AttrInt(node, "b", 0), one = std::abs(AttrInt(node, "one", 0));
  const bool gelu = AttrString(node, "kind", "") == "gelu";
  const int64_t factor = gelu ? (one + std::max(one, b * b)) / 2 + 1
                              : std::abs(AttrInt(node, "six", 0) * AttrInt(node, "one_over_six", 0));
  const int64_t most = std::max(std::abs(x.low), std::abs(x.high)) * factor;
  return {-most, most};
}

IntegerRange ElementwiseSum(const FloatNode &node, const std::vector<IntegerRange> &ranges) {
  constexpr int64_t kTried = 65536;
  const std::string kind = AttrString(node, "kind", "identity");
  const IntegerRange a = ranges[node.inputs[0]];
  if (kind == "identity") return a;
  if (kind == "gelu" || kind == "hard_swish")
    return a.high - a.low < kTried ? EvaluatedRange(node, a) : FactorBound(node, a);
  const IntegerRange b = ranges[node.inputs[1]];
  if (kind == "add") return Plus(a, b);
  if (kind == "sub") return {a.low - b.high, a.high - b.low};
  if (kind == "mul") return Times(a, b);
  // The least divisor in magnitude decides; one of zero gives zero.
  const int64_t eta = AttrInt(node, "eta", 1), scale = std::abs(AttrInt(node, "delta", 1) * eta);
  const IntegerRange by = Plus(Times(b, {eta, eta}), {AttrInt(node, "eps", 1), AttrInt(node, "eps", 1)});
  const int64_t least = by.low > 0 ? by.low : by.high < 0 ? -by.high : 1;
  const int64_t most = std::max(std::abs(a.low), std::abs(a.high)) * scale / least + 1;
  return {-most, most};
}

// What requantise() makes of sums, by the factors of all channels.
IntegerRange Requantised(const Graph &graph, const FloatNode &node, size_t at, const IntegerRange &sum) {
  if (AttrInt(node, "requant", 0) == 0) return sum;
  const std::vector<int64_t> mul = ConstantIntegers(graph.tensors[node.inputs[at]]),
                             add = ConstantIntegers(graph.tensors[node.inputs[at + 1]]);
  const double div = static_cast<double>(AttrInt(node, "div", 1)), half = AttrInt(node, "round", 0) ? 0.5 : 0;
  const int64_t low = AttrInt(node, "low", 0), high = AttrInt(node, "high", 0);
  IntegerRange range;
  for (size_t c = 0; c < std::max(mul.size(), add.size()); c++)
    for (int64_t end : {sum.low, sum.high}) {
      const double product = static_cast<double>(end) * static_cast<double>(mul[c % mul.size()]);
      const double v = std::floor((product + static_cast<double>(add[c % add.size()])) / div + half);
      const auto q = static_cast<int64_t>(std::clamp(v, static_cast<double>(low), static_cast<double>(high)));
      range = Hull(range, {q, q});
    }
  return range;
}

IntegerRange TableRange(const Graph &graph, const FloatNode &node, const IntegerRange &x) {
  const std::vector<int64_t> table = ConstantIntegers(graph.tensors[node.inputs[1]]);
  const int64_t first = AttrInt(node, "first", 0), last = static_cast<int64_t>(table.size()) - 1;
  const auto begin = table.begin() + std::clamp<int64_t>(x.low - first, 0, last);
  const auto end = table.begin() + std::clamp<int64_t>(x.high - first, 0, last) + 1;
  const auto [low, high] = std::minmax_element(begin, end);
  return {*low, *high};
}

IntegerRange ReduceRange(const Graph &graph, const FloatNode &node, const IntegerRange &x) {
  if (AttrString(node, "kind", "mean") != "sum") return x;
  return Times(x, ElementCount(graph.tensors[node.inputs[0]].dims) / ElementCount(graph.tensors[node.outputs[0]].dims));
}

IntegerRange IntegerNodeRange(const Graph &graph, const FloatNode &node, const std::vector<IntegerRange> &ranges) {
  const IntegerRange x = ranges[node.inputs[0]];
  const size_t bias = AttrInt(node, "bias", 0) != 0;
  if (node.op_type == "IntegerMatMul" || node.op_type == "IntegerConv")
    return Requantised(graph, node, 2 + bias, SumRange(graph, node, ranges));
  if (node.op_type == "IntegerElementwise")
    return Requantised(graph, node, AttrInt(node, "binary", 0) ? 2 : 1, ElementwiseSum(node, ranges));
  if (node.op_type == "IntegerTable") return TableRange(graph, node, x);
  if (node.op_type == "IntegerNorm") return {AttrInt(node, "low", 0), AttrInt(node, "high", 0)};
  if (node.op_type == "IntegerReduce") return ReduceRange(graph, node, x);
  if (node.op_type != "IntegerSoftmax") return x;
  const int64_t n = AttrInt(node, "n", 256);
  return {0, (AttrString(node, "kind", "") == "ita_partial_max" ? n / 2 : n) - 1};
}

// Movement: what it moves.
IntegerRange MovedRange(const FloatNode &node, const std::vector<IntegerRange> &ranges) {
  if (node.op_type != "Concat") return ranges[node.inputs[0]];
  IntegerRange range;
  for (TensorId id : node.inputs) range = Hull(range, ranges[id]);
  return range;
}

}  // namespace

IntegerRange SumRange(const Graph &graph, const FloatNode &node, const std::vector<IntegerRange> &ranges) {
  IntegerRange sum = node.op_type == "IntegerConv"     ? ConvSum(graph, node, ranges)
                     : node.op_type == "IntegerMatMul" ? MatMulSum(graph, node, ranges)
                                                       : ElementwiseSum(node, ranges);
  if (AttrInt(node, "bias", 0) != 0) sum = Plus(sum, ranges[node.inputs[2]]);
  return sum;
}

absl::StatusOr<std::vector<IntegerRange>> IntegerRanges(const Graph &graph, const std::vector<IntegerRange> &inputs) {
  std::vector<IntegerRange> ranges(graph.tensors.size());
  for (size_t i = 0; i < graph.inputs.size(); i++)
    ranges[graph.inputs[i]] = i < inputs.size() && inputs[i].known() ? inputs[i] : kUndeclaredInput;
  for (size_t id = 0; id < ranges.size(); id++)
    if (graph.tensors[id].is_constant) ranges[id] = ConstantRange(graph.tensors[id]);
  for (const FloatNode &node : graph.float_nodes) {
    const bool integer = node.domain == kIntegerDomain;
    const IntegerRange range = integer ? IntegerNodeRange(graph, node, ranges) : MovedRange(node, ranges);
    const bool fits = std::max(std::abs(range.low), std::abs(range.high)) <= int64_t{1} << 31;
    if (range.known() && !fits)
      return absl::UnimplementedError(
          absl::StrCat(graph.file, ": ", NodeText(node), ": its integers lie in ", range.low, " .. ", range.high,
                       "; 32 bits, as Deeploy's kernels have, would work: fewer levels or a requantisation before it"));
    for (TensorId id : node.outputs)
      if (id != kNone) ranges[id] = range;
  }
  return ranges;
}

DType TypeOf(const IntegerRange &range) {
  const auto within = [&](int64_t low, int64_t high) { return range.low >= low && range.high <= high; };
  if (!range.known()) return DType::kAny;
  if (within(-128, 127)) return DType::kS8;
  if (within(0, 255)) return DType::kU8;
  if (within(-32768, 32767)) return DType::kS16;
  return within(INT32_MIN, INT32_MAX) ? DType::kS32 : DType::kAny;
}

}  // namespace onnx2mcu
