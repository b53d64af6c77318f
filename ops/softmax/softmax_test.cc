// The softmax kernels against real arithmetic.
#include "op_test.hpp"

namespace o2m::testing {
namespace {

std::vector<double> RealSoftmax(const Sample &s) {
  const o2m_tensor &x = s.node->input(0);
  const int64_t c = Dim(x, 1), rows = ElementCount(x) / c;
  std::vector<double> y;
  for (int64_t r = 0; r < rows; ++r) {
    double largest = s.Real(0, r * c), sum = 0;
    for (int64_t i = 0; i < c; ++i) largest = std::fmax(largest, s.Real(0, r * c + i));
    for (int64_t i = 0; i < c; ++i) sum += std::exp(s.Real(0, r * c + i) - largest);
    for (int64_t i = 0; i < c; ++i) y.push_back(std::exp(s.Real(0, r * c + i) - largest) / sum);
  }
  return y;
}

TEST(Softmax, CasesAreCorrectlyRoundedToFourDigits) { CheckCases("o2m.softmax", 0.51, RealSoftmax); }

TEST(Softmax, ErrorsOfRandomCases) { CheckRandomCases("o2m.softmax", RealSoftmax); }

TEST(Softmax, ErrorsOfWorstCases) { CheckWorstCases("o2m.softmax", RealSoftmax); }

TEST(Softmax, RefusesWhatLiesBeyondTheWorstCases) {
  EXPECT_EQ(Refusal("o2m.softmax", "longest", [](TestNode &node) { ++node.input(0).dims[2]; }),
            "input 0 has 65537 features; at most 65536 would work");
  EXPECT_NE(RefusalOfFinerOutput("o2m.softmax", "longest_finest").find("one from 2^-16 to 1"), std::string::npos);
  static const float coarser = 1.001f;
  EXPECT_NE(Refusal("o2m.softmax", "coarsest", [](TestNode &node) { node.output().quant.scale = &coarser; }), "");
}

const o2m_case &Case(int32_t i) {
  return *static_cast<const o2m_cases *>(FindOp("o2m.softmax")->get_extension("o2m.cases/1"))->get(i);
}

TEST(Softmax, AlmostAlwaysCorrectlyRounded) {
  TestNode node(FindOp("o2m.softmax"), Case(3));
  ASSERT_TRUE(node.Prepare());
  int64_t different = 0, total = 0;
  for (uint32_t seed = 0; seed < 300; ++seed) {
    Sample sample = {&node, {RandomValues(node.input(0), seed)}};
    const Values got = node.Run(sample.inputs);
    const std::vector<double> real = RealSoftmax(sample);
    for (size_t i = 0; i < got.size(); ++i) {
      const double rounded = std::fmin(std::floor(real[i] * 256 + 0.5) - 128, 127);
      ASSERT_LE(std::fabs(got[i] - rounded), 1);
      different += got[i] != rounded;
      ++total;
    }
  }
  std::printf("softmax: %ld of %ld outputs differ from the correctly rounded\n", static_cast<long>(different),
              static_cast<long>(total));
  EXPECT_LE(different, total / 10000);
}

TEST(Softmax, ErrorsOverRandomRows) {
  for (const char *name : {"long_rows", "rows", "sharp", "flat", "s16", "s8_to_s16", "s16_to_s16"}) {
    CheckRandomRows("o2m.softmax", name, 20000, RealSoftmax);
  }
}

// The same row times 254/255, as a quantised model may ask for.
TEST(Softmax, TimesAFactor) {
  TestNode node(FindOp("o2m.softmax"), Case(3));
  const float factor = 254.0f / 255;
  std::memcpy(node.get()->params, &factor, sizeof factor);  // the first of its params
  ASSERT_TRUE(node.Prepare());
  Sample sample = {&node, {RandomValues(node.input(0), 1)}};
  const Values got = node.Run(sample.inputs);
  const std::vector<double> real = RealSoftmax(sample);
  for (size_t i = 0; i < got.size(); ++i) ASSERT_NEAR(got[i], std::fmin(real[i] * factor * 256 - 128, 127), 0.51) << i;
}

// Without a preset the output takes scale 1/256 and zero point -128; probabilities of a row add up to one.
TEST(Softmax, DefaultQuantCoversZeroToOne) {
  TestNode node(FindOp("o2m.softmax"), Case(1));
  node.output().dtype = O2M_ANY;
  node.output().quant = {};
  ASSERT_TRUE(node.Prepare());
  EXPECT_EQ(node.output().dtype, O2M_S8);
  EXPECT_EQ(ScaleOf(node.output()), 1.0f / 256);
  EXPECT_EQ(ZeroPointOf(node.output()), -128);
  int32_t sum = 0;
  for (int32_t v : node.Run({RandomValues(node.input(0), 1)})) sum += v + 128;
  EXPECT_NEAR(sum, 256, 5);
}

TEST(Softmax, RefusesWhatItCannotServe) {
  static const float large = 3.0f;
  TestNode type(FindOp("o2m.softmax"), Case(0)), scale(FindOp("o2m.softmax"), Case(0));
  type.input(0).dtype = O2M_U8;
  EXPECT_EQ(type.Infer(), O2M_INVALID_ARGUMENT);
  EXPECT_EQ(type.host().message, "input 0 is u8; s8 or s16 would work");
  scale.output().quant.scale = &large;
  EXPECT_EQ(scale.Infer(), O2M_INVALID_ARGUMENT);
  EXPECT_NE(scale.host().message.find("such as 1/256"), std::string::npos);
}

}  // namespace
}  // namespace o2m::testing
