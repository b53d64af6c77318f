// linear_random.hpp - any layer that o2m.linear takes: shapes, strides, types, scales, weights at their ends.
#pragma once
#include <algorithm>

#include "linear_variants.hpp"

namespace o2m {

// Of y = x W + b with weights and values spread evenly, in units of the accumulator.
inline double SpreadOf(double depth, o2m_dtype x) { return std::sqrt(depth) * 5000 * (x == O2M_S16 ? 256 : 1); }

// Rows of `depth`, in one to three leading dims.
inline std::vector<int32_t> RandomRowDims(Random &r, int32_t most, int32_t depth) {
  const int32_t rows = r.Size(most), kind = r.Below(6);
  if (kind == 0) return {rows, depth};
  if (kind == 1) return {1 + r.Below(3), (rows + 2) / 3, depth};
  return {1, rows, depth};
}

// Takes one to seven eighths of the weights away, most often as whole blocks of 4 k of a column: for the sparse and the
// compact forms.
inline void ThinOut(Random &r, CaseOperand &weights) {
  const int32_t depth = weights.dims[0], columns = weights.dims[1];
  const int32_t step = r.OneIn(4) ? 1 : 4, gone = r.Between(1, 7);
  for (int32_t i = 0; i < (depth + step - 1) / step * columns; ++i) {
    if (r.Below(8) >= gone) continue;
    const int32_t first = i / columns * step, end = std::min(first + step, depth);
    for (int32_t k = first; k < end; ++k) weights.constant[static_cast<size_t>(k * columns + i % columns)] = 0;
  }
}

inline void RandomLinearCase(CaseList &list, Random &r) {
  const o2m_dtype x_dtype = r.OneIn(4) ? O2M_S16 : O2M_S8;
  const o2m_dtype y_dtype = r.OneIn(4) ? O2M_S16 : r.OneIn(8) ? O2M_S32 : O2M_S8;
  const int32_t depth = r.Size(r.OneIn(16) ? 300 : 70), columns = r.Size(36);
  std::vector<int32_t> dims = RandomRowDims(r, 20, depth);
  const float x_scale = r.Scale(1e-4, 1), largest = r.Scale(1e-3, 10);
  const double unit = double{x_scale} * largest / 127, spread = SpreadOf(depth, x_dtype);
  CaseOperand x = r.Operand(x_dtype, dims, x_scale);
  if (x_dtype == O2M_S16) x.zero_point = r.OneIn(2) ? 0 : r.Between(-32768, 32767);
  std::vector<CaseOperand> inputs = {x, r.Constant({depth, columns}, largest)};
  const double bias = unit * (r.OneIn(8) ? double{r.Scale(1, 5e7)} : spread);
  if (!r.OneIn(6)) inputs.push_back(r.Constant({r.OneIn(10) ? 1 : columns}, static_cast<float>(bias)));
  dims.back() = columns;
  const double steps = y_dtype == O2M_S8 ? r.Scale(3, 600) : r.Scale(30, y_dtype == O2M_S16 ? 20000 : 50000);
  const CaseOperand y = r.Operand(y_dtype, dims, unit * spread / steps);
  if (r.OneIn(3)) ThinOut(r, inputs[1]);
  list.Add("random", inputs, {y}, LinearState{});
}

}  // namespace o2m
