// Against a naive convolution in double over weights that the test quantises itself.
#include "op_test.hpp"

namespace o2m::testing {
namespace {

struct Window {
  int32_t groups, stride_h, stride_w, top, left, bottom, right, dilation_h, dilation_w;
};

// The float weights as s8 per output channel holds them, [O][K].
std::vector<double> QuantisedWeights(const o2m_tensor &w) {
  std::vector<double> result;
  const int64_t depth = ElementCount(w) / w.dims[0];
  for (int64_t o = 0; o < w.dims[0]; ++o) {
    double largest = 0;
    for (int64_t k = 0; k < depth; ++k) largest = std::fmax(largest, std::fabs(Floats(w)[o * depth + k]));
    for (int64_t k = 0; k < depth; ++k) {
      const double weight = Floats(w)[o * depth + k];
      result.push_back(largest > 0 ? std::floor(weight * 127 / largest + 0.5) * largest / 127 : 0);
    }
  }
  return result;
}

double NaiveOutput(const Sample &s, const std::vector<double> &weights, int o, int r, int t) {
  const o2m_tensor &x = s.node->input(0), &w = s.node->input(1);
  const auto &win = *static_cast<const Window *>(s.node->get()->params);
  double sum = Floats(s.node->input(2))[o];
  for (int c = 0; c < w.dims[1]; ++c) {
    const int channel = o / (w.dims[0] / win.groups) * w.dims[1] + c;
    for (int i = 0; i < w.dims[2]; ++i) {
      for (int j = 0; j < w.dims[3]; ++j) {
        const int row = r * win.stride_h - win.top + i * win.dilation_h;
        const int column = t * win.stride_w - win.left + j * win.dilation_w;
        if (row < 0 || row >= x.dims[2] || column < 0 || column >= x.dims[3]) continue;
        sum += s.Real(0, (channel * x.dims[2] + row) * x.dims[3] + column) *
               weights[((o * w.dims[1] + c) * w.dims[2] + i) * w.dims[3] + j];
      }
    }
  }
  return sum;
}

std::vector<double> NaiveImage(const Sample &s) {
  const std::vector<double> weights = QuantisedWeights(s.node->input(1));
  const o2m_tensor &y = s.node->output();
  std::vector<double> result;
  for (int o = 0; o < y.dims[1]; ++o) {
    for (int r = 0; r < y.dims[2]; ++r) {
      for (int t = 0; t < y.dims[3]; ++t) result.push_back(NaiveOutput(s, weights, o, r, t));
    }
  }
  return result;
}

// Beside the output's rounding there is that of the bias, which is fine beside an s8 step but a tenth of an s16 one.
TEST(Conv2d, CasesAreRoundedOnce) { CheckCases("o2m.conv2d", 0.55, NaiveImage); }

TEST(Conv2d, ErrorsOfRandomCases) { CheckRandomCases("o2m.conv2d", NaiveImage); }

TEST(Conv2d, ErrorsOfWorstCases) { CheckWorstCases("o2m.conv2d", NaiveImage); }

TEST(Conv2d, RefusesWhatLiesBeyondTheWorstCases) {
  EXPECT_EQ(Refusal("o2m.conv2d", "deepest",
                    [](TestNode &node) {
                      node.input(0).dims[1] = node.input(1).dims[1] = 1201;
                      node.input(1).data = nullptr;
                    }),
            "the kernel sums 30025 products; at most 30000 would work");
  for (const char *name : {"deepest_finest", "shallowest_finest", "rounded_bias", "rounded_bias_s16"})
    EXPECT_NE(RefusalOfFinerOutput("o2m.conv2d", name).find("is too small for these weights"), std::string::npos);
}

TEST(Conv2d, TableInTheEpilogue) {
  const o2m_op *op = FindOp("o2m.conv2d");
  const auto *cases = static_cast<const o2m_cases *>(op->get_extension("o2m.cases/1"));
  TestNode plain(op, *cases->get(0)), fused(op, *cases->get(0));
  int8_t table[256];
  for (int i = 0; i < 256; ++i) table[i] = static_cast<int8_t>((i * 29 + 7) % 256 - 128);
  const float scale = 0.5f;
  const int32_t zero = 17;
  const o2m_epilogue epilogue = {plain.output().quant, table};
  fused.get()->epilogue = &epilogue;
  fused.output().quant = PerTensor(&scale, &zero);
  ASSERT_TRUE(plain.Prepare() && fused.Prepare());
  const Values x = RandomValues(plain.input(0), 8), q = plain.Run({x}), y = fused.Run({x}, 5);
  for (size_t i = 0; i < q.size(); ++i) EXPECT_EQ(y[i], table[q[i] + 128]);
}

TEST(Conv2d, BandsOfTheImage) {
  const o2m_op *op = FindOp("o2m.conv2d");
  const auto *cases = static_cast<const o2m_cases *>(op->get_extension("o2m.cases/1"));
  TestNode node(op, *cases->get(0));
  ASSERT_TRUE(node.Prepare());
  const o2m_memory memory = node.Memory(4);
  EXPECT_EQ(memory.steps, 16);
  EXPECT_EQ(memory.inputs[0].axis, 2);
  EXPECT_EQ(memory.inputs[0].step, 2);
  EXPECT_EQ(memory.inputs[0].extent, 3);
  EXPECT_EQ(memory.inputs[0].before, 1);
  EXPECT_EQ(memory.scratch_bytes, 0);
}

TEST(Conv2d, RefusesWhatItCannotDo) {
  const o2m_op *op = FindOp("o2m.conv2d");
  const auto *cases = static_cast<const o2m_cases *>(op->get_extension("o2m.cases/1"));
  TestNode groups(op, *cases->get(4));
  static_cast<Window *>(groups.get()->params)->groups = 5;
  EXPECT_EQ(groups.Infer(), O2M_INVALID_ARGUMENT);
  EXPECT_EQ(groups.host().message, "the weights [10, 3, 3, 3] in 5 groups do not fit the input [1, 6, 8, 7]");
  TestNode pad(op, *cases->get(0));
  static_cast<Window *>(pad.get()->params)->top = 3;
  EXPECT_EQ(pad.Infer(), O2M_INVALID_ARGUMENT);
  EXPECT_NE(pad.host().message.find("the padding is as large as the kernel"), std::string::npos);
}

}  // namespace
}  // namespace o2m::testing
