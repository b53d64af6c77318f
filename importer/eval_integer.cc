// importer/eval_integer.cc - the integer nodes of integerised models (importer/dialect.h), exactly, in int64.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "importer/dialect.h"
#include "importer/eval_op.h"

namespace onnx2mcu {
namespace {

using Ints = std::vector<int64_t>;

int64_t FloorDiv(int64_t a, int64_t b) { return a / b - (a % b != 0 && (a < 0) != (b < 0)); }
// floor(a / b + 1/2)
int64_t RoundDiv(int64_t a, int64_t b) { return b % 2 == 0 ? FloorDiv(a + b / 2, b) : FloorDiv(2 * a + b, 2 * b); }
int64_t FloorSqrt(int64_t x) {
  auto root = static_cast<int64_t>(std::sqrt(static_cast<double>(x)));
  while (root * root > x) root--;
  while ((root + 1) * (root + 1) <= x) root++;
  return root;
}

// The integers that a value holds, whichever way it holds them.
Ints IntegersOf(const Value &value) {
  if (!value.is_float()) return value.i;
  Ints out(value.f.size());
  std::transform(value.f.begin(), value.f.end(), out.begin(), [](float v) { return std::llround(v); });
  return out;
}
Value AsIntegers(const Value &value) { return {DType::kS64, value.dims, {}, IntegersOf(value)}; }

// The result of a node: in float where that is exact.
Value Held(const FloatNode &node, Value value) {
  if (AttrInt(node, "wide", 0) != 0) return value;
  return {DType::kF32, value.dims, std::vector<float>(value.i.begin(), value.i.end()), {}};
}

// A factor per channel, written [C], is one along axis 1 of anything that has more axes than two.
absl::StatusOr<Ints> Spread(const Value &factor, const Dims &dims) {
  Value value = AsIntegers(factor);
  O2M_ASSIGN_OR_RETURN(value.dims, FactorDims(value.dims, dims));
  O2M_ASSIGN_OR_RETURN(const Value spread, BroadcastTo(value, dims));
  return spread.i;
}

// Requantises by the operands from `at` on, where the node has them.
absl::Status Requantise(const OpCall &call, size_t at, Value &acc) {
  if (AttrInt(call.node, "requant", 0) == 0) return absl::OkStatus();
  if (!call.has(at) || !call.has(at + 1)) return Invalid("operands mul and add are missing");
  O2M_ASSIGN_OR_RETURN(const Ints mul, Spread(call.in(at), acc.dims));
  O2M_ASSIGN_OR_RETURN(const Ints add, Spread(call.in(at + 1), acc.dims));
  const int64_t div = AttrInt(call.node, "div", 1), low = AttrInt(call.node, "low", 0);
  const int64_t high = std::max(low, AttrInt(call.node, "high", 0));
  const bool round = AttrInt(call.node, "round", 0) != 0;
  for (size_t i = 0; i < acc.i.size(); i++) {
    const int64_t v = acc.i[i] * mul[i] + add[i];
    acc.i[i] = std::clamp(round ? RoundDiv(v, div) : FloorDiv(v, div), low, high);
  }
  return absl::OkStatus();
}

int64_t Gelu(const FloatNode &node, int64_t x) {
  const int64_t b = AttrInt(node, "b", 0), one = AttrInt(node, "one", 0), q = std::min(std::abs(x), -b) + b;
  const int64_t sign = (x > 0) - (x < 0);
  return x * FloorDiv(one + sign * (one - q * q), 2);
}
int64_t HardSwish(const FloatNode &node, int64_t x) {
  const int64_t six = std::max<int64_t>(AttrInt(node, "six", 0), 0);
  return x * std::clamp<int64_t>(x + AttrInt(node, "three", 0), 0, six) * AttrInt(node, "one_over_six", 0);
}

absl::StatusOr<Value> Binary(const OpCall &call, const std::string &kind) {
  if (!call.has(1)) return Invalid("operand 1 is missing");
  const Value a = AsIntegers(call.in(0)), b = AsIntegers(call.in(1));
  O2M_ASSIGN_OR_RETURN(const Dims dims, BroadcastDims(a.dims, b.dims));
  Value out = Integers(DType::kS64, dims);
  const auto apply = [&](const auto &fn) { BroadcastInto(a.i, a.dims, b.i, b.dims, dims, out.i, fn); };
  if (kind == "add") apply([](int64_t x, int64_t y) { return x + y; });
  if (kind == "sub") apply([](int64_t x, int64_t y) { return x - y; });
  if (kind == "mul") apply([](int64_t x, int64_t y) { return x * y; });
  if (kind != "div") return out;
  const int64_t delta = AttrInt(call.node, "delta", 1), eps = AttrInt(call.node, "eps", 1),
                eta = AttrInt(call.node, "eta", 1);
  apply([&](int64_t x, int64_t y) {
    const int64_t by = y * eta + eps;
    return by == 0 ? 0 : by > 0 ? RoundDiv(x * delta * eta, by) : RoundDiv(-x * delta * eta, -by);
  });
  return out;
}

Values Elementwise(const OpCall &call) {
  const std::string kind = AttrString(call.node, "kind", "identity");
  const bool binary = AttrInt(call.node, "binary", 0) != 0;
  absl::StatusOr<Value> acc = binary ? Binary(call, kind) : AsIntegers(call.in(0));
  if (!acc.ok()) return acc.status();
  for (int64_t &v : acc->i)
    v = kind == "gelu" ? Gelu(call.node, v) : kind == "hard_swish" ? HardSwish(call.node, v) : v;
  O2M_RETURN_IF_ERROR(Requantise(call, binary ? 2 : 1, *acc));
  return One(Held(call.node, *std::move(acc)));
}

Value SwapLast(const Value &value) {
  Dims perm(value.dims.size());
  std::iota(perm.begin(), perm.end(), 0);
  std::swap(perm[perm.size() - 1], perm[perm.size() - 2]);
  return Permute(value, perm);
}

Values IntegerMatMul(const OpCall &call) {
  Value a = AsIntegers(call.in(0)), b = AsIntegers(call.in(1));
  if (AttrInt(call.node, "transA", 0) && a.dims.size() > 1) a = SwapLast(a);
  if (AttrInt(call.node, "transB", 0) && b.dims.size() > 1) b = SwapLast(b);
  O2M_ASSIGN_OR_RETURN(Value acc, MatMulInteger(a, b));
  acc.dtype = DType::kS64;
  const bool bias = AttrInt(call.node, "bias", 0) != 0;
  if (bias) {
    O2M_ASSIGN_OR_RETURN(const Ints added, Spread(call.in(2), acc.dims));
    for (size_t i = 0; i < acc.i.size(); i++) acc.i[i] += added[i];
  }
  O2M_RETURN_IF_ERROR(Requantise(call, bias ? 3 : 2, acc));
  return One(Held(call.node, std::move(acc)));
}

Values IntegerConv(const OpCall &call) {
  const Value x = AsIntegers(call.in(0)), w = AsIntegers(call.in(1));
  O2M_ASSIGN_OR_RETURN(Value acc, ConvolveInteger(call.node, x, w));
  acc.dtype = DType::kS64;
  const bool bias = AttrInt(call.node, "bias", 0) != 0;
  if (bias) {
    const Ints added = IntegersOf(call.in(2));
    const int64_t channels = acc.dims[1], size = Count(acc) / std::max<int64_t>(acc.dims[0] * channels, 1);
    if (static_cast<int64_t>(added.size()) != channels) return Invalid("operand 2 has not one value per channel");
    for (size_t i = 0; i < acc.i.size(); i++) acc.i[i] += added[static_cast<int64_t>(i) / size % channels];
  }
  O2M_RETURN_IF_ERROR(Requantise(call, bias ? 3 : 2, acc));
  return One(Held(call.node, std::move(acc)));
}

Values Table(const OpCall &call) {
  const Ints table = IntegersOf(call.in(1));
  const int64_t first = AttrInt(call.node, "first", 0), last = static_cast<int64_t>(table.size()) - 1;
  if (last < 0) return Invalid("operand 1 is empty");
  Value out = AsIntegers(call.in(0));
  for (int64_t &v : out.i) v = table[std::clamp<int64_t>(v - first, 0, last)];
  return One(Held(call.node, std::move(out)));
}

// ---- Rows ----

// y = A (p + B)^2 + C of p = x - max taken modulo log2, halved as often as log2 goes into it.
absl::Status SoftmaxRow(const FloatNode &node, int64_t *x, int64_t n) {
  const int64_t log2 = AttrInt(node, "log2", 1), a = AttrInt(node, "a", 1), b = AttrInt(node, "b", 0),
                c = AttrInt(node, "c", 0), levels = AttrInt(node, "n", 256), top = *std::max_element(x, x + n);
  if (log2 < 1) return Invalid("log2 is ", log2, "; a positive one would work");
  int64_t sum = 0;
  for (int64_t i = 0; i < n; i++) {
    const int64_t z = (top - x[i]) / log2, p = x[i] - top + z * log2;
    x[i] = (a * (p + b) * (p + b) + c) >> std::min<int64_t>(z, 62);
    sum += x[i];
  }
  if (sum <= 0) return Invalid("its coefficients make a sum of ", sum);
  for (int64_t i = 0; i < n; i++) x[i] = std::clamp<int64_t>(x[i] * (levels - 1) / sum, 0, levels - 1);
  return absl::OkStatus();
}

int64_t Halvings(int64_t difference) { return std::min<int64_t>((difference + 16) >> 5, 62); }

void ItaMaxRow(const FloatNode &node, int64_t *x, int64_t n) {
  const int64_t levels = AttrInt(node, "n", 256), top = *std::max_element(x, x + n);
  int64_t sum = 0;
  for (int64_t i = 0; i < n; i++) sum += 256 >> Halvings(top - x[i]);
  const int64_t inverse = (levels - 1) * 256 / sum;
  for (int64_t i = 0; i < n; i++) x[i] = inverse >> Halvings(top - x[i]);
}

// The sum is kept group by group, halved where a later group has a larger maximum; half the levels are used.
absl::Status ItaPartialMaxRow(const FloatNode &node, int64_t *x, int64_t n) {
  const int64_t levels = AttrInt(node, "n", 256), group = AttrInt(node, "group", 16);
  if (group < 1 || n % group != 0) return Invalid("rows of ", n, " values are no multiple of group_width ", group);
  int64_t top = -128, sum = 0;
  for (int64_t g = 0; g < n; g += group) {
    const int64_t largest = *std::max_element(x + g, x + g + group);
    if (largest > top) sum >>= Halvings(largest - top), top = largest;
    for (int64_t i = g; i < g + group; i++) sum += 256 >> Halvings(top - x[i]);
  }
  const int64_t inverse = (levels / 2 - 1) * 256 / std::max<int64_t>(sum, 1);
  for (int64_t i = 0; i < n; i++) x[i] = inverse >> Halvings(top - x[i]);
  return absl::OkStatus();
}

Values Softmax(const OpCall &call) {
  Value out = AsIntegers(call.in(0));
  const std::string kind = AttrString(call.node, "kind", "");
  const int64_t n = out.dims.empty() ? 1 : out.dims.back();
  for (int64_t at = 0; n > 0 && at < Count(out); at += n) {
    absl::Status status;
    if (kind == "i_softmax") status = SoftmaxRow(call.node, &out.i[at], n);
    if (kind == "ita_max") ItaMaxRow(call.node, &out.i[at], n);
    if (kind == "ita_partial_max") status = ItaPartialMaxRow(call.node, &out.i[at], n);
    O2M_RETURN_IF_ERROR(status);
  }
  return One(Held(call.node, std::move(out)));
}

Values Norm(const OpCall &call) {
  Value out = AsIntegers(call.in(0));
  const bool layer = AttrString(call.node, "kind", "") == "layer";
  const int64_t n = out.dims.empty() ? 1 : out.dims.back(), div = AttrInt(call.node, "div", 1);
  const int64_t low = AttrInt(call.node, "low", 0), high = std::max(low, AttrInt(call.node, "high", 0));
  O2M_ASSIGN_OR_RETURN(const Ints w, Spread(call.in(1), {n}));
  O2M_ASSIGN_OR_RETURN(const Ints b, layer ? Spread(call.in(2), {n}) : absl::StatusOr<Ints>(Ints(n, 0)));
  for (int64_t at = 0; n > 0 && at < Count(out); at += n) {
    int64_t *x = &out.i[at], sum = 0, squares = 0;
    for (int64_t i = 0; layer && i < n; i++) sum += x[i];
    const int64_t mean = sum / n;  // towards zero
    for (int64_t i = 0; i < n; i++) x[i] -= mean, squares += x[i] * x[i];
    const int64_t deviation = FloorSqrt(squares / n + 1);
    for (int64_t i = 0; i < n; i++) x[i] = std::clamp(FloorDiv(x[i] * w[i] / deviation + b[i], div), low, high);
  }
  return One(Held(call.node, std::move(out)));
}

// ---- Windows and axes ----

Values Reduce(const OpCall &call) {
  const std::string kind = AttrString(call.node, "kind", "mean");
  const auto rank = static_cast<int64_t>(call.in(0).dims.size());
  O2M_ASSIGN_OR_RETURN(Dims axes, AxesOf(call, 1, rank));
  if (axes.empty()) axes.resize(rank), std::iota(axes.begin(), axes.end(), 0);
  const Value x = AsIntegers(call.in(0));
  Dims kept_dims = x.dims, dims;
  int64_t count = 1;
  for (int64_t axis : axes) count *= kept_dims[axis], kept_dims[axis] = 1;
  for (int64_t d = 0; d < rank; d++)
    if (AttrInt(call.node, "keepdims", 1) || std::count(axes.begin(), axes.end(), d) == 0) dims.push_back(kept_dims[d]);
  Value out = Integers(DType::kS64, kept_dims);
  if (kind == "max") std::fill(out.i.begin(), out.i.end(), std::numeric_limits<int64_t>::min());
  WalkStrided<1>(x.dims, {BroadcastStrides(kept_dims, x.dims)},
                 [&](int64_t o, const auto &at, const auto &step, int64_t n) {
                   for (int64_t k = 0; k < n; k++) {
                     int64_t &to = out.i[at[0] + k * step[0]];
                     to = kind == "max" ? std::max(to, x.i[o + k]) : to + x.i[o + k];
                   }
                 });
  for (int64_t &v : out.i) v = kind == "mean" && count > 0 ? RoundDiv(v, count) : v;
  return One(Held(call.node, Reshaped(std::move(out), dims)));
}

// MaxPool itself: it orders integers in float as they are ordered, up to 2^24.
Values IntegerMaxPool(const OpCall &call) {
  FloatNode pool = call.node;
  pool.domain.clear(), pool.op_type = "MaxPool", pool.opset = 12;
  O2M_ASSIGN_OR_RETURN(std::vector<Value> out, EvaluateNode(pool, call.inputs));
  return One(Held(call.node, AsIntegers(out[0])));
}

}  // namespace

namespace {

Dims Along(size_t axis, int64_t size, size_t rank) {
  Dims dims(rank, 1);
  dims[axis] = size;
  return dims;
}

}  // namespace

absl::StatusOr<std::vector<int64_t>> FactorDims(const std::vector<int64_t> &factor, const std::vector<int64_t> &dims) {
  const size_t rank = dims.size();
  if (ElementCount(factor) == 1) return Dims(rank, 1);
  if (factor.size() == 1 && rank > 2 && factor[0] == dims[1]) return Along(1, factor[0], rank);
  if (factor.size() <= rank) {
    Dims wide(rank - factor.size(), 1);
    wide.insert(wide.end(), factor.begin(), factor.end());
    bool fits = true;
    for (size_t i = 0; i < rank; i++) fits = fits && (wide[i] == 1 || wide[i] == dims[i]);
    if (fits) return wide;
  }
  // [C, 1, 1] for an axis less, as convolutions of one dimension are exported.
  if (rank > 2 && factor[0] == dims[1] && ElementCount(factor) == factor[0]) return Along(1, factor[0], rank);
  return Invalid("factors of shape ", ShapeText(factor), " do not fit ", ShapeText(dims),
                 "; one value, one per channel or a shape that broadcasts would work");
}

std::vector<OpEntry> IntegerOps() {
  return {{"onnx2mcu.IntegerElementwise", "**?*?*?", Elementwise},
          {"onnx2mcu.IntegerMatMul", "***?*?*?", IntegerMatMul},
          {"onnx2mcu.IntegerConv", "***?*?*?", IntegerConv},
          {"onnx2mcu.IntegerTable", "**", Table},
          {"onnx2mcu.IntegerSoftmax", "*", Softmax},
          {"onnx2mcu.IntegerNorm", "***?", Norm},
          {"onnx2mcu.IntegerReduce", "*", Reduce},
          {"onnx2mcu.IntegerMaxPool", "*", IntegerMaxPool}};
}

}  // namespace onnx2mcu
