// importer/eval_quant.cc - quantised operators, with the rounding of ONNX Runtime: real = scale * (q - zero_point).
#include <algorithm>
#include <cmath>

#include "importer/eval_op.h"
#include "importer/fake_quantize.h"

namespace onnx2mcu {
namespace {

// Scale and zero point spread over the elements of a tensor: per tensor, per axis, or in blocks along the axis.
struct QuantMap {
  const Value *scale = nullptr, *zero = nullptr;  // zero may be null
  AxisSplit split;                                // of the tensor at the axis
  int64_t block = 0;                              // elements of the axis per entry
  int64_t entry(int64_t k) const {
    if (Count(*scale) == 1) return 0;
    const int64_t at = k / split.inner % split.size;
    if (block == 0) return at;
    const int64_t blocks = (split.size + block - 1) / block;
    return (k / (split.inner * split.size) * blocks + at / block) * split.inner + k % split.inner;
  }
  float scale_at(int64_t k) const { return scale->f[entry(k)]; }
  int64_t zero_at(int64_t k) const { return zero == nullptr ? 0 : zero->i[Count(*zero) == 1 ? 0 : entry(k)]; }
};

// `axis` and `block` as the node's attributes say; operands of a com.microsoft node have none.
absl::StatusOr<QuantMap> MapOf(const Dims &dims, const Value &scale, const Value *zero, int64_t axis, int64_t block) {
  QuantMap map{&scale, zero, {}, block};
  const int64_t count = Count(scale);
  if (zero != nullptr && Count(*zero) != count) {
    return Invalid("scale has ", count, " elements and zero point ", Count(*zero), "; as many would work");
  }
  if (count == 1) return map;
  O2M_ASSIGN_OR_RETURN(const int64_t at, NormalAxis(axis, static_cast<int64_t>(dims.size())));
  map.split = SplitAt(dims, at);
  const int64_t blocks = block > 0 ? (map.split.size + block - 1) / block : 0;
  const int64_t wanted = block > 0 ? map.split.outer * blocks * map.split.inner : map.split.size;
  if (block < 0 || count != wanted) {
    return Invalid("scale of ", count, " elements does not fit axis ", at, " of ", ShapeText(dims), "; ", wanted,
                   " would work");
  }
  return map;
}

Value DequantizeBy(const Value &x, const QuantMap &map) {
  Value out = Floats(x.dims);
  for (int64_t k = 0; k < Count(out); k++) {
    out.f[k] = static_cast<float>(x.i[k] - map.zero_at(k)) * map.scale_at(k);
  }
  return out;
}

// Halves round to even; out of range saturates; NaN gives the zero point.
int64_t QuantizeOne(float x, float scale, int64_t zero, DType dtype) {
  const float q = std::nearbyint(x / scale);
  if (std::isnan(q)) return zero;
  const double moved = static_cast<double>(q) + static_cast<double>(zero);
  const bool u16 = dtype == DType::kS32;  // quantised tensors of 32 bits are never made, u16 ones are held so
  const int64_t low = u16 ? 0 : LowestOf(dtype), high = u16 ? 65535 : HighestOf(dtype);
  return static_cast<int64_t>(std::clamp(moved, static_cast<double>(low), static_cast<double>(high)));
}

Value QuantizeBy(const Value &x, const QuantMap &map, DType dtype) {
  Value out = Integers(dtype, x.dims);
  for (int64_t k = 0; k < Count(out); k++) out.i[k] = QuantizeOne(x.f[k], map.scale_at(k), map.zero_at(k), dtype);
  return out;
}

absl::StatusOr<QuantMap> NodeMap(const OpCall &call) {
  return MapOf(call.in(0).dims, call.in(1), call.has(2) ? &call.in(2) : nullptr, AttrInt(call.node, "axis", 1),
               AttrInt(call.node, "block_size", 0));
}

Values QuantizeLinear(const OpCall &call) {
  O2M_ASSIGN_OR_RETURN(const QuantMap map, NodeMap(call));
  DType dtype = call.has(2) ? call.in(2).dtype : DType::kU8;
  const int64_t named = AttrInt(call.node, "output_dtype", 0);
  if (named != 0) {
    O2M_ASSIGN_OR_RETURN(dtype, HeldType(named));
  }
  if (dtype != DType::kS8 && dtype != DType::kU8 && dtype != DType::kS16 && dtype != DType::kS32) {
    return Unsupported("quantising to ", DTypeName(dtype), " is not supported; s8, u8, s16 or u16 would work");
  }
  return One(QuantizeBy(ToFloat(call.in(0)), map, dtype));
}

Values DequantizeLinear(const OpCall &call) {
  O2M_ASSIGN_OR_RETURN(const QuantMap map, NodeMap(call));
  return One(DequantizeBy(call.in(0), map));
}

// u8, range widened to hold 0. Outputs: y, its scale, its zero point.
Values DynamicQuantizeLinear(const OpCall &call) {
  const Value &x = call.in(0);
  float low = 0, high = 0;
  for (float v : x.f) {
    low = std::min(low, v);
    high = std::max(high, v);
  }
  std::vector<Value> out(3);
  out[1] = Floats({});
  out[2] = Integers(DType::kU8, {});
  const float scale = high == low ? 1.0f : (high - low) / 255;
  out[1].f[0] = scale;
  out[2].i[0] = static_cast<int64_t>(std::nearbyint(std::clamp(-low / scale, 0.0f, 255.0f)));
  const QuantMap map{&out[1], &out[2], {}, 0};
  out[0] = QuantizeBy(x, map, DType::kU8);
  return out;
}

// x - zero point, where the zero point is a scalar, one per row (axis -2) or per column (axis -1), or shaped like it.
absl::StatusOr<Value> WithoutZero(const Value &x, const Value *zero, int64_t axis) {
  Value out = Integers(DType::kS32, x.dims);
  out.i = x.i;
  if (zero == nullptr) return out;
  Value z = *zero;
  const bool per_line = z.dims.size() == 1 && Count(z) != 1;
  if (per_line && x.dims.size() > 1 && axis == -2) z.dims = {Count(z), 1};
  if (Count(z) == 1) z.dims = {};
  O2M_ASSIGN_OR_RETURN(const Value wide, BroadcastTo(z, x.dims));
  for (size_t k = 0; k < out.i.size(); k++) out.i[k] -= wide.i[k];
  return out;
}

Values MatMulIntegerOp(const OpCall &call) {
  O2M_ASSIGN_OR_RETURN(const Value a, WithoutZero(call.in(0), call.has(2) ? &call.in(2) : nullptr, -2));
  O2M_ASSIGN_OR_RETURN(const Value b, WithoutZero(call.in(1), call.has(3) ? &call.in(3) : nullptr, -1));
  O2M_ASSIGN_OR_RETURN(Value out, MatMulInteger(a, b));
  return One(std::move(out));
}

// The weight's zero point is one number or one per output channel (dim 0).
absl::StatusOr<Value> WeightWithoutZero(const Value &w, const Value *zero) {
  if (zero == nullptr || Count(*zero) == 1) return WithoutZero(w, zero, -1);
  Value z = *zero;
  const int64_t count = Count(z);
  z.dims.assign(w.dims.size(), 1);
  if (!z.dims.empty()) z.dims[0] = count;
  return WithoutZero(w, &z, -1);
}

Values ConvInteger(const OpCall &call) {
  O2M_ASSIGN_OR_RETURN(const Value x, WithoutZero(call.in(0), call.has(2) ? &call.in(2) : nullptr, -1));
  O2M_ASSIGN_OR_RETURN(const Value w, WeightWithoutZero(call.in(1), call.has(3) ? &call.in(3) : nullptr));
  O2M_ASSIGN_OR_RETURN(Value out, ConvolveInteger(call.node, x, w));
  return One(std::move(out));
}

// y = round(acc * multiplier(k) ) + zero point, saturated to the zero point's type.
absl::Status CheckScalar(const Value &value, const char *what) {
  if (Count(value) == 1) return absl::OkStatus();
  return Invalid(what, " has ", Count(value), " elements; one would work");
}

template <class Multiplier>
Value Requantize(const Value &sums, Multiplier multiplier, const Value &zero) {
  Value out = Integers(zero.dtype, sums.dims);
  for (int64_t k = 0; k < Count(sums); k++) {
    out.i[k] = QuantizeOne(static_cast<float>(sums.i[k]) * multiplier(k), 1, zero.i[0], zero.dtype);
  }
  return out;
}

// a, a_scale, a_zero, b, b_scale, b_zero, y_scale, y_zero. Scales of a per row, of b per column.
Values QLinearMatMul(const OpCall &call) {
  O2M_RETURN_IF_ERROR(CheckScalar(call.in(6), "y_scale"));
  O2M_RETURN_IF_ERROR(CheckScalar(call.in(7), "y_zero_point"));
  O2M_ASSIGN_OR_RETURN(const Value a, WithoutZero(call.in(0), &call.in(2), -2));
  O2M_ASSIGN_OR_RETURN(const Value b, WithoutZero(call.in(3), &call.in(5), -1));
  O2M_ASSIGN_OR_RETURN(const Value sums, MatMulInteger(a, b));
  const int64_t n = b.dims.size() < 2 ? 1 : b.dims.back(), m = a.dims.size() < 2 ? 1 : a.dims[a.dims.size() - 2];
  const Value &a_scale = call.in(1), &b_scale = call.in(4);
  if ((Count(a_scale) != 1 && Count(a_scale) != m) || (Count(b_scale) != 1 && Count(b_scale) != n)) {
    return Unsupported("scales of ", Count(a_scale), " and ", Count(b_scale),
                       " elements; one, per row of a or per column"
                       " of b would work");
  }
  const auto multiplier = [&](int64_t k) {
    return a_scale.f[Count(a_scale) == 1 ? 0 : k / n % m] * b_scale.f[Count(b_scale) == 1 ? 0 : k % n] /
           call.in(6).f[0];
  };
  return One(Requantize(sums, multiplier, call.in(7)));
}

// x, x_scale, x_zero, w, w_scale, w_zero, y_scale, y_zero, bias (S32, scale x_scale * w_scale).
Values QLinearConv(const OpCall &call) {
  for (size_t scalar : {1, 2, 6, 7}) O2M_RETURN_IF_ERROR(CheckScalar(call.in(scalar), "x or y scale or zero point"));
  O2M_ASSIGN_OR_RETURN(const Value x, WithoutZero(call.in(0), &call.in(2), -1));
  O2M_ASSIGN_OR_RETURN(const Value w, WeightWithoutZero(call.in(3), &call.in(5)));
  O2M_ASSIGN_OR_RETURN(Value sums, ConvolveInteger(call.node, x, w));
  const AxisSplit split = SplitAt(sums.dims, 1);
  const Value &w_scale = call.in(4);
  if ((call.has(8) && Count(call.in(8)) != split.size) || (Count(w_scale) != 1 && Count(w_scale) != split.size)) {
    return Invalid("bias or w_scale does not have one entry per output channel (", split.size, ")");
  }
  const auto channel = [&](int64_t k) { return k / split.inner % split.size; };
  for (int64_t k = 0; k < Count(sums) && call.has(8); k++) sums.i[k] += call.in(8).i[channel(k)];
  const auto multiplier = [&](int64_t k) {
    return call.in(1).f[0] * w_scale.f[Count(w_scale) == 1 ? 0 : channel(k)] / call.in(6).f[0];
  };
  return One(Requantize(sums, multiplier, call.in(7)));
}

Value TransposeMatrix(const Value &x) { return Permute(x, {1, 0}); }

// com.microsoft: A, a_scale, a_zero, B, b_scale, b_zero, C (S32), y_scale, y_zero. Without y_scale the result is float.
Values QGemm(const OpCall &call) {
  if (call.in(0).dims.size() != 2 || call.in(3).dims.size() != 2) return Invalid("an operand is not a matrix");
  const bool ta = AttrInt(call.node, "transA", 0) != 0, tb = AttrInt(call.node, "transB", 0) != 0;
  O2M_RETURN_IF_ERROR(CheckScalar(call.in(1), "a_scale"));
  O2M_ASSIGN_OR_RETURN(const Value a, WithoutZero(ta ? TransposeMatrix(call.in(0)) : call.in(0), &call.in(2), -2));
  O2M_ASSIGN_OR_RETURN(const Value b, WithoutZero(tb ? TransposeMatrix(call.in(3)) : call.in(3), &call.in(5), -1));
  O2M_ASSIGN_OR_RETURN(Value sums, MatMulInteger(a, b));
  const Value &b_scale = call.in(4);
  const int64_t n = sums.dims[1];
  if (Count(b_scale) != 1 && Count(b_scale) != n) return Invalid("b_scale of ", Count(b_scale), " elements");
  if (call.has(6)) {
    O2M_ASSIGN_OR_RETURN(const Value c, BroadcastTo(call.in(6), sums.dims));
    for (size_t k = 0; k < sums.i.size(); k++) sums.i[k] += c.i[k];
  }
  const float alpha = AttrFloat(call.node, "alpha", 1);
  const auto real = [&](int64_t k) { return alpha * call.in(1).f[0] * b_scale.f[Count(b_scale) == 1 ? 0 : k % n]; };
  if (call.has(7) && call.has(8)) {
    O2M_RETURN_IF_ERROR(CheckScalar(call.in(7), "y_scale"));
    O2M_RETURN_IF_ERROR(CheckScalar(call.in(8), "y_zero_point"));
    return One(Requantize(
        sums, [&](int64_t k) { return real(k) / call.in(7).f[0]; }, call.in(8)));
  }
  Value out = Floats(sums.dims);
  for (int64_t k = 0; k < Count(out); k++) out.f[k] = static_cast<float>(sums.i[k]) * real(k);
  return One(std::move(out));
}

// A quantised operand triple at `first`: value, scale, zero point (may be missing: 0), dequantised.
absl::StatusOr<Value> Dequantized(const OpCall &call, size_t first) {
  const Value *zero = call.has(first + 2) ? &call.in(first + 2) : nullptr;
  O2M_RETURN_IF_ERROR(CheckScalar(call.in(first + 1), "a scale"));
  O2M_ASSIGN_OR_RETURN(const QuantMap map, MapOf(call.in(first).dims, call.in(first + 1), zero, 0, 0));
  return DequantizeBy(call.in(first), map);
}

// Float result to the type of the zero point at `scale` + 1; without one to the type of operand 0.
Values Quantized(const OpCall &call, const Value &real, size_t scale) {
  const Value *zero = call.has(scale + 1) ? &call.in(scale + 1) : nullptr;
  O2M_RETURN_IF_ERROR(CheckScalar(call.in(scale), "the result's scale"));
  O2M_ASSIGN_OR_RETURN(const QuantMap map, MapOf(real.dims, call.in(scale), zero, 0, 0));
  return One(QuantizeBy(real, map, zero == nullptr ? call.in(0).dtype : zero->dtype));
}

// One float operator between dequantising and quantising.
Values ThroughFloat(const OpCall &call, FloatNode inner, const std::vector<const Value *> &operands, size_t scale) {
  inner.outputs = {0};
  O2M_ASSIGN_OR_RETURN(const std::vector<Value> real, EvaluateNode(inner, operands));
  return Quantized(call, real[0], scale);
}

// com.microsoft: A, a_scale, a_zero, B, b_scale, b_zero, y_scale, y_zero.
Values QLinearBinary(const OpCall &call, const char *op_type) {
  O2M_ASSIGN_OR_RETURN(const Value a, Dequantized(call, 0));
  O2M_ASSIGN_OR_RETURN(const Value b, Dequantized(call, 3));
  FloatNode inner;
  inner.op_type = op_type;
  return ThroughFloat(call, inner, {&a, &b}, 6);
}
Values QLinearAdd(const OpCall &call) { return QLinearBinary(call, "Add"); }
Values QLinearMul(const OpCall &call) { return QLinearBinary(call, "Mul"); }

// com.microsoft: X, x_scale, x_zero, y_scale, y_zero; the attribute opset says which Softmax is meant. The kernel's
// scale is 1 / floor(1 / y_scale), as in ONNX Runtime.
Values QLinearSoftmax(const OpCall &call) {
  O2M_ASSIGN_OR_RETURN(const Value x, Dequantized(call, 0));
  FloatNode inner;
  inner.op_type = "Softmax";
  inner.opset = static_cast<int32_t>(AttrInt(call.node, "opset", 13));
  if (call.node.attrs.count("axis") > 0) inner.attrs["axis"] = AttrInt(call.node, "axis", -1);
  inner.outputs = {0};
  O2M_ASSIGN_OR_RETURN(std::vector<Value> real, EvaluateNode(inner, {&x}));
  O2M_RETURN_IF_ERROR(CheckScalar(call.in(3), "y_scale"));
  const float scale = call.in(3).f[0], factor = scale * std::floor(1.0f / scale);
  for (float &v : real[0].f) v *= factor;
  return Quantized(call, real[0], 3);
}

// com.microsoft: X, x_scale, x_zero, y_scale, y_zero.
Values QLinearUnary(const OpCall &call, const char *op_type) {
  O2M_ASSIGN_OR_RETURN(const Value x, Dequantized(call, 0));
  FloatNode inner;
  inner.op_type = op_type;
  inner.attrs = call.node.attrs;
  return ThroughFloat(call, inner, {&x}, 3);
}
Values QLinearSigmoid(const OpCall &call) { return QLinearUnary(call, "Sigmoid"); }
Values QLinearLeakyRelu(const OpCall &call) { return QLinearUnary(call, "LeakyRelu"); }

// com.microsoft: y_scale, y_zero, then value, scale, zero per part.
Values QLinearConcat(const OpCall &call) {
  if (call.inputs.size() % 3 != 2) return Invalid(call.inputs.size(), " operands; two and three per part would work");
  std::vector<Value> parts;
  for (size_t first = 2; first < call.inputs.size(); first += 3) {
    if (call.in(first).is_float() || !call.in(first + 1).is_float())
      return Invalid("operand ", first, " has a wrong type");
    O2M_ASSIGN_OR_RETURN(Value part, Dequantized(call, first));
    parts.push_back(std::move(part));
  }
  std::vector<const Value *> operands;
  for (const Value &part : parts) operands.push_back(&part);
  FloatNode inner;
  inner.op_type = "Concat";
  inner.attrs["axis"] = AttrInt(call.node, "axis", 1);
  inner.outputs = {0};
  O2M_ASSIGN_OR_RETURN(const std::vector<Value> joined, EvaluateNode(inner, operands));
  O2M_ASSIGN_OR_RETURN(const QuantMap map, MapOf(joined[0].dims, call.in(0), &call.in(1), 0, 0));
  return One(QuantizeBy(joined[0], map, call.in(1).dtype));
}

Values FakeQuantize(const OpCall &call) {
  Value out = call.in(0);
  const Grid grid = GridOf(call.node);
  if (!(grid.scale >= 0)) return Invalid("scale ", grid.scale, " is negative");
  for (float &v : out.f) v = Rounded(grid, v);
  return One(std::move(out));
}

}  // namespace

std::vector<OpEntry> QuantOps() {
  return {{kFakeQuantizeName, "f", FakeQuantize},
          {"QuantizeLinear", "*fi?", QuantizeLinear},
          {"DequantizeLinear", "ifi?", DequantizeLinear},
          {"com.microsoft.QuantizeLinear", "*fi?", QuantizeLinear},
          {"com.microsoft.DequantizeLinear", "ifi?", DequantizeLinear},
          {"DynamicQuantizeLinear", "f", DynamicQuantizeLinear},
          {"MatMulInteger", "iii?i?", MatMulIntegerOp},
          {"ConvInteger", "iii?i?", ConvInteger},
          {"QLinearMatMul", "ifiififi", QLinearMatMul},
          {"QLinearConv", "ifiififii?", QLinearConv},
          {"com.microsoft.QGemm", "ifiifii?f?i?", QGemm},
          {"com.microsoft.QLinearAdd", "ifi?ifi?fi?", QLinearAdd},
          {"com.microsoft.QLinearMul", "ifi?ifi?fi?", QLinearMul},
          {"com.microsoft.QLinearSoftmax", "ififi", QLinearSoftmax},
          {"com.microsoft.QLinearSigmoid", "ifi?fi?", QLinearSigmoid},
          {"com.microsoft.QLinearLeakyRelu", "ifi?fi?", QLinearLeakyRelu},
          {"com.microsoft.QLinearConcat", "fi*+", QLinearConcat}};
}

}  // namespace onnx2mcu
