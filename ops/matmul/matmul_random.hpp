// matmul_random.hpp - any product of matrices that o2m.matmul takes.
#pragma once
#include "elementwise.hpp"

namespace o2m {

template <class Params>
void RandomMatmulCase(CaseList &list, Random &r) {
  const o2m_dtype types[] = {O2M_S8, O2M_U8, O2M_S16}, a_type = types[r.Below(3)], b_type = types[r.Below(3)];
  const o2m_dtype y_type = r.OneIn(3) ? O2M_S16 : O2M_S8;
  const int32_t rows = r.Size(12), depth = r.Size(40), columns = r.Size(20), batch = 1 + r.Below(3), which = r.Below(8);
  std::vector<int32_t> a_dims = {batch, rows, depth}, b_dims = {batch, depth, columns};
  if (r.OneIn(4))
    b_dims.erase(b_dims.begin());
  else if (r.OneIn(4))
    a_dims[0] = 1;
  const float a_scale = r.Scale(1e-3, 1), b_scale = r.Scale(1e-3, 1);
  const double spread = std::sqrt(depth) * 5000 * a_scale * b_scale;  // constants reach as far as bytes do
  const auto operand = [&](o2m_dtype type, const std::vector<int32_t> &dims, float scale, bool constant) {
    return constant ? r.Constant(dims, 128 * scale) : r.Operand(type, dims, 256 * scale / Random::Levels(type));
  };
  const std::vector<int32_t> y_dims = b_dims.size() == 2 && a_dims.size() == 3
                                          ? std::vector<int32_t>{batch, rows, columns}
                                          : std::vector<int32_t>{std::max(a_dims[0], b_dims[0]), rows, columns};
  const double steps = y_type == O2M_S8 ? r.Scale(3, 300) : r.Scale(30, 20000);
  list.Add("random", {operand(a_type, a_dims, a_scale, which == 0), operand(b_type, b_dims, b_scale, which == 1)},
           {r.Operand(y_type, y_dims, spread / steps)}, Params{});
}

}  // namespace o2m
