// layer_norm_random.hpp - any rows that o2m.layer_norm takes.
#pragma once
#include "row_op.hpp"

namespace o2m {

template <class Params>
void RandomLayerNormCase(CaseList &list, Random &r) {
  const bool x16 = r.OneIn(2), y16 = r.OneIn(3), rms = r.OneIn(4);
  const int32_t features = r.Size(r.OneIn(12) ? 520 : 100);
  const std::vector<int32_t> dims = {1, r.Size(9), features};
  const CaseOperand x = r.Operand(x16 ? O2M_S16 : O2M_S8, dims, x16 ? r.Scale(2e-5, 1e-2) : r.Scale(4e-3, 1));
  const float gamma = r.Scale(0.05, 5), epsilons[] = {1e-5f, 1e-12f, 0.0f, 1e-6f, 0.1f};
  const CaseOperand y =
      r.Operand(y16 ? O2M_S16 : O2M_S8, dims, gamma * (y16 ? r.Scale(1e-4, 4e-3) : r.Scale(5e-3, 0.2)));
  std::vector<CaseOperand> inputs = {x, r.Constant({features}, gamma)};
  if (!rms) inputs.push_back(r.Constant({features}, gamma));
  list.Add("random", inputs, {y}, Params{epsilons[r.Below(5)], rms, 0, 0, 0, {}});
}

}  // namespace o2m
