// Against sums and comparisons of real values.
#include "op_test.hpp"

namespace o2m::testing {
namespace {

struct Params {
  int32_t kind;
  uint32_t axes;
  int32_t keepdims;
};

std::vector<double> Naive(const Sample &s) {
  const o2m_tensor &x = s.node->input(0);
  const auto &params = *static_cast<const Params *>(s.node->get()->params);
  std::map<int64_t, std::vector<double>> groups;  // by the index of the output
  for (int64_t n = 0; n < ElementCount(x); ++n) {
    int64_t output = 0, rest = n, size = ElementCount(x);
    for (int32_t i = 0; i < x.rank; ++i) {
      size /= x.dims[i];
      const int64_t index = rest / size;
      rest %= size;
      if (params.axes != 0 && !(params.axes >> i & 1)) output = output * x.dims[i] + index;
    }
    groups[output].push_back(s.Real(0, n));
  }
  std::vector<double> result;
  for (const auto &[output, values] : groups) {
    double sum = 0;
    for (const double v : values) sum += params.kind == 4 ? v * v : v;
    if (params.kind == 0 || params.kind == 4) sum /= static_cast<double>(values.size());
    if (params.kind == 2) sum = *std::max_element(values.begin(), values.end());
    if (params.kind == 3) sum = *std::min_element(values.begin(), values.end());
    result.push_back(sum);
  }
  return result;
}

TEST(Reduce, CasesAreRoundedOnce) { CheckCases("o2m.reduce", 0.501, Naive); }

TEST(Reduce, ErrorsOfRandomCases) { CheckRandomCases("o2m.reduce", Naive); }

TEST(Reduce, ErrorsOfWorstCases) { CheckWorstCases("o2m.reduce", Naive); }

TEST(Reduce, RefusesWhatLiesBeyondTheWorstCases) {
  EXPECT_EQ(Refusal("o2m.reduce", "host_mean_of_s8", [](TestNode &node) { ++node.input(0).dims[1]; }),
            "a sum of 8392704 values; at most 8388608 would work");
  EXPECT_EQ(Refusal("o2m.reduce", "sum_of_s16", [](TestNode &node) { ++node.input(0).dims[0]; }),
            "a sum of 32769 values; at most 32768 would work");
  for (const char *name : {"sum_of_s16_finest", "mean_finest", "maximum_finest", "minimum_finest"})
    EXPECT_NE(RefusalOfFinerOutput("o2m.reduce", name).find("is too small beside the input's"), std::string::npos);
}

TEST(Reduce, MeanOfTokensKeepsItsSumsFromStepToStep) {
  const o2m_op *op = FindOp("o2m.reduce");
  const auto *cases = static_cast<const o2m_cases *>(op->get_extension("o2m.cases/1"));
  TestNode node(op, *cases->get(0));
  ASSERT_TRUE(node.Prepare());
  const o2m_memory memory = node.Memory(4);
  EXPECT_EQ(memory.steps, 50);
  EXPECT_EQ(memory.state_bytes, 4 * 64);
  EXPECT_EQ(memory.inputs[0].extent, 1);
  EXPECT_EQ(memory.outputs[0].extent, 0);
}

TEST(Reduce, RefusesWhatItCannotDo) {
  CaseList list;
  const Params params[4] = {{0, 0x2a, 1}};
  list.Add("", {{O2M_S8, {2, 2, 2, 2, 2, 2, 2}, 0.1f, 0}}, {{O2M_S8, {2, 1, 2, 1, 2, 1, 2}, 0.1f, 0}}, params);
  TestNode node(FindOp("o2m.reduce"), *list.get(0));
  EXPECT_EQ(node.Infer(), O2M_INVALID_ARGUMENT);
  EXPECT_NE(node.host().message.find("more than three axes"), std::string::npos);
}

}  // namespace
}  // namespace o2m::testing
