// add_wide.hpp - o2m.add where an operand or the result is s32: factors, parameters, price.
#pragma once
#include "o2m_add_wide.h"
#include "wide_binary.hpp"

namespace o2m {

struct WideFactors {
  int64_t a_multiplier, b_multiplier, bias;
  int32_t shift;
};

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
  SetWideTypes(operands, p);
  p.shift = factors.shift;
  p.a_multiplier = factors.a_multiplier, p.b_multiplier = factors.b_multiplier, p.bias = factors.bias;
  return p;
}

inline std::string WideParamsText(const o2m_add_wide_params &p) {
  return WideSteps(p)
      .Field("shift", p.shift)
      .Field("a_multiplier", p.a_multiplier)
      .Field("b_multiplier", p.b_multiplier)
      .Field("bias", p.bias)
      .text();
}

}  // namespace o2m
