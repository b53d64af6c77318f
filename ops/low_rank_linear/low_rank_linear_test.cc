// The two layers against a naive oracle, bit by bit, and against real arithmetic.
#include "o2m_fixedpoint.h"
#include "op_test.hpp"

namespace o2m::testing {
namespace {

const o2m_op *Op() { return FindOp("o2m.low_rank_linear"); }
const o2m_cases &AllCases() { return *static_cast<const o2m_cases *>(Op()->get_extension("o2m.cases/1")); }

struct Shifts {
  int32_t shift, acc_shift;
};

// One row of a layer from packed constants: `slot`, weights; then bias, multipliers.
std::vector<int64_t> Layer(const TestNode &node, int slot, Shifts shifts, const std::vector<int64_t> &x,
                           int64_t columns) {
  const auto depth = static_cast<int64_t>(x.size()), blocks = (depth + 3) / 4;
  std::vector<int64_t> y;
  for (int64_t n = 0; n < columns; ++n) {
    int64_t acc = node.Packed<int32_t>(slot + 1)[n];
    for (int64_t k = 0; k < depth; ++k)
      acc += x[static_cast<size_t>(k)] * node.Packed<int8_t>(slot)[((n / 4 * blocks + k / 4) * 4 + n % 4) * 4 + k % 4];
    if (shifts.acc_shift > 0) acc = o2m_round_shift(acc, shifts.acc_shift);
    y.push_back(o2m_round_shift(acc * node.Packed<int32_t>(slot + 2)[n], shifts.shift));
  }
  return y;
}

Values Oracle(TestNode &node, const Values &x) {
  const auto *shifts = static_cast<const Shifts *>(node.get()->params);
  const o2m_tensor &y = node.output();
  const int64_t depth = Dim(node.input(0), 1), rows = ElementCount(node.input(0)) / depth;
  Values result;
  for (int64_t r = 0; r < rows; ++r) {
    const std::vector<int64_t> row(x.begin() + r * depth, x.begin() + (r + 1) * depth);
    const std::vector<int64_t> middle = Layer(node, 0, shifts[0], row, Dim(node.input(1), 1));
    for (int64_t m : middle) EXPECT_LE(std::llabs(m), 32767);  // the scale is safe
    for (int64_t q : Layer(node, 3, shifts[1], middle, Dim(node.input(2), 1))) {
      const int64_t low = LowOf(y.dtype), high = HighOf(y.dtype);
      result.push_back(static_cast<int32_t>(std::min(std::max(q + ZeroPointOf(y), low), high)));
    }
  }
  return result;
}

TEST(LowRankLinear, EveryCaseEqualsTheOracleForEveryTile) {
  ASSERT_GE(AllCases().count, 12);
  for (int32_t i = 0; i < AllCases().count; ++i) {
    SCOPED_TRACE(AllCases().get(i)->name);
    TestNode node(Op(), *AllCases().get(i));
    ASSERT_TRUE(node.Prepare());
    for (uint32_t seed = 1; seed <= 3; ++seed) {
      const Values x = RandomValues(node.input(0), seed), expected = Oracle(node, x);
      for (int32_t rows : {0, 1, 2, 4}) ASSERT_EQ(node.Run({x}, rows), expected) << "rows " << rows;
    }
  }
}

TEST(LowRankLinear, RandomCasesEqualTheOracle) {
  ForEachRandomCase("o2m.low_rank_linear", [](Sample &s) {
    const Values expected = Oracle(*s.node, s.inputs[0]);
    ASSERT_EQ(s.node->Run(s.inputs), expected);
    ASSERT_EQ(s.node->Run(s.inputs, 3), expected);
  });
}

// The middle is finer than s8 would be: extreme rows, which use its whole range, do not saturate.
TEST(LowRankLinear, ExtremeRowsStayInTheMiddleRange) {
  TestNode node(Op(), *AllCases().get(0));
  ASSERT_TRUE(node.Prepare());
  for (int32_t value : {-128, 127}) {
    const Values x(static_cast<size_t>(ElementCount(node.input(0))), value);
    EXPECT_EQ(node.Run({x}), Oracle(node, x));
  }
}

// x U V + b in real arithmetic: s8 weights dominate the error, the s16 middle adds little.
TEST(LowRankLinear, CloseToRealArithmetic) {
  double squares = 0, signal = 0;
  for (int32_t i = 0; i < AllCases().count; ++i) {
    TestNode node(Op(), *AllCases().get(i));
    ASSERT_TRUE(node.Prepare());
    const Sample s = {&node, {RandomValues(node.input(0), 4)}};
    const Values y = node.Run(s.inputs);
    const int64_t k = Dim(node.input(1), 2), rank = Dim(node.input(1), 1), columns = Dim(node.input(2), 1);
    for (int64_t o = 0; o < static_cast<int64_t>(y.size()); ++o) {
      const int64_t row = o / columns, n = o % columns;
      double real = node.get()->input_count > 3 ? s.Real(3, n) : 0;
      for (int64_t j = 0; j < rank; ++j) {
        double middle = 0;
        for (int64_t d = 0; d < k; ++d) middle += s.Real(0, row * k + d) * s.Real(1, d * rank + j);
        real += middle * s.Real(2, j * columns + n);
      }
      const o2m_tensor &out = node.output();
      if (y[static_cast<size_t>(o)] == LowOf(out.dtype) || y[static_cast<size_t>(o)] == HighOf(out.dtype)) continue;
      const double got = double{ScaleOf(out)} * (y[static_cast<size_t>(o)] - ZeroPointOf(out));
      squares += std::pow((got - real) / ScaleOf(out), 2) * (out.dtype == O2M_S8);
      signal += std::pow(real / ScaleOf(out), 2) * (out.dtype == O2M_S8);
    }
  }
  std::printf("o2m.low_rank_linear: SQNR %.1f dB\n", 10 * std::log10(signal / squares));
  EXPECT_GE(10 * std::log10(signal / squares), 35);
}

TEST(LowRankLinear, WorstCasesEqualTheOracle) {
  ForEachWorstCase("o2m.low_rank_linear", [](Sample &s) {
    const Values expected = Oracle(*s.node, s.inputs[0]);
    ASSERT_EQ(s.node->Run(s.inputs), expected);
    ASSERT_EQ(s.node->Run(s.inputs, 1), expected);
  });
}

TEST(LowRankLinear, RefusesWhatLiesBeyondTheWorstCases) {
  EXPECT_EQ(
      Refusal("o2m.low_rank_linear", "deepest",
              [](TestNode &node) { ++node.input(0).dims[2], ++node.input(1).dims[0], node.input(1).data = nullptr; }),
      "the layer sums 30001 products; at most 30000 would work");
  EXPECT_NE(RefusalOfFinerOutput("o2m.low_rank_linear", "finest").find("is too small for these weights"),
            std::string::npos);
}

// Pruning may leave nothing of a factor: y is the bias then, whatever V holds.
TEST(LowRankLinear, AFactorOfZerosLeavesTheBias) {
  TestNode node(Op(), *AllCases().get(0));
  const std::vector<float> zeros(static_cast<size_t>(ElementCount(node.input(1))));
  node.input(1).data = zeros.data();
  ASSERT_TRUE(node.Prepare());
  const Values x = RandomValues(node.input(0), 2), y = node.Run({x});
  EXPECT_EQ(y, Oracle(node, x));
  for (size_t i = 0; i < y.size(); ++i) {
    const double exact = Floats(node.input(3))[i % 24] / ScaleOf(node.output()) + ZeroPointOf(node.output());
    ASSERT_LE(std::fabs(y[i] - exact), 0.501);
  }
}

TEST(LowRankLinear, ScratchHoldsTheTilesMiddle) {
  TestNode node(Op(), *AllCases().get(0));
  ASSERT_TRUE(node.Prepare());
  EXPECT_EQ(node.Memory(1).scratch_bytes, 2 * 6);
  EXPECT_EQ(node.Memory(4).scratch_bytes, 4 * 2 * 6);
}

TEST(LowRankLinear, RefusesFactorsThatDoNotFit) {
  TestNode node(Op(), *AllCases().get(0));
  node.input(2).dims[0] = 7;
  EXPECT_EQ(node.Infer(), O2M_INVALID_ARGUMENT);
  EXPECT_EQ(node.host().message,
            "input 0 [1, 9, 32] and the factors [32, 6] and [7, 24] do not fit; [.., K], [K, r] and [r, N] would work");
}

}  // namespace
}  // namespace o2m::testing
