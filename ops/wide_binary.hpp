// wide_binary.hpp - what the elementwise ops of two operands share where one of the three tensors is s32, zero point 0.
#pragma once
#include "binary_op.hpp"

namespace o2m {

inline constexpr uint32_t kMaskWide = kMaskS8S16 | Mask(O2M_S32);

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

template <class Params>
void SetWideTypes(const Binary &operands, Params &p) {
  p.a_bytes = static_cast<int32_t>(BytesOf(operands.a->dtype));
  p.b_bytes = static_cast<int32_t>(BytesOf(operands.b.dtype));
  p.y_bytes = static_cast<int32_t>(BytesOf(operands.y->dtype));
}
// The fields that SetBinarySteps() and SetWideTypes() set.
template <class Params>
Initializer WideSteps(const Params &p) {
  return BinarySteps(p).Field("a_bytes", p.a_bytes).Field("b_bytes", p.b_bytes).Field("y_bytes", p.y_bytes);
}

}  // namespace o2m
