// program.hpp - a function of one value as the elementwise ONNX nodes compute it, in plain data.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>

namespace o2m {

// Truth values are 0 and 1. A Cast to integers is kTruncate, any other kCast.
enum class Kind : int32_t {
  kAbs,
  kAcos,
  kAcosh,
  kAdd,
  kAsin,
  kAsinh,
  kAtan,
  kAtanh,
  kCast,
  kCeil,
  kCelu,
  kClip,
  kCos,
  kCosh,
  kDiv,
  kElu,
  kEqual,
  kErf,
  kExp,
  kFakeQuantize,
  kFloor,
  kGelu,
  kGeluTanh,
  kGreater,
  kGreaterOrEqual,
  kHardSigmoid,
  kHardSwish,
  kLeakyRelu,
  kLess,
  kLessOrEqual,
  kLog,
  kMax,
  kMin,
  kMish,
  kMul,
  kNeg,
  kPow,
  kPRelu,
  kReciprocal,
  kRelu,
  kRound,
  kSelu,
  kSigmoid,
  kSign,
  kSin,
  kSinh,
  kSoftplus,
  kSoftsign,
  kSqrt,
  kSub,
  kTan,
  kTanh,
  kThresholdedRelu,
  kTruncate,
};

// What an ONNX op type becomes: how many operands, and up to two float attributes with their defaults.
struct KindInfo {
  const char *op_type;
  Kind kind;
  int32_t operands;
  const char *attributes[2];
  float defaults[2];
};
inline constexpr KindInfo kKinds[] = {
    {"Abs", Kind::kAbs, 1, {}, {}},
    {"Acos", Kind::kAcos, 1, {}, {}},
    {"Acosh", Kind::kAcosh, 1, {}, {}},
    {"Add", Kind::kAdd, 2, {}, {}},
    {"Asin", Kind::kAsin, 1, {}, {}},
    {"Asinh", Kind::kAsinh, 1, {}, {}},
    {"Atan", Kind::kAtan, 1, {}, {}},
    {"Atanh", Kind::kAtanh, 1, {}, {}},
    {"Cast", Kind::kCast, 1, {}, {}},
    {"Ceil", Kind::kCeil, 1, {}, {}},
    {"Celu", Kind::kCelu, 1, {"alpha"}, {1}},
    {"Clip", Kind::kClip, 1, {"min", "max"}, {-3.402823e38f, 3.402823e38f}},
    {"Cos", Kind::kCos, 1, {}, {}},
    {"Cosh", Kind::kCosh, 1, {}, {}},
    {"Div", Kind::kDiv, 2, {}, {}},
    {"Elu", Kind::kElu, 1, {"alpha"}, {1}},
    {"Equal", Kind::kEqual, 2, {}, {}},
    {"Erf", Kind::kErf, 1, {}, {}},
    {"Exp", Kind::kExp, 1, {}, {}},
    {"Floor", Kind::kFloor, 1, {}, {}},
    {"Gelu", Kind::kGelu, 1, {}, {}},
    {"Greater", Kind::kGreater, 2, {}, {}},
    {"GreaterOrEqual", Kind::kGreaterOrEqual, 2, {}, {}},
    {"HardSigmoid", Kind::kHardSigmoid, 1, {"alpha", "beta"}, {0.2f, 0.5f}},
    {"HardSwish", Kind::kHardSwish, 1, {}, {}},
    {"LeakyRelu", Kind::kLeakyRelu, 1, {"alpha"}, {0.01f}},
    {"Less", Kind::kLess, 2, {}, {}},
    {"LessOrEqual", Kind::kLessOrEqual, 2, {}, {}},
    {"Log", Kind::kLog, 1, {}, {}},
    {"Max", Kind::kMax, 2, {}, {}},
    {"Min", Kind::kMin, 2, {}, {}},
    {"Mish", Kind::kMish, 1, {}, {}},
    {"Mul", Kind::kMul, 2, {}, {}},
    {"Neg", Kind::kNeg, 1, {}, {}},
    {"Pow", Kind::kPow, 2, {}, {}},
    {"PRelu", Kind::kPRelu, 2, {}, {}},
    {"Reciprocal", Kind::kReciprocal, 1, {}, {}},
    {"Relu", Kind::kRelu, 1, {}, {}},
    {"Round", Kind::kRound, 1, {}, {}},
    {"Selu", Kind::kSelu, 1, {"alpha", "gamma"}, {1.67326319217681884765625f, 1.05070102214813232421875f}},
    {"Sigmoid", Kind::kSigmoid, 1, {}, {}},
    {"Sign", Kind::kSign, 1, {}, {}},
    {"Sin", Kind::kSin, 1, {}, {}},
    {"Sinh", Kind::kSinh, 1, {}, {}},
    {"Softplus", Kind::kSoftplus, 1, {}, {}},
    {"Softsign", Kind::kSoftsign, 1, {}, {}},
    {"Sqrt", Kind::kSqrt, 1, {}, {}},
    {"Sub", Kind::kSub, 2, {}, {}},
    {"Tan", Kind::kTan, 1, {}, {}},
    {"Tanh", Kind::kTanh, 1, {}, {}},
    {"ThresholdedRelu", Kind::kThresholdedRelu, 1, {"alpha"}, {1}},
};

// An operand of a step: the source, a constant, or the result of an earlier step.
enum : int32_t { kSource = -1, kConstant = -2 };
struct ProgramStep {
  Kind kind;
  int32_t operand[2];
  float constant[2];  // of operands that are kConstant
  float attribute[2];
};
inline constexpr int32_t kMaxSteps = 24;
// The last step's result is the function's value. steps == 0: the identity.
struct Program {
  int32_t steps;
  ProgramStep step[kMaxSteps];
};

inline double Sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
inline double Softplus(double x) { return x > 30 ? x : std::log1p(std::exp(x)); }

// One step; p and q are its attributes. ONNX operator definitions, opset 20.
inline double Apply(Kind kind, double a, double b, double p, double q) {
  switch (kind) {
    case Kind::kAbs:
      return std::fabs(a);
    case Kind::kAcos:
      return std::acos(a);
    case Kind::kAcosh:
      return std::acosh(a);
    case Kind::kAdd:
      return a + b;
    case Kind::kAsin:
      return std::asin(a);
    case Kind::kAsinh:
      return std::asinh(a);
    case Kind::kAtan:
      return std::atan(a);
    case Kind::kAtanh:
      return std::atanh(a);
    case Kind::kCast:
      return a;
    case Kind::kCeil:
      return std::ceil(a);
    case Kind::kCelu:
      return std::fmax(a, 0.0) + std::fmin(0.0, p * std::expm1(a / p));
    case Kind::kClip:
      return std::fmin(std::fmax(a, p), q);
    case Kind::kCos:
      return std::cos(a);
    case Kind::kCosh:
      return std::cosh(a);
    case Kind::kDiv:
      return a / b;
    case Kind::kElu:
      return a < 0 ? p * std::expm1(a) : a;
    case Kind::kEqual:
      return a == b ? 1 : 0;
    case Kind::kErf:
      return std::erf(a);
    case Kind::kExp:
      return std::exp(a);
    case Kind::kFakeQuantize:  // b: the scale; p, q: the ends in steps of it
      return b * std::fmin(std::fmax(std::nearbyint(a / b), p), q);
    case Kind::kFloor:
      return std::floor(a);
    case Kind::kGelu:
      return 0.5 * a * std::erfc(-a / std::sqrt(2.0));
    case Kind::kGeluTanh:
      return 0.5 * a * (1 + std::tanh(std::sqrt(2 / M_PI) * (a + 0.044715 * a * a * a)));
    case Kind::kGreater:
      return a > b ? 1 : 0;
    case Kind::kGreaterOrEqual:
      return a >= b ? 1 : 0;
    case Kind::kHardSigmoid:
      return std::fmin(std::fmax(p * a + q, 0.0), 1.0);
    case Kind::kHardSwish:
      return a * std::fmin(std::fmax(a / 6 + 0.5, 0.0), 1.0);
    case Kind::kLeakyRelu:
      return a < 0 ? p * a : a;
    case Kind::kLess:
      return a < b ? 1 : 0;
    case Kind::kLessOrEqual:
      return a <= b ? 1 : 0;
    case Kind::kLog:
      return std::log(a);
    case Kind::kMax:
      return std::fmax(a, b);
    case Kind::kMin:
      return std::fmin(a, b);
    case Kind::kMish:
      return a * std::tanh(Softplus(a));
    case Kind::kMul:
      return a * b;
    case Kind::kNeg:
      return -a;
    case Kind::kPow:
      return std::pow(a, b);
    case Kind::kPRelu:
      return a < 0 ? a * b : a;
    case Kind::kReciprocal:
      return 1 / a;
    case Kind::kRelu:
      return std::fmax(a, 0.0);
    case Kind::kRound:
      return std::nearbyint(a);
    case Kind::kSelu:
      return a > 0 ? q * a : q * p * std::expm1(a);
    case Kind::kSigmoid:
      return Sigmoid(a);
    case Kind::kSign:
      return a > 0 ? 1 : a < 0 ? -1 : 0;
    case Kind::kSin:
      return std::sin(a);
    case Kind::kSinh:
      return std::sinh(a);
    case Kind::kSoftplus:
      return Softplus(a);
    case Kind::kSoftsign:
      return a / (1 + std::fabs(a));
    case Kind::kSqrt:
      return std::sqrt(a);
    case Kind::kSub:
      return a - b;
    case Kind::kTan:
      return std::tan(a);
    case Kind::kTanh:
      return std::tanh(a);
    case Kind::kThresholdedRelu:
      return a > p ? a : 0;
    case Kind::kTruncate:
      return std::trunc(a);
  }
  return 0;
}

// False for functions with jumps, or with many turns.
inline bool IsContinuous(const Program &program) {
  for (int32_t i = 0; i < program.steps; ++i) {
    switch (program.step[i].kind) {
      case Kind::kCeil:
      case Kind::kCos:
      case Kind::kEqual:
      case Kind::kFakeQuantize:
      case Kind::kFloor:
      case Kind::kGreater:
      case Kind::kGreaterOrEqual:
      case Kind::kLess:
      case Kind::kLessOrEqual:
      case Kind::kRound:
      case Kind::kSign:
      case Kind::kSin:
      case Kind::kTan:
      case Kind::kTruncate:
        return false;
      default:
        break;
    }
  }
  return true;
}

inline double Evaluate(const Program &program, double x) {
  double results[kMaxSteps] = {};
  for (int32_t i = 0; i < program.steps; ++i) {
    const ProgramStep &s = program.step[i];
    double operand[2];
    for (int k = 0; k < 2; ++k) {
      const int32_t from = s.operand[k];
      operand[k] = from == kSource ? x : from == kConstant ? static_cast<double>(s.constant[k]) : results[from];
    }
    results[i] = Apply(s.kind, operand[0], operand[1], s.attribute[0], s.attribute[1]);
  }
  return program.steps > 0 ? results[program.steps - 1] : x;
}

// False where a step reads something that is not there yet.
inline bool IsSound(const Program &program) {
  if (program.steps < 0 || program.steps > kMaxSteps) return false;
  for (int32_t i = 0; i < program.steps; ++i) {
    const ProgramStep &s = program.step[i];
    for (const int32_t from : s.operand) {
      if (from < kConstant || from >= i) return false;
    }
    if (static_cast<int32_t>(s.kind) < 0 || s.kind > Kind::kTruncate) return false;
  }
  return true;
}

// onnx2mcu.FakeQuantize, the rounding inside a quantised model. Its attributes are the reader's to translate.
inline constexpr KindInfo kRounding = {"FakeQuantize", Kind::kFakeQuantize, 1, {}, {}};

inline const KindInfo *FindKind(const char *domain, const char *op_type) {
  const bool own = std::strcmp(domain, "onnx2mcu") == 0;
  if (own && std::strcmp(op_type, kRounding.op_type) == 0) return &kRounding;
  for (const KindInfo &info : kKinds) {
    if (*domain == 0 && std::strcmp(info.op_type, op_type) == 0) return &info;
  }
  return nullptr;
}

}  // namespace o2m
