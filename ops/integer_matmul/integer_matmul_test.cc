// Against a naive product in 64 bits; every value exactly.
#include "integer_test.hpp"

namespace o2m::testing {
namespace {

// As integer_matmul.cc has them.
struct Params {
  SumParams sums;
  OwnQuant y;
};

std::vector<double> Products(const Sample &s) {
  const auto &sums = ParamsOf<Params>(s.node->get()).sums;
  const o2m_tensor &a = s.node->input(0), &b = s.node->input(1), &y = s.node->output();
  const int64_t depth = Dim(a, 1), n = Dim(y, 1), m = Dim(y, 2);
  std::vector<double> out;
  for (int64_t i = 0; i < ElementCount(y); ++i) {
    const int64_t row = i / n, matrix = ElementCount(b) > depth * n ? row / m * depth * n : 0;
    int64_t sum = sums.bias ? IntegerAt(s, 2, i % n) : 0;
    for (int64_t k = 0; k < depth; ++k)
      sum += IntegerAt(s, 0, row * depth + k) * IntegerAt(s, 1, matrix + k * n + i % n);
    out.push_back(static_cast<double>(Requantised(s, sums.requant, RequantOperand(sums), sum, i % n)));
  }
  return out;
}

TEST(IntegerMatmul, CasesAreExact) { CheckExact("o2m.integer_matmul", Products); }
TEST(IntegerMatmul, RandomCasesAreExact) { CheckRandomExact("o2m.integer_matmul", Products); }

}  // namespace
}  // namespace o2m::testing
