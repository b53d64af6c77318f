#include "integer_test.hpp"

namespace o2m::testing {
namespace {

struct Params {
  int32_t kind;
  uint32_t axes;
  int32_t keepdims;
  OwnQuant y;
};

std::vector<double> Reduced(const Sample &s) {
  const auto &p = ParamsOf<Params>(s.node->get());
  const o2m_tensor &x = s.node->input(0);
  std::vector<std::vector<int64_t>> seen(static_cast<size_t>(ElementCount(s.node->output())));
  for (int64_t n = 0; n < ElementCount(x); ++n) {
    int64_t rest = n, at = 0, size = 1;
    for (int32_t i = x.rank - 1; i >= 0; --i) {
      if (!(p.axes >> i & 1)) at += rest % x.dims[i] * size, size *= x.dims[i];
      rest /= x.dims[i];
    }
    seen[static_cast<size_t>(at)].push_back(IntegerAt(s, 0, n));
  }
  std::vector<double> out;
  for (const auto &values : seen) {
    int64_t sum = 0;
    for (int64_t v : values) sum += v;
    const auto count = static_cast<int64_t>(values.size());
    if (p.kind == 0) sum = FloorOf(2 * sum + count, 2 * count);
    if (p.kind == 2) sum = *std::max_element(values.begin(), values.end());
    out.push_back(static_cast<double>(sum));
  }
  return out;
}

TEST(IntegerReduce, CasesAreExact) { CheckExact("o2m.integer_reduce", Reduced); }
TEST(IntegerReduce, RandomCasesAreExact) { CheckRandomExact("o2m.integer_reduce", Reduced); }

}  // namespace
}  // namespace o2m::testing
