// softmax_random.hpp - any rows that o2m.softmax takes.
#pragma once
#include "row_op.hpp"

namespace o2m {

template <class Params>
void RandomSoftmaxCase(CaseList &list, Random &r) {
  const bool x16 = r.OneIn(3), y16 = r.OneIn(3);
  const int32_t features = r.Size(r.OneIn(12) ? 400 : 70);
  const std::vector<int32_t> dims = {1, r.Size(9), features};
  const CaseOperand x = r.Operand(x16 ? O2M_S16 : O2M_S8, dims, r.Scale(1e-4, 5) / (x16 ? 100 : 1));
  CaseOperand y = r.Operand(y16 ? O2M_S16 : O2M_S8, dims, y16 ? 1.0 / 32768 : 1.0 / 256);
  if (r.OneIn(2)) y.zero_point = y16 ? 0 : -128;
  if (r.OneIn(3)) y.scale = y16 ? r.Scale(1.0 / 65536, 1e-3) : r.Scale(1.0 / 2000, 0.1);
  list.Add("random", {x}, {y}, Params{});
}

}  // namespace o2m
