// importer/eval_arithmetic.cc - element-wise operators of two or more operands, with numpy broadcasting.
#include <algorithm>
#include <cmath>

#include "importer/eval_op.h"

namespace onnx2mcu {
namespace {

int64_t WrappingAdd(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
}
int64_t WrappingSub(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) - static_cast<uint64_t>(b));
}
int64_t WrappingMul(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
}

absl::Status CheckSameKind(const Value &a, const Value &b) {
  if (a.is_float() == b.is_float()) return absl::OkStatus();
  return Invalid("one operand is float, the other is of integer type; a Cast of one of them would work");
}

// float x float -> float by `of`, integer x integer -> the first operand's type by `oi`, wrapped to it.
template <class OnFloat, class OnInt>
absl::StatusOr<Value> Combine(const Value &a, const Value &b, OnFloat of, OnInt oi) {
  O2M_RETURN_IF_ERROR(CheckSameKind(a, b));
  O2M_ASSIGN_OR_RETURN(const Dims dims, BroadcastDims(a.dims, b.dims));
  Value out = Like(a, dims);
  if (a.is_float()) {
    BroadcastInto(a.f, a.dims, b.f, b.dims, dims, out.f, of);
  } else {
    const DType dtype = a.dtype;
    BroadcastInto(a.i, a.dims, b.i, b.dims, dims, out.i, [&](int64_t x, int64_t y) { return WrapTo(dtype, oi(x, y)); });
  }
  return out;
}

template <class OnFloat, class OnInt>
Values Binary(const OpCall &call, OnFloat of, OnInt oi) {
  O2M_ASSIGN_OR_RETURN(Value out, Combine(call.in(0), call.in(1), of, oi));
  return One(std::move(out));
}

Values Add(const OpCall &call) {
  return Binary(
      call, [](float a, float b) { return a + b; }, WrappingAdd);
}
Values Sub(const OpCall &call) {
  return Binary(
      call, [](float a, float b) { return a - b; }, WrappingSub);
}
Values Mul(const OpCall &call) {
  return Binary(
      call, [](float a, float b) { return a * b; }, WrappingMul);
}

bool HasZero(const Value &value) { return std::find(value.i.begin(), value.i.end(), 0) != value.i.end(); }

absl::Status ZeroDivisor() { return Invalid("an integer divisor is 0; any other value would work"); }

// Integer division truncates towards zero, as in C.
Values Div(const OpCall &call) {
  if (!call.in(1).is_float() && HasZero(call.in(1))) return ZeroDivisor();
  return Binary(
      call, [](float a, float b) { return a / b; },
      [](int64_t a, int64_t b) { return b == -1 ? WrappingSub(0, a) : a / b; });
}

// fmod = 0: the sign of the divisor, integers only by the standard; fmod = 1: C's fmod, the sign of the dividend.
Values Mod(const OpCall &call) {
  const bool like_c = AttrInt(call.node, "fmod", 0) != 0;
  if (!call.in(1).is_float() && HasZero(call.in(1))) return ZeroDivisor();
  const auto of = [like_c](float a, float b) {
    const float r = std::fmod(a, b);
    return !like_c && r != 0 && (r < 0) != (b < 0) ? r + b : r;
  };
  return Binary(call, of, [like_c](int64_t a, int64_t b) {
    const int64_t r = b == -1 ? 0 : a % b;
    return !like_c && r != 0 && (r < 0) != (b < 0) ? r + b : r;
  });
}

// The result has the type of the base, whatever that of the exponent.
Values Pow(const OpCall &call) {
  const Value base = ToFloat(call.in(0)), exponent = ToFloat(call.in(1));
  O2M_ASSIGN_OR_RETURN(const Dims dims, BroadcastDims(base.dims, exponent.dims));
  Value out = Floats(dims);
  if (Count(exponent) == 1 && exponent.f[0] == 2) {
    BroadcastInto(base.f, base.dims, exponent.f, exponent.dims, dims, out.f, [](float a, float) { return a * a; });
  } else {
    BroadcastInto(base.f, base.dims, exponent.f, exponent.dims, dims, out.f,
                  [](float a, float b) { return static_cast<float>(std::pow(double{a}, double{b})); });
  }
  if (call.in(0).is_float()) return One(std::move(out));
  Value whole = Integers(call.in(0).dtype, dims);
  for (size_t k = 0; k < whole.i.size(); k++) whole.i[k] = WrapTo(whole.dtype, std::llround(out.f[k]));
  return One(std::move(whole));
}

// numpy: a NaN operand gives NaN.
float MaxOf(float a, float b) { return std::isnan(a) || a > b ? a : b; }
float MinOf(float a, float b) { return std::isnan(a) || a < b ? a : b; }

template <class OnFloat, class OnInt>
Values Variadic(const OpCall &call, OnFloat of, OnInt oi) {
  Value out = call.in(0);
  for (size_t n = 1; n < call.inputs.size(); n++) {
    O2M_ASSIGN_OR_RETURN(out, Combine(out, call.in(n), of, oi));
  }
  return One(std::move(out));
}

