// conv2d_random.hpp - any convolution that o2m.conv2d takes.
#pragma once
#include "channel_weights.hpp"

namespace o2m {

template <class Params>
void RandomConvCase(CaseList &list, Random &r) {
  const int32_t groups = r.OneIn(3) ? 1 + r.Below(4) : 1, in = 1 + r.Below(groups > 1 ? 2 : 6), out = 1 + r.Below(4);
  const int32_t kh = 1 + r.Below(4), kw = 1 + r.Below(4), dh = 1 + r.Below(2), dw = 1 + r.Below(2);
  const int32_t eh = dh * (kh - 1) + 1, ew = dw * (kw - 1) + 1, h = eh + r.Below(9), w = ew + r.Below(9);
  Params p = {groups, 1 + r.Below(3), 1 + r.Below(3), r.Below(eh), r.Below(ew), r.Below(eh), r.Below(ew), dh, dw, 0,
              {}};
  const o2m_dtype x_type = r.OneIn(4) ? O2M_S16 : r.OneIn(3) ? O2M_U8 : O2M_S8, y_type = r.OneIn(3) ? O2M_S16 : O2M_S8;
  const float x_scale = x_type == O2M_S16 ? r.Scale(1e-5, 1e-2) : r.Scale(1e-3, 1), largest = r.Scale(1e-2, 10);
  const double spread = std::sqrt(1.0 * in * kh * kw) * (x_type == O2M_S16 ? 10000 : 40) * x_scale * largest;
  const std::vector<int32_t> dims = {1, groups * out, (h + p.pad_top + p.pad_bottom - eh) / p.stride_h + 1,
                                     (w + p.pad_left + p.pad_right - ew) / p.stride_w + 1};
  const double steps = y_type == O2M_S8 ? r.Scale(3, 300) : r.Scale(30, 10000);
  CaseOperand x = r.Operand(x_type, {1, groups * in, h, w}, x_scale);
  const bool padded = p.pad_top + p.pad_left + p.pad_bottom + p.pad_right > 0;
  if (x_type == O2M_S16) x.zero_point = padded || r.OneIn(2) ? 0 : r.Between(-32768, 32767);
  list.Add("random",
           {x, r.Constant({groups * out, in, kh, kw}, largest), r.Constant({groups * out}, static_cast<float>(spread))},
           {r.Operand(y_type, dims, spread / steps)}, p);
}

}  // namespace o2m
