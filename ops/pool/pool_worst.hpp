// pool_worst.hpp - the largest windows and factors that o2m.pool2d admits.
#pragma once
#include "elementwise.hpp"

namespace o2m {

template <class Params>
void WorstPoolCases(CaseList &list) {
  const auto add = [&list](const std::string &name, o2m_dtype x, int32_t x_zero, int32_t size, int32_t pad,
                           const CaseOperand &y, bool average, bool count_pad = false) {
    const Params p = {average, count_pad, 0, 64, 64, 1, 1, pad, pad, pad, pad, 1, 1, 0, {}};
    CaseOperand to = y;
    to.dims = {1, 2, size + 2 * pad - 63, size + 2 * pad - 63};
    list.Add(name, {{x, {1, 2, size, size}, 0.03125f, x_zero}}, {to}, p);
  };
  add("average", O2M_S8, -128, 65, 0, {O2M_S16, {}, 0.03125f * 255 / 65536, -32768}, true);
  add("average_of_u8", O2M_U8, 255, 64, 0, {O2M_S8, {}, 0.03125f, 127}, true);
  add("average_of_s16", O2M_S16, -32768, 64, 1, {O2M_S16, {}, 0.03125f, -32768}, true);
  add("average_finest", O2M_S16, 32767, 64, 1, {O2M_S16, {}, 0.03125f / 4095.9f, 32767}, true);
  add("average_coarsest", O2M_S16, 32767, 64, 0, {O2M_S8, {}, 2e5f, 0}, true);
  add("average_padded", O2M_S16, 32767, 4, 60, {O2M_S16, {}, 0.03125f / 64, 0}, true, true);
  add("maximum", O2M_S16, -32768, 64, 0, {O2M_S16, {}, 0.03125f / 4095.9f, -32768}, false);
}

}  // namespace o2m
