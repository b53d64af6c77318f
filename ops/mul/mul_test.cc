// Against the product of real values, element by element.
#include "o2m_mul.h"
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

// A constant operand as 16 or 31 bits hold it.
std::vector<double> Products(const Sample &s) {
  const o2m_tensor &y = s.node->output(), &b = s.node->input(1);
  double step = 0;
  const double largest = s.node->get()->constants[0].dtype == O2M_S32 ? 1073741824.0 : 32767.0;
  for (int64_t i = 0; b.is_constant && i < ElementCount(b); ++i)
    step = std::fmax(step, std::fabs(Floats(b)[i]) / largest);
  step = static_cast<float>(step);
  std::vector<double> products;
  for (int64_t n = 0; n < ElementCount(y); ++n) {
    double factor = s.Real(1, BroadcastIndex(y, b, n));
    if (step > 0) factor = std::floor(factor / step + 0.5) * step;
    products.push_back(s.Real(0, BroadcastIndex(y, s.node->input(0), n)) * factor);
  }
  return products;
}

TEST(Mul, CasesAreRoundedOnce) { CheckCases("o2m.mul", 0.501, Products); }

TEST(Mul, ErrorsOfRandomCases) { CheckRandomCases("o2m.mul", Products); }

TEST(Mul, ErrorsOfWorstCases) { CheckWorstCases("o2m.mul", Products); }

TEST(Mul, RefusesWhatLiesBeyondTheWorstCases) {
  for (const char *types : {"s8_s8_s8", "s16_s8_s16", "s16_s16_s16"})
    EXPECT_NE(RefusalOfFinerOutput("o2m.mul", Str("finest_", types)).find("is too small beside"), std::string::npos);
}

// An s8 row over the s16 row it came from: the kernel walks upward.
TEST(Mul, NarrowerRowOverItsInput) {
  const o2m_mul_params p = {4, 4, 1, 4, 1, 4, 1, 0, 3, -5, 1 << 20, 32};
  int16_t a[8], copy[8];
  int8_t b[8], y[8];
  for (int i = 0; i < 8; ++i) {
    a[i] = copy[i] = static_cast<int16_t>(i * 3001 - 9000);
    b[i] = static_cast<int8_t>(i * 9 - 30);
  }
  o2m_mul_s16_s8_s8(copy, b, y, 2, &p);
  o2m_mul_s16_s8_s8(a, b, reinterpret_cast<int8_t *>(a), 2, &p);
  EXPECT_EQ(std::memcmp(a, y, 8), 0);
}

TEST(Mul, RefusesWhatItCannotDo) {
  const o2m_op *op = FindOp("o2m.mul");
  const auto *cases = static_cast<const o2m_cases *>(op->get_extension("o2m.cases/1"));
  TestNode scale(op, *cases->get(0));
  const float tiny = 1e-30f;
  scale.output().quant.scale = &tiny;
  EXPECT_EQ(scale.Infer(), O2M_INVALID_ARGUMENT);
  EXPECT_NE(scale.host().message.find("is too small beside the inputs'"), std::string::npos);
}

}  // namespace
}  // namespace o2m::testing
