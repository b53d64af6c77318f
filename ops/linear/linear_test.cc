// The linear kernels against a naive oracle, bit by bit, and against real arithmetic.
#include "op_test.hpp"
// op_test.hpp first: it takes the plugin's path out of the way
#include "linear_host.hpp"
#include "linear_worst.hpp"
#include "o2m_fixedpoint.h"

namespace o2m::testing {
namespace {

const o2m_op *Op() { return FindOp("o2m.linear"); }
const o2m_cases &CasesOfOp() { return *static_cast<const o2m_cases *>(Op()->get_extension("o2m.cases/1")); }

int32_t Weight(TestNode &node, int64_t k, int64_t n) {
  const int64_t blocks = (Dim(node.input(1), 2) + 3) / 4;
  return node.Packed<int8_t>(0)[((n / 4 * blocks + k / 4) * 4 + n % 4) * 4 + k % 4];
}

// What the kernel's header promises, one output at a time, from the packed constants.
Values Oracle(TestNode &node, const Values &x) {
  const auto *shifts = static_cast<const int32_t *>(node.get()->params);  // shift, acc_shift
  const o2m_tensor &y = node.output();
  const o2m_epilogue *table = node.get()->epilogue;
  const int32_t zero_point = table ? table->in.zero_point[0] : ZeroPointOf(y);
  const int64_t depth = Dim(node.input(1), 2), columns = Dim(node.input(1), 1);
  Values result;
  for (int64_t i = 0; i < ElementCount(y); ++i) {
    const int64_t row = i / columns, n = i % columns;
    int64_t acc = node.Packed<int32_t>(1)[n];
    for (int64_t k = 0; k < depth; ++k) acc += x[static_cast<size_t>(row * depth + k)] * Weight(node, k, n);
    if (shifts[1] > 0) acc = o2m_round_shift(acc, shifts[1]);
    int64_t q = zero_point + o2m_round_shift(acc * node.Packed<int32_t>(2)[n], shifts[0]);
    if (y.dtype != O2M_S32) q = std::min<int64_t>(std::max<int64_t>(q, LowOf(y.dtype)), HighOf(y.dtype));
    result.push_back(table ? table->table[q + 128] : static_cast<int32_t>(q));
  }
  return result;
}

TEST(Linear, EveryCaseEqualsTheOracleForEveryTile) {
  ASSERT_GE(CasesOfOp().count, 16);
  for (int32_t i = 0; i < CasesOfOp().count; ++i) {
    SCOPED_TRACE(CasesOfOp().get(i)->name);
    TestNode node(Op(), *CasesOfOp().get(i));
    ASSERT_TRUE(node.Prepare());
    for (uint32_t seed = 1; seed <= 3; ++seed) {
      const Values x = RandomValues(node.input(0), seed), expected = Oracle(node, x);
      for (int32_t rows : {0, 1, 2, 4}) ASSERT_EQ(node.Run({x}, rows), expected) << "rows " << rows;
    }
  }
}

// The machine that validates has a kernel of its own: the bytes of the one that is shipped.
TEST(Linear, HostGivesTheBytesOfScalarC) {
  std::mt19937 random(3);
  const auto below = [&random](uint32_t n) { return static_cast<int32_t>(random() % n); };
  for (int i = 0; i < 300; ++i) {
    const int32_t depth = 1 + below(90), columns = 1 + below(30), rows = 1 + below(20), padded = (depth + 3) & ~3;
    std::vector<int8_t> x(static_cast<size_t>(2 * depth * rows)), weights(static_cast<size_t>(padded * (columns + 3)));
    std::vector<int32_t> bias(columns), multiplier(columns);
    for (int8_t &v : x) v = static_cast<int8_t>(i % 9 == 0 ? -128 : below(256));
    for (int8_t &v : weights) v = static_cast<int8_t>(i % 9 == 0 ? -127 : below(255) - 127);
    for (int32_t &v : bias) v = below(200000) - 100000;
    for (int32_t &v : multiplier) v = below(4000000) | 1;
    o2m_linear_params p = {};
    p.depth = depth, p.columns = columns, p.x_column = 1 + i % 2, p.x_row = depth * p.x_column;
    p.y_row = i % 3 ? columns : 1, p.y_column = i % 3 ? 1 : rows, p.y_bytes = 1 << i % 3, p.shift = 31 + i % 4;
    p.weights = weights.data(), p.bias = bias.data(), p.multiplier = multiplier.data(), p.y_zero = below(20);
    std::vector<int32_t> host(rows * columns, 7), scalar = host;
    LinearS8OnHost(x.data(), host.data(), rows, &p, nullptr);
    O2M_SYM(o2m_linear_s8)(x.data(), scalar.data(), rows, &p, nullptr);
    ASSERT_EQ(host, scalar) << depth << " " << columns << " " << rows;
  }
}

TEST(Linear, TableIsAppliedAfterRequantisation) {
  int8_t table[256];
  for (int i = 0; i < 256; ++i) table[i] = static_cast<int8_t>((i * 7) % 256 - 128);
  const float scale = 0.03f;
  const int32_t zero_point = 11;
  const o2m_epilogue epilogue = {{&scale, &zero_point, 1, O2M_NONE}, table};
  TestNode node(Op(), *CasesOfOp().get(0));
  node.get()->epilogue = &epilogue;
  ASSERT_TRUE(node.Prepare());
  const Values x = RandomValues(node.input(0), 5);
  EXPECT_EQ(node.Run({x}), Oracle(node, x));
}

// y = x W + b in real arithmetic, W as the op rounds it: half an LSB, half a unit of the bias, of the accumulator where
// it is shifted, and the multiplier's error.
void CheckAgainstReal(TestNode &node, const Values &x, const Values &y) {
  const o2m_tensor &in = node.input(0), &out = node.output();
  const float *w = Floats(node.input(1)), *b = node.get()->input_count > 2 ? Floats(node.input(2)) : nullptr;
  const int64_t depth = Dim(node.input(1), 2), columns = Dim(node.input(1), 1);
  int64_t inside = 0;
  for (size_t i = 0; i < y.size(); ++i) {
    const int64_t row = static_cast<int64_t>(i) / columns, n = static_cast<int64_t>(i) % columns;
    double largest = 0, real = b ? b[n] : 0;
    for (int64_t k = 0; k < depth; ++k) largest = std::fmax(largest, std::fabs(w[k * columns + n]));
    for (int64_t k = 0; k < depth; ++k) {
      const double weight = Weight(node, k, n) * largest / 127;
      ASSERT_LE(std::fabs(weight - w[k * columns + n]), 0.501 * largest / 127);
      real += ScaleOf(in) * (x[static_cast<size_t>(row * depth + k)] - ZeroPointOf(in)) * weight;
    }
    const double expected = real / ScaleOf(out) + ZeroPointOf(out);
    const bool saturates = out.dtype != O2M_S32 && (expected < LowOf(out.dtype) || expected > HighOf(out.dtype));
    if (saturates) continue;
    ++inside;
    const double acc_units = 1 << static_cast<const int32_t *>(node.get()->params)[1];
    const double acc_unit = ScaleOf(in) * largest / 127 / ScaleOf(out);
    ASSERT_NEAR(y[i], expected,
                0.502 + 0.5 * acc_unit * (acc_units > 1 ? acc_units + 1 : 1) + 1e-6 * std::fabs(expected))
        << "output " << i;
  }
  EXPECT_GT(inside, 0);
}

// The layer in real arithmetic, weights as their column's scale holds them; the bias too, where that is asked for: an
// output finer than the accumulator's unit shows its rounding.
std::vector<double> RealLayer(const Sample &s, bool rounded_bias = false) {
  TestNode &node = *s.node;
  const o2m_tensor &in = node.input(0), *bias = node.get()->input_count > 2 ? &node.input(2) : nullptr;
  const int64_t depth = Dim(node.input(1), 2), columns = Dim(node.input(1), 1);
  LinearLayer layer;
  layer.x_scale = ScaleOf(in), layer.y_scale = ScaleOf(node.output());
  layer.bias = bias ? Floats(*bias) : nullptr, layer.bias_count = bias ? ElementCount(*bias) : 0;
  std::vector<double> units, real;
  for (int64_t n = 0; n < columns; ++n) {
    double largest = 0;
    for (int64_t k = 0; k < depth; ++k) largest = std::fmax(largest, std::fabs(Floats(node.input(1))[k * columns + n]));
    units.push_back(WeightScale(layer, largest, layer.Bias(n)) * layer.x_scale);
  }
  for (int64_t i = 0; i < ElementCount(node.output()); ++i) {
    int64_t sum = 0;
    for (int64_t k = 0; k < depth; ++k)
      sum +=
          (s.inputs[0][static_cast<size_t>(i / columns * depth + k)] - ZeroPointOf(in)) * Weight(node, k, i % columns);
    const double unit = units[static_cast<size_t>(i % columns)], b = layer.Bias(i % columns);
    real.push_back(static_cast<double>(sum) * unit + (rounded_bias ? std::floor(b / unit + 0.5) * unit : b));
  }
  return real;
}

TEST(Linear, ErrorsOfRandomCasesWhichEqualTheOracle) {
  Errors errors;
  ForEachRandomCase("o2m.linear", [&](Sample &s) {
    const Values y = s.node->Run(s.inputs), expected = Oracle(*s.node, s.inputs[0]);
    ASSERT_EQ(y, expected);
    ASSERT_EQ(s.node->Run(s.inputs, 3), expected);
    if (s.node->output().dtype != O2M_S32) errors.Add(s.node->output(), y, RealLayer(s));
    ASSERT_LE(errors.steps, 1);
  });
  errors.Print("o2m.linear, random cases");
}

TEST(Linear, ErrorsOfWorstCasesWhichEqualTheOracle) {
  Errors errors;
  ForEachWorstCase("o2m.linear", [&](Sample &s) {
    const Values y = s.node->Run(s.inputs), expected = Oracle(*s.node, s.inputs[0]);
    ASSERT_EQ(y, expected);
    ASSERT_EQ(s.node->Run(s.inputs, 1), expected);
    errors.Add(s.node->output(), y, RealLayer(s, true));
    if (errors.steps > 1) s.node->Describe();
    ASSERT_LE(errors.steps, 1);
  });
  errors.Print("o2m.linear, worst cases");
}

TEST(Linear, RefusesWhatLiesBeyondTheWorstCases) {
  const auto deeper = [](TestNode &node) { ++node.input(0).dims[2], ++node.input(1).dims[0]; };
  EXPECT_EQ(testing::Refusal("o2m.linear", "deepest_s8", [](TestNode &) {}), "");
  EXPECT_EQ(testing::Refusal("o2m.linear", "deepest_s8", deeper),
            "the layer sums 30001 products; at most 30000 would work");
  for (const char *name : {"deepest_s32", "shallowest_s32", "s16_1", "s16_480", "s16_20000"})
    EXPECT_NE(RefusalOfFinerOutput("o2m.linear", name).find("is too small for these weights"), std::string::npos);
  EXPECT_EQ(testing::Refusal("o2m.linear", "s16_to_s16_20000",
                             [](TestNode &node) {
                               static const int32_t beyond = -FarthestZero(20000) - 1;
                               node.input(0).quant.zero_point = &beyond;
                             }),
            "the input is s16 with zero point -816; zero point 0 would work");
}

TEST(Linear, WithinHalfAnLsbOfTheRealResult) {
  for (int32_t i = 0; i < CasesOfOp().count; ++i) {
    SCOPED_TRACE(CasesOfOp().get(i)->name);
    TestNode node(Op(), *CasesOfOp().get(i));
    ASSERT_TRUE(node.Prepare());
    const Values x = RandomValues(node.input(0), 9);
    CheckAgainstReal(node, x, node.Run({x}));
  }
}

// The parts of a split by columns, side by side, are the whole.
TEST(Linear, SplitByColumnsGivesTheSameWeights) {
  const auto *splitter = static_cast<const o2m_splitter *>(Op()->get_extension("o2m.split/1"));
  TestNode whole(Op(), *CasesOfOp().get(0));
  ASSERT_TRUE(whole.Prepare());
  o2m_split split;
  ASSERT_EQ(splitter->split(whole.get(), 0, &split), O2M_OK);
  EXPECT_EQ(split.parts, 2);
  EXPECT_EQ(split.input_axis[0], O2M_NONE);
  EXPECT_EQ(split.input_axis[1], 1);
  EXPECT_EQ(split.input_axis[2], 0);
  EXPECT_EQ(split.output_axis[0], 2);
  int32_t choices = 0;
  while (splitter->split(whole.get(), choices, &split) == O2M_OK) ++choices;
  EXPECT_EQ(choices, 6);  // 24 columns: 2, 3, 4, 6, 8, 12
}

std::string Refusal(void (*change)(TestNode &)) {
  TestNode node(Op(), *CasesOfOp().get(0));
  change(node);
  return node.Infer() == O2M_INVALID_ARGUMENT ? node.host().message : "";
}

TEST(Linear, RefusesWhatItCannotServe) {
  static const float tiny = 1e-12f;
  EXPECT_EQ(Refusal([](TestNode &) {}), "");
  EXPECT_EQ(Refusal([](TestNode &n) { n.input(0).dtype = O2M_F32; }), "input 0 is f32; s8 or s16 would work");
  EXPECT_EQ(Refusal([](TestNode &n) { n.input(0).dims[2] = 31; }),
            "input 0 [1, 9, 31] does not fit the weights [32, 24]; its last dim must be K");
  EXPECT_EQ(Refusal([](TestNode &n) { n.input(2).dims[0] = 23; }),
            "input 2, the bias, must be a constant f32 of 24 values, not [23]");
  EXPECT_EQ(Refusal([](TestNode &n) { n.output().dtype = O2M_U8; }),
            "output 0 cannot be u8; s8, s16 or s32 would work");
  static const int32_t low = -129, high = 32768;
  EXPECT_EQ(Refusal([](TestNode &n) { n.input(0).quant.zero_point = &low; }),
            "input 0 has zero point -129; -128 to 127 would work");
  EXPECT_EQ(Refusal([](TestNode &n) { n.output().dtype = O2M_S32, n.output().quant.zero_point = &high; }),
            "output 0 has zero point 32768; -32768 to 32767 would work");
  EXPECT_NE(Refusal([](TestNode &n) { n.output().quant.scale = &tiny; }).find("is too small"), std::string::npos);
}

// Weights of a quantised model keep their integers, whatever their scale and largest magnitude.
TEST(WeightGrid, FindsTheStepOfAQuantisedColumn) {
  Random random(5);
  for (int32_t largest : {3, 40, 63, 64, 100, 127}) {
    std::vector<float> w;
    for (int32_t i = 0; i < 24; ++i) w.push_back(0.0123f * static_cast<float>(random.Below(2 * largest + 1) - largest));
    w[7] = 0.0123f * static_cast<float>(largest);
    const double step = GridStep(w.data(), 24, 1);
    ASSERT_GT(step, 0) << largest;
    for (float v : w) EXPECT_NEAR(v / step, std::nearbyint(v / step), 0.01) << largest;
    EXPECT_LE(0.0123 * largest / step, 127.01);
  }
  std::vector<float> floats;
  for (int32_t i = 0; i < 24; ++i) floats.push_back(static_cast<float>(random.Scale(0.01, 1)));
  EXPECT_EQ(GridStep(floats.data(), 24, 1), 0);
}

TEST(WeightGrid, FindsTheZeroPointOfAQuantisedTensor) {
  std::vector<float> values;
  for (int32_t q = -128; q < 128; q += 3) values.push_back(0.02f * static_cast<float>(q + 40));
  values.push_back(0.02f * (127 + 40));
  float scale = 0;
  int32_t zero = 0;
  ASSERT_TRUE(AsymmetricGrid(values.data(), static_cast<int64_t>(values.size()), &scale, &zero));
  for (float v : values) {
    const double q = v / scale + zero;
    EXPECT_NEAR(q, std::nearbyint(q), 0.02);
    EXPECT_TRUE(q > -128.1 && q < 127.1) << q;
  }
}

}  // namespace
}  // namespace o2m::testing
