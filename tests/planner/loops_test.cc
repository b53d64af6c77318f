// Which nodes may share a loop, and what may become a tile.
#include "planner/loops.h"

#include <gtest/gtest.h>

#include "planner/order.h"
#include "tests/planner/fake_op.h"

namespace onnx2mcu {
namespace {

using fake::AddBase;
using fake::AddNode;
using fake::AddRowwise;
using fake::AddView;
using fake::kTarget;
using fake::kWhole;
using fake::Params;
using fake::Rows;

StageSpace SpaceOf(const Graph &graph, Contracts &contracts, int32_t rows) {
  return StageSpaceOf(graph, kTarget, contracts, OrderNodes(graph, contracts), {}, rows);
}

std::vector<std::string> Cut(const Graph &graph, int64_t limit, int32_t rows = 0) {
  Contracts contracts = *ContractsOf(graph, kTarget);
  std::vector<std::string> stages;
  const StageSpace space = SpaceOf(graph, contracts, rows);
  for (const Stage &stage : StagesOf(space, CutStages(space, limit))) {
    std::string &names = stages.emplace_back();
    for (NodeId node : stage.nodes) names += (names.empty() ? "" : " ") + graph.nodes[node].name;
  }
  return stages;
}

using Stages = std::vector<std::string>;

Graph Start(std::vector<int64_t> dims) {
  Graph graph;
  graph.file = "toy.onnx";
  graph.inputs = {AddBase(graph, "in", std::move(dims))};
  return graph;
}

TEST(CutStages, AChainOfRowsIsOneLoop) {
  Graph graph = Start({16, 4});
  const TensorId a = AddRowwise(graph, "a", graph.inputs, 64), b = AddRowwise(graph, "b", {a}, 64);
  graph.outputs = {AddRowwise(graph, "c", {b}, 4)};
  EXPECT_EQ(Cut(graph, 0), (Stages{"a b c"}));
  Contracts contracts = *ContractsOf(graph, kTarget);
  EXPECT_EQ(SpaceOf(graph, contracts, 1).least_live, 2 * 64);
  EXPECT_EQ(SpaceOf(graph, contracts, 4).least_live, 2 * 4 * 64);
  EXPECT_EQ(contracts.tile_stride[a], 64);
}

TEST(CutStages, AWholeReaderBeginsANewStage) {
  Graph graph = Start({16, 4});
  const TensorId a = AddRowwise(graph, "a", graph.inputs, 64), y = AddBase(graph, "b", {16, 4});
  Params p;
  p.steps = 16, p.inputs[0] = kWhole, p.output = Rows(0);
  AddNode(graph, "b", {a}, y, p);
  graph.outputs = {y};
  EXPECT_EQ(Cut(graph, 0), (Stages{"a", "b"}));
}

TEST(CutStages, OverlappingBandsBeginANewStage) {
  Graph graph = Start({16, 4});
  const TensorId a = AddRowwise(graph, "a", graph.inputs, 64), y = AddBase(graph, "b", {16, 4});
  Params p;
  p.steps = 16, p.inputs[0] = Rows(0, 1, 3, 1), p.output = Rows(0);
  AddNode(graph, "b", {a}, y, p);
  graph.outputs = {y};
  EXPECT_EQ(Cut(graph, 0), (Stages{"a", "b"}));
}

TEST(CutStages, RowsOfAnotherAlignmentBeginANewStage) {
  Graph graph = Start({16, 4});
  const TensorId a = AddBase(graph, "a", {17, 8});
  Params p;
  p.steps = 16, p.inputs[0] = p.output = Rows(0);
  AddNode(graph, "a", graph.inputs, AddView(graph, a, {16, 8}, 8, {8, 1}), p);  // rows 1 to 16
  AddNode(graph, "first", {}, AddView(graph, a, {1, 8}, 0, {8, 1}), Params{});
  const TensorId y = AddBase(graph, "b", {16, 4});
  AddNode(graph, "b", {AddView(graph, a, {16, 8}, 0, {8, 1})}, y, p);  // rows 0 to 15
  graph.outputs = {y};
  const Stages stages = Cut(graph, INT64_MAX);
  EXPECT_EQ(stages.size(), 3u);
  EXPECT_EQ(stages.back(), "b");
}

// Heads: one node writes [heads, n, p], another reads head 1 of it, row by row: the same step, though far apart.
TEST(CutStages, AHeadOfAHeadMajorTensorIsAligned) {
  Graph graph = Start({16, 4});
  const TensorId heads = AddBase(graph, "heads", {2, 16, 8});
  Params p;
  p.steps = 16, p.inputs[0] = Rows(0), p.output = Rows(1);
  AddNode(graph, "project", graph.inputs, heads, p);
  const TensorId head = AddView(graph, heads, {16, 8}, 16 * 8, {8, 1});
  graph.outputs = {AddRowwise(graph, "use", {head}, 4)};
  EXPECT_EQ(Cut(graph, INT64_MAX), (Stages{"project use"}));
  EXPECT_EQ(ContractsOf(graph, kTarget)->tile_stride[heads], 0);  // its rows are not one piece
}

TEST(CutStages, ColumnsOfARowAreAlignedAndMakeATile) {
  Graph graph = Start({16, 4});
  const TensorId y = AddBase(graph, "y", {16, 12});
  Params p;
  p.steps = 16, p.inputs[0] = p.output = Rows(0);
  AddNode(graph, "left", graph.inputs, AddView(graph, y, {16, 5}, 0, {12, 1}), p);
  AddNode(graph, "right", graph.inputs, AddView(graph, y, {16, 7}, 5, {12, 1}), p);
  graph.outputs = {AddRowwise(graph, "use", {AddView(graph, y, {16, 6}, 3, {12, 1})}, 4)};
  EXPECT_EQ(Cut(graph, INT64_MAX).size(), 1u);
  EXPECT_EQ(ContractsOf(graph, kTarget)->tile_stride[y], 12);
}

TEST(CutStages, LoopsOfOtherLengthsStayApart) {
  Graph graph = Start({16, 4});
  const TensorId a = AddRowwise(graph, "a", graph.inputs, 8), y = AddBase(graph, "b", {8, 4});
  Params p;
  p.steps = 8, p.inputs[0] = Rows(0, 2), p.output = Rows(0);
  AddNode(graph, "b", {a}, y, p);
  graph.outputs = {y};
  EXPECT_EQ(Cut(graph, INT64_MAX), (Stages{"a", "b"}));
}

TEST(CutStages, MoreRowsUnderALargerLimit) {
  Graph graph = Start({16, 4});
  const TensorId a = AddRowwise(graph, "a", graph.inputs, 64);
  graph.outputs = {AddRowwise(graph, "b", {a}, 4)};
  Contracts contracts = *ContractsOf(graph, kTarget);
  const StageSpace space = SpaceOf(graph, contracts, 0);
  int32_t last = 0;
  for (int64_t limit : {0, 64, 200, 300, 600, 5000}) {
    const std::vector<Stage> stages = StagesOf(space, CutStages(space, limit));
    ASSERT_EQ(stages.size(), 1u);
    EXPECT_GE(stages[0].rows, last);
    EXPECT_LE(stages[0].rows * 64, std::max<int64_t>(limit, 64));
    last = stages[0].rows;
  }
  EXPECT_EQ(last, 16);
}

TEST(OrderNodes, WholeOperandsFirstStepwiseLast) {
  Graph graph = Start({16, 4});
  const TensorId q = AddRowwise(graph, "q", graph.inputs, 4), k = AddRowwise(graph, "k", graph.inputs, 4);
  const TensorId v = AddRowwise(graph, "v", graph.inputs, 4), y = AddBase(graph, "attend", {16, 4});
  Params p;
  p.steps = 16, p.inputs[0] = p.output = Rows(0);
  AddNode(graph, "attend", {q, k, v}, y, p);
  graph.outputs = {y};
  EXPECT_EQ(OrderNodes(graph, *ContractsOf(graph, kTarget)), (std::vector<NodeId>{1, 2, 0, 3}));
}

TEST(MayOverlap, KnowsColumnsAndRowsApart) {
  Graph graph = Start({6, 10});
  const TensorId base = graph.inputs[0];
  Params p;
  const auto touch = [&](std::vector<int64_t> dims, int64_t offset, std::vector<int64_t> strides) {
    Graph one = graph;
    const TensorId view = AddView(one, base, std::move(dims), offset, std::move(strides));
    const TensorId y = AddBase(one, "y", {1});
    AddNode(one, "n", {view}, y, p);
    one.outputs = {y};
    return ContractsOf(one, kTarget)->nodes[0].touches[0];
  };
  Touch left = touch({6, 4}, 0, {10, 1}), right = touch({6, 6}, 4, {10, 1}), wide = touch({6, 7}, 3, {10, 1});
  Touch top = touch({3, 10}, 0, {10, 1}), bottom = touch({3, 10}, 30, {10, 1});
  int32_t id = 100;
  for (Touch *t : {&left, &right, &wide, &top, &bottom}) t->tensor = id++;  // other tensors of one base
  EXPECT_FALSE(MayOverlap(left, right));
  EXPECT_TRUE(MayOverlap(left, wide));
  EXPECT_FALSE(MayOverlap(top, bottom));
  EXPECT_TRUE(MayOverlap(top, left));
  EXPECT_TRUE(MayOverlap(bottom, wide));
}

}  // namespace
}  // namespace onnx2mcu
