// softmax_s32.hpp - o2m.softmax of an s32 input: tables, parameters, the call.
#pragma once
#include "o2m_softmax_s32.h"
#include "row_op.hpp"

namespace o2m {

inline bool IsWideSoftmax(const o2m_node *node) { return node->inputs[0]->dtype == O2M_S32; }

// multiplier / 2^shift takes a difference of x to its exponent to base 2 in Q24.
inline o2m_status ChooseExponent(const o2m_host *host, const o2m_node *node, int32_t *multiplier, int32_t *shift) {
  const double factor = double{ScaleOf(*node->inputs[0])} / std::log(2.0) * 16777216.0;
  *shift = 62;
  while (*shift > 0 && std::ldexp(factor, *shift) >= 1073741824.0) --*shift;
  if (*shift < 1)
    return Reject(host, Str("input 0 has scale ", ScaleOf(*node->inputs[0]), "; a finer one would work for s32"));
  *multiplier = RoundToInt(std::ldexp(factor, *shift));
  return O2M_OK;
}

inline void PackPowers(int32_t *high, int32_t *low) {
  for (int32_t i = 0; i < 256; ++i) {
    high[i] = RoundToInt(std::ldexp(std::exp2(-i / 256.0), 30));
    low[i] = RoundToInt(std::ldexp(std::exp2(-i / 65536.0), 30));
  }
}

inline std::string WideSoftmaxText(const o2m_softmax_s32_params &p, const std::string &high, const std::string &low) {
  return Initializer()
      .Field("features", p.features)
      .Field("x_row", p.x_row)
      .Field("x_column", p.x_column)
      .Field("y_row", p.y_row)
      .Field("y_column", p.y_column)
      .Field("y_bytes", p.y_bytes)
      .Field("y_zero", p.y_zero)
      .Field("multiplier", p.multiplier)
      .Field("shift", p.shift)
      .Field("y_multiplier", p.y_multiplier)
      .Field("y_shift", p.y_shift)
      .Field("high", high)
      .Field("low", low)
      .text();
}

inline void RunWideSoftmax(const o2m_node *node, const o2m_call *call, const o2m_softmax_s32_params &p) {
  const Rows rows = RowsOf(node);
  const auto count = static_cast<int32_t>(rows.RowCount(call->rows));
  ForEachRowBlock(rows, call->rows, [&](const int64_t *at) {
    O2M_SYM(o2m_softmax_s32)(In<int32_t>(call, 0) + at[0], Out<int8_t>(call) + at[1] * p.y_bytes, count, &p);
  });
}

}  // namespace o2m
