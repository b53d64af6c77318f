// importer/eval_select.cc - choices by order: TopK, Hardmax; lines by length or condition: ReverseSequence, Compress.
#include <algorithm>
#include <numeric>

#include "importer/eval_op.h"

namespace onnx2mcu {
namespace {

// Calls fn(first, stride, n) for every line along `axis`.
template <class F>
void ForEachLine(const Dims &dims, int64_t axis, const F &fn) {
  const AxisSplit split = SplitAt(dims, axis);
  for (int64_t o = 0; o < split.outer; o++)
    for (int64_t i = 0; i < split.inner; i++) fn(o * split.size * split.inner + i, split.inner, split.size);
}

Values TopK(const OpCall &call) {
  const Value &x = call.in(0);
  O2M_ASSIGN_OR_RETURN(const int64_t axis,
                       NormalAxis(AttrInt(call.node, "axis", -1), static_cast<int64_t>(x.dims.size())));
  const int64_t k = Count(call.in(1)) == 1 ? call.in(1).i[0] : -1;
  if (k < 1 || k > x.dims[axis]) return Invalid("k is ", k, "; 1 to ", x.dims[axis], " would work");
  const bool largest = AttrInt(call.node, "largest", 1) != 0;
  Dims dims = x.dims;
  dims[axis] = k;
  Value values = Like(x, dims), indices = Integers(DType::kS64, dims);
  OnData(x, values, [&](const auto &from, auto &to) {
    int64_t line = 0;
    ForEachLine(x.dims, axis, [&](int64_t first, int64_t stride, int64_t n) {
      std::vector<int64_t> order(n);
      std::iota(order.begin(), order.end(), 0);
      std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
        const auto u = from[first + a * stride], v = from[first + b * stride];
        return largest ? u > v : u < v;
      });
      const int64_t start = line / stride * k * stride + line % stride;
      for (int64_t j = 0; j < k; j++) {
        to[start + j * stride] = from[first + order[j] * stride];
        indices.i[start + j * stride] = order[j];
      }
      line++;
    });
  });
  std::vector<Value> both;
  both.push_back(std::move(values)), both.push_back(std::move(indices));
  return both;
}

// 1 at the first largest of each line, else 0. Below opset 13 the axes from `axis` on count as one.
Values Hardmax(const OpCall &call) {
  const Value &x = call.in(0);
  const int64_t rank = static_cast<int64_t>(x.dims.size());
  O2M_ASSIGN_OR_RETURN(const int64_t axis, NormalAxis(AttrInt(call.node, "axis", call.node.opset < 13 ? 1 : -1), rank));
  Dims dims = x.dims;
  if (call.node.opset < 13)
    dims = {ElementCount(Dims(x.dims.begin(), x.dims.begin() + axis)),
            ElementCount(Dims(x.dims.begin() + axis, x.dims.end()))};
  Value out = Floats(x.dims);
  ForEachLine(dims, call.node.opset < 13 ? 1 : axis, [&](int64_t first, int64_t stride, int64_t n) {
    int64_t best = 0;
    for (int64_t j = 1; j < n; j++)
      if (x.f[first + j * stride] > x.f[first + best * stride]) best = j;
    out.f[first + best * stride] = 1;
  });
  return One(std::move(out));
}

Values ReverseSequence(const OpCall &call) {
  const Value &x = call.in(0), &lengths = call.in(1);
  const int64_t rank = static_cast<int64_t>(x.dims.size());
  O2M_ASSIGN_OR_RETURN(const int64_t batch, NormalAxis(AttrInt(call.node, "batch_axis", 1), rank));
  O2M_ASSIGN_OR_RETURN(const int64_t time, NormalAxis(AttrInt(call.node, "time_axis", 0), rank));
  if (batch == time || Count(lengths) != x.dims[batch]) {
    return Invalid(Count(lengths), " lengths for ", x.dims[batch], " sequences; one each would work");
  }
  for (int64_t length : lengths.i)
    if (length < 0 || length > x.dims[time]) return Invalid("length ", length, " is outside of the time axis");
  Value out = Like(x, x.dims);
  const Dims dense = DenseStrides(x.dims);
  OnData(x, out, [&](const auto &from, auto &to) {
    for (int64_t k = 0; k < Count(x); k++) {
      const int64_t t = k / dense[time] % x.dims[time], length = lengths.i[k / dense[batch] % x.dims[batch]];
      to[k] = from[t < length ? k + (length - 1 - 2 * t) * dense[time] : k];
    }
  });
  return One(std::move(out));
}

Values Compress(const OpCall &call) {
  Value x = call.in(0);
  if (call.node.attrs.count("axis") == 0) x = Reshaped(std::move(x), {Count(call.in(0))});
  O2M_ASSIGN_OR_RETURN(const int64_t axis,
                       NormalAxis(AttrInt(call.node, "axis", 0), static_cast<int64_t>(x.dims.size())));
  Dims kept, dims = x.dims;
  for (int64_t i = 0; i < std::min(Count(call.in(1)), x.dims[axis]); i++)
    if (call.in(1).i[i] != 0) kept.push_back(i);
  dims[axis] = static_cast<int64_t>(kept.size());
  Value out = Like(x, dims);
  const AxisSplit split = SplitAt(x.dims, axis);
  OnData(x, out, [&](const auto &from, auto &to) {
    for (int64_t k = 0; k < Count(out); k++) {
      const int64_t row = k / split.inner, n = static_cast<int64_t>(kept.size());
      to[k] = from[(row / n * split.size + kept[row % n]) * split.inner + k % split.inner];
    }
  });
  return One(std::move(out));
}

}  // namespace

std::vector<OpEntry> SelectOps() {
  return {{"TopK", "*i", TopK},
          {"Hardmax", "f", Hardmax},
          {"ReverseSequence", "*i", ReverseSequence},
          {"Compress", "*i", Compress}};
}

}  // namespace onnx2mcu