Values Max(const OpCall &call) {
  return Variadic(call, MaxOf, [](int64_t a, int64_t b) { return std::max(a, b); });
}
Values Min(const OpCall &call) {
  return Variadic(call, MinOf, [](int64_t a, int64_t b) { return std::min(a, b); });
}
Values Sum(const OpCall &call) {
  return Variadic(
      call, [](float a, float b) { return a + b; }, WrappingAdd);
}
Values Mean(const OpCall &call) {
  O2M_ASSIGN_OR_RETURN(std::vector<Value> out, Sum(call));
  const float count = static_cast<float>(call.inputs.size());
  for (float &v : out[0].f) v /= count;
  return out;
}

template <class Compare>
Values Comparison(const OpCall &call, Compare compare) {
  const Value &a = call.in(0), &b = call.in(1);
  O2M_RETURN_IF_ERROR(CheckSameKind(a, b));
  O2M_ASSIGN_OR_RETURN(const Dims dims, BroadcastDims(a.dims, b.dims));
  Value out = Integers(DType::kBool, dims);
  const auto as_bool = [&](auto x, auto y) { return int64_t{compare(x, y)}; };
  if (a.is_float()) {
    BroadcastInto(a.f, a.dims, b.f, b.dims, dims, out.i, as_bool);
  } else {
    BroadcastInto(a.i, a.dims, b.i, b.dims, dims, out.i, as_bool);
  }
  return One(std::move(out));
}

Values Equal(const OpCall &call) {
  return Comparison(call, [](auto a, auto b) { return a == b; });
}
Values Less(const OpCall &call) {
  return Comparison(call, [](auto a, auto b) { return a < b; });
}
Values LessOrEqual(const OpCall &call) {
  return Comparison(call, [](auto a, auto b) { return a <= b; });
}
Values Greater(const OpCall &call) {
  return Comparison(call, [](auto a, auto b) { return a > b; });
}
Values GreaterOrEqual(const OpCall &call) {
  return Comparison(call, [](auto a, auto b) { return a >= b; });
}
Values And(const OpCall &call) {
  return Comparison(call, [](auto a, auto b) { return a != 0 && b != 0; });
}
Values Or(const OpCall &call) {
  return Comparison(call, [](auto a, auto b) { return a != 0 || b != 0; });
}
Values Xor(const OpCall &call) {
  return Comparison(call, [](auto a, auto b) { return (a != 0) != (b != 0); });
}

Values Where(const OpCall &call) {
  const Value &condition = call.in(0), &x = call.in(1), &y = call.in(2);
  O2M_RETURN_IF_ERROR(CheckSameKind(x, y));
  O2M_ASSIGN_OR_RETURN(const Dims branches, BroadcastDims(x.dims, y.dims));
  O2M_ASSIGN_OR_RETURN(const Dims dims, BroadcastDims(condition.dims, branches));
  Value out = Like(x, dims);
  OnData(x, out, [&](const auto &from, auto &to) {
    const auto *other = [&] {
      if constexpr (std::is_same_v<std::decay_t<decltype(to)>, std::vector<float>>) {
        return y.f.data();
      } else {
        return y.i.data();
      }
    }();
    WalkStrided<3>(
        dims, {BroadcastStrides(condition.dims, dims), BroadcastStrides(x.dims, dims), BroadcastStrides(y.dims, dims)},
        [&](int64_t o, const auto &at, const auto &step, int64_t n) {
          for (int64_t k = 0; k < n; k++) {
            to[o + k] = condition.i[at[0] + k * step[0]] != 0 ? from[at[1] + k * step[1]] : other[at[2] + k * step[2]];
          }
        });
  });
  return One(std::move(out));
}

Values PRelu(const OpCall &call) {
  return Binary(
      call, [](float x, float slope) { return x < 0 ? x * slope : x; },
      [](int64_t x, int64_t slope) { return x < 0 ? WrappingMul(x, slope) : x; });
}

// com.microsoft: y = gelu(x + bias), bias optional for FastGelu.
template <float (*kGelu)(float)>
Values GeluOfSum(const OpCall &call) {
  Value x = call.in(0);
  if (call.has(1)) {
    O2M_ASSIGN_OR_RETURN(x, Combine(
                                x, call.in(1), [](float a, float b) { return a + b; }, WrappingAdd));
  }
  for (float &v : x.f) v = kGelu(v);
  return One(std::move(x));
}

}  // namespace

std::vector<OpEntry> ArithmeticOps() {
  return {{"Add", "**", Add},
          {"Sub", "**", Sub},
          {"Mul", "**", Mul},
          {"Div", "**", Div},
          {"Mod", "**", Mod},
          {"Pow", "**", Pow},
          {"Max", "*+", Max},
          {"Min", "*+", Min},
          {"Sum", "f+", Sum},
          {"Mean", "f+", Mean},
          {"Equal", "**", Equal},
          {"Less", "**", Less},
          {"LessOrEqual", "**", LessOrEqual},
          {"Greater", "**", Greater},
          {"GreaterOrEqual", "**", GreaterOrEqual},
          {"And", "ii", And},
          {"Or", "ii", Or},
          {"Xor", "ii", Xor},
          {"Where", "i**", Where},
          {"PRelu", "**", PRelu},
          {"com.microsoft.BiasGelu", "ff", GeluOfSum<GeluErf>},
          {"com.microsoft.FastGelu", "ff?", GeluOfSum<GeluTanh>}};
}

}  // namespace onnx2mcu
