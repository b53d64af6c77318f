// mul_wide.hpp - o2m.mul where an operand or the result is s32: factors, parameters.
#pragma once
#include "o2m_mul_wide.h"
#include "wide_binary.hpp"

namespace o2m {

struct WideProduct {
  int32_t drop, multiplier, shift;
};

// The largest |q - zero_point|, in bits.
inline int32_t ReachBits(const o2m_tensor &t) { return t.dtype == O2M_S32 ? 31 : t.dtype == O2M_S16 ? 17 : 9; }

// What the product's lowest bits are worth is below 2^-30 of what it spans.
inline o2m_status ChooseWideProduct(const o2m_host *host, const Binary &operands, const o2m_tensor &constant,
                                    WideProduct &product) {
  const o2m_tensor &a = *operands.a, &b = operands.b, &y = *operands.y;
  product = {std::max(0, ReachBits(a) + ReachBits(b) - 31), 1, 1};
  if (operands.b_is_constant && !Floats(constant)) return O2M_OK;  // a price alone
  const double factor = std::ldexp(static_cast<double>(ScaleOf(a)) * ScaleOf(b) / ScaleOf(y), product.drop);
  product.shift = 60;
  while (product.shift > 0 && std::ldexp(factor, product.shift) >= 1073741823.0) --product.shift;
  if (product.shift < 1)
    return Reject(host, Str("the output's scale, ", ScaleOf(y), ", is too small beside the inputs' ", ScaleOf(a),
                            " and ", ScaleOf(b), "; other calibration inputs would work"));
  product.multiplier = RoundToInt(std::ldexp(factor, product.shift));
  return O2M_OK;
}

inline o2m_mul_wide_params WideParams(const Binary &operands, const WideProduct &product) {
  o2m_mul_wide_params p = {};
  SetBinarySteps(LoopsOf(operands), p);
  SetWideTypes(operands, p);
  p.a_zero = ZeroPointOf(*operands.a), p.b_zero = ZeroPointOf(operands.b), p.y_zero = ZeroPointOf(*operands.y);
  p.drop = product.drop, p.multiplier = product.multiplier, p.shift = product.shift;
  return p;
}

inline std::string WideParamsText(const o2m_mul_wide_params &p) {
  return WideSteps(p)
      .Field("a_zero", p.a_zero)
      .Field("b_zero", p.b_zero)
      .Field("y_zero", p.y_zero)
      .Field("drop", p.drop)
      .Field("multiplier", p.multiplier)
      .Field("shift", p.shift)
      .text();
}

}  // namespace o2m
