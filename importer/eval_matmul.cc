// importer/eval_matmul.cc - matrix products with Eigen.
#include <Eigen/Core>
#include <algorithm>

#include "importer/eval_op.h"

namespace onnx2mcu {
namespace {

template <class T>
using RowMajor = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

// y[m,n] = op(a) * op(b); a is [m,k], or [k,m] where transposed, b likewise.
template <class T>
void Product(const T *a, bool transpose_a, const T *b, bool transpose_b, T *y, int64_t m, int64_t k, int64_t n) {
  using ConstMap = Eigen::Map<const RowMajor<T>>;
  Eigen::Map<RowMajor<T>> out(y, m, n);
  const ConstMap x(a, transpose_a ? k : m, transpose_a ? m : k), w(b, transpose_b ? n : k, transpose_b ? k : n);
  if (!transpose_a && !transpose_b) out.noalias() = x * w;
  if (!transpose_a && transpose_b) out.noalias() = x * w.transpose();
  if (transpose_a && !transpose_b) out.noalias() = x.transpose() * w;
  if (transpose_a && transpose_b) out.noalias() = x.transpose() * w.transpose();
}

// The sizes of numpy's matmul: batches of [m,k] x [k,n]; 1-D operands are promoted and the extra dim dropped again.
struct MatMulShape {
  int64_t m = 1, k = 1, n = 1;
  Dims batch, dims;           // of the result, without and with the matrix dims
  Dims a_strides, b_strides;  // of the batch, in matrices
};

absl::StatusOr<MatMulShape> ShapeOf(Dims a, Dims b) {
  if (a.empty() || b.empty()) return Invalid("an operand is a scalar; a matrix product needs at least one dimension");
  const bool row = a.size() == 1, column = b.size() == 1;
  if (row) a.insert(a.begin(), 1);
  if (column) b.push_back(1);
  MatMulShape shape;
  shape.m = a[a.size() - 2];
  shape.k = a.back();
  shape.n = b.back();
  if (b[b.size() - 2] != shape.k) {
    return Invalid("shapes ", ShapeText(a), " and ", ShapeText(b),
                   " do not multiply; the first one's last dimension must equal the second one's last but one");
  }
  const Dims a_batch(a.begin(), a.end() - 2), b_batch(b.begin(), b.end() - 2);
  O2M_ASSIGN_OR_RETURN(shape.batch, BroadcastDims(a_batch, b_batch));
  shape.dims = shape.batch;
  if (!row) shape.dims.push_back(shape.m);
  if (!column) shape.dims.push_back(shape.n);
  O2M_RETURN_IF_ERROR(CheckSize(shape.dims));
  shape.a_strides = BroadcastStrides(a_batch, shape.batch);
  shape.b_strides = BroadcastStrides(b_batch, shape.batch);
  return shape;
}

template <class T>
void MultiplyBatches(MatMulShape shape, const T *a, const T *b, T *y) {
  const bool one_b = std::all_of(shape.b_strides.begin(), shape.b_strides.end(), [](int64_t s) { return s == 0; });
  const bool dense_a = shape.a_strides == BroadcastStrides(shape.batch, shape.batch);
  if (one_b && dense_a) {  // a linear layer: one product over all rows
    Product(a, false, b, false, y, shape.m * ElementCount(shape.batch), shape.k, shape.n);
    return;
  }
  const int64_t a_size = shape.m * shape.k, b_size = shape.k * shape.n, y_size = shape.m * shape.n;
  WalkStrided<2>(shape.batch, {shape.a_strides, shape.b_strides},
                 [&](int64_t o, const auto &at, const auto &step, int64_t count) {
                   for (int64_t i = 0; i < count; i++) {
                     Product(a + (at[0] + i * step[0]) * a_size, false, b + (at[1] + i * step[1]) * b_size, false,
                             y + (o + i) * y_size, shape.m, shape.k, shape.n);
                   }
                 });
}

// Swaps the last two dims.
Value TransposeLast(const Value &value) {
  Dims perm;
  for (size_t d = 0; d < value.dims.size(); d++) perm.push_back(static_cast<int64_t>(d));
  if (perm.size() > 1) std::swap(perm[perm.size() - 1], perm[perm.size() - 2]);
  return Permute(value, perm);
}

Values MatMul(const OpCall &call) {
  if (call.in(0).is_float() && call.in(1).is_float()) {
    O2M_ASSIGN_OR_RETURN(Value out, MatMulFloat(call.in(0), call.in(1)));
    return One(std::move(out));
  }
  if (call.in(0).is_float() || call.in(1).is_float()) return Invalid("one operand is float, the other is not");
  O2M_ASSIGN_OR_RETURN(Value out, MatMulInteger(call.in(0), call.in(1)));
  out.dtype = call.in(0).dtype;
  return One(std::move(out));
}

// com.microsoft: alpha * op(a) * op(b); transBatch moves the batch dims of an operand behind its rows.
Values FusedMatMul(const OpCall &call) {
  if (AttrInt(call.node, "transBatchA", 0) != 0 || AttrInt(call.node, "transBatchB", 0) != 0) {
    return Unsupported("transBatchA and transBatchB are not supported; a Transpose before it would work");
  }
  const bool ta = AttrInt(call.node, "transA", 0) != 0, tb = AttrInt(call.node, "transB", 0) != 0;
  O2M_ASSIGN_OR_RETURN(
      Value out, MatMulFloat(ta ? TransposeLast(call.in(0)) : call.in(0), tb ? TransposeLast(call.in(1)) : call.in(1)));
  const float alpha = AttrFloat(call.node, "alpha", 1);
  for (float &v : out.f) v *= alpha;
  return One(std::move(out));
}

struct GemmShape {
  bool transpose_a, transpose_b;
  int64_t m, k, n;
};

absl::StatusOr<GemmShape> GemmShapeOf(const OpCall &call, const Dims &a, const Dims &b) {
  if (a.size() != 2 || b.size() != 2) {
    return Invalid("operands of shapes ", ShapeText(a), " and ", ShapeText(b),
                   " are not matrices; two dimensions work");
  }
  GemmShape shape{AttrInt(call.node, "transA", 0) != 0, AttrInt(call.node, "transB", 0) != 0, 0, 0, 0};
  shape.m = a[shape.transpose_a ? 1 : 0];
  shape.k = a[shape.transpose_a ? 0 : 1];
  shape.n = b[shape.transpose_b ? 0 : 1];
  if (b[shape.transpose_b ? 1 : 0] != shape.k) {
    return Invalid("shapes ", ShapeText(a), " and ", ShapeText(b), " do not multiply; the inner dimensions must agree");
  }
  O2M_RETURN_IF_ERROR(CheckSize({shape.m, shape.n}));
  return shape;
}

// y = alpha * op(a) * op(b) + beta * c, c broadcast to y.
Values Gemm(const OpCall &call) {
  O2M_ASSIGN_OR_RETURN(const GemmShape s, GemmShapeOf(call, call.in(0).dims, call.in(1).dims));
  Value out = Floats({s.m, s.n});
  Product(call.in(0).f.data(), s.transpose_a, call.in(1).f.data(), s.transpose_b, out.f.data(), s.m, s.k, s.n);
  const float alpha = AttrFloat(call.node, "alpha", 1), beta = AttrFloat(call.node, "beta", 1);
  if (alpha != 1) {
    for (float &v : out.f) v *= alpha;
  }
  if (!call.has(2)) return One(std::move(out));
  O2M_ASSIGN_OR_RETURN(const Value c, BroadcastTo(call.in(2), out.dims));
  for (size_t k = 0; k < out.f.size(); k++) out.f[k] += beta * c.f[k];
  return One(std::move(out));
}

}  // namespace

void MultiplyInto(const float *a, const float *b, float *y, int64_t m, int64_t k, int64_t n, bool transpose_b) {
  Product(a, false, b, transpose_b, y, m, k, n);
}

void MultiplyInto(const double *a, const double *b, double *y, int64_t m, int64_t k, int64_t n) {
  Product(a, false, b, false, y, m, k, n);
}

absl::StatusOr<Value> MatMulFloat(const Value &a, const Value &b) {
  O2M_ASSIGN_OR_RETURN(const MatMulShape shape, ShapeOf(a.dims, b.dims));
  Value out = Floats(shape.dims);
  MultiplyBatches(shape, a.f.data(), b.f.data(), out.f.data());
  return out;
}

absl::StatusOr<Value> MatMulInteger(const Value &a, const Value &b) {
  O2M_ASSIGN_OR_RETURN(const MatMulShape shape, ShapeOf(a.dims, b.dims));
  const std::vector<double> x(a.i.begin(), a.i.end()), w(b.i.begin(), b.i.end());
  std::vector<double> y(ElementCount(shape.dims));
  MultiplyBatches(shape, x.data(), w.data(), y.data());
  Value out = Integers(DType::kS32, shape.dims);
  std::transform(y.begin(), y.end(), out.i.begin(), [](double v) { return static_cast<int64_t>(v); });
  return out;
}

std::vector<OpEntry> MatMulOps() {
  return {{"MatMul", "**", MatMul}, {"Gemm", "fff?", Gemm}, {"com.microsoft.FusedMatMul", "ff", FusedMatMul}};
}

}  // namespace onnx2mcu
