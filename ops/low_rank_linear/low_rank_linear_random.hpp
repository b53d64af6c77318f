// low_rank_linear_random.hpp - any two layers that o2m.low_rank_linear takes.
#pragma once
#include "row_op.hpp"

namespace o2m {

template <class Params>
void RandomLowRankCase(CaseList &list, Random &r) {
  const o2m_dtype x_dtype = r.OneIn(4) ? O2M_S16 : O2M_S8, y_dtype = r.OneIn(3) ? O2M_S16 : O2M_S8;
  const int32_t depth = r.Size(60), rank = r.Size(20), columns = r.Size(36);
  const float x_scale = r.Scale(1e-4, 1), u = r.Scale(1e-2, 10), v = r.Scale(1e-2, 10);
  CaseOperand x = r.Operand(x_dtype, {1, r.Size(18), depth}, x_scale);
  if (x_dtype == O2M_S16) x.zero_point = r.OneIn(2) ? 0 : r.Between(-1500, 1500);
  const double spread = 25.0 * x_scale * u * v * std::sqrt(1.0 * depth * rank) * (x_dtype == O2M_S16 ? 256 : 1);
  std::vector<CaseOperand> inputs = {x, r.Constant({depth, rank}, u), r.Constant({rank, columns}, v)};
  if (!r.OneIn(5)) inputs.push_back(r.Constant({columns}, static_cast<float>(0.1 * spread)));
  const double steps = y_dtype == O2M_S8 ? r.Scale(3, 200) : r.Scale(30, 2000);
  std::vector<int32_t> dims = x.dims;
  dims.back() = columns;
  list.Add("random", inputs, {r.Operand(y_dtype, dims, spread / steps)}, Params{});
}

}  // namespace o2m
