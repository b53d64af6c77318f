// gather_random.hpp - any indices, and any slice backwards, that o2m.gather takes.
#pragma once
#include "elementwise.hpp"

namespace o2m {

template <class Params>
void RandomGatherCase(CaseList &list, Random &r) {
  std::vector<int32_t> dims, picked;
  for (int32_t i = 1 + r.Below(4); i > 0; --i) dims.push_back(r.Size(i > 2 ? 4 : 16));
  const int32_t axis = r.Below(static_cast<int32_t>(dims.size())), size = dims[static_cast<size_t>(axis)];
  Params p = {axis, 0, 0, 0};
  const o2m_dtype types[] = {O2M_S8, O2M_U8, O2M_S16}, type = types[r.Below(3)];
  std::vector<CaseOperand> inputs = {r.Operand(type, dims, 0.05)};
  if (r.OneIn(3)) {
    p.start = r.Below(size), p.step = -1 - r.Below(3);
    p.count = 1 + r.Below(p.start / -p.step + 1);
    picked = {p.count};
  } else {
    picked = {r.Size(8)};
    if (r.OneIn(4)) picked.push_back(1 + r.Below(3));
    CaseOperand indices = {O2M_S64, picked};
    for (int32_t i = picked[0] * (picked.size() > 1 ? picked[1] : 1); i > 0; --i)
      indices.integers.push_back(r.Between(-size, size - 1));
    inputs.push_back(indices);
  }
  dims.erase(dims.begin() + axis);
  dims.insert(dims.begin() + axis, picked.begin(), picked.end());
  CaseOperand y = r.Operand(type, dims, 0.05);
  y.zero_point = inputs[0].zero_point;
  if (picked.size() > 1) y.strides = {};  // indices of several dims are walked as one
  list.Add("random", inputs, {y}, p);
}

}  // namespace o2m
