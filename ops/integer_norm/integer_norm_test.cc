// Against the formula in 64 bits; every value exactly.
#include "integer_test.hpp"

namespace o2m::testing {
namespace {

struct Params {
  int32_t centred, largest;
  int64_t div, low, high;
  OwnQuant y;
};

std::vector<double> Normalised(const Sample &s) {
  const auto &p = ParamsOf<Params>(s.node->get());
  const int64_t n = Dim(s.node->input(0), 1);
  const bool bias = s.node->get()->input_count > 2;
  std::vector<double> out;
  for (int64_t at = 0; at < ElementCount(s.node->output()); at += n) {
    int64_t sum = 0, squares = 0, root = 0;
    for (int64_t i = 0; i < n; ++i) sum += IntegerAt(s, 0, at + i);
    const int64_t mean = p.centred ? sum / n : 0;
    for (int64_t i = 0; i < n; ++i) squares += (IntegerAt(s, 0, at + i) - mean) * (IntegerAt(s, 0, at + i) - mean);
    while ((root + 1) * (root + 1) <= squares / n + 1) ++root;
    for (int64_t i = 0; i < n; ++i) {
      const int64_t v = (IntegerAt(s, 0, at + i) - mean) * IntegerAt(s, 1, i) / root + (bias ? IntegerAt(s, 2, i) : 0);
      out.push_back(static_cast<double>(std::min(std::max(FloorOf(v, p.div), p.low), p.high)));
    }
  }
  return out;
}

TEST(IntegerNorm, CasesAreExact) { CheckExact("o2m.integer_norm", Normalised); }
TEST(IntegerNorm, RandomCasesAreExact) { CheckRandomExact("o2m.integer_norm", Normalised); }

}  // namespace
}  // namespace o2m::testing
