// The normalisation kernels against real arithmetic: within 1 LSB of the correctly rounded result, and almost always
// equal to it; plus a naive integer oracle for the moments.
#include "o2m_layer_norm.h"
#include "op_test.hpp"

namespace o2m::testing {
namespace {

std::vector<double> RealNorm(const Sample &s) {
  const auto *params = static_cast<const float *>(s.node->get()->params);
  const bool rms = s.node->get()->input_count < 3;
  const int64_t c = Dim(s.node->input(0), 1), rows = ElementCount(s.node->input(0)) / c;
  std::vector<double> y;
  for (int64_t r = 0; r < rows; ++r) {
    int64_t sum = 0;  // exact: a constant row has no variance at all
    double mean = 0, variance = 0;
    for (int64_t i = 0; i < c && !rms; ++i) sum += s.inputs[0][static_cast<size_t>(r * c + i)];
    const o2m_tensor &x = s.node->input(0);
    if (!rms) mean = ScaleOf(x) * static_cast<double>(sum - c * ZeroPointOf(x)) / static_cast<double>(c);
    double squares = 0;
    for (int64_t i = 0; i < c && !rms; ++i)
      squares += std::pow(static_cast<double>(c * s.inputs[0][static_cast<size_t>(r * c + i)] - sum), 2);
    variance = squares * std::pow(ScaleOf(x) / static_cast<double>(c), 2) / static_cast<double>(c);
    for (int64_t i = 0; i < c && rms; ++i) variance += std::pow(s.Real(0, r * c + i), 2) / static_cast<double>(c);
    const double root = std::sqrt(variance + params[0]);
    for (int64_t i = 0; i < c; ++i) {
      const double normal = root > 0 && (rms || squares > 0) ? (s.Real(0, r * c + i) - mean) / root : 0;
      y.push_back(normal * s.Real(1, i) + (rms ? 0 : s.Real(2, i)));
    }
  }
  return y;
}

TEST(LayerNorm, CasesAreWithinHalfAnLsb) { CheckCases("o2m.layer_norm", 0.52, RealNorm); }

TEST(LayerNorm, ErrorsOfRandomCases) { CheckRandomCases("o2m.layer_norm", RealNorm); }

TEST(LayerNorm, ErrorsOfWorstCases) { CheckWorstCases("o2m.layer_norm", RealNorm); }

TEST(LayerNorm, RefusesWhatLiesBeyondTheWorstCases) {
  EXPECT_EQ(Refusal("o2m.layer_norm", "longest", [](TestNode &node) { ++node.input(0).dims[2]; }),
            "input 0 has 4097 features; at most 4096 would work");
  for (const char *name : {"longest_finest", "longest_finest_s16"})
    EXPECT_NE(RefusalOfFinerOutput("o2m.layer_norm", name).find("is too small for gamma and beta"), std::string::npos);
}

const o2m_case &CaseNamed(const std::string &name) {
  const auto *cases = static_cast<const o2m_cases *>(FindOp("o2m.layer_norm")->get_extension("o2m.cases/1"));
  for (int32_t i = 0; i < cases->count; ++i) {
    if (cases->get(i)->name == name) return *cases->get(i);
  }
  ADD_FAILURE() << "no case " << name;
  return *cases->get(0);
}

// Rows of a small spread around a large mean, constant rows, single outliers: where a careless integer form fails.
TEST(LayerNorm, HardRows) {
  for (const char *name : {"features_256", "features_4096", "s16_4096", "s16_to_s16", "no_epsilon", "rms",
                           "rms_zero_point_low", "rms_s16", "s8_to_s16"}) {
    SCOPED_TRACE(name);
    TestNode node(FindOp("o2m.layer_norm"), CaseNamed(name));
    ASSERT_TRUE(node.Prepare());
    const int64_t c = Dim(node.input(0), 1), high = HighOf(node.input(0).dtype), low = LowOf(node.input(0).dtype);
    const std::vector<std::function<int64_t(int64_t)>> rows = {[&](int64_t) { return high; },
                                                               [&](int64_t) { return low; },
                                                               [&](int64_t i) { return i == 0 ? high : high - 1; },
                                                               [&](int64_t i) { return i == c - 1 ? high : low; },
                                                               [&](int64_t i) { return i % 2 ? high : low; },
                                                               [&](int64_t i) { return low + i % 3; },
                                                               [&](int64_t i) { return i == 1 ? 1 : 0; }};
    for (const auto &row : rows) {
      Sample sample = {&node, {{}}};
      for (int64_t i = 0; i < ElementCount(node.input(0)); ++i)
        sample.inputs[0].push_back(static_cast<int32_t>(row(i % c)));
      const Accuracy accuracy = Compare(node.output(), node.Run(sample.inputs), RealNorm(sample));
      EXPECT_LE(accuracy.largest, 0.55);
    }
  }
}

// The share of outputs that differ from the correctly rounded real result.
TEST(LayerNorm, AlmostAlwaysCorrectlyRounded) {
  TestNode node(FindOp("o2m.layer_norm"), CaseNamed("tokens"));
  ASSERT_TRUE(node.Prepare());
  int64_t different = 0, total = 0;
  for (uint32_t seed = 0; seed < 300; ++seed) {
    Sample sample = {&node, {RandomValues(node.input(0), seed)}};
    const Values got = node.Run(sample.inputs);
    const std::vector<double> real = RealNorm(sample);
    for (size_t i = 0; i < got.size(); ++i) {
      const double exact = std::floor(real[i] / ScaleOf(node.output()) + ZeroPointOf(node.output()) + 0.5);
      const double rounded = std::fmin(std::fmax(exact, -128), 127);
      ASSERT_LE(std::fabs(got[i] - rounded), 1);
      different += got[i] != rounded;
      ++total;
    }
  }
  std::printf("layer_norm: %ld of %ld outputs differ from the correctly rounded\n", static_cast<long>(different),
              static_cast<long>(total));
  EXPECT_LE(different, total / 5000);
}

TEST(LayerNorm, ErrorsOverRandomRows) {
  for (const char *name : {"tokens", "features_256", "s16_to_s8", "s16_to_s16", "s8_to_s16", "rms", "rms_s16"}) {
    CheckRandomRows("o2m.layer_norm", name, 20000, RealNorm);
  }
}

TEST(LayerNorm, WritesOverItsInputWhereTheOutputIsNotWider) {
  TestNode same(FindOp("o2m.layer_norm"), CaseNamed("tokens")), wider(FindOp("o2m.layer_norm"), CaseNamed("s8_to_s16"));
  ASSERT_TRUE(same.Prepare());
  ASSERT_TRUE(wider.Prepare());
  EXPECT_EQ(same.Memory(1).in_place_inputs, 1u);
  EXPECT_EQ(wider.Memory(1).in_place_inputs, 0u);
}

TEST(LayerNorm, RefusesWhatItCannotServe) {
  TestNode dtype(FindOp("o2m.layer_norm"), CaseNamed("tokens")), gamma(FindOp("o2m.layer_norm"), CaseNamed("tokens"));
  dtype.input(0).dtype = O2M_U8;
  EXPECT_EQ(dtype.Infer(), O2M_INVALID_ARGUMENT);
  EXPECT_EQ(dtype.host().message, "input 0 is u8; s8 or s16 would work");
  gamma.input(1).dims[0] = 63;
  EXPECT_EQ(gamma.Infer(), O2M_INVALID_ARGUMENT);
  EXPECT_EQ(gamma.host().message, "input 1, gamma, must be a constant f32 of 64 values, not [63]");
}

}  // namespace
}  // namespace o2m::testing
