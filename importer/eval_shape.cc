// importer/eval_shape.cc - shapes and constants: what exporters spell out and folding removes.
#include <algorithm>
#include <cmath>

#include "importer/eval_op.h"

namespace onnx2mcu {
namespace {

// A 1-D list of integers from an operand.
absl::StatusOr<Dims> ListOf(const Value &value, const char *what) {
  if (value.dims.size() > 1) return Invalid(what, " has shape ", ShapeText(value.dims), "; a list would work");
  return value.i;
}

Values Shape(const OpCall &call) {
  const Dims &dims = call.in(0).dims;
  const int64_t rank = static_cast<int64_t>(dims.size());
  const auto bound = [rank](int64_t b) { return std::clamp<int64_t>(b < 0 ? b + rank : b, 0, rank); };
  const int64_t start = bound(AttrInt(call.node, "start", 0));
  const int64_t end = std::max(start, bound(AttrInt(call.node, "end", rank)));
  Value out = Integers(DType::kS64, {end - start});
  std::copy(dims.begin() + start, dims.begin() + end, out.i.begin());
  return One(std::move(out));
}

Values Size(const OpCall &call) {
  Value out = Integers(DType::kS64, {});
  out.i[0] = Count(call.in(0));
  return One(std::move(out));
}

// -1 takes what is left; 0 copies the input's dim unless allowzero.
absl::StatusOr<Dims> ResolveReshape(const Value &x, Dims dims, bool allow_zero) {
  const Dims asked = dims;
  int64_t left = -1, known = 1;
  for (size_t d = 0; d < dims.size(); d++) {
    if (dims[d] == 0 && !allow_zero && d < x.dims.size()) dims[d] = x.dims[d];
    if (dims[d] == -1 && left < 0) {
      left = static_cast<int64_t>(d);
    } else {
      O2M_RETURN_IF_ERROR(CheckSize({dims[d], known}));
      known *= dims[d];
    }
  }
  if (left >= 0) dims[left] = known == 0 ? 0 : Count(x) / known;
  if (ElementCount(dims) != Count(x)) {
    return Invalid("cannot give ", ShapeText(x.dims), " the shape ", ShapeText(asked), "; a shape of ", Count(x),
                   " elements would work");
  }
  return dims;
}

Values Reshape(const OpCall &call) {
  O2M_ASSIGN_OR_RETURN(const Dims asked, ListOf(call.in(1), "shape"));
  O2M_ASSIGN_OR_RETURN(Dims dims, ResolveReshape(call.in(0), asked, AttrInt(call.node, "allowzero", 0) != 0));
  return One(Reshaped(call.in(0), std::move(dims)));
}

Values Flatten(const OpCall &call) {
  const Dims &x = call.in(0).dims;
  const int64_t rank = static_cast<int64_t>(x.size()), axis = AttrInt(call.node, "axis", 1);
  if (axis < -rank || axis > rank) return Invalid("axis ", axis, " is outside a tensor of ", rank, " dimensions");
  const int64_t cut = axis < 0 ? axis + rank : axis;
  return One(Reshaped(call.in(0),
                      {ElementCount(Dims(x.begin(), x.begin() + cut)), ElementCount(Dims(x.begin() + cut, x.end()))}));
}

Values Squeeze(const OpCall &call) {
  const Dims &x = call.in(0).dims;
  O2M_ASSIGN_OR_RETURN(const Dims axes, AxesOf(call, 1, static_cast<int64_t>(x.size())));
  Dims dims;
  for (int64_t d = 0; d < static_cast<int64_t>(x.size()); d++) {
    const bool named = std::binary_search(axes.begin(), axes.end(), d);
    if (named && x[d] != 1) {
      return Invalid("dimension ", d, " of ", ShapeText(x), " is not 1 and cannot be squeezed");
    }
    if (axes.empty() ? x[d] != 1 : !named) dims.push_back(x[d]);
  }
  return One(Reshaped(call.in(0), std::move(dims)));
}

Values Unsqueeze(const OpCall &call) {
  Dims dims = call.in(0).dims;
  const Dims listed = call.has(1) ? call.in(1).i : AttrInts(call.node, "axes");
  O2M_ASSIGN_OR_RETURN(const Dims axes, AxesOf(call, 1, static_cast<int64_t>(dims.size() + listed.size())));
  for (int64_t axis : axes) dims.insert(dims.begin() + axis, 1);
  return One(Reshaped(call.in(0), std::move(dims)));
}

// The tensor attribute `value` is operand 0: see EvaluateNode().
Values ConstantValue(const OpCall &call) {
  const auto &attrs = call.node.attrs;
  Value out;
  if (const auto a = attrs.find("value_float"); a != attrs.end()) {
    out = Floats({});
    out.f[0] = AttrFloat(call.node, "value_float", 0);
  } else if (const auto b = attrs.find("value_int"); b != attrs.end()) {
    out = Integers(DType::kS64, {});
    out.i[0] = AttrInt(call.node, "value_int", 0);
  } else if (const auto c = attrs.find("value_ints"); c != attrs.end()) {
    out.dtype = DType::kS64;
    out.i = AttrInts(call.node, "value_ints");
    out.dims = {static_cast<int64_t>(out.i.size())};
  } else if (const auto d = attrs.find("value_floats");
             d != attrs.end() && std::holds_alternative<std::vector<float>>(d->second)) {
    out.f = std::get<std::vector<float>>(d->second);
    out.dims = {static_cast<int64_t>(out.f.size())};
  } else if (call.has(0)) {
    out = call.in(0);
  } else {
    return Unsupported(
        "its value is neither a number nor a dense tensor; value, value_int(s) or value_float(s) would "
        "work");
  }
  return One(std::move(out));
}

// The tensor attribute `value`, one element, is operand 1: see EvaluateNode().
Values ConstantOfShape(const OpCall &call) {
  O2M_ASSIGN_OR_RETURN(const Dims dims, ListOf(call.in(0), "shape"));
  O2M_RETURN_IF_ERROR(CheckSize(dims));
  if (!call.has(1)) return One(Floats(dims));
  if (Count(call.in(1)) != 1) return Invalid("attribute value does not have one element; one would work");
  return One(StridedTake(call.in(1), 0, dims, Dims(dims.size(), 0)));
}

Values Range(const OpCall &call) {
  for (size_t n = 0; n < 3; n++) {
    if (Count(call.in(n)) != 1 || call.in(n).is_float() != call.in(0).is_float()) {
      return Invalid("start, limit and delta are not three scalars of one type; those would work");
    }
  }
  const auto number = [&](size_t n) {
    return call.in(n).is_float() ? double{call.in(n).f[0]} : static_cast<double>(call.in(n).i[0]);
  };
  const double start = number(0), limit = number(1), delta = number(2);
  if (delta == 0) return Invalid("delta is 0; any other number would work");
  const double count = std::max(0.0, std::ceil((limit - start) / delta));
  if (!(count < 1 << 28)) return Invalid("the range has ", count, " elements; at most ", 1 << 28, " would work");
  Value out = Like(call.in(0), {static_cast<int64_t>(count)});
  for (size_t k = 0; k < out.f.size(); k++) out.f[k] = static_cast<float>(start + static_cast<double>(k) * delta);
  for (size_t k = 0; k < out.i.size(); k++) {
    const uint64_t value = static_cast<uint64_t>(call.in(0).i[0]) + k * static_cast<uint64_t>(call.in(2).i[0]);
    out.i[k] = WrapTo(out.dtype, static_cast<int64_t>(value));
  }
  return One(std::move(out));
}

Values EyeLike(const OpCall &call) {
  const Value &x = call.in(0);
  if (x.dims.size() != 2) return Invalid("input of shape ", ShapeText(x.dims), " is not a matrix");
  DType dtype = x.dtype;
  if (call.node.attrs.count("dtype") > 0) {
    O2M_ASSIGN_OR_RETURN(dtype, HeldType(AttrInt(call.node, "dtype", 1)));
  }
  Value out = dtype == DType::kF32 ? Floats(x.dims) : Integers(dtype, x.dims);
  const int64_t diagonal = AttrInt(call.node, "k", 0);
  for (int64_t r = 0; r < x.dims[0]; r++) {
    const int64_t c = r + diagonal;
    if (c < 0 || c >= x.dims[1]) continue;
    if (out.is_float()) {
      out.f[r * x.dims[1] + c] = 1;
    } else {
      out.i[r * x.dims[1] + c] = 1;
    }
  }
  return One(std::move(out));
}

// Coordinates of everything that is not zero, one column each.
Values NonZero(const OpCall &call) {
  const Value &x = call.in(0);
  const int64_t rank = static_cast<int64_t>(x.dims.size());
  std::vector<int64_t> found;
  for (int64_t k = 0; k < Count(x); k++) {
    if (x.is_float() ? x.f[k] != 0 : x.i[k] != 0) found.push_back(k);
  }
  const Dims strides = DenseStrides(x.dims);
  const int64_t count = static_cast<int64_t>(found.size());
  Value out = Integers(DType::kS64, {rank, count});
  for (int64_t d = 0; d < rank; d++) {
    for (int64_t k = 0; k < count; k++) out.i[d * count + k] = found[k] / strides[d] % x.dims[d];
  }
  return One(std::move(out));
}

}  // namespace

std::vector<OpEntry> ShapeOps() {
  return {{"Shape", "*", Shape},
          {"Size", "*", Size},
          {"Reshape", "*i", Reshape},
          {"Flatten", "*", Flatten},
          {"Squeeze", "*i?", Squeeze},
          {"Unsqueeze", "*i?", Unsqueeze},
          {"Constant", "*?", ConstantValue},
          {"ConstantOfShape", "i*?", ConstantOfShape},
          {"Range", "***", Range},
          {"EyeLike", "*", EyeLike},
          {"NonZero", "*", NonZero}};
}

}  // namespace onnx2mcu
