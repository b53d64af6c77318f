// Against the larger, the smaller and the quotient of real values, element by element.
#include "o2m_binary.h"
#include "op_test.hpp"

namespace o2m::testing {
namespace {

// Element n of `shape` in an operand that broadcasts into it.
int64_t BroadcastIndex(const o2m_tensor &shape, const o2m_tensor &t, int64_t n) {
  int64_t index = 0, size = 1;
  for (int32_t i = 1; i <= shape.rank; ++i) {
    const int64_t at = n % Dim(shape, i);
    n /= Dim(shape, i);
    if (Dim(t, i) > 1) index += at * size;
    size *= Dim(t, i);
  }
  return index;
}

double Combine(int32_t kind, double a, double b) {
  if (kind == 0) return std::fmax(a, b);
  if (kind == 1) return std::fmin(a, b);
  if (b == 0) return a == 0 ? 0 : std::copysign(1e30, a);
  return a / b;
}

// A constant operand as 16 bits hold it.
std::vector<double> Naive(const Sample &s) {
  const o2m_tensor &y = s.node->output(), &b = s.node->input(1);
  const int32_t kind = *static_cast<const int32_t *>(s.node->get()->params);
  double step = 0;
  for (int64_t i = 0; b.is_constant && i < ElementCount(b); ++i)
    step = std::fmax(step, std::fabs(Floats(b)[i]) / 32767);
  step = static_cast<float>(step);
  std::vector<double> results;
  for (int64_t n = 0; n < ElementCount(y); ++n) {
    double second = s.Real(1, BroadcastIndex(y, b, n));
    if (step > 0) second = std::floor(second / step + 0.5) * step;
    results.push_back(Combine(kind, s.Real(0, BroadcastIndex(y, s.node->input(0), n)), second));
  }
  return results;
}

TEST(Binary, CasesAreRoundedOnce) { CheckCases("o2m.binary", 0.51, Naive); }

TEST(Binary, ErrorsOfRandomCases) { CheckRandomCases("o2m.binary", Naive); }

TEST(Binary, AQuotientByZeroIsAnEndOfTheType) {
  const o2m_binary_params p = {3, 3, 1, 3, 1, 3, 1, 0, 0, 7, 1 << 20, 0, 20, O2M_BINARY_DIV, 1, 1, 1};
  const int8_t a[] = {5, -5, 0}, b[] = {0, 0, 0};
  int8_t y[3];
  o2m_binary(a, b, y, 1, &p);
  EXPECT_EQ(y[0], 127);
  EXPECT_EQ(y[1], -128);
  EXPECT_EQ(y[2], 7);
}

TEST(Binary, RefusesWhatItCannotDo) {
  const o2m_op *op = FindOp("o2m.binary");
  const auto *cases = static_cast<const o2m_cases *>(op->get_extension("o2m.cases/1"));
  TestNode scale(op, *cases->get(0));
  const float tiny = 1e-30f;
  scale.output().quant.scale = &tiny;
  EXPECT_EQ(scale.Infer(), O2M_INVALID_ARGUMENT);
  EXPECT_NE(scale.host().message.find("is too small beside the inputs'"), std::string::npos);
}

}  // namespace
}  // namespace o2m::testing
