// Against a naive convolution in 64 bits; every value exactly.
#include "integer_test.hpp"

namespace o2m::testing {
namespace {

// As integer_conv.cc has them.
struct Params {
  SumParams sums;
  int32_t groups, stride_h, stride_w, pad_top, pad_left, pad_bottom, pad_right, dilation_h, dilation_w;
  OwnQuant y;
};

int64_t SumAt(const Sample &s, const Params &p, int64_t o, int64_t row, int64_t column) {
  const o2m_tensor &x = s.node->input(0), &w = s.node->input(1);
  const int64_t channels = w.dims[1], group = o / (w.dims[0] / p.groups);
  int64_t sum = p.sums.bias ? IntegerAt(s, 2, o) : 0;
  for (int64_t c = 0; c < channels; ++c) {
    for (int64_t i = 0; i < w.dims[2]; ++i) {
      for (int64_t j = 0; j < w.dims[3]; ++j) {
        const int64_t h = row * p.stride_h - p.pad_top + i * p.dilation_h;
        const int64_t v = column * p.stride_w - p.pad_left + j * p.dilation_w;
        if (h < 0 || h >= x.dims[2] || v < 0 || v >= x.dims[3]) continue;
        sum += IntegerAt(s, 0, ((group * channels + c) * x.dims[2] + h) * x.dims[3] + v) *
               IntegerAt(s, 1, ((o * channels + c) * w.dims[2] + i) * w.dims[3] + j);
      }
    }
  }
  return sum;
}

std::vector<double> Convolved(const Sample &s) {
  const auto &p = ParamsOf<Params>(s.node->get());
  const o2m_tensor &y = s.node->output();
  std::vector<double> out;
  for (int64_t i = 0; i < ElementCount(y); ++i) {
    const int64_t o = i / (y.dims[2] * y.dims[3]), row = i / y.dims[3] % y.dims[2], column = i % y.dims[3];
    const int64_t sum = SumAt(s, p, o, row, column);
    out.push_back(static_cast<double>(Requantised(s, p.sums.requant, RequantOperand(p.sums), sum, o)));
  }
  return out;
}

TEST(IntegerConv, CasesAreExact) { CheckExact("o2m.integer_conv", Convolved); }
TEST(IntegerConv, RandomCasesAreExact) { CheckRandomExact("o2m.integer_conv", Convolved); }

}  // namespace
}  // namespace o2m::testing
