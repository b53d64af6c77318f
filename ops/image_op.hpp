// image_op.hpp - the walk over an image x [1, C, H, W] and an output y [1, O, H', W'] in a kernel's own parameters.
#pragma once
#include "op.hpp"

namespace o2m {

template <class Params>
void SetImageStrides(const o2m_tensor &x, const o2m_tensor &y, Params &p) {
  p.x_channel = static_cast<int32_t>(x.strides[1]);
  p.x_row = static_cast<int32_t>(x.strides[2]);
  p.x_column = static_cast<int32_t>(x.strides[3]);
  p.y_channel = static_cast<int32_t>(y.strides[1]);
  p.y_row = static_cast<int32_t>(y.strides[2]);
  p.y_column = static_cast<int32_t>(y.strides[3]);
}
// The fields that SetImageStrides() sets.
template <class Params>
void AddImageStrides(const Params &p, Initializer &text) {
  text.Field("x_channel", p.x_channel)
      .Field("x_row", p.x_row)
      .Field("x_column", p.x_column)
      .Field("y_channel", p.y_channel)
      .Field("y_row", p.y_row)
      .Field("y_column", p.y_column);
}

// ---- Cost -----------------------------------------------------------------------------------------------------------

// How many kernel positions lie inside an axis of `size`, over all `outputs`: padding is not computed.
inline int64_t PositionsInside(int64_t outputs, int64_t kernel, int64_t stride, int64_t pad, int64_t dilation,
                               int64_t size) {
  int64_t inside = 0;
  for (int64_t o = 0; o < outputs; ++o) {
    for (int64_t k = 0; k < kernel; ++k) {
      const int64_t at = o * stride - pad + k * dilation;
      inside += at >= 0 && at < size;
    }
  }
  return inside;
}

}  // namespace o2m
