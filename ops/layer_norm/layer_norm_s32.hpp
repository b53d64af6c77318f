// layer_norm_s32.hpp - o2m.layer_norm where x or y is s32: bits, parameters, the call.
#pragma once
#include "o2m_layer_norm_s32.h"
#include "row_op.hpp"

namespace o2m {

struct WideNorm {
  int32_t epsilon, epsilon_bits, shift, offset_shift;
};

inline bool IsWideNorm(const o2m_node *node) {
  return node->inputs[0]->dtype == O2M_S32 || node->outputs[0]->dtype == O2M_S32;
}

// gamma and beta in steps of y; beta with zero point and rounding half. gamma takes sqrt(C) with it.
inline double WideGain(const o2m_node *node, int32_t i) {
  const double root = std::sqrt(static_cast<double>(Dim(*node->inputs[0], 1)));
  return Floats(*node->inputs[1])[i] * root / double{ScaleOf(*node->outputs[0])};
}
inline double WideOffset(const o2m_node *node, int32_t i) {
  const double beta = node->input_count > 2 ? double{Floats(*node->inputs[2])[i]} : 0.0;
  return beta / double{ScaleOf(*node->outputs[0])} + ZeroPointOf(*node->outputs[0]) + 0.5;
}

// The finest shift with which gain fits 30 bits and the sum 62, and the bits that offset has less.
inline o2m_status ChooseWideBits(const o2m_host *host, const o2m_node *node, double epsilon, WideNorm &wide) {
  const int32_t c = Dim(*node->inputs[0], 1);
  double gain = 1, offset = 1;
  for (int32_t i = 0; Floats(*node->inputs[1]) && i < c; ++i) {
    gain = std::fmax(gain, std::fabs(WideGain(node, i)));
    offset = std::fmax(offset, std::fabs(WideOffset(node, i)));
  }
  wide.shift = 45;
  while (std::ldexp(gain, wide.shift - 30) >= std::ldexp(1.0, 30) ||
         std::ldexp(offset, wide.shift) >= std::ldexp(1.0, 60))
    --wide.shift;
  if (wide.shift < 4)
    return Reject(host, Str("the scale of output 0, ", ScaleOf(*node->outputs[0]),
                            ", is too small for gamma and beta; ", "calibrate with other images"));
  wide.offset_shift = 0;
  while (std::ldexp(offset, wide.shift - wide.offset_shift) >= std::ldexp(1.0, 30)) ++wide.offset_shift;
  const double scale = ScaleOf(*node->inputs[0]);
  const double fraction = std::frexp(c * epsilon / scale / scale, &wide.epsilon_bits);
  wide.epsilon = RoundToInt(std::ldexp(fraction, 30));
  wide.epsilon_bits -= 30;
  return O2M_OK;
}

inline void PackWideNorm(const o2m_node *node, const WideNorm &wide, int32_t *gain, int32_t *offset) {
  for (int32_t i = 0; i < Dim(*node->inputs[0], 1); ++i) {
    gain[i] = RoundToInt(std::ldexp(WideGain(node, i), wide.shift - 30));
    offset[i] = RoundToInt(std::ldexp(WideOffset(node, i), wide.shift - wide.offset_shift));
  }
}

inline o2m_layer_norm_s32_params WideNormParams(const o2m_node *node, const WideNorm &wide, int32_t rms,
                                                const int32_t *gain, const int32_t *offset) {
  o2m_layer_norm_s32_params p = {};
  p.features = Dim(*node->inputs[0], 1);
  SetRowStrides(node, p);
  p.x_zero = ZeroPointOf(*node->inputs[0]);
  p.x_bytes = static_cast<int32_t>(BytesOf(node->inputs[0]->dtype));
  p.rms = rms;
  p.epsilon = wide.epsilon, p.epsilon_bits = wide.epsilon_bits;
  p.shift = wide.shift, p.offset_shift = wide.offset_shift;
  p.gain = gain, p.offset = offset;
  return p;
}

inline std::string WideNormText(const o2m_layer_norm_s32_params &p, const std::string &gain,
                                const std::string &offset) {
  return Initializer()
      .Field("features", p.features)
      .Field("x_row", p.x_row)
      .Field("x_column", p.x_column)
      .Field("y_row", p.y_row)
      .Field("y_column", p.y_column)
      .Field("x_zero", p.x_zero)
      .Field("x_bytes", p.x_bytes)
      .Field("y_bytes", p.y_bytes)
      .Field("rms", p.rms)
      .Field("epsilon", p.epsilon)
      .Field("epsilon_bits", p.epsilon_bits)
      .Field("shift", p.shift)
      .Field("offset_shift", p.offset_shift)
      .Field("gain", gain)
      .Field("offset", offset)
      .text();
}

inline void RunWideNorm(const o2m_node *node, const o2m_call *call, const o2m_layer_norm_s32_params &p) {
  const Rows rows = RowsOf(node);
  const auto count = static_cast<int32_t>(rows.RowCount(call->rows));
  ForEachRowBlock(rows, call->rows, [&](const int64_t *at) {
    O2M_SYM(o2m_layer_norm_s32)
    (In<int8_t>(call, 0) + at[0] * p.x_bytes, Out<int8_t>(call) + at[1] * p.y_bytes, count, &p);
  });
}

}  // namespace o2m
