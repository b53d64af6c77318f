// The ways to hold weights: those that are exact against dense ones, kernels against plain C, and what infer() refuses.
// clang-format off: op_test.hpp takes over a name that the build gives
#include "op_test.hpp"
// clang-format on
#include "linear_worst.hpp"

namespace o2m::testing {
namespace {

const o2m_op *Op() { return FindOp("o2m.linear"); }
const o2m_cases &CasesOfOp() { return *static_cast<const o2m_cases *>(Op()->get_extension("o2m.cases/1")); }
const o2m_case &CaseNamed(const std::string &name) {
  for (int32_t i = 0; i < CasesOfOp().count; ++i)
    if (CasesOfOp().get(i)->name == name) return *CasesOfOp().get(i);
  ADD_FAILURE() << "no case " << name;
  return *CasesOfOp().get(0);
}

TEST(LinearVariants, ExactOnesGiveTheBytesOfDenseWeightsForEveryTile) {
  int accepted[kLinearVariants] = {};
  for (int32_t i = 0; i < CasesOfOp().count; ++i) {
    TestNode dense(Op(), *CasesOfOp().get(i));
    ASSERT_TRUE(dense.Prepare());
    const Values x = RandomValues(dense.input(0), 4), expected = dense.Run({x});
    for (const int32_t variant : {kSparse, kNonzeros}) {
      SCOPED_TRACE(Str(CasesOfOp().get(i)->name, " ", kLinearVariantNames[variant]));
      TestNode node(Op(), *CasesOfOp().get(i));
      node.get()->variant = variant;
      if (node.Infer() != O2M_OK) continue;
      ++accepted[variant];
      ASSERT_TRUE(node.Prepare());
      for (const int32_t rows : {0, 1, 2, 5}) ASSERT_EQ(node.Run({x}, rows), expected) << "rows " << rows;
    }
  }
  EXPECT_GE(accepted[kSparse], 10);
  EXPECT_GE(accepted[kNonzeros], 10);
}

// A layer as the kernels get it.
struct Layer {
  o2m_linear_params p = {};
  std::vector<int8_t> x, dense, packed, table;
  std::vector<int32_t> bias, multiplier;
  int32_t rows = 1;
  int64_t kept = 0;  // blocks that are not zero
};

// zeros: of 8 blocks of 4 k, about so many are zero; 9: all; 10: all but a few, far apart.
Layer RandomLayer(std::mt19937 &random, int32_t zeros, int32_t variant) {
  const auto below = [&random](uint32_t n) { return static_cast<int32_t>(random() % n); };
  Layer layer;
  o2m_linear_params &p = layer.p;
  p.depth = 1 + below(zeros == 10 ? 1500 : 90), p.columns = 1 + below(21), layer.rows = 1 + below(20);
  p.x_column = 1 + below(2), p.x_row = p.depth * p.x_column + below(3);
  const bool transposed = below(3) == 0;
  p.y_row = transposed ? 1 : p.columns + below(3), p.y_column = transposed ? layer.rows : 1;
  p.y_bytes = 1 << below(3), p.y_zero = below(40) - 20, p.shift = 31 + below(2), p.tile = LinearTile(layer.rows);
  layer.x.resize(static_cast<size_t>(p.x_row * layer.rows + p.depth));
  for (int8_t &v : layer.x) v = static_cast<int8_t>(below(7) ? below(256) : -128);
  layer.dense.resize(static_cast<size_t>(WeightCount(p.depth, p.columns)));
  for (int32_t n = 0; n < p.columns; ++n) {
    for (int32_t b = 0; b < (p.depth + 3) / 4; ++b) {
      if (zeros == 9 || (zeros == 10 ? below(100) > 0 : below(8) < zeros)) continue;
      ++layer.kept;
      for (int32_t k = 4 * b; k < std::min(p.depth, 4 * b + 4); ++k) {
        const int32_t w = below(5) ? below(255) - 127 : 0;
        layer.dense[static_cast<size_t>(n / 4 * WeightCount(p.depth, 4) + 4 * (n % 4) + o2m_linear_at(k))] =
            static_cast<int8_t>(variant == kS4 ? w / 16 * 16 : w);
      }
    }
  }
  for (int32_t n = 0; n < p.columns; ++n) layer.bias.push_back(below(200000) - 100000);
  for (int32_t n = 0; n < p.columns; ++n) layer.multiplier.push_back(below(4000000) | 1);
  for (int i = 0; i < 256; ++i) layer.table.push_back(static_cast<int8_t>((i * 7) % 256 - 128));
  layer.packed = PackedWeights(variant, layer.dense, p.depth, p.columns);
  p.bias = layer.bias.data(), p.multiplier = layer.multiplier.data();
  p.table = p.y_bytes == 1 && below(2) ? layer.table.data() : nullptr;
  return layer;
}

TEST(LinearVariants, KernelsGiveTheBytesOfDenseOnesAndStayInTheirScratch) {
  std::mt19937 random(11);
  for (int i = 0; i < 2000; ++i) {
    const int32_t variant = 1 + i % 3, zeros = i % 11;
    Layer layer = RandomLayer(random, zeros, variant);
    o2m_linear_params p = layer.p;
    std::vector<int32_t> expected(static_cast<size_t>(layer.rows * (p.columns + 3)), 7), got = expected;
    p.weights = layer.dense.data();
    O2M_SYM(o2m_linear_s8)(layer.x.data(), expected.data(), layer.rows, &p, nullptr);
    ASSERT_EQ(DenseWeights(variant, layer.packed.data(), p.depth, p.columns), layer.dense);
    p.weights = layer.packed.data();
    if (variant == kSparse) {
      O2M_SYM(o2m_linear_sparse_s8)(layer.x.data(), got.data(), layer.rows, &p, nullptr);
    } else {
      const o2m_linear_compact_params c = {p, variant == kS4 ? O2M_COMPACT_S4 : O2M_COMPACT_NONZEROS};
      const auto bytes = static_cast<size_t>(o2m_compact_bytes(p.depth));
      std::vector<uint8_t> scratch(bytes + 64, 0x55);
      O2M_SYM(o2m_linear_compact_s8)(layer.x.data(), got.data(), layer.rows, &c, scratch.data());
      for (size_t b = bytes; b < scratch.size(); ++b) ASSERT_EQ(scratch[b], 0x55) << b;
    }
    ASSERT_EQ(got, expected) << kLinearVariantNames[variant] << " " << p.depth << " x " << p.columns << ", "
                             << layer.rows << " rows, zeros " << zeros;
  }
}

// The kernel of a variant on a worst case, y as s32, against sums in 64 bits.
void CheckWorstKernel(TestNode &node, const Values &values) {
  const auto &state = *static_cast<const LinearState *>(node.get()->params);
  const int32_t variant = node.get()->variant, depth = Dim(node.input(1), 2), columns = Dim(node.input(1), 1), rows = 5;
  o2m_linear_params p = {};
  p.depth = p.x_row = depth, p.columns = p.y_row = columns, p.x_column = p.y_column = 1, p.y_bytes = 4, p.tile = 5;
  p.shift = static_cast<int8_t>(state.shifts.shift);
  p.weights = node.Packed<int8_t>(0), p.bias = node.Packed<int32_t>(1), p.multiplier = node.Packed<int32_t>(2);
  const std::vector<int8_t> x(values.begin(), values.end()), dense = DenseWeights(variant, p.weights, depth, columns);
  std::vector<int32_t> y(static_cast<size_t>(rows * columns));
  if (variant == kSparse) {
    O2M_SYM(o2m_linear_sparse_s8)(x.data(), y.data(), rows, &p, nullptr);
  } else {
    const o2m_linear_compact_params c = {p, variant == kS4 ? O2M_COMPACT_S4 : O2M_COMPACT_NONZEROS};
    std::vector<uint8_t> scratch(static_cast<size_t>(o2m_compact_bytes(depth)));
    O2M_SYM(o2m_linear_compact_s8)(x.data(), y.data(), rows, &c, scratch.data());
  }
  for (int32_t i = 0; i < rows * columns; ++i) {
    const int32_t n = i % columns;
    const int8_t *const w = dense.data() + n / 4 * WeightCount(depth, 4) + 4 * (n % 4);
    int64_t acc = p.bias[n];
    for (int32_t k = 0; k < depth; ++k) acc += x[static_cast<size_t>(i / columns * depth + k)] * w[o2m_linear_at(k)];
    ASSERT_EQ(y[static_cast<size_t>(i)], o2m_round_shift(acc * p.multiplier[n], p.shift)) << "output " << i;
  }
}

TEST(LinearVariants, WorstCasesEqualTheOracle) {
  int accepted[kLinearVariants] = {};
  for (int32_t i = 0; i < WorstCases("o2m.linear").count; ++i) {
    for (const int32_t variant : {kSparse, kNonzeros, kS4}) {
      SCOPED_TRACE(Str(WorstCases("o2m.linear").get(i)->name, " ", kLinearVariantNames[variant]));
      TestNode node(Op(), *WorstCases("o2m.linear").get(i));
      node.get()->variant = variant;
      if (node.Infer() != O2M_OK) continue;
      ++accepted[variant];
      ASSERT_TRUE(node.Prepare());
      for (int32_t run = 0; run < kEndRuns; ++run) CheckWorstKernel(node, Ends(node.input(0), run, 0));
    }
  }
  EXPECT_GE(accepted[kSparse], 2);
  EXPECT_GE(accepted[kNonzeros], 2);
  EXPECT_GE(accepted[kS4], 5);
}

// Two bytes per column, five per block; an empty block where a gap is longer than its byte can say.
TEST(LinearVariants, ABlockTakesFiveBytesAndAGapIsBridged) {
  std::mt19937 random(3);
  for (int i = 0; i < 50; ++i) {
    const Layer layer = RandomLayer(random, i % 9, kSparse);
    ASSERT_GE(2 * layer.p.columns + 5 * layer.kept, static_cast<int64_t>(layer.packed.size()));
  }
  std::vector<int8_t> dense(static_cast<size_t>(WeightCount(4 * 200, 1)));
  dense[16 * 199] = 5;  // the last block of the first column
  const std::vector<int8_t> packed = PackedWeights(kSparse, dense, 4 * 200, 1);
  ASSERT_EQ(packed.size(), 2u + 3 * 5);  // after 85 blocks, after 85 more, and the rest
  EXPECT_EQ(packed[0], 3);
  EXPECT_EQ(static_cast<uint8_t>(packed[2]), 255);
  EXPECT_EQ(static_cast<uint8_t>(packed[7]), 255);
  EXPECT_EQ(packed[12], 3 * (199 - 172));
  EXPECT_EQ(packed[13], 5);
}

// Four bits: multiples of 16 on [-112, 112], and columns clipped no worse than not at all.
TEST(LinearVariants, FourBitsRoundTheWeightsAndClipThem) {
  TestNode node(Op(), CaseNamed("bench_64x192x192"));
  node.get()->variant = kS4;
  ASSERT_TRUE(node.Prepare());
  EXPECT_EQ(node.get()->constants[0].count, 192 * 192 / 2);
  const std::vector<int8_t> dense = DenseWeights(kS4, node.Packed<int8_t>(0), 192, 192);
  for (const int8_t w : dense) ASSERT_TRUE(w % 16 == 0 && w >= -112 && w <= 112);
  const float *w = Floats(node.input(1));
  LinearLayer layer;
  layer.weights = w, layer.depth = layer.columns = 192, layer.step = 16, layer.y_scale = 0.05, layer.x_scale = 0.05;
  for (int64_t n = 0; n < 192; ++n) {
    double largest = 0, clipped = 0, whole = 0;
    for (int64_t k = 0; k < 192; ++k) largest = std::fmax(largest, std::fabs(w[k * 192 + n]));
    const double scale = Clipped(layer, n) / 112;
    for (int64_t k = 0; k < 192; ++k) {
      const double v = w[k * 192 + n];
      clipped += std::pow(v - scale * Quantized(layer, v, scale), 2);
      whole += std::pow(v - largest / 112 * Quantized(layer, v, largest / 112), 2);
      ASSERT_EQ(dense[static_cast<size_t>((n / 4 * 48 + k / 4) * 16 + n % 4 * 4 + k % 4)], Quantized(layer, v, scale));
    }
    ASSERT_LE(clipped, whole * 1.0001);
  }
}

std::string Refusal(const std::string &name, int32_t variant) {
  TestNode node(Op(), CaseNamed(name));
  node.get()->variant = variant;
  return node.Infer() == O2M_OK ? "" : node.host().message;
}

TEST(LinearVariants, AreOfferedWhereTheySuit) {
  EXPECT_EQ(Refusal("sparse", kSparse), "");
  EXPECT_EQ(Refusal("two_of_four", kNonzeros), "");
  EXPECT_EQ(Refusal("tokens", kS4), "");
  EXPECT_EQ(Refusal("tokens", kSparse), "too few zeros for sparse_1x4 weights: 1008 B, dense 768 B");
  EXPECT_NE(Refusal("tokens", kNonzeros), "");
  EXPECT_EQ(Refusal("s16_to_s8", kS4), "s4 weights need an s8 input");
  EXPECT_EQ(Refusal("tokens", 9), "there is no variant 9");
}

// Without data a node that was counted is sized from that, a part of it in proportion; one that was not is refused.
TEST(LinearVariants, ArePricedWithoutData) {
  TestNode node(Op(), CaseNamed("sparse"));
  node.get()->variant = kSparse;
  const void *data = node.input(1).data;
  node.input(1).data = nullptr;
  EXPECT_NE(node.Infer(), O2M_OK);
  EXPECT_EQ(node.host().message, "sparse_1x4 weights need values to count");
  node.input(1).data = data;
  ASSERT_EQ(node.Infer(), O2M_OK);
  const int64_t whole = node.get()->constants[0].count;
  EXPECT_EQ(whole, 24 * (2 + 4 * 5));
  node.input(1).data = nullptr;
  ASSERT_EQ(node.Infer(), O2M_OK);
  EXPECT_EQ(node.get()->constants[0].count, whole);
  node.input(1).dims[1] = node.input(2).dims[0] = 8;
  ASSERT_EQ(node.Infer(), O2M_OK);
  EXPECT_EQ(node.get()->constants[0].count, whole / 3);
}

}  // namespace
}  // namespace o2m::testing
