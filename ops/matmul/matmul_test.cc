// Against sums of products of real values.
#include "op_test.hpp"

namespace o2m::testing {
namespace {

// The index of element (.., row, column) of `t` in the batch that element n of `y` belongs to.
int64_t At(const o2m_tensor &y, const o2m_tensor &t, int64_t n, int64_t row, int64_t column) {
  n /= int64_t{Dim(y, 1)} * Dim(y, 2);
  int64_t index = row * Dim(t, 1) + column, size = int64_t{Dim(t, 1)} * Dim(t, 2);
  for (int32_t i = 3; i <= y.rank; ++i) {
    index += (Dim(t, i) > 1 ? n % Dim(y, i) : 0) * size;
    size *= Dim(t, i);
    n /= Dim(y, i);
  }
  return index;
}

// Operand i, a constant as 16 bits hold it.
std::vector<double> Reals(const Sample &s, int i) {
  const o2m_tensor &t = s.node->input(i);
  std::vector<double> reals;
  double step = 0;
  for (int64_t n = 0; n < ElementCount(t); ++n) reals.push_back(s.Real(i, n));
  for (const double v : reals) step = std::fmax(step, t.is_constant ? std::fabs(v) / 32767 : 0);
  step = static_cast<float>(step);
  for (double &v : reals) v = step > 0 ? std::floor(v / step + 0.5) * step : v;
  return reals;
}

std::vector<double> Naive(const Sample &s) {
  const o2m_tensor &a = s.node->input(0), &b = s.node->input(1), &y = s.node->output();
  const std::vector<double> left = Reals(s, 0), right = Reals(s, 1);
  std::vector<double> result;
  for (int64_t n = 0; n < ElementCount(y); ++n) {
    const int64_t column = n % Dim(y, 1), row = n / Dim(y, 1) % Dim(y, 2);
    double sum = 0;
    for (int k = 0; k < Dim(a, 1); ++k) sum += left[At(y, a, n, row, k)] * right[At(y, b, n, k, column)];
    result.push_back(sum);
  }
  return result;
}

TEST(Matmul, CasesAreRoundedOnce) { CheckCases("o2m.matmul", 0.502, Naive); }

TEST(Matmul, ErrorsOfRandomCases) { CheckRandomCases("o2m.matmul", Naive); }

TEST(Matmul, ErrorsOfWorstCases) { CheckWorstCases("o2m.matmul", Naive); }

TEST(Matmul, RefusesWhatLiesBeyondTheWorstCases) {
  EXPECT_EQ(Refusal("o2m.matmul", "deepest", [](TestNode &node) { ++node.input(0).dims[2], ++node.input(1).dims[1]; }),
            "K is 16385; at most 16384 would work");
  for (const char *name : {"deepest_finest", "shallowest_finest", "s16_by_s16_finest"})
    EXPECT_NE(RefusalOfFinerOutput("o2m.matmul", name).find("is too small beside the inputs'"), std::string::npos);
}

TEST(Matmul, RefusesWhatItCannotDo) {
  const o2m_op *op = FindOp("o2m.matmul");
  const auto *cases = static_cast<const o2m_cases *>(op->get_extension("o2m.cases/1"));
  TestNode depth(op, *cases->get(0));
  depth.input(1).dims[2] = 15;
  EXPECT_EQ(depth.Infer(), O2M_INVALID_ARGUMENT);
  EXPECT_NE(depth.host().message.find("do not fit"), std::string::npos);
  TestNode batches(op, *cases->get(0));
  batches.input(1).dims[1] = 2;
  EXPECT_EQ(batches.Infer(), O2M_INVALID_ARGUMENT);
  EXPECT_EQ(batches.host().message, "the batches of [1, 3, 10, 16] and [1, 2, 16, 10] do not broadcast");
}

}  // namespace
}  // namespace o2m::testing
