// A copy keeps every value; with another quantisation it keeps the real value to half a step.
#include "op_test.hpp"

namespace o2m::testing {
namespace {

TEST(Copy, CasesKeepTheirValues) {
  CheckCases("o2m.copy", 0.5001, [](const Sample &s) {
    std::vector<double> values;
    for (int64_t n = 0; n < ElementCount(s.node->output()); ++n) values.push_back(s.Real(0, n));
    return values;
  });
}

TEST(Copy, ErrorsOfRandomCases) {
  CheckRandomCases("o2m.copy", [](const Sample &s) {
    std::vector<double> values;
    for (int64_t n = 0; n < ElementCount(s.node->output()); ++n) values.push_back(s.Real(0, n));
    return values;
  });
}

TEST(Copy, PlainCopiesAreBitExact) {
  const o2m_op *op = FindOp("o2m.copy");
  const auto *cases = static_cast<const o2m_cases *>(op->get_extension("o2m.cases/1"));
  for (int32_t i = 0; i < 6; ++i) {
    SCOPED_TRACE(cases->get(i)->name);
    TestNode node(op, *cases->get(i));
    ASSERT_TRUE(node.Prepare());
    const Values x = RandomValues(node.input(0), 3u + static_cast<uint32_t>(i));
    EXPECT_EQ(node.Run({x}), x);
  }
}

TEST(Copy, WordsAreMovedToo) {
  CaseList list;
  const int64_t params[8] = {};
  list.Add("", {{O2M_S32, {5, 3}}}, {{O2M_ANY, {5, 3}}}, params);
  TestNode node(FindOp("o2m.copy"), *list.get(0));
  ASSERT_TRUE(node.Prepare());
  EXPECT_EQ(node.output().dtype, O2M_S32);
  Values x;
  for (int32_t i = 0; i < 15; ++i) x.push_back(i * 100000007 - 700000000);
  EXPECT_EQ(node.Run({x}), x);
}

TEST(Copy, RefusesWhatItCannotDo) {
  CaseList list;
  const int64_t params[8] = {};
  list.Add("", {{O2M_S64, {5, 3}}}, {{O2M_S8, {5, 3}, 0.1f, 0}}, params);
  TestNode node(FindOp("o2m.copy"), *list.get(0));
  EXPECT_EQ(node.Infer(), O2M_INVALID_ARGUMENT);
  EXPECT_EQ(node.host().message, "the input is s64; s8 or s16 or s32 or u8 would work");
}

}  // namespace
}  // namespace o2m::testing
