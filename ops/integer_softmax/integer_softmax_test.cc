// Against the formulas in 64 bits; every value exactly.
#include "integer_test.hpp"

namespace o2m::testing {
namespace {

struct Params {
  int32_t kind, levels, group, a, b, c, log2;
  OwnQuant y;
};

using Row = std::vector<int64_t>;

Row SoftmaxRow(const Params &p, const Row &x) {
  const int64_t top = *std::max_element(x.begin(), x.end());
  Row e;
  int64_t sum = 0;
  for (int64_t v : x) {
    const int64_t z = (top - v) / p.log2, at = v - top + z * p.log2 + p.b;
    e.push_back((p.a * at * at + p.c) >> std::min<int64_t>(z, 62));
    sum += e.back();
  }
  for (int64_t &v : e) v = std::min<int64_t>(v * (p.levels - 1) / sum, p.levels - 1);
  return e;
}

int64_t Share(int64_t of, int64_t below) { return of >> std::min<int64_t>((below + 16) / 32, 62); }

Row ItaRow(const Params &p, const Row &x) {
  const bool partial = p.kind == 2;
  const size_t group = partial ? static_cast<size_t>(p.group) : x.size();
  int64_t top = partial ? -128 : *std::max_element(x.begin(), x.end()), sum = 0;
  for (size_t g = 0; g < x.size(); g += group) {
    const int64_t of_group =
        *std::max_element(x.begin() + static_cast<long>(g), x.begin() + static_cast<long>(g + group));
    sum = Share(sum, std::max<int64_t>(of_group - top, 0) > 0 ? of_group - top : -16);
    top = std::max(top, of_group);
    for (size_t i = g; i < g + group; ++i) sum += Share(256, top - x[i]);
  }
  const int64_t inverse = ((partial ? p.levels / 2 : p.levels) - 1) * 256 / std::max<int64_t>(sum, 1);
  Row y;
  for (int64_t v : x) y.push_back(Share(inverse, top - v));
  return y;
}

std::vector<double> Softmaxes(const Sample &s) {
  const auto &p = ParamsOf<Params>(s.node->get());
  const int64_t n = Dim(s.node->input(0), 1);
  std::vector<double> out;
  for (int64_t at = 0; at < ElementCount(s.node->output()); at += n) {
    Row x;
    for (int64_t i = 0; i < n; ++i) x.push_back(IntegerAt(s, 0, at + i));
    for (int64_t v : p.kind == 0 ? SoftmaxRow(p, x) : ItaRow(p, x)) out.push_back(static_cast<double>(v));
  }
  return out;
}

TEST(IntegerSoftmax, CasesAreExact) { CheckExact("o2m.integer_softmax", Softmaxes); }
TEST(IntegerSoftmax, RandomCasesAreExact) { CheckRandomExact("o2m.integer_softmax", Softmaxes); }

}  // namespace
}  // namespace o2m::testing
