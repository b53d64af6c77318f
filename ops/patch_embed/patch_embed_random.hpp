// patch_embed_random.hpp - any patches that o2m.patch_embed takes.
#pragma once
#include "channel_weights.hpp"

namespace o2m {

template <class Params>
void RandomPatchCase(CaseList &list, Random &r) {
  const int32_t channels = 1 + r.Below(4), outputs = r.Size(20), kh = 1 + r.Below(9), kw = 1 + r.Below(9);
  const int32_t sh = kh + (r.OneIn(4) ? r.Below(3) : 0), sw = kw + (r.OneIn(4) ? r.Below(3) : 0);
  const int32_t rows = 1 + r.Below(3), columns = 1 + r.Below(5), h = (rows - 1) * sh + kh + r.Below(sh);
  const int32_t w = (columns - 1) * sw + kw + r.Below(sw);
  const Params p = {sh, sw, r.OneIn(2) ? 1 + r.Below(5) : 0, r.OneIn(2) ? 1 + r.Below(5) : 0, 0, {}};
  const o2m_dtype x_type = r.OneIn(2) ? O2M_U8 : O2M_S8, y_type = r.OneIn(3) ? O2M_S16 : O2M_S8;
  const float x_scale = r.Scale(1e-3, 1), largest = r.Scale(1e-2, 10);
  const double spread = std::sqrt(1.0 * channels * kh * kw) * 40 * x_scale * largest;
  const double steps = y_type == O2M_S8 ? r.Scale(3, 300) : r.Scale(30, 10000);
  list.Add("random",
           {r.Operand(x_type, {1, channels, h, w}, x_scale), r.Constant({outputs, channels, kh, kw}, largest),
            r.Constant({outputs}, static_cast<float>(spread))},
           {r.Operand(y_type, {1, outputs, (h - kh) / sh + 1, (w - kw) / sw + 1}, spread / steps)}, p);
}

}  // namespace o2m
