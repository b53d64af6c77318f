// importer/eval_unary.cc - element-wise operators of one operand, casts and clipping.
#include <algorithm>
#include <cmath>
#include <limits>

#include "importer/eval_op.h"

namespace onnx2mcu {
namespace {

template <class F>
Values Map(const OpCall &call, F fn) {
  Value out = Floats(call.in(0).dims);
  const std::vector<float> &x = call.in(0).f;
  for (size_t k = 0; k < x.size(); k++) out.f[k] = fn(x[k]);
  return One(std::move(out));
}

// A function without attributes.
template <float (*kFunction)(float)>
Values Unary(const OpCall &call) {
  return Map(call, [](float x) { return kFunction(x); });
}

float Exp(float x) { return std::exp(x); }
float Log(float x) { return std::log(x); }
float Sqrt(float x) { return std::sqrt(x); }
float Erf(float x) { return std::erf(x); }
float Tanh(float x) { return std::tanh(x); }
float Sin(float x) { return std::sin(x); }
float Cos(float x) { return std::cos(x); }
float Tan(float x) { return std::tan(x); }
float Asin(float x) { return std::asin(x); }
float Acos(float x) { return std::acos(x); }
float Atan(float x) { return std::atan(x); }
float Sinh(float x) { return std::sinh(x); }
float Cosh(float x) { return std::cosh(x); }
float Asinh(float x) { return std::asinh(x); }
float Acosh(float x) { return std::acosh(x); }
float Atanh(float x) { return std::atanh(x); }
float Floor(float x) { return std::floor(x); }
float Ceil(float x) { return std::ceil(x); }
float Round(float x) { return std::nearbyint(x); }  // halves to even, as ONNX asks
float Reciprocal(float x) { return 1 / x; }
float Sigmoid(float x) { return 1 / (1 + std::exp(-x)); }
float Softplus(float x) { return std::max(x, 0.0f) + std::log1p(std::exp(-std::fabs(x))); }
float Softsign(float x) { return x / (1 + std::fabs(x)); }
float Mish(float x) { return x * std::tanh(Softplus(x)); }
float HardSwish(float x) { return x * std::clamp(x / 6 + 0.5f, 0.0f, 1.0f); }
Values Gelu(const OpCall &call) {
  const std::string approximate = AttrString(call.node, "approximate", "none");
  if (approximate == "tanh") return Map(call, GeluTanh);
  if (approximate == "none") return Map(call, GeluErf);
  return Invalid("attribute approximate is '", approximate, "'; none or tanh would work");
}

Values QuickGelu(const OpCall &call) {
  const float alpha = AttrFloat(call.node, "alpha", 1.702f);
  return Map(call, [alpha](float x) { return x * Sigmoid(alpha * x); });
}

Values Elu(const OpCall &call) {
  const float alpha = AttrFloat(call.node, "alpha", 1);
  return Map(call, [alpha](float x) { return x < 0 ? alpha * std::expm1(x) : x; });
}

Values Selu(const OpCall &call) {
  const float alpha = AttrFloat(call.node, "alpha", 1.67326319217681884765625f);
  const float gamma = AttrFloat(call.node, "gamma", 1.05070102214813232421875f);
  return Map(call, [=](float x) { return gamma * (x <= 0 ? alpha * std::expm1(x) : x); });
}

Values Celu(const OpCall &call) {
  const float alpha = AttrFloat(call.node, "alpha", 1);
  return Map(call, [alpha](float x) { return std::max(x, 0.0f) + std::min(0.0f, alpha * std::expm1(x / alpha)); });
}

Values HardSigmoid(const OpCall &call) {
  const float alpha = AttrFloat(call.node, "alpha", 0.2f), beta = AttrFloat(call.node, "beta", 0.5f);
  return Map(call, [=](float x) { return std::clamp(alpha * x + beta, 0.0f, 1.0f); });
}

Values LeakyRelu(const OpCall &call) {
  const float alpha = AttrFloat(call.node, "alpha", 0.01f);
  return Map(call, [alpha](float x) { return x < 0 ? alpha * x : x; });
}

Values ThresholdedRelu(const OpCall &call) {
  const float alpha = AttrFloat(call.node, "alpha", 1);
  return Map(call, [alpha](float x) { return x > alpha ? x : 0; });
}

// y = x * sigmoid(alpha * x), opset 24.
Values Swish(const OpCall &call) {
  const float alpha = AttrFloat(call.node, "alpha", 1);
  return Map(call, [alpha](float x) { return x * Sigmoid(alpha * x); });
}

// A function of floats and of integers; the result has the operand's type.
template <class OnFloat, class OnInt>
Values MapEither(const OpCall &call, OnFloat of, OnInt oi) {
  Value out = call.in(0);
  for (float &x : out.f) x = of(x);
  for (int64_t &x : out.i) x = WrapTo(out.dtype, oi(x));
  return One(std::move(out));
}

int64_t Negated(int64_t x) { return static_cast<int64_t>(-static_cast<uint64_t>(x)); }

Values Abs(const OpCall &call) {
  return MapEither(
      call, [](float x) { return std::fabs(x); }, [](int64_t x) { return x < 0 ? Negated(x) : x; });
}
Values Neg(const OpCall &call) {
  return MapEither(
      call, [](float x) { return -x; }, Negated);
}
Values Sign(const OpCall &call) {
  return MapEither(
      call, [](float x) { return x > 0   ? 1.0f
                                 : x < 0 ? -1.0f
                                         : x; },
      [](int64_t x) { return static_cast<int64_t>((x > 0) - (x < 0)); });
}
Values Relu(const OpCall &call) {
  return MapEither(
      call, [](float x) { return x < 0 ? 0.0f : x; }, [](int64_t x) { return std::max<int64_t>(x, 0); });
}
Values Not(const OpCall &call) {
  return MapEither(
      call, [](float x) { return x; }, [](int64_t x) { return int64_t{x == 0}; });
}

Values IsNan(const OpCall &call) {
  Value out = Integers(DType::kBool, call.in(0).dims);
  for (size_t k = 0; k < out.i.size(); k++) out.i[k] = std::isnan(call.in(0).f[k]);
  return One(std::move(out));
}

Values IsInf(const OpCall &call) {
  const bool positive = AttrInt(call.node, "detect_positive", 1) != 0;
  const bool negative = AttrInt(call.node, "detect_negative", 1) != 0;
  Value out = Integers(DType::kBool, call.in(0).dims);
  for (size_t k = 0; k < out.i.size(); k++) {
    const float x = call.in(0).f[k];
    out.i[k] = std::isinf(x) && (x > 0 ? positive : negative);
  }
  return One(std::move(out));
}

// A bound of Clip: an operand from opset 11 on, an attribute before. An empty operand is no bound.
absl::Status CheckBound(const OpCall &call, size_t operand) {
  if (!call.has(operand)) return absl::OkStatus();
  if (Count(call.in(operand)) != 1 || call.in(operand).is_float() != call.in(0).is_float()) {
    return Invalid("bound ", operand, " is not a scalar of the operand's type; one number would work");
  }
  return absl::OkStatus();
}

Values Clip(const OpCall &call) {
  O2M_RETURN_IF_ERROR(CheckBound(call, 1));
  O2M_RETURN_IF_ERROR(CheckBound(call, 2));
  Value out = call.in(0);
  if (out.is_float()) {
    const float infinity = std::numeric_limits<float>::infinity();
    const float low = call.has(1) ? call.in(1).f[0] : AttrFloat(call.node, "min", -infinity);
    const float high = call.has(2) ? call.in(2).f[0] : AttrFloat(call.node, "max", infinity);
    for (float &x : out.f) x = std::min(std::max(x, low), high);
    return One(std::move(out));
  }
  const int64_t low = call.has(1) ? call.in(1).i[0] : INT64_MIN, high = call.has(2) ? call.in(2).i[0] : INT64_MAX;
  for (int64_t &x : out.i) x = std::min(std::max(x, low), high);
  return One(std::move(out));
}

// Floats truncate towards zero and saturate at the type's ends; NaN gives 0 (C leaves both open, ONNX too). Half and
// double stay float.
int64_t FloatToInteger(float x, DType dtype) {
  if (dtype == DType::kBool) return x != 0;
  if (std::isnan(x)) return 0;
  if (x >= static_cast<float>(HighestOf(dtype))) return HighestOf(dtype);
  if (x <= static_cast<float>(LowestOf(dtype))) return LowestOf(dtype);
  return static_cast<int64_t>(x);
}

Value CastTo(const Value &in, DType dtype) {
  if (dtype == DType::kF32) return ToFloat(in);
  Value out = Integers(dtype, in.dims);
  for (size_t k = 0; k < out.i.size(); k++) {
    out.i[k] = in.is_float() ? FloatToInteger(in.f[k], dtype) : WrapTo(dtype, in.i[k]);
  }
  return out;
}

Values Cast(const OpCall &call) {
  O2M_ASSIGN_OR_RETURN(const DType dtype, HeldType(AttrInt(call.node, "to", 0)));
  return One(CastTo(call.in(0), dtype));
}

Values CastLike(const OpCall &call) { return One(CastTo(call.in(0), call.in(1).dtype)); }

Values Identity(const OpCall &call) { return One(call.in(0)); }

// Inference: y = x, and a mask of ones where it is asked for.
Values Dropout(const OpCall &call) {
  if (call.has(2) && Count(call.in(2)) == 1 && !call.in(2).is_float() && call.in(2).i[0] != 0 &&
      (!call.has(1) || (call.in(1).is_float() && Count(call.in(1)) == 1 && call.in(1).f[0] != 0))) {
    return Unsupported("training mode draws random numbers; an export in inference mode would work");
  }
  std::vector<Value> out = {call.in(0), Integers(DType::kBool, call.in(0).dims)};
  std::fill(out[1].i.begin(), out[1].i.end(), 1);
  return out;
}

}  // namespace

float GeluErf(float x) { return 0.5f * x * (1 + std::erf(x * 0.70710678118654752f)); }
float GeluTanh(float x) { return 0.5f * x * (1 + std::tanh(0.79788456080286536f * (x + 0.044715f * x * x * x))); }

std::vector<OpEntry> UnaryOps() {
  return {{"Exp", "f", Unary<Exp>},
          {"Log", "f", Unary<Log>},
          {"Sqrt", "f", Unary<Sqrt>},
          {"Erf", "f", Unary<Erf>},
          {"Tanh", "f", Unary<Tanh>},
          {"Sin", "f", Unary<Sin>},
          {"Cos", "f", Unary<Cos>},
          {"Tan", "f", Unary<Tan>},
          {"Asin", "f", Unary<Asin>},
          {"Acos", "f", Unary<Acos>},
          {"Atan", "f", Unary<Atan>},
          {"Sinh", "f", Unary<Sinh>},
          {"Cosh", "f", Unary<Cosh>},
          {"Asinh", "f", Unary<Asinh>},
          {"Acosh", "f", Unary<Acosh>},
          {"Atanh", "f", Unary<Atanh>},
          {"Floor", "f", Unary<Floor>},
          {"Ceil", "f", Unary<Ceil>},
          {"Round", "f", Unary<Round>},
          {"Reciprocal", "f", Unary<Reciprocal>},
          {"Sigmoid", "f", Unary<Sigmoid>},
          {"Softplus", "f", Unary<Softplus>},
          {"Softsign", "f", Unary<Softsign>},
          {"Mish", "f", Unary<Mish>},
          {"HardSwish", "f", Unary<HardSwish>},
          {"Gelu", "f", Gelu},
          {"com.microsoft.Gelu", "f", Unary<GeluErf>},
          {"com.microsoft.QuickGelu", "f", QuickGelu},
          {"Elu", "f", Elu},
          {"Selu", "f", Selu},
          {"Celu", "f", Celu},
          {"HardSigmoid", "f", HardSigmoid},
          {"LeakyRelu", "f", LeakyRelu},
          {"ThresholdedRelu", "f", ThresholdedRelu},
          {"Swish", "f", Swish},
          {"Abs", "*", Abs},
          {"Neg", "*", Neg},
          {"Sign", "*", Sign},
          {"Relu", "*", Relu},
          {"Not", "i", Not},
          {"IsNaN", "f", IsNan},
          {"IsInf", "f", IsInf},
          {"Clip", "**?*?", Clip},
          {"Cast", "*", Cast},
          {"CastLike", "**", CastLike},
          {"Identity", "*", Identity},
          {"Dropout", "**?*?", Dropout}};
}

}  // namespace onnx2mcu
