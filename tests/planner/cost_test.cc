#include "planner/cost.h"

#include <gtest/gtest.h>

#include "tests/planner/fake_op.h"

namespace onnx2mcu {
namespace {

using fake::kTarget;

struct One {
  Graph graph;
  const Node &node() const { return graph.nodes[0]; }
};

One RowwiseNode(int64_t rows, int32_t macs) {
  One one;
  one.graph.inputs = {fake::AddBase(one.graph, "x", {rows, 4})};
  fake::AddRowwise(one.graph, "y", one.graph.inputs, 4, macs);
  return one;
}

TEST(WorkOf, AddsFullCallsAndTheShortLastOne) {
  const One one = RowwiseNode(10, 100);
  const Work work = WorkOf(one.graph, one.node(), kTarget, 10, 4);
  EXPECT_EQ(work.calls, 3);
  EXPECT_EQ(work.macs, 1000);
  EXPECT_EQ(work.elements, 10);
  EXPECT_EQ(work.flash_bytes_read, 300);  // weights once per call
  const auto call = [&](int64_t rows) {   // as it states them, and the call
    return ((10 * 100 * rows + 100) / 4 + 12 * rows) * 1000 + CostOf(kFallbackCore, "*", "calls");
  };
  EXPECT_EQ(work.instructions, (2 * call(4) + call(2)) / 1000);
}

TEST(WorkOf, FewerRowsPerCallNeverCostLess) {
  const One one = RowwiseNode(10, 100);
  int64_t last = 0;
  for (int32_t rows = 10; rows > 0; rows--) {
    const int64_t now = WorkOf(one.graph, one.node(), kTarget, 10, rows).instructions;
    EXPECT_GE(now, last);
    last = now;
  }
}

TEST(WorkOf, GuessesWhereAnOpStatesNothing) {
  One one = RowwiseNode(10, 100);
  o2m_op silent = *fake::Op();
  silent.get_extension = nullptr;
  one.graph.nodes[0].op = &silent;
  const Work work = WorkOf(one.graph, one.node(), kTarget, 10, 5);
  EXPECT_EQ(work.elements, 40);
  EXPECT_GT(work.instructions, 0);
}

// An op whose terms are `count` of `name` a row.
template <const char *kKernel, const char *kName>
const void *StatesTerms(const char *id) {
  static const o2m_terms terms = {[](const o2m_target *, const o2m_node *, int32_t rows, o2m_term *list, int32_t) {
    list[0] = {kKernel, kName, 10 * rows};
    return 1;
  }};
  return std::string(id) == "o2m.terms/1" ? &terms : fake::GetExtension(id);
}
constexpr char kLinear[] = "linear_s8", kGroups[] = "groups", kNobodys[] = "of nobody";

TEST(TermsOf, AddsUpWhatTheOpStatesAndTheCalls) {
  One one = RowwiseNode(10, 100);
  o2m_op op = *fake::Op();
  op.get_extension = StatesTerms<kLinear, kGroups>;
  one.graph.nodes[0].op = &op;
  const std::vector<Term> terms = TermsOf(one.graph, one.node(), kTarget, 10, 4);
  ASSERT_EQ(terms.size(), 2u);
  EXPECT_EQ(terms[0].kernel + terms[0].name, "linear_s8groups");
  EXPECT_EQ(terms[0].count, 100);
  EXPECT_EQ(terms[1].kernel + terms[1].name, "fakecalls");
  EXPECT_EQ(terms[1].count, 3);
}

// An op that states its work, but neither instructions nor terms.
const void *StatesWork(const char *id) {
  static const o2m_coster coster = {[](const o2m_target *, const o2m_node *, int32_t rows, o2m_cost *cost) {
    *cost = {"fake", 100 * rows, 7 * rows, 4 * rows, 0, -1};
  }};
  return std::string(id) == "o2m.cost/1" ? &coster : nullptr;
}

TEST(WorkOf, PricesAnUnknownKernelAsScalarC) {
  One one = RowwiseNode(10, 100);
  o2m_op op = *fake::Op();
  op.get_extension = StatesWork;
  one.graph.nodes[0].op = &op;
  const auto cost = [](const char *term) { return CostOf(kFallbackCore, "*", term); };
  EXPECT_EQ(WorkOf(one.graph, one.node(), kTarget, 10, 5).instructions,
            (1000 * cost("macs") + 40 * cost("outputs") + 2 * cost("calls")) / 1000);
  EXPECT_GT(cost("macs"), 1000);
  EXPECT_LT(cost("macs"), 5000);
}

TEST(WorkOf, TakesWhatIsStatedWhereATermIsUnknown) {
  One one = RowwiseNode(10, 100);
  const int64_t stated = WorkOf(one.graph, one.node(), kTarget, 10, 5).instructions;
  o2m_op op = *fake::Op();
  op.get_extension = StatesTerms<kLinear, kNobodys>;
  one.graph.nodes[0].op = &op;
  EXPECT_EQ(WorkOf(one.graph, one.node(), kTarget, 10, 5).instructions, stated);
}

TEST(CostCoreOf, KnowsEveryCoreAndFallsBackToM4) {
  for (int32_t core = 0; core < kCostCoreCount; core++) {
    EXPECT_EQ(CostCoreOf(kCostCores[core]), core);
    for (const char *term : {"macs", "elements", "outputs", "calls"}) EXPECT_NE(CostOf(core, "*", term), kUnknownCost);
  }
  EXPECT_STREQ(kCostCores[CostCoreOf("host")], "cortex-m4");
  EXPECT_EQ(CostOf(0, "no kernel", "calls"), kUnknownCost);
}

}  // namespace
}  // namespace onnx2mcu
