// Against the formulas in 64 bits; every value exactly.
#include "integer_test.hpp"

namespace o2m::testing {
namespace {

// As integer_elementwise.cc has them.
struct Params {
  RequantParams requant;
  int32_t kind, binary, delta, eps, eta, bound, one, three, six, one_over_six;
  o2m_dtype constant;
  OwnQuant y;
};

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

int64_t Function(const Params &p, int64_t a, int64_t b) {
  switch (p.kind) {
    case 1:
      return a + b;
    case 2:
      return a - b;
    case 3:
      return a * b;
    case 4: {
      const int64_t by = b * p.eta + p.eps, of = a * p.delta * p.eta;
      return by == 0 ? 0 : FloorOf(by > 0 ? 2 * of + by : -2 * of - by, by > 0 ? 2 * by : -2 * by);
    }
    case 5: {
      const int64_t q = std::min<int64_t>(std::abs(a), -p.bound) + p.bound, sign = (a > 0) - (a < 0);
      return a * FloorOf(p.one + sign * (p.one - q * q), 2);
    }
    case 6:
      return a * std::min<int64_t>(std::max<int64_t>(a + p.three, 0), p.six) * p.one_over_six;
    default:
      return a;
  }
}

std::vector<double> Values64(const Sample &s) {
  const auto &p = ParamsOf<Params>(s.node->get());
  const o2m_tensor &y = s.node->output();
  const auto at = [&](int i, int64_t n) { return IntegerAt(s, i, BroadcastIndex(y, s.node->input(i), n)); };
  const int factors = p.binary ? 2 : 1;
  std::vector<double> out;
  for (int64_t n = 0; n < ElementCount(y); ++n) {
    int64_t v = Function(p, at(0, n), p.binary ? at(1, n) : 0);
    if (p.requant.on) {
      const int64_t scaled = v * at(factors, n) + at(factors + 1, n), div = p.requant.div;
      v = p.requant.round ? FloorOf(2 * scaled + div, 2 * div) : FloorOf(scaled, div);
      v = std::min(std::max(v, p.requant.low), p.requant.high);
    }
    out.push_back(static_cast<double>(static_cast<int32_t>(v)));
  }
  return out;
}

TEST(IntegerElementwise, CasesAreExact) { CheckExact("o2m.integer_elementwise", Values64); }
TEST(IntegerElementwise, RandomCasesAreExact) { CheckRandomExact("o2m.integer_elementwise", Values64); }

}  // namespace
}  // namespace o2m::testing
