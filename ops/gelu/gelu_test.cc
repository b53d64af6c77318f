// The table and the kernel against the real GELU: x times the normal distribution function, which is integrated here.
#include "o2m_gelu_s8.h"
#include "op_test.hpp"
#include "segments_test.hpp"

namespace o2m::testing {
namespace {

// Simpson's rule over the density from 0 to x.
double NormalCdf(double x) {
  if (std::fabs(x) > 9) return x > 0;
  const int n = 400;
  const auto density = [](double t) { return std::exp(-t * t / 2) / std::sqrt(2 * 3.14159265358979323846); };
  const double h = x / n;
  double sum = density(0) + density(x);
  for (int i = 1; i < n; ++i) sum += density(i * h) * (i % 2 ? 4 : 2);
  return 0.5 + sum * h / 3;
}

std::vector<double> RealGelu(const Sample &s) {
  std::vector<double> y;
  const bool tanh_form = *static_cast<const int32_t *>(s.node->get()->params) != 0;
  for (size_t i = 0; i < s.inputs[0].size(); ++i) {
    const double x = s.Real(0, static_cast<int64_t>(i));
    const double u = 0.7978845608028654 * (x + 0.044715 * x * x * x);
    y.push_back(tanh_form ? x / (1 + std::exp(-2 * u)) : x * NormalCdf(x));
  }
  return y;
}

TEST(Gelu, CasesAreExactToRounding) { CheckCases("o2m.gelu", 0.5001, RealGelu, 1); }

TEST(Gelu, ErrorsOfRandomCases) { CheckRandomCases("o2m.gelu", RealGelu); }

TEST(Gelu, ErrorsOfEveryByte) {
  const auto *cases = static_cast<const o2m_cases *>(FindOp("o2m.gelu")->get_extension("o2m.cases/1"));
  for (int32_t i = 0; i < 2; ++i) CheckEveryByte("o2m.gelu", *cases->get(i), RealGelu);  // the erf form, the tanh form
}

TEST(Gelu, ErrorsOfEveryS16) {
  const auto *cases = static_cast<const o2m_cases *>(FindOp("o2m.gelu")->get_extension("o2m.cases/1"));
  for (int32_t i = 0; i < 2; ++i) CheckEveryS16("o2m.gelu", *cases->get(i), RealGelu);
}

// The paper's sigmoid form (with its missing factor x) is an approximation: it errs by 0.0203 at most.
TEST(Gelu, SigmoidFormStaysClose) {
  const o2m_op *op = FindOp("o2m.gelu");
  const auto *cases = static_cast<const o2m_cases *>(op->get_extension("o2m.cases/1"));
  TestNode node(op, *cases->get(0));
  node.host().key = "gelu";
  node.host().value = "sigmoid";
  ASSERT_TRUE(node.Prepare());
  double largest = 0;
  for (int q = -128; q < 128; ++q) {
    const double x = ScaleOf(node.input(0)) * (q - ZeroPointOf(node.input(0)));
    const double y = ScaleOf(node.output()) * (node.Packed<int8_t>(0)[q + 128] - ZeroPointOf(node.output()));
    if (y < HighestRealOf(node.output())) largest = std::fmax(largest, std::fabs(y - x * NormalCdf(x)));
  }
  EXPECT_LE(largest, 0.0203 + ScaleOf(node.output()) / 2);
  EXPECT_GE(largest, 0.0203 - ScaleOf(node.output()));
}

TEST(Gelu, RefusesWhatItCannotDo) {
  const o2m_op *op = FindOp("o2m.gelu");
  const auto *cases = static_cast<const o2m_cases *>(op->get_extension("o2m.cases/1"));
  TestNode wide(op, *cases->get(0));
  wide.input(0).dtype = O2M_U8;
  EXPECT_EQ(wide.Infer(), O2M_INVALID_ARGUMENT);
  EXPECT_EQ(wide.host().message, "the input is u8; s8 or s16 or s32 would work");
  TestNode option(op, *cases->get(0));
  option.host().key = "gelu";
  option.host().value = "exact";
  EXPECT_EQ(option.Infer(), O2M_INVALID_ARGUMENT);
  EXPECT_EQ(option.host().message, "--gelu=exact is unknown; lut or sigmoid would work");
}

TEST(Gelu, InPlaceOnlyWhereRowsAreRuns) {
  const o2m_op *op = FindOp("o2m.gelu");
  const auto *cases = static_cast<const o2m_cases *>(op->get_extension("o2m.cases/1"));
  for (int32_t i = 0; i < cases->count; ++i) {
    TestNode node(op, *cases->get(i));
    ASSERT_TRUE(node.Prepare());
    const bool transposed = std::string(node.get()->name).find("transposed") != std::string::npos ||
                            std::string(node.get()->name).find("channels") != std::string::npos;
    const bool grows = BytesOf(node.input(0).dtype) < BytesOf(node.output().dtype);
    EXPECT_EQ(node.Memory(1).in_place_inputs, transposed || grows ? 0u : 1u) << node.get()->name;
  }
}

TEST(Gelu, KernelReadsTheTable) {
  int8_t table[256], x[6] = {-128, -1, 0, 1, 5, 127}, y[8] = {};
  for (int i = 0; i < 256; ++i) table[i] = static_cast<int8_t>((i * 37 + 11) % 256 - 128);
  const o2m_gelu_params p = {3, 3, 1, 4, 1};
  o2m_gelu_s8(x, y, 2, table, &p);
  for (int r = 0; r < 2; ++r) {
    for (int i = 0; i < 3; ++i) EXPECT_EQ(y[r * 4 + i], table[x[r * 3 + i] + 128]);
  }
  EXPECT_EQ(y[3], 0);
  EXPECT_EQ(y[7], 0);
}

}  // namespace
}  // namespace o2m::testing
