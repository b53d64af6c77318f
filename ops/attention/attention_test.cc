// The attention kernel against a naive integer oracle, bit by bit, and against real softmax attention.
#include "op_test.hpp"
// op_test.hpp first: it takes the plugin's path out of the way
#include "attention_worst.hpp"
#include "o2m_attention_scalar.h"
#include "o2m_fixedpoint.h"

namespace o2m::testing {
namespace {

const o2m_op *Op() { return FindOp("o2m.attention"); }
const o2m_cases &AllCases() { return *static_cast<const o2m_cases *>(Op()->get_extension("o2m.cases/1")); }
const o2m_case &CaseNamed(const std::string &name) {
  for (int32_t i = 0; i < AllCases().count; ++i) {
    if (AllCases().get(i)->name == name) return *AllCases().get(i);
  }
  ADD_FAILURE() << "no case " << name;
  return *AllCases().get(0);
}

// Dense index of element [head][row][column]; a tensor with no heads repeats.
size_t At(const o2m_tensor &t, int64_t head, int64_t row, int64_t column) {
  const int64_t heads = ElementCount(t) / Dim(t, 1) / Dim(t, 2);
  const int64_t h = heads == 1 ? 0 : head, r = Dim(t, 2) == 1 ? 0 : row;
  return static_cast<size_t>((h * Dim(t, 2) + r) * Dim(t, 1) + column);
}

struct Query {
  TestNode *node;
  const std::vector<Values> *in;
  int64_t head, row;
  int32_t Q(int64_t p) const { return (*in)[0][At(node->input(0), head, row, p)] - ZeroPointOf(node->input(0)); }
  int32_t K(int64_t p, int64_t m) const {
    return (*in)[1][At(node->input(1), head, p, m)] - ZeroPointOf(node->input(1));
  }
  int32_t V(int64_t m, int64_t r) const {
    return (*in)[2][At(node->input(2), head, m, r)] - ZeroPointOf(node->input(2));
  }
  double Mask(int64_t m) const {
    return node->get()->input_count > 3 ? double{Floats(node->input(3))[At(node->input(3), head, row, m)]} : 0.0;
  }
  int64_t Dot(int64_t m) const {
    int64_t sum = 0;
    for (int64_t p = 0; p < Dim(node->input(0), 1); ++p) sum += Q(p) * K(p, m);
    return sum;
  }
};

// One row of y by the formula of the kernel's header, the exponential computed and not looked up.
Values OracleRow(const Query &query) {
  const auto &params = *static_cast<const AttentionParams *>(query.node->get()->params);
  const o2m_tensor &y = query.node->output();
  const int64_t keys = Dim(query.node->input(1), 1);
  std::vector<int64_t> score;
  for (int64_t m = 0; m < keys; ++m) {
    const double mask = std::fmin(std::fmax(std::floor(64 * query.Mask(m) + 0.5), -32768), 32767);
    const int64_t s = o2m_round_shift(query.Dot(m) * params.multiplier, params.shift) + static_cast<int64_t>(mask);
    score.push_back(mask == -32768 ? -32768 : std::min<int64_t>(std::max<int64_t>(s, -32768), 32767));
  }
  const int64_t largest = *std::max_element(score.begin(), score.end());
  std::vector<int64_t> e;
  int64_t sum = 0;
  for (int64_t s : score) {
    e.push_back(static_cast<int64_t>(std::floor(255 * std::exp(static_cast<double>(s - largest) / 64) + 0.5)));
    sum += e.back();
  }
  const auto bits = static_cast<int32_t>(std::log2(static_cast<double>(sum)));
  const int64_t reciprocal = o2m_divide_round(static_cast<int64_t>(params.y_multiplier) << bits, sum);
  Values row;
  for (int64_t r = 0; r < Dim(y, 1); ++r) {
    int64_t acc = 0;
    for (int64_t m = 0; m < keys; ++m) acc += e[static_cast<size_t>(m)] * query.V(m, r);
    const int64_t value = ZeroPointOf(y) + o2m_round_shift(acc * reciprocal, params.y_shift + bits);
    row.push_back(static_cast<int32_t>(std::min<int64_t>(std::max<int64_t>(value, LowOf(y.dtype)), HighOf(y.dtype))));
  }
  return row;
}

std::vector<double> RealRow(const Query &query, double factor) {
  TestNode &n = *query.node;
  const int64_t keys = Dim(n.input(1), 1);
  std::vector<double> score, row;
  for (int64_t m = 0; m < keys; ++m) {
    score.push_back(factor * ScaleOf(n.input(0)) * ScaleOf(n.input(1)) * static_cast<double>(query.Dot(m)) +
                    query.Mask(m));
  }
  const double largest = *std::max_element(score.begin(), score.end());
  double sum = 0;
  for (double &s : score) sum += s = std::exp(s - largest);
  for (int64_t r = 0; r < Dim(n.output(), 1); ++r) {
    double value = 0;
    for (int64_t m = 0; m < keys; ++m) value += score[static_cast<size_t>(m)] / sum * query.V(m, r);
    row.push_back(value * ScaleOf(n.input(2)));
  }
  return row;
}

std::vector<Values> Inputs(TestNode &node, uint32_t seed) {
  std::vector<Values> in;
  for (int i = 0; i < 3; ++i) in.push_back(RandomValues(node.input(i), seed * 3 + static_cast<uint32_t>(i)));
  return in;
}

template <class Row>
void ForEachQuery(TestNode &node, const std::vector<Values> &in, const Row &row) {
  const o2m_tensor &y = node.output();
  const int64_t queries = Dim(y, 2), heads = ElementCount(y) / Dim(y, 1) / queries;
  for (int64_t h = 0; h < heads; ++h) {
    for (int64_t n = 0; n < queries; ++n) row(Query{&node, &in, h, n});
  }
}

TEST(Attention, EveryCaseEqualsTheOracleForEveryTile) {
  ASSERT_GE(AllCases().count, 16);
  for (int32_t i = 0; i < AllCases().count; ++i) {
    SCOPED_TRACE(AllCases().get(i)->name);
    TestNode node(Op(), *AllCases().get(i));
    ASSERT_TRUE(node.Prepare());
    for (uint32_t seed = 1; seed <= 2; ++seed) {
      const std::vector<Values> in = Inputs(node, seed);
      Values expected;
      ForEachQuery(node, in, [&](const Query &q) {
        for (int32_t v : OracleRow(q)) expected.push_back(v);
      });
      for (int32_t rows : {0, 1, 2, 4}) ASSERT_EQ(node.Run(in, rows), expected) << "rows " << rows;
    }
  }
}

// Scores in 1/64 and exponentials in 1/255 make the weights inexact; the error of y stays small all the same.
TEST(Attention, CloseToRealAttention) {
  double largest = 0, total = 0;
  int64_t count = 0;
  for (int32_t i = 0; i < AllCases().count; ++i) {
    const std::string name = AllCases().get(i)->name;
    SCOPED_TRACE(name);
    if (name.rfind("saturating_", 0) == 0) continue;  // scores end at 512
    TestNode node(Op(), *AllCases().get(i));
    const float factor = static_cast<const AttentionParams *>(node.get()->params)->factor;
    ASSERT_TRUE(node.Prepare());
    const std::vector<Values> in = Inputs(node, 7);
    std::vector<double> real;
    ForEachQuery(node, in, [&](const Query &q) {
      for (double v : RealRow(q, factor)) real.push_back(v);
    });
    const Values got = node.Run(in);
    for (size_t n = 0; n < got.size(); ++n) {
      const o2m_tensor &y = node.output();
      const double exact = real[n] / ScaleOf(y) + ZeroPointOf(y);
      const double error = std::fabs(got[n] - std::fmin(std::fmax(exact, LowOf(y.dtype)), HighOf(y.dtype)));
      const double lsb = error * std::fmin(1.0, double{ScaleOf(y)} / ScaleOf(node.input(2)));
      EXPECT_LE(lsb, 2.0) << "output " << n;  // of the coarser of y and v
      largest = std::fmax(largest, lsb);
      total += lsb;
      ++count;
    }
  }
  std::printf("o2m.attention: error %.3f LSB at most, %.3f on average\n", largest, total / static_cast<double>(count));
  EXPECT_LE(total / static_cast<double>(count), 0.4);
}

TEST(Attention, RandomCasesEqualTheOracle) {
  ForEachRandomCase("o2m.attention", [](Sample &s) {
    Values expected;
    ForEachQuery(*s.node, s.inputs, [&](const Query &q) {
      for (int32_t v : OracleRow(q)) expected.push_back(v);
    });
    ASSERT_EQ(s.node->Run(s.inputs), expected);
    ASSERT_EQ(s.node->Run(s.inputs, 3), expected);
  });
}

// What is stated of the whole op: the largest and the mean distance to real attention over 10,000 random cases, in LSB.
constexpr double kLargestError = 2.76, kMeanError = 0.2;

// How far a row may be from real attention, in steps of y: half a step; what the weights lose to exponentials in 1/255,
// up to half of one each; and to scores in 1/64.
double ErrorBound(const Query &query, double factor) {
  TestNode &n = *query.node;
  const int64_t keys = Dim(n.input(1), 1);
  std::vector<double> score;
  for (int64_t m = 0; m < keys; ++m)
    score.push_back(factor * ScaleOf(n.input(0)) * ScaleOf(n.input(1)) * static_cast<double>(query.Dot(m)));
  const double largest = *std::max_element(score.begin(), score.end());
  double sum = 0;
  for (const double s : score) sum += 255 * std::exp(s - largest);
  const double reach = std::fmax(127 - ZeroPointOf(n.input(2)), ZeroPointOf(n.input(2)) + 128);
  const double steps = reach * ScaleOf(n.input(2)) / ScaleOf(n.output());
  return 0.6 +
         steps * (static_cast<double>(keys) / (sum - 0.5 * static_cast<double>(keys > 255 ? 255 : keys)) + 2.0 / 64);
}

TEST(Attention, ErrorsOfRandomCases) {
  Errors errors;
  ForEachRandomCase("o2m.attention", [&](Sample &s) {
    const auto &params = *static_cast<const AttentionParams *>(s.node->get()->params);
    const o2m_tensor &y = s.node->output();
    if (s.node->get()->input_count > 3 || ScaleOf(y) < ScaleOf(s.node->input(2)) || y.dtype != O2M_S8) return;
    bool saturates = false;
    std::vector<double> real, bound;
    ForEachQuery(*s.node, s.inputs, [&](const Query &q) {
      for (int64_t m = 0; m < Dim(s.node->input(1), 1); ++m)
        saturates |= std::llabs(o2m_round_shift(q.Dot(m) * params.multiplier, params.shift)) > 32767;
      for (double v : RealRow(q, params.factor)) real.push_back(v), bound.push_back(ErrorBound(q, params.factor));
    });
    if (saturates) return;  // scores end at 512
    const Values got = s.node->Run(s.inputs);
    errors.Add(y, got, real);
    for (size_t i = 0; i < got.size(); ++i) {
      const double exact = std::fmin(std::fmax(real[i] / ScaleOf(y) + ZeroPointOf(y), -128), 127);
      ASSERT_LE(std::fabs(got[i] - exact), bound[i]);
    }
  });
  errors.Print("o2m.attention, random cases");
  EXPECT_LE(errors.largest, kLargestError);
  EXPECT_LE(errors.sum, kMeanError * static_cast<double>(errors.elements));
}

// ---- The kernel's own stages, one by one ----------------------------------------------------------------------------

// Of one query, from keys [P][M] and values [M][R] as the test has them.
struct Stages {
  o2m_attention_params p = {};
  std::vector<int8_t> q, k, v;
  std::vector<int16_t> query, scores, exponentials, mask;
  Values y;
};

o2m_attention_params StageParams(TestNode &node) {
  const auto &params = *static_cast<const AttentionParams *>(node.get()->params);
  const o2m_tensor &y = node.output();
  o2m_attention_params p = {};
  p.keys = Dim(node.input(1), 1), p.depth = Dim(node.input(0), 1), p.columns = Dim(y, 1);
  p.q.column = p.k.row = p.v.column = p.y.column = 1;
  p.k.column = p.keys, p.v.row = p.columns;
  p.q_zero = ZeroPointOf(node.input(0)), p.k_zero = ZeroPointOf(node.input(1)), p.v_zero = ZeroPointOf(node.input(2));
  p.y_zero = ZeroPointOf(y), p.y_bytes = static_cast<int32_t>(BytesOf(y.dtype));
  p.score_multiplier = params.multiplier, p.score_shift = params.shift;
  p.y_multiplier = params.y_multiplier, p.y_shift = params.y_shift;
  return p;
}

std::vector<int8_t> BytesFrom(const Values &values, size_t first, int64_t count) {
  return {values.begin() + static_cast<int64_t>(first), values.begin() + static_cast<int64_t>(first) + count};
}

Stages StagesOf(const Query &query) {
  TestNode &node = *query.node;
  Stages s;
  s.p = StageParams(node);
  const int64_t depth = s.p.depth, keys = s.p.keys, columns = s.p.columns;
  s.q = BytesFrom((*query.in)[0], At(node.input(0), query.head, query.row, 0), depth);
  s.k = BytesFrom((*query.in)[1], At(node.input(1), query.head, 0, 0), depth * keys);
  s.v = BytesFrom((*query.in)[2], At(node.input(2), query.head, 0, 0), keys * columns);
  for (int64_t m = 0; m < keys && node.get()->input_count > 3; ++m)
    s.mask.push_back(static_cast<int16_t>(RoundToInt(64 * query.Mask(m), -32768, 32767)));
  s.query.resize(static_cast<size_t>(depth));
  s.scores.resize(static_cast<size_t>(keys));
  o2m_attention_pair pair = {};
  pair.query[0] = pair.query[1] = s.query.data();
  pair.start[0] = o2m_attention_load_query(s.q.data(), s.query.data(), &s.p);
  pair.scores[0] = pair.scores[1] = s.scores.data();
  pair.mask[0] = s.mask.empty() ? nullptr : s.mask.data();
  pair.count = 1;
  o2m_attention_write_scores(&pair, s.k.data(), &s.p);
  s.exponentials = s.scores;
  pair.scores[0] = pair.scores[1] = s.exponentials.data();
  const o2m_attention_average of =
      o2m_attention_average_of(o2m_attention_exponentiate(s.exponentials.data(), s.p.keys), &s.p);
  const o2m_attention_average both[2] = {of, of};
  std::vector<int16_t> y(static_cast<size_t>(columns));
  o2m_attention_write_rows(&pair, both, s.v.data(), y.data(), 0, &s.p);
  for (int64_t r = 0; r < columns; ++r) s.y.push_back(Load(y.data(), r, node.output().dtype));
  return s;
}

// A tensor whose integers are the real values.
o2m_tensor Unscaled(o2m_dtype dtype) {
  static const float one = 1;
  static const int32_t zero = 0;
  o2m_tensor t = {};
  t.dtype = dtype;
  t.quant = PerTensor(&one, &zero);
  return t;
}

struct StageErrors {
  Errors scores, averages;
  void Add(const Query &query, const Stages &s, double factor) {
    TestNode &node = *query.node;
    std::vector<double> score, average;
    for (int64_t m = 0; m < s.p.keys; ++m) {
      const double product =
          factor * ScaleOf(node.input(0)) * ScaleOf(node.input(1)) * static_cast<double>(query.Dot(m));
      score.push_back(64 * (product + query.Mask(m)));
    }
    int64_t sum = 0;
    for (const int16_t e : s.exponentials) sum += e;
    for (int64_t r = 0; r < s.p.columns; ++r) {
      int64_t acc = 0;
      for (int64_t m = 0; m < s.p.keys; ++m) acc += s.exponentials[static_cast<size_t>(m)] * query.V(m, r);
      average.push_back(static_cast<double>(acc) / static_cast<double>(sum) * ScaleOf(node.input(2)));
    }
    scores.Add(Unscaled(O2M_S16), {s.scores.begin(), s.scores.end()}, score);
    averages.Add(node.output(), s.y, average);
  }
};

// The stages give what the op does; each is within 1 of the correctly rounded value of what the one before it left.
void CheckStages(Sample &s, StageErrors &errors) {
  const float factor = static_cast<const AttentionParams *>(s.node->get()->params)->factor;
  Values y;
  ForEachQuery(*s.node, s.inputs, [&](const Query &q) {
    const Stages stages = StagesOf(q);
    errors.Add(q, stages, factor);
    y.insert(y.end(), stages.y.begin(), stages.y.end());
  });
  ASSERT_EQ(s.node->Run(s.inputs), y);
  ASSERT_LE(errors.scores.steps, 1);
  ASSERT_LE(errors.averages.steps, 1);
}

TEST(Attention, ErrorsOfTheStages) {
  StageErrors errors;
  ForEachRandomCase("o2m.attention", [&](Sample &s) { CheckStages(s, errors); });
  errors.scores.Print("o2m.attention, scores in 1/64");
  errors.averages.Print("o2m.attention, averages by u8 weights");
}

// For every difference that two scores can have.
TEST(Attention, ErrorsOfEveryExponential) {
  Errors errors;
  for (int32_t below = 0; below <= 65535; ++below) {
    int16_t scores[2] = {32767, static_cast<int16_t>(32767 - below)};
    const int32_t sum = o2m_attention_exponentiate(scores, 2);
    EXPECT_EQ(scores[0], 255);
    EXPECT_EQ(sum, 255 + scores[1]);
    errors.Add(Unscaled(O2M_U8), {scores[1]}, {255 * std::exp(-below / 64.0)});
  }
  errors.Print("o2m.attention, exponentials");
  EXPECT_EQ(errors.not_nearest, 0);
}

TEST(Attention, ErrorsOfTheStagesOfWorstCasesWhichEqualTheOracle) {
  StageErrors errors;
  ForEachWorstCase("o2m.attention", [&](Sample &s) {
    CheckStages(s, errors);
    Values expected;
    ForEachQuery(*s.node, s.inputs, [&](const Query &q) {
      for (int32_t v : OracleRow(q)) expected.push_back(v);
    });
    ASSERT_EQ(s.node->Run(s.inputs), expected);
    ASSERT_EQ(s.node->Run(s.inputs, 1), expected);
  });
  errors.scores.Print("o2m.attention, scores, worst cases");
  errors.averages.Print("o2m.attention, averages, worst cases");
}

TEST(Attention, RefusesWhatLiesBeyondTheWorstCases) {
  const auto refusal = [](const char *name, const std::function<void(TestNode &)> &change) {
    return testing::Refusal("o2m.attention", name, change);
  };
  EXPECT_EQ(refusal("most_keys", [](TestNode &node) { ++node.input(1).dims[3], ++node.input(2).dims[2]; }),
            "k [1, 1, 4, 32769] is too large; at most 4096 x 32768 would work");
  EXPECT_EQ(refusal("deepest", [](TestNode &node) { ++node.input(0).dims[3], ++node.input(1).dims[2]; }),
            "k [1, 1, 4097, 7] is too large; at most 4096 x 32768 would work");
  EXPECT_NE(refusal("deepest",
                    [](TestNode &node) { static_cast<AttentionParams *>(node.get()->params)->factor *= 2 - kBeyond; })
                .find("make scores of 2^24 and more"),
            std::string::npos);
  static const float finer = 0.03125f / 2097153, coarser = 0.03125f * 257;
  for (const float *scale : {&finer, &coarser})
    EXPECT_NE(refusal("finest_output", [&](TestNode &node) { node.output().quant.scale = scale; }).find("is far from"),
              std::string::npos);
}

TEST(Attention, OverwritesQueriesOnlyWhereTheRowsCoincide) {
  TestNode in_place(Op(), CaseNamed("in_place_layout")), other(Op(), CaseNamed("columns_of_a_projection"));
  ASSERT_TRUE(in_place.Prepare());
  ASSERT_TRUE(other.Prepare());
  EXPECT_EQ(in_place.Memory(1).in_place_inputs, 1u);
  EXPECT_EQ(other.Memory(1).in_place_inputs, 0u);
}

TEST(Attention, ScratchIsTwoRowsAtMost) {
  TestNode node(Op(), CaseNamed("long_rows"));
  ASSERT_TRUE(node.Prepare());
  EXPECT_EQ(node.Memory(1).scratch_bytes, 2 * (32 + 197));
  EXPECT_EQ(node.Memory(2).scratch_bytes, 2 * 2 * (32 + 197));
  EXPECT_EQ(node.Memory(3).scratch_bytes, 2 * 2 * (32 + 197));
}

TEST(Attention, ScratchOfTheDspKernelGrowsToSixteenRows) {
  TestNode node(Op(), CaseNamed("long_rows"));  // P 32, M 197
  ASSERT_TRUE(node.Prepare());
  const o2m_target target = {sizeof target, "cortex-m4", O2M_FEATURE_DSP, 0, 0};
  const auto scratch = [&](int32_t rows) {
    o2m_memory memory = {};
    memory.struct_size = sizeof memory;
    Op()->memory(&target, node.get(), rows, &memory);
    return memory.scratch_bytes;
  };
  EXPECT_EQ(scratch(1), 4 * (208 + 34 + 2 * 32));
  EXPECT_EQ(scratch(2), scratch(1));
  EXPECT_EQ(scratch(15), 4 * (8 * 208 + 2 * 200));
  EXPECT_EQ(scratch(16), scratch(15));
  EXPECT_EQ(scratch(197), scratch(16));
}

TEST(Attention, ScratchOfTheArmv7mKernelIsSmallBelowThreeRows) {
  TestNode node(Op(), CaseNamed("long_rows"));  // P 32, M 197
  ASSERT_TRUE(node.Prepare());
  const o2m_target target = {sizeof target, "cortex-m3", O2M_FEATURE_ARMV7M, 0, 0};
  for (const auto &[rows, bytes] : {std::pair{1, 4}, {2, 4}, {3, 12}, {197, 12}}) {
    o2m_memory memory = {};
    memory.struct_size = sizeof memory;
    Op()->memory(&target, node.get(), rows, &memory);
    EXPECT_EQ(memory.scratch_bytes, bytes * (197 + 32)) << rows;
  }
}

TEST(Attention, SplitsOverHeads) {
  const auto *splitter = static_cast<const o2m_splitter *>(Op()->get_extension("o2m.split/1"));
  TestNode node(Op(), CaseNamed("shared_keys")), none(Op(), CaseNamed("no_heads"));
  o2m_split split;
  ASSERT_EQ(splitter->split(node.get(), 1, &split), O2M_OK);
  EXPECT_EQ(split.parts, 4);
  EXPECT_EQ(split.input_axis[0], 1);
  EXPECT_EQ(split.input_axis[1], O2M_NONE);
  EXPECT_EQ(split.output_axis[0], 1);
  EXPECT_EQ(splitter->split(node.get(), 2, &split), O2M_NO_MATCH);
  EXPECT_EQ(splitter->split(none.get(), 0, &split), O2M_NO_MATCH);
}

std::string Refusal(void (*change)(TestNode &)) {
  TestNode node(Op(), CaseNamed("mask"));
  change(node);
  return node.Infer() == O2M_INVALID_ARGUMENT ? node.host().message : "";
}

TEST(Attention, RefusesWhatItCannotServe) {
  EXPECT_EQ(Refusal([](TestNode &) {}), "");
  EXPECT_EQ(Refusal([](TestNode &n) { n.input(2).dtype = O2M_S16; }), "input 2 is s16; s8 would work");
  static const int32_t high = 128;
  EXPECT_EQ(Refusal([](TestNode &n) { n.input(2).quant.zero_point = &high; }),
            "input 2 has zero point 128; -128 to 127 would work");
  EXPECT_EQ(Refusal([](TestNode &n) { n.input(1).dims[2] = 7; }),
            "q [1, 3, 6, 8], k [1, 3, 7, 10] and v [1, 3, 10, 8] do not fit; [.., N, P], [.., P, M] and [.., M, R] "
            "would work");
  EXPECT_EQ(Refusal([](TestNode &n) { n.input(2).dims[1] = 2; }),
            "the leading dims of input 2 [1, 2, 10, 8] do not fit those of q [1, 3, 6, 8]");
  EXPECT_EQ(Refusal([](TestNode &n) { n.input(3).dims[0] = 5; }),
            "input 3, the mask, must be a constant f32 that broadcasts to [.., 6, 10], not [5, 10]");
}

}  // namespace
}  // namespace o2m::testing
