#include "integer_test.hpp"

namespace o2m::testing {
namespace {

struct Params {
  int32_t ceil_mode, kernel_h, kernel_w, stride_h, stride_w, pad_top, pad_left, pad_bottom, pad_right, dilation_h,
      dilation_w;
  OwnQuant y;
};

std::vector<double> Maxima(const Sample &s) {
  const auto &p = ParamsOf<Params>(s.node->get());
  const o2m_tensor &x = s.node->input(0), &y = s.node->output();
  std::vector<double> out;
  for (int64_t n = 0; n < ElementCount(y); ++n) {
    const int64_t c = n / (y.dims[2] * y.dims[3]), row = n / y.dims[3] % y.dims[2], column = n % y.dims[3];
    int64_t most = INT32_MIN;
    for (int64_t i = 0; i < p.kernel_h; ++i) {
      for (int64_t j = 0; j < p.kernel_w; ++j) {
        const int64_t h = row * p.stride_h - p.pad_top + i * p.dilation_h;
        const int64_t w = column * p.stride_w - p.pad_left + j * p.dilation_w;
        if (h >= 0 && h < x.dims[2] && w >= 0 && w < x.dims[3])
          most = std::max(most, IntegerAt(s, 0, (c * x.dims[2] + h) * x.dims[3] + w));
      }
    }
    out.push_back(static_cast<double>(most));
  }
  return out;
}

TEST(IntegerPool, CasesAreExact) { CheckExact("o2m.integer_pool", Maxima); }
TEST(IntegerPool, RandomCasesAreExact) { CheckRandomExact("o2m.integer_pool", Maxima); }

}  // namespace
}  // namespace o2m::testing
