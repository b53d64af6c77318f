// reduce_random.hpp - any axes that o2m.reduce takes.
#pragma once
#include "elementwise.hpp"

namespace o2m {

template <class Params>
void RandomReduceCase(CaseList &list, Random &r) {
  Params p = {};
  p.kind = r.Below(5), p.keepdims = r.Below(2);
  std::vector<int32_t> dims, kept;
  for (int32_t i = 1 + r.Below(4); i > 0; --i) dims.push_back(r.Size(i > 2 ? 4 : 16));
  p.axes = static_cast<uint32_t>(1 + r.Below((1 << dims.size()) - 1));
  if (p.axes == 15) p.axes = 13;  // of four axes, three at most
  int32_t depth = 1;
  for (size_t i = 0; i < dims.size(); ++i) {
    const bool reduced = p.axes >> i & 1;
    if (reduced) depth *= dims[i];
    if (!reduced || p.keepdims) kept.push_back(reduced ? 1 : dims[i]);
  }
  const o2m_dtype types[] = {O2M_S8, O2M_U8, O2M_S16}, x_type = types[r.Below(3)];
  const o2m_dtype y_type = r.OneIn(3) ? O2M_S16 : O2M_S8;
  // of a mean square: about a third
  const double range = p.kind == 0 ? 1 / std::sqrt(depth) : p.kind == 1 ? std::sqrt(depth) : 1;
  const CaseOperand x = r.Operand(x_type, dims, 1 / Random::Levels(x_type));
  CaseOperand y = r.Operand(y_type, kept, range * r.Scale(1, 4) / Random::Levels(y_type));
  if (x_type == y_type && (p.kind == 2 || p.kind == 3) && r.OneIn(2)) y.scale = x.scale, y.zero_point = x.zero_point;
  list.Add("random", {x}, {y}, p);
}

}  // namespace o2m
