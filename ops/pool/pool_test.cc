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
  return p.average ? sum / std::max(1, p.count_pad ? padded : inside) : largest;
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

TEST(Pool, ErrorsOfWorstCases) { CheckWorstCases("o2m.pool2d", NaiveImage); }

TEST(Pool, RefusesWhatLiesBeyondTheWorstCases) {
  EXPECT_EQ(Refusal("o2m.pool2d", "average",
                    [](TestNode &node) { static_cast<Params *>(node.get()->params)->kernel_h = 65; }),
            "the window has more than 4096 places; ReduceMean would work");
  for (const char *name : {"average_finest", "maximum"})
    EXPECT_NE(RefusalOfFinerOutput("o2m.pool2d", name).find("is too small beside the input's"), std::string::npos);
}

// A window of 2 x 2, dilated by 2, around an image of 1 x 1: its corners lie on padding.
TEST(Pool, AWindowOnPaddingAlone) {
  const auto node_of = [](CaseList &list, int32_t average, int32_t count_pad) {
    const int32_t params[32] = {average, count_pad, 0, 2, 2, 1, 1, 1, 1, 1, 1, 2, 2};
    list.Add("", {{O2M_S8, {1, 2, 1, 1}, 0.05f, -20}}, {{O2M_S8, {1, 2, 1, 1}, 0.05f, 7}}, params);
    return list.get(list.count() - 1);
  };
  CaseList list;
  for (const int32_t count_pad : {0, 1}) {
    TestNode average(FindOp("o2m.pool2d"), *node_of(list, 1, count_pad));
    ASSERT_TRUE(average.Prepare());
    EXPECT_EQ(average.Run({{100, -100}}), Values({7, 7}));
  }
  TestNode maximum(FindOp("o2m.pool2d"), *node_of(list, 0, 0));
  EXPECT_EQ(maximum.Infer(), O2M_INVALID_ARGUMENT);
  EXPECT_EQ(maximum.host().message,
            "a window of the maximum lies on padding alone beside the image [1, 2, 1, 1]; less padding or dilation "
            "would work");
}

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
