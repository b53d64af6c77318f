// Integer nodes of integerised models: shapes of factors, ranges, types, rounding. Whole models are in
// tests/e2e/dialect.sh.
#include "importer/dialect.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "importer/evaluate.h"

namespace onnx2mcu {
namespace {

using testing::ElementsAre;

TEST(FactorDimsTest, OfAValueAChannelAndWhatBroadcasts) {
  EXPECT_THAT(*FactorDims({}, {1, 5, 7}), ElementsAre(1, 1, 1));
  EXPECT_THAT(*FactorDims({5}, {1, 5, 7}), ElementsAre(1, 5, 1));
  EXPECT_THAT(*FactorDims({7}, {1, 5, 7}), ElementsAre(1, 1, 7));
  EXPECT_THAT(*FactorDims({5}, {1, 5, 5}), ElementsAre(1, 5, 1));  // channels, as the exporter means it
  EXPECT_THAT(*FactorDims({5, 1, 1}, {1, 5, 7}), ElementsAre(1, 5, 1));
  EXPECT_THAT(*FactorDims({5, 1, 1}, {1, 5, 7, 9}), ElementsAre(1, 5, 1, 1));
  EXPECT_THAT(*FactorDims({4}, {3, 4}), ElementsAre(1, 4));
  EXPECT_FALSE(FactorDims({6}, {1, 5, 7}).ok());
}

TEST(TypeOfTest, TheSmallestThatHoldsARange) {
  EXPECT_EQ(TypeOf({-128, 127}), DType::kS8);
  EXPECT_EQ(TypeOf({0, 128}), DType::kU8);
  EXPECT_EQ(TypeOf({-1, 128}), DType::kS16);
  EXPECT_EQ(TypeOf({0, 65535}), DType::kS32);
  EXPECT_EQ(TypeOf({0, int64_t{1} << 31}), DType::kAny);
  EXPECT_EQ(TypeOf({}), DType::kAny);
}

// x [1, 4] -> (x mul + add) / div.
Graph Requantisation(int64_t mul, int64_t add, int64_t div, bool round) {
  Graph graph;
  graph.integerised = true;
  Tensor x, y;
  x.name = "x", x.dims = {1, 4}, y.name = "y", y.dims = {1, 4};
  graph.inputs = {AddTensor(graph, x)};
  FloatNode node;
  node.name = "requant", node.domain = kIntegerDomain, node.op_type = "IntegerElementwise", node.opset = 1;
  node.attrs = {{"kind", std::string("identity")}, {"requant", int64_t{1}}, {"div", div},
                {"round", int64_t{round}},         {"low", int64_t{-8}},    {"high", int64_t{7}}};
  node.inputs = {graph.inputs[0]};
  for (int64_t factor : {mul, add}) {
    Tensor constant;
    constant.name = "factor";
    SetConstant(constant, {DType::kS64, {1, 1}, {}, {factor}});
    node.inputs.push_back(AddTensor(graph, std::move(constant)));
  }
  graph.outputs = {AddTensor(graph, y)};
  node.outputs = graph.outputs;
  graph.float_nodes.push_back(node);
  return graph;
}

std::vector<float> ValuesOf(const Graph &graph, std::vector<float> x) {
  const auto out = Evaluate(graph, {{DType::kF32, {1, 4}, std::move(x), {}}});
  EXPECT_TRUE(out.ok()) << out.status();
  return out.ok() ? (*out)[0].f : std::vector<float>();
}

TEST(RequantisationTest, HalvesGoUpAndTheRestDown) {
  EXPECT_THAT(ValuesOf(Requantisation(1, 0, 2, true), {-3, -1, 1, 3}), ElementsAre(-1, 0, 1, 2));
  EXPECT_THAT(ValuesOf(Requantisation(1, 0, 2, false), {-3, -1, 1, 3}), ElementsAre(-2, -1, 0, 1));
  EXPECT_THAT(ValuesOf(Requantisation(1, 0, 3, true), {-5, -4, 4, 5}), ElementsAre(-2, -1, 1, 2));
  EXPECT_THAT(ValuesOf(Requantisation(3, 1, 1, true), {-100, 0, 2, 100}), ElementsAre(-8, 1, 7, 7));
}

TEST(IntegerRangesTest, FollowFactorsAndEnds) {
  const auto ranges = IntegerRanges(Requantisation(-1, 3, 2, true), {{-4, 10}});
  ASSERT_TRUE(ranges.ok()) << ranges.status();
  EXPECT_EQ(ranges->back().low, -3);  // floor((-10 + 3) / 2 + 1/2)
  EXPECT_EQ(ranges->back().high, 4);
}

// All of the graph is one function of one byte.
TEST(TabulateTest, AFunctionOfAByte) {
  Graph graph = Requantisation(1, 0, 2, true);
  graph.declared_inputs = {{-128, 127}};
  const std::vector<float> before = ValuesOf(graph, {-9, -3, 5, 14});
  ASSERT_TRUE(TabulateIntegers(graph).ok());
  EXPECT_EQ(graph.float_nodes[0].op_type, "IntegerTable");
  EXPECT_EQ(ValuesOf(graph, {-9, -3, 5, 14}), before);
}

}  // namespace
}  // namespace onnx2mcu
