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
  const CostTable &t = CostTableOf("cortex-m4");
  const auto call = [&](int64_t rows) {
    return (100 * rows * t.per_mac + rows * t.per_element + 100 * t.per_flash_byte) / 1000 + t.per_call;
  };
  EXPECT_EQ(work.instructions, 2 * call(4) + call(2));
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

TEST(CostTableOf, KnowsEveryCoreAndFallsBackToM4) {
  for (const char *target :
       {"host", "cortex-m0", "cortex-m3", "cortex-m4", "cortex-m7", "cortex-m33", "cortex-m55", "rv32imc"})
    EXPECT_STREQ(CostTableOf(target).target, target);
  EXPECT_STREQ(CostTableOf("z80").target, "cortex-m4");
}

}  // namespace
}  // namespace onnx2mcu
