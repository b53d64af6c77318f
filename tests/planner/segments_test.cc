#include "planner/segments.h"

#include <gtest/gtest.h>

#include "planner/answers.h"
#include "planner/order.h"
#include "tests/planner/fake_op.h"

namespace onnx2mcu {
namespace {

using fake::AddRowwise;
using fake::kTarget;

Graph Ordered(Graph graph) {
  std::vector<Node> nodes;
  for (NodeId id : OrderNodes(graph, *ContractsOf(graph, kTarget))) nodes.push_back(graph.nodes[id]);
  graph.nodes = std::move(nodes);
  return graph;
}

std::vector<Segment> SegmentsOf(const Graph &graph) { return CutIntoSegments(graph, *ContractsOf(graph, kTarget)); }

// Of segment `i` of an ordered graph.
std::string Signature(const Graph &graph, size_t i) {
  Answers answers;
  const Contracts contracts = *ContractsOf(graph, kTarget, &answers);
  const Spans spans = SpansOfAll(graph, contracts, {});
  const std::vector<int32_t> cuts = CutPoints(spans);
  return SignatureOf(graph, contracts, spans, cuts[i], cuts[i + 1]);
}

TEST(Segments, EachBlockOfATransformerIsOne) {
  fake::VitSizes sizes;
  sizes.blocks = 3;
  std::vector<std::string> firsts;
  for (const Segment &segment : SegmentsOf(Ordered(fake::Vit(sizes)))) firsts.push_back(segment.graph.nodes[0].name);
  EXPECT_EQ(firsts, (std::vector<std::string>{"class_token", "patch_embed", "position", "block0_norm1", "block1_norm1",
                                              "block2_norm1", "norm"}));
}

TEST(Segments, BlocksThatLookAlikeHaveOneSignature) {
  fake::VitSizes sizes;
  sizes.blocks = 3;
  const Graph graph = Ordered(fake::Vit(sizes));
  ASSERT_EQ(SegmentsOf(graph).size(), 7u);
  EXPECT_TRUE(Signature(graph, 3) == Signature(graph, 4));
  EXPECT_FALSE(Signature(graph, 2) == Signature(graph, 3));
  EXPECT_FALSE(Signature(graph, 5) == Signature(graph, 6));
}

TEST(Segments, OtherSizesHaveOtherSignatures) {
  fake::VitSizes a, b;
  b.hidden++;
  EXPECT_TRUE(Signature(Ordered(fake::Vit(a)), 3) == Signature(Ordered(fake::Vit(a)), 3));
  EXPECT_FALSE(Signature(Ordered(fake::Vit(a)), 3) == Signature(Ordered(fake::Vit(b)), 3));
}

TEST(Segments, AChainThatMayBeOneLoopIsNotCut) {
  Graph graph;
  graph.inputs = {fake::AddBase(graph, "in", {16, 4})};
  const TensorId a = AddRowwise(graph, "a", graph.inputs, 8), b = AddRowwise(graph, "b", {a}, 8);
  graph.outputs = {AddRowwise(graph, "c", {b}, 4)};
  EXPECT_EQ(SegmentsOf(graph).size(), 1u);
}

TEST(Segments, TogetherTheyAreTheGraph) {
  const Graph graph = Ordered(fake::Vit({}));
  Graph again = graph;
  again.nodes.clear();
  for (const Segment &segment : SegmentsOf(graph)) AppendSegment(again, segment);
  ASSERT_EQ(again.nodes.size(), graph.nodes.size());
  EXPECT_EQ(again.tensors.size(), graph.tensors.size());
  for (size_t i = 0; i < graph.nodes.size(); i++) {
    EXPECT_EQ(again.nodes[i].name, graph.nodes[i].name);
    EXPECT_EQ(again.nodes[i].inputs, graph.nodes[i].inputs);
    EXPECT_EQ(again.nodes[i].outputs, graph.nodes[i].outputs);
  }
}

TEST(Segments, KnowWhatLivesBeyondThem) {
  const Graph graph = Ordered(fake::Vit({}));
  for (const Segment &segment : SegmentsOf(graph)) {
    if (segment.begin > 0) {
      ASSERT_EQ(segment.border.in.size(), 1u);
    }
    if (segment.end < static_cast<int32_t>(graph.nodes.size())) {
      ASSERT_EQ(segment.border.out.size(), 1u);
    }
  }
}

}  // namespace
}  // namespace onnx2mcu
