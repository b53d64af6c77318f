// The kernel against real arithmetic.
#include "op_test.hpp"

namespace o2m::testing {
namespace {

std::vector<double> RealLogSoftmax(const Sample &s) {
  const o2m_tensor &x = s.node->input(0);
  const int64_t c = Dim(x, 1), rows = ElementCount(x) / c;
  std::vector<double> y;
  for (int64_t r = 0; r < rows; ++r) {
    double largest = s.Real(0, r * c), sum = 0;
    for (int64_t i = 0; i < c; ++i) largest = std::fmax(largest, s.Real(0, r * c + i));
    for (int64_t i = 0; i < c; ++i) sum += std::exp(s.Real(0, r * c + i) - largest);
    for (int64_t i = 0; i < c; ++i) y.push_back(s.Real(0, r * c + i) - largest - std::log(sum));
  }
  return y;
}

TEST(LogSoftmax, CasesAreRoundedOnce) { CheckCases("o2m.log_softmax", 0.53, RealLogSoftmax); }

TEST(LogSoftmax, ErrorsOfRandomCases) { CheckRandomCases("o2m.log_softmax", RealLogSoftmax); }

}  // namespace
}  // namespace o2m::testing
