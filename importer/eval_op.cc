// importer/eval_op.cc - shapes, strides and values for the families of the float evaluator.
#include "importer/eval_op.h"

#include <algorithm>
#include <limits>

#include "absl/strings/str_join.h"

namespace onnx2mcu {

std::string ShapeText(const Dims &dims) { return absl::StrCat("[", absl::StrJoin(dims, ","), "]"); }

Value Floats(Dims dims) {
  Value value;
  value.f.resize(ElementCount(dims));
  value.dims = std::move(dims);
  return value;
}

Value Integers(DType dtype, Dims dims) {
  Value value;
  value.dtype = dtype;
  value.i.resize(ElementCount(dims));
  value.dims = std::move(dims);
  return value;
}

Value Like(const Value &prototype, Dims dims) {
  return prototype.is_float() ? Floats(std::move(dims)) : Integers(prototype.dtype, std::move(dims));
}

Values One(Value value) {
  std::vector<Value> values;
  values.push_back(std::move(value));
  return values;
}

int64_t Count(const Value &value) { return ElementCount(value.dims); }

int64_t WrapTo(DType dtype, int64_t value) {
  switch (dtype) {
    case DType::kS8:
      return static_cast<int8_t>(value);
    case DType::kU8:
      return static_cast<uint8_t>(value);
    case DType::kS16:
      return static_cast<int16_t>(value);
    case DType::kS32:
      return static_cast<int32_t>(value);
    case DType::kBool:
      return value != 0;
    default:
      return value;
  }
}

int64_t LowestOf(DType dtype) {
  switch (dtype) {
    case DType::kS8:
      return INT8_MIN;
    case DType::kS16:
      return INT16_MIN;
    case DType::kS32:
      return INT32_MIN;
    case DType::kS64:
      return INT64_MIN;
    default:
      return 0;
  }
}

int64_t HighestOf(DType dtype) {
  switch (dtype) {
    case DType::kS8:
      return INT8_MAX;
    case DType::kU8:
      return UINT8_MAX;
    case DType::kS16:
      return INT16_MAX;
    case DType::kS32:
      return INT32_MAX;
    case DType::kBool:
      return 1;
    default:
      return INT64_MAX;
  }
}

absl::StatusOr<DType> HeldType(int64_t onnx_type) {
  switch (onnx_type) {
    case 1:   // FLOAT
    case 10:  // FLOAT16
    case 11:  // DOUBLE
    case 16:  // BFLOAT16
      return DType::kF32;
    case 2:
      return DType::kU8;
    case 3:
      return DType::kS8;
    case 5:
      return DType::kS16;
    case 4:  // UINT16
    case 6:  // INT32
      return DType::kS32;
    case 7:   // INT64
    case 12:  // UINT32
    case 13:  // UINT64
      return DType::kS64;
    case 9:
      return DType::kBool;
    default:
      return Unsupported("element type ", onnx_type,
                         " of onnx.TensorProto is not supported; float, half, double, bool and integers of 8 to 64 "
                         "bits are");
  }
}

Value ToFloat(const Value &value) {
  if (value.is_float()) return value;
  Value out = Floats(value.dims);
  std::transform(value.i.begin(), value.i.end(), out.f.begin(), [](int64_t v) { return static_cast<float>(v); });
  return out;
}

absl::Status CheckSize(const Dims &dims) {
  constexpr int64_t kMost = int64_t{1} << 28;
  int64_t count = 1;
  for (int64_t dim : dims) {
    if (dim < 0) return Invalid("shape ", ShapeText(dims), " has a negative dimension; 0 or more would work");
    if (dim > kMost || count * dim > kMost) {
      return Invalid("a tensor of shape ", ShapeText(dims), " is too large to evaluate; at most ", kMost,
                     " elements would work");
    }
    count *= dim;
  }
  return absl::OkStatus();
}

absl::StatusOr<int64_t> NormalAxis(int64_t axis, int64_t rank) {
  if (axis < -rank || axis >= rank) {
    return Invalid("axis ", axis, " is outside a tensor of ", rank, " dimensions; ", -rank, " to ", rank - 1,
                   " would work");
  }
  return axis < 0 ? axis + rank : axis;
}

absl::StatusOr<Dims> AxesOf(const OpCall &call, size_t operand, int64_t rank) {
  Dims axes = AttrInts(call.node, "axes");
  if (axes.empty() && call.has(operand)) axes = call.in(operand).i;
  for (int64_t &axis : axes) {
    O2M_ASSIGN_OR_RETURN(axis, NormalAxis(axis, rank));
  }
  std::sort(axes.begin(), axes.end());
  if (std::adjacent_find(axes.begin(), axes.end()) != axes.end()) {
    return Invalid("axes name one dimension twice; each once would work");
  }
  return axes;
}

AxisSplit SplitAt(const Dims &dims, int64_t axis) {
  AxisSplit split;
  for (int64_t d = 0; d < axis; d++) split.outer *= dims[d];
  split.size = dims[axis];
  for (size_t d = axis + 1; d < dims.size(); d++) split.inner *= dims[d];
  return split;
}

absl::StatusOr<Dims> BroadcastDims(const Dims &a, const Dims &b) {
  Dims out(std::max(a.size(), b.size()));
  for (size_t d = 0; d < out.size(); d++) {
    const int64_t x = d < a.size() ? a[a.size() - 1 - d] : 1, y = d < b.size() ? b[b.size() - 1 - d] : 1;
    if (x != y && x != 1 && y != 1) {
      return Invalid("shapes ", ShapeText(a), " and ", ShapeText(b),
                     " do not broadcast; dimensions must be equal or 1, counted from the last");
    }
    out[out.size() - 1 - d] = x == 1 ? y : x;
  }
  O2M_RETURN_IF_ERROR(CheckSize(out));
  return out;
}

Dims BroadcastStrides(const Dims &dims, const Dims &out) {
  const Dims dense = DenseStrides(dims);
  Dims strides(out.size(), 0);
  for (size_t d = 0; d < dims.size(); d++) {
    if (dims[d] != 1) strides[out.size() - dims.size() + d] = dense[d];
  }
  return strides;
}

void CollapseDims(Dims &dims, std::vector<Dims *> strides) {
  Dims kept;
  std::vector<Dims> steps(strides.size());
  for (size_t d = 0; d < dims.size(); d++) {
    if (dims[d] == 1 && dims.size() > 1) continue;
    bool merge = !kept.empty();
    for (size_t i = 0; merge && i < strides.size(); i++) merge = steps[i].back() == (*strides[i])[d] * dims[d];
    if (!merge) kept.push_back(1);
    kept.back() *= dims[d];
    for (size_t i = 0; i < strides.size(); i++) {
      if (!merge) steps[i].push_back(0);
      steps[i].back() = (*strides[i])[d];
    }
  }
  if (kept.empty()) {
    kept.push_back(1);
    for (Dims &s : steps) s.push_back(0);
  }
  dims = std::move(kept);
  for (size_t i = 0; i < strides.size(); i++) *strides[i] = std::move(steps[i]);
}

Value StridedTake(const Value &in, int64_t offset, const Dims &dims, const Dims &strides) {
  Value out = Like(in, dims);
  OnData(in, out, [&](const auto &x, auto &y) {
    WalkStrided<1>(dims, {strides}, [&](int64_t o, const auto &at, const auto &step, int64_t n) {
      const auto *from = x.data() + offset + at[0];
      if (step[0] == 1) {
        std::copy(from, from + n, y.data() + o);
      } else {
        for (int64_t k = 0; k < n; k++) y[o + k] = from[k * step[0]];
      }
    });
  });
  return out;
}

Value Permute(const Value &in, const Dims &perm) {
  const Dims from = DenseStrides(in.dims);
  Dims dims, strides;
  for (int64_t p : perm) {
    dims.push_back(in.dims[p]);
    strides.push_back(from[p]);
  }
  return StridedTake(in, 0, dims, strides);
}

Value Reshaped(Value in, Dims dims) {
  in.dims = std::move(dims);
  return in;
}

absl::StatusOr<Value> BroadcastTo(const Value &in, const Dims &dims) {
  O2M_ASSIGN_OR_RETURN(Dims both, BroadcastDims(in.dims, dims));
  if (both != dims) return Invalid("shape ", ShapeText(in.dims), " does not broadcast to ", ShapeText(dims));
  return StridedTake(in, 0, dims, BroadcastStrides(in.dims, dims));
}

}  // namespace onnx2mcu
