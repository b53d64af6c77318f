#include "integer_test.hpp"

namespace o2m::testing {
namespace {

struct Params {
  int32_t first;
  OwnQuant y;
};

std::vector<double> LookedUp(const Sample &s) {
  const int64_t first = ParamsOf<Params>(s.node->get()).first;
  std::vector<double> out;
  for (int32_t x : s.inputs[0])
    out.push_back(static_cast<double>(IntegerAt(s, 1, std::min<int64_t>(std::max<int64_t>(x - first, 0), 255))));
  return out;
}

TEST(IntegerTable, CasesAreExact) { CheckExact("o2m.integer_table", LookedUp); }
TEST(IntegerTable, RandomCasesAreExact) { CheckRandomExact("o2m.integer_table", LookedUp); }

}  // namespace
}  // namespace o2m::testing
