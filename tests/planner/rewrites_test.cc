#include "planner/rewrites.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/planner/fake_op.h"

namespace onnx2mcu {
namespace {

using fake::AddBase;
using fake::AddRowwise;
using fake::kTarget;

Graph Recomputed(const Graph &graph) {
  Host host;
  return *RecomputeCheap(graph, {host, kTarget});
}

int64_t CountNamed(const Graph &graph, const std::string &name) {
  return std::count_if(graph.nodes.begin(), graph.nodes.end(), [&](const Node &node) { return node.name == name; });
}

Graph Start() {
  Graph graph;
  graph.inputs = {AddBase(graph, "in", {16, 4})};
  return graph;
}

TEST(Recompute, ClonesACheapNodePerReaderWhileItsInputLives) {
  Graph graph = Start();
  const TensorId x = AddRowwise(graph, "x", graph.inputs, 4, 9), norm = AddRowwise(graph, "norm", {x}, 4);
  const TensorId a = AddRowwise(graph, "a", {norm}, 4, 9), b = AddRowwise(graph, "b", {norm, a}, 4, 9);
  graph.outputs = {AddRowwise(graph, "sum", {x, b}, 4)};
  const Graph cloned = Recomputed(graph);
  EXPECT_EQ(CountNamed(cloned, "norm"), 2);
  EXPECT_EQ(cloned.nodes.size(), graph.nodes.size() + 1);
  for (size_t i = 1; i < cloned.nodes.size(); i++)  // each right before its reader
    EXPECT_TRUE(cloned.nodes[i - 1].name != "norm" || cloned.nodes[i].inputs[0] == cloned.nodes[i - 1].outputs[0]);
}

TEST(Recompute, LeavesAloneWhatWouldKeepAnotherTensorAlive) {
  Graph graph = Start();
  const TensorId x = AddRowwise(graph, "x", graph.inputs, 4, 9), norm = AddRowwise(graph, "norm", {x}, 4);
  const TensorId a = AddRowwise(graph, "a", {norm}, 4, 9);
  graph.outputs = {AddRowwise(graph, "b", {norm, a}, 4, 9)};  // x is dead here
  EXPECT_EQ(Recomputed(graph).nodes.size(), graph.nodes.size());
}

TEST(Recompute, LeavesAloneWhatMultiplies) {
  Graph graph = Start();
  const TensorId x = AddRowwise(graph, "x", graph.inputs, 4, 9), dear = AddRowwise(graph, "dear", {x}, 4, 1);
  const TensorId a = AddRowwise(graph, "a", {dear}, 4, 9), b = AddRowwise(graph, "b", {dear, a}, 4, 9);
  graph.outputs = {AddRowwise(graph, "sum", {x, b}, 4)};
  EXPECT_EQ(Recomputed(graph).nodes.size(), graph.nodes.size());
}

TEST(Recompute, ClonesChains) {
  Graph graph = Start();
  const TensorId x = AddRowwise(graph, "x", graph.inputs, 4, 9), first = AddRowwise(graph, "first", {x}, 4);
  const TensorId second = AddRowwise(graph, "second", {first}, 4);
  const TensorId a = AddRowwise(graph, "a", {second}, 4, 9), b = AddRowwise(graph, "b", {second, a}, 4, 9);
  graph.outputs = {AddRowwise(graph, "sum", {x, b}, 4)};
  const Graph cloned = Recomputed(graph);
  EXPECT_EQ(CountNamed(cloned, "first"), 2);
  EXPECT_EQ(CountNamed(cloned, "second"), 2);
}

TEST(MergeDuplicates, UndoesRecomputationWithinAStage) {
  Graph graph = Start();
  const TensorId x = AddRowwise(graph, "x", graph.inputs, 4, 9), norm = AddRowwise(graph, "norm", {x}, 4);
  const TensorId a = AddRowwise(graph, "a", {norm}, 4, 9), b = AddRowwise(graph, "b", {norm, a}, 4, 9);
  graph.outputs = {AddRowwise(graph, "sum", {x, b}, 4)};
  const Graph cloned = Recomputed(graph);
  Stage all, front;
  for (NodeId id = 0; id < static_cast<NodeId>(cloned.nodes.size()); id++) {
    all.nodes.push_back(id);
    if (id < 3) front.nodes.push_back(id);
  }
  const Duplicates twice = DuplicatesIn(cloned, {all});
  ASSERT_EQ(twice.size(), 1u);
  EXPECT_EQ(cloned.nodes[twice[0].first].name, "norm");
  EXPECT_LT(twice[0].second, twice[0].first);
  EXPECT_EQ(CountNamed(MergeDuplicates(cloned, twice), "norm"), 1);
  EXPECT_TRUE(DuplicatesIn(cloned, {front}).empty());
  EXPECT_EQ(CountNamed(MergeDuplicates(cloned, {}), "norm"), 2);
}

}  // namespace
}  // namespace onnx2mcu
