// pool_random.hpp - any window that o2m.pool2d takes. Averages may lie on padding alone: an image that is smaller than
// the dilation.
#pragma once
#include "elementwise.hpp"

namespace o2m {

template <class Params, class Size>
void RandomPoolCase(CaseList &list, Random &r, const Size &size) {
  Params p = {};
  p.average = r.Below(2), p.count_pad = r.Below(2), p.ceil_mode = r.Below(2);
  p.kernel_h = 1 + r.Below(4), p.kernel_w = 1 + r.Below(4), p.stride_h = 1 + r.Below(3), p.stride_w = 1 + r.Below(3);
  p.dilation_h = p.dilation_w = 1;
  if (r.OneIn(4)) {
    p.dilation_h = 1 + r.Below(2), p.dilation_w = 1 + r.Below(2), p.ceil_mode = 0;
  } else {
    p.pad_top = r.Below(p.kernel_h), p.pad_bottom = r.Below(p.kernel_h);
    p.pad_left = r.Below(p.kernel_w), p.pad_right = r.Below(p.kernel_w);
  }
  const int32_t eh = p.dilation_h * (p.kernel_h - 1) + 1, ew = p.dilation_w * (p.kernel_w - 1) + 1;
  int32_t h = eh + r.Below(8), w = ew + r.Below(8);
  if (p.dilation_h * p.dilation_w > 1 && p.average) {
    p.pad_top = r.Below(eh), p.pad_bottom = r.Below(eh), p.pad_left = r.Below(ew), p.pad_right = r.Below(ew);
    h = std::max(1, h - p.pad_top - p.pad_bottom), w = std::max(1, w - p.pad_left - p.pad_right);
  }
  const int32_t channels = r.Size(9);
  const o2m_dtype types[] = {O2M_S8, O2M_U8, O2M_S16}, x_type = types[r.Below(3)];
  const CaseOperand x = r.Operand(x_type, {1, channels, h, w}, 1 / Random::Levels(x_type));
  const std::vector<int32_t> dims = {1, channels, size(h, p.pad_top, p.pad_bottom, eh, p.stride_h, p.ceil_mode != 0),
                                     size(w, p.pad_left, p.pad_right, ew, p.stride_w, p.ceil_mode != 0)};
  const o2m_dtype y_type = r.OneIn(3) ? O2M_S16 : O2M_S8;
  CaseOperand y = r.Operand(y_type, dims, r.Scale(0.3, 3) / Random::Levels(y_type));
  if (x_type == y_type && r.OneIn(2)) y.scale = x.scale, y.zero_point = x.zero_point;
  list.Add("random", {x}, {y}, p);
}

}  // namespace o2m
