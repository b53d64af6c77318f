// add_wide.hpp - o2m.add where an operand or the result is s32: factors, parameters, price.
#pragma once
#include "binary_op.hpp"
#include "o2m_add_wide.h"

namespace o2m {

inline constexpr uint32_t kMaskAddends = kMaskS8S16 | Mask(O2M_S32);

struct WideFactors {
  int64_t a_multiplier, b_multiplier, bias;
  int32_t shift;
};

inline bool IsWide(const Binary &operands) {
  return operands.a->dtype == O2M_S32 || operands.b.dtype == O2M_S32 || operands.y->dtype == O2M_S32;
}

// A constant beside s32: its largest magnitude takes 30 bits.
inline OwnQuant WidestQuant(const o2m_tensor &constant, double fallback) {
  double largest = 0;
  for (int64_t i = 0; Floats(constant) && i < ElementCount(constant); ++i)
    largest = std::fmax(largest, std::fabs(static_cast<double>(Floats(constant)[i])));
  return {static_cast<float>(largest > 0 ? std::ldexp(largest, -30) : fallback), 0};
}

// The finest shift with which no sum exceeds 2^62. A factor then errs by less than 2^-30 of a step of y for a byte, and
// of what s32 spans.
inline o2m_status ChooseWideFactors(const o2m_host *host, const Binary &operands, int32_t a_sign, int32_t b_sign,
                                    WideFactors &factors) {
  const o2m_tensor &a = *operands.a, &b = operands.b, &y = *operands.y;
  const auto reach = [](const o2m_tensor &t) { return t.dtype == O2M_S32 ? 2147483648.0 : 65536.0; };
  const double ra = a_sign * (ScaleOf(a) / double{ScaleOf(y)}), rb = b_sign * (ScaleOf(b) / double{ScaleOf(y)});
  const double most = std::fabs(ra) * reach(a) + std::fabs(rb) * reach(b) + std::abs(ZeroPointOf(y)) + 1;
  factors.shift = 60;
  while (factors.shift > 0 && std::ldexp(most, factors.shift) > std::ldexp(1.0, 61)) --factors.shift;
  if (std::ldexp(most, factors.shift) > std::ldexp(1.0, 61) || factors.shift < 8)
    return Reject(host, Str("the output's scale, ", ScaleOf(y), ", is too small beside the inputs' ", ScaleOf(a),
                            " and ", ScaleOf(b), "; other calibration inputs would work"));
  factors.a_multiplier = std::llround(std::ldexp(ra, factors.shift));
  factors.b_multiplier = std::llround(std::ldexp(rb, factors.shift));
  factors.bias = std::llround(std::ldexp(ZeroPointOf(y) + 0.5, factors.shift)) - ZeroPointOf(a) * factors.a_multiplier -
                 ZeroPointOf(b) * factors.b_multiplier;
  return O2M_OK;
}

inline o2m_add_wide_params WideParams(const Binary &operands, const WideFactors &factors) {
  o2m_add_wide_params p = {};
  SetBinarySteps(LoopsOf(operands), p);
  p.a_bytes = static_cast<int32_t>(BytesOf(operands.a->dtype));
  p.b_bytes = static_cast<int32_t>(BytesOf(operands.b.dtype));
  p.y_bytes = static_cast<int32_t>(BytesOf(operands.y->dtype));
  p.shift = factors.shift;
  p.a_multiplier = factors.a_multiplier, p.b_multiplier = factors.b_multiplier, p.bias = factors.bias;
  return p;
}

inline std::string WideParamsText(const o2m_add_wide_params &p) {
  return BinarySteps(p)
      .Field("a_bytes", p.a_bytes)
      .Field("b_bytes", p.b_bytes)
      .Field("y_bytes", p.y_bytes)
      .Field("shift", p.shift)
      .Field("a_multiplier", p.a_multiplier)
      .Field("b_multiplier", p.b_multiplier)
      .Field("bias", p.bias)
      .text();
}

}  // namespace o2m
