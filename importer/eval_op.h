// importer/eval_op.h - what the families of the float evaluator (eval_*.cc) share: the table of operators, checks, and
// walks over broadcast and strided arrays. Internal to the evaluator.
#pragma once
#include <array>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "importer/evaluate.h"

namespace onnx2mcu {

using Dims = std::vector<int64_t>;
using Values = absl::StatusOr<std::vector<Value>>;

inline int64_t RankOf(const Value &value) { return static_cast<int64_t>(value.dims.size()); }

// One evaluation of one node. The operand types were checked against the operator's signature.
struct OpCall {
  const FloatNode &node;
  const std::vector<const Value *> &inputs;
  bool has(size_t i) const { return i < inputs.size() && inputs[i] != nullptr; }
  const Value &in(size_t i) const { return *inputs[i]; }  // Precondition: has(i)
  bool wants(size_t i) const { return i < node.outputs.size() && node.outputs[i] != kNone; }
};

// `operands` has one letter each: f float, i integer or bool, * either; '?' after a letter says that the operand may be
// missing, '+' that it repeats any number of times.
struct OpEntry {
  const char *name;  // "Add", "com.microsoft.Gelu"
  const char *operands;
  Values (*run)(const OpCall &);
};

std::vector<OpEntry> ArithmeticOps();
std::vector<OpEntry> UnaryOps();
std::vector<OpEntry> MatMulOps();
std::vector<OpEntry> EinsumOps();
std::vector<OpEntry> ConvOps();
std::vector<OpEntry> NormOps();
std::vector<OpEntry> ReduceOps();
std::vector<OpEntry> ShapeOps();
std::vector<OpEntry> MovementOps();
std::vector<OpEntry> IndexOps();
std::vector<OpEntry> ResizeOps();
std::vector<OpEntry> TransposedOps();
std::vector<OpEntry> SelectOps();
std::vector<OpEntry> AttentionOps();
std::vector<OpEntry> QuantOps();
std::vector<OpEntry> IntegerOps();
std::vector<OpEntry> FusedQuantOps();
std::vector<OpEntry> ContribOps();
std::vector<OpEntry> CameraOps();

// ---- Messages: the text after "node 'x' (Op, opset n): " ----
template <class... T>
absl::Status Invalid(const T &...text) {
  return absl::InvalidArgumentError(absl::StrCat(text...));
}
template <class... T>
absl::Status Unsupported(const T &...text) {
  return absl::UnimplementedError(absl::StrCat(text...));
}
std::string ShapeText(const Dims &dims);  // "[1,197,192]"

// ---- Making values ----
Value Floats(Dims dims);                        // zeros
Value Integers(DType dtype, Dims dims);         // zeros
Value Like(const Value &prototype, Dims dims);  // zeros of the same dtype
Values One(Value value);
int64_t Count(const Value &value);
// Wraps an int64 to the range of an integer dtype, as two's complement arithmetic does; bool: 0 or 1.
int64_t WrapTo(DType dtype, int64_t value);
int64_t LowestOf(DType dtype);
int64_t HighestOf(DType dtype);
// The held dtype of an ONNX TensorProto.DataType: half, bfloat16 and double are held as F32, unsigned types wider than
// 8 bits as the next larger signed one, 64 bits as S64. Unimplemented for strings, complex, 8-bit floats and 4-bit
// integers.
absl::StatusOr<DType> HeldType(int64_t onnx_type);
Value ToFloat(const Value &value);
// Calls fn(in.f, out.f) or fn(in.i, out.i), whichever array the dtype uses.
template <class F>
void OnData(const Value &in, Value &out, F fn) {
  if (in.is_float()) {
    fn(in.f, out.f);
  } else {
    fn(in.i, out.i);
  }
}

// InvalidArgument where a dim is negative or the tensor would have more than 2^28 elements: no shape or attribute of a
// model makes the evaluator ask for more memory than that.
absl::Status CheckSize(const Dims &dims);

// ---- Axes ----
absl::StatusOr<int64_t> NormalAxis(int64_t axis, int64_t rank);
// Attribute "axes", else integer operand `operand`, else none; normalised against `rank` and sorted.
absl::StatusOr<Dims> AxesOf(const OpCall &call, size_t operand, int64_t rank);
// Sizes on both sides of an axis: dims = [outer..., size, inner...].
struct AxisSplit {
  int64_t outer = 1, size = 1, inner = 1;
};
AxisSplit SplitAt(const Dims &dims, int64_t axis);

// ---- Broadcasting and strides ----
absl::StatusOr<Dims> BroadcastDims(const Dims &a, const Dims &b);
// Strides that read a dense array of `dims` as one of `out` dims; 0 where it is repeated.
Dims BroadcastStrides(const Dims &dims, const Dims &out);
// out[k] = in[offset + sum(index_d(k) * strides[d])] over a dense output of `dims`.
Value StridedTake(const Value &in, int64_t offset, const Dims &dims, const Dims &strides);
Value Permute(const Value &in, const Dims &perm);
Value Reshaped(Value in, Dims dims);
absl::StatusOr<Value> BroadcastTo(const Value &in, const Dims &dims);

// Merges neighbouring dims that every operand walks as one; leaves at least one dim.
void CollapseDims(Dims &dims, std::vector<Dims *> strides);

// Walks N operands over `dims` in row-major order, one innermost run at a time: run(out, at, step, n) handles n
// elements from flat position `out` on, operand i starting at at[i] and advancing by step[i].
template <size_t N, class Run>
void WalkStrided(Dims dims, std::array<Dims, N> strides, const Run &run) {
  std::vector<Dims *> all;
  for (Dims &s : strides) all.push_back(&s);
  CollapseDims(dims, all);
  const int64_t total = ElementCount(dims), inner = dims.back();
  const int64_t last = static_cast<int64_t>(dims.size()) - 1;
  std::array<int64_t, N> at{}, step{};
  for (size_t i = 0; i < N; i++) step[i] = strides[i].back();
  Dims index(dims.size(), 0);
  for (int64_t out = 0; out < total; out += inner) {
    run(out, at, step, inner);
    for (int64_t d = last - 1; d >= 0; d--) {
      for (size_t i = 0; i < N; i++) at[i] += strides[i][d];
      if (++index[d] < dims[d]) break;
      for (size_t i = 0; i < N; i++) at[i] -= strides[i][d] * dims[d];
      index[d] = 0;
    }
  }
}

// out[k] = fn(a[k], b[k]) with a and b broadcast to out's dims.
template <class T, class R, class F>
void BroadcastInto(const std::vector<T> &a, const Dims &a_dims, const std::vector<T> &b, const Dims &b_dims,
                   const Dims &dims, std::vector<R> &out, F fn) {
  WalkStrided<2>(dims, {BroadcastStrides(a_dims, dims), BroadcastStrides(b_dims, dims)},
                 [&](int64_t o, const auto &at, const auto &step, int64_t n) {
                   const T *x = a.data() + at[0], *y = b.data() + at[1];
                   R *z = out.data() + o;
                   if (step[0] == 1 && step[1] == 1) {
                     for (int64_t k = 0; k < n; k++) z[k] = fn(x[k], y[k]);
                   } else if (step[1] == 0 && step[0] == 1) {
                     for (int64_t k = 0; k < n; k++) z[k] = fn(x[k], y[0]);
                   } else {
                     for (int64_t k = 0; k < n; k++) z[k] = fn(x[k * step[0]], y[k * step[1]]);
                   }
                 });
}

// ---- Kernels that several families use ----
// y[m,n] = a[m,k] * b[k,n], row major; b is [n,k] where transposed.
void MultiplyInto(const float *a, const float *b, float *y, int64_t m, int64_t k, int64_t n, bool transpose_b = false);
void MultiplyInto(const double *a, const double *b, double *y, int64_t m, int64_t k, int64_t n);
// numpy's matmul of floats, and of integers: computed in double, so exact while sums stay below 2^53; result S32.
absl::StatusOr<Value> MatMulFloat(const Value &a, const Value &b);
absl::StatusOr<Value> MatMulInteger(const Value &a, const Value &b);
float GeluErf(float x);
float GeluTanh(float x);  // Hendrycks and Gimpel, "Gaussian Error Linear Units", 2016: the tanh approximation
// Softmax in place of rows of `n`.
void SoftmaxRows(float *x, int64_t rows, int64_t n);
// y = (x - mean) / sqrt(var + epsilon) * gamma + beta over rows of n; gamma and beta may be null. mean and inv_std, if
// given, receive one value per row.
void NormalizeRows(const float *x, float *y, int64_t rows, int64_t n, float epsilon, const float *gamma,
                   const float *beta, std::vector<float> *mean = nullptr, std::vector<float> *inv_std = nullptr);
// Convolution with zero padding; x [1,C,spatial], w [O,C/g,kernel] of floats, attributes as of Conv.
absl::StatusOr<Value> ConvolveFloat(const FloatNode &node, const Value &x, const Value &w, const Value *bias);
// The same on integers, exact; result S32.
absl::StatusOr<Value> ConvolveInteger(const FloatNode &node, const Value &x, const Value &w);

}  // namespace onnx2mcu
