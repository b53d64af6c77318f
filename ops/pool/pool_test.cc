// Against windows of real values, place by place.
#include "op_test.hpp"

namespace o2m::testing {
namespace {

struct Params {
  int32_t average, count_pad, ceil_mode, kernel_h, kernel_w, stride_h, stride_w, top, left, bottom, right, dilation_h,
      dilation_w;
};

double Naive(const Sample &s, int c, int r, int t) {
  const o2m_tensor &x = s.node->input(0);
  const auto &p = *static_cast<const Params *>(s.node->get()->params);
  double sum = 0, largest = -1e30;
  int inside = 0, padded = 0;
  for (int i = 0; i < p.kernel_h; ++i) {
    for (int j = 0; j < p.kernel_w; ++j) {
      const int row = r * p.stride_h - p.top + i * p.dilation_h, column = t * p.stride_w - p.left + j * p.dilation_w;
      padded += row < x.dims[2] + p.bottom && column < x.dims[3] + p.right;
      if (row < 0 || row >= x.dims[2] || column < 0 || column >= x.dims[3]) continue;
      const double value = s.Real(0, (c * x.dims[2] + row) * x.dims[3] + column);
      sum += value;
      largest = std::fmax(largest, value);
      ++inside;
    }
  }
  return p.average ? sum / (p.count_pad ? padded : inside) : largest;
}

std::vector<double> NaiveImage(const Sample &s) {
  const o2m_tensor &y = s.node->output();
  std::vector<double> result;
  for (int c = 0; c < y.dims[1]; ++c) {
    for (int r = 0; r < y.dims[2]; ++r) {
      for (int t = 0; t < y.dims[3]; ++t) result.push_back(Naive(s, c, r, t));
    }
  }
  return result;
}

TEST(Pool, CasesAreRoundedOnce) { CheckCases("o2m.pool2d", 0.501, NaiveImage); }

TEST(Pool, ErrorsOfRandomCases) { CheckRandomCases("o2m.pool2d", NaiveImage); }

TEST(Pool, RefusesWhatItCannotDo) {
  const o2m_op *op = FindOp("o2m.pool2d");
  const auto *cases = static_cast<const o2m_cases *>(op->get_extension("o2m.cases/1"));
  TestNode pad(op, *cases->get(0));
  static_cast<Params *>(pad.get()->params)->top = 2;
  EXPECT_EQ(pad.Infer(), O2M_INVALID_ARGUMENT);
  EXPECT_NE(pad.host().message.find("as large as the window"), std::string::npos);
}

}  // namespace
}  // namespace o2m::testing
