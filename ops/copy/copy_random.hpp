// copy_random.hpp - any movement that o2m.copy takes, with and without another scale.
#pragma once
#include "elementwise.hpp"

namespace o2m {

template <class Params>
void RandomCopyCase(CaseList &list, Random &r) {
  const o2m_dtype types[] = {O2M_S8, O2M_U8, O2M_S16}, x_type = types[r.Below(3)];
  std::vector<int32_t> dims;
  for (int32_t i = 1 + r.Below(4); i > 0; --i) dims.push_back(r.Size(i > 2 ? 4 : 20));
  const CaseOperand x = r.Operand(x_type, dims, 1 / Random::Levels(x_type));
  if (r.OneIn(6)) return list.Add("random", {r.Constant(dims, 1)}, {r.Operand(O2M_S16, dims, 1.0 / 32768)}, Params{});
  const o2m_dtype y_type = types[r.Below(3)];
  CaseOperand y = r.Operand(y_type, dims, r.Scale(0.1, 10) / Random::Levels(y_type));
  if (x_type == y_type && r.OneIn(2)) y.scale = x.scale, y.zero_point = x.zero_point;
  list.Add("random", {x}, {y}, Params{});
}

}  // namespace o2m
