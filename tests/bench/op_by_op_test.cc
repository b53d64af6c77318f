// What the table of docs/memory.md compares with: on graphs small enough to be counted by hand.
#include "bench/op_by_op.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <random>

namespace onnx2mcu {
namespace {

TensorId AddTensorOf(Graph &graph, const char *name, std::vector<int64_t> dims, bool constant = false) {
  Tensor tensor;
  tensor.name = name, tensor.dims = std::move(dims), tensor.is_constant = constant;
  return AddTensor(graph, std::move(tensor));
}

void AddNode(Graph &graph, const char *type, std::vector<TensorId> inputs, std::vector<TensorId> outputs) {
  FloatNode node;
  node.name = node.op_type = type, node.inputs = std::move(inputs), node.outputs = std::move(outputs);
  graph.float_nodes.push_back(std::move(node));
}

// in [4,10] -> MatMul [10,30] -> Add bias -> Reshape -> Gelu -> Add(in) -> out
Graph Perceptron() {
  Graph graph;
  const TensorId in = AddTensorOf(graph, "in", {4, 10}), w = AddTensorOf(graph, "w", {10, 30}, true);
  const TensorId b = AddTensorOf(graph, "b", {30}, true), s = AddTensorOf(graph, "s", {2}, true);
  const TensorId product = AddTensorOf(graph, "product", {4, 30}), sum = AddTensorOf(graph, "sum", {4, 30});
  const TensorId flat = AddTensorOf(graph, "flat", {120}), act = AddTensorOf(graph, "act", {120});
  const TensorId norm = AddTensorOf(graph, "norm", {120}), out = AddTensorOf(graph, "out", {120});
  AddNode(graph, "MatMul", {in, w}, {product});
  AddNode(graph, "Add", {product, b}, {sum});
  AddNode(graph, "Reshape", {sum, s}, {flat});
  AddNode(graph, "Gelu", {flat}, {act});
  AddNode(graph, "Softmax", {act}, {norm});
  AddNode(graph, "Add", {norm, flat}, {out});
  graph.inputs = {in}, graph.outputs = {out};
  return graph;
}

TEST(OpByOp, BiasAndReshapeAreFreeInputsAndOutputsTheCallers) {
  const std::vector<WholeTensor> tensors = WholeTensors(Perceptron());
  ASSERT_EQ(tensors.size(), 3u);  // product, act, norm
  for (const WholeTensor &tensor : tensors) EXPECT_EQ(tensor.bytes, 120);
  EXPECT_EQ(tensors[0].first, 0);
  EXPECT_EQ(tensors[0].last, 5);  // read again by the last Add
  EXPECT_EQ(tensors[1].first, 3);
  EXPECT_EQ(tensors[1].last, 4);
  EXPECT_EQ(tensors[2].first, 4);
  EXPECT_EQ(tensors[2].last, 5);
  EXPECT_EQ(GreedyBySize(tensors), 360);
}

TEST(OpByOp, ABiasThatIsReadTwiceIsAnOp) {
  Graph graph = Perceptron();
  graph.float_nodes[4].inputs[0] = graph.float_nodes[0].outputs[0];  // Softmax reads the product before its bias
  EXPECT_EQ(WholeTensors(graph).size(), 4u);
}

TEST(OpByOp, Equation5TakesTheHeaviestLayer) {
  EXPECT_EQ(WeightsAndLargerSide(Perceptron()), 300 + 4 * 30 + 120);  // weights, biases, the larger side
}

TEST(GreedyBySize, FillsTheLowestGapThatIsFreeAllAlong) {
  EXPECT_EQ(GreedyBySize({}), 0);
  EXPECT_EQ(GreedyBySize({{100, 0, 1}, {50, 2, 3}}), 100);
  EXPECT_EQ(GreedyBySize({{100, 0, 1}, {50, 1, 2}, {40, 2, 3}}), 150);  // 40 fits below 50
  EXPECT_EQ(GreedyBySize({{30, 0, 2}, {20, 1, 3}, {25, 3, 4}}), 50);
}

TEST(GreedyBySize, NeverBelowTheLiveBytesNorAboveTheSum) {
  std::mt19937 random(7);
  for (int round = 0; round < 2000; round++) {
    std::vector<WholeTensor> tensors(1 + random() % 12);
    int64_t sum = 0, live = 0;
    for (WholeTensor &tensor : tensors) {
      tensor.first = static_cast<int32_t>(random() % 10),
      tensor.last = tensor.first + static_cast<int32_t>(random() % 4);
      tensor.bytes = 1 + static_cast<int64_t>(random() % 100), sum += tensor.bytes;
    }
    for (int32_t time = 0; time < 14; time++) {
      int64_t now = 0;
      for (const WholeTensor &tensor : tensors) now += tensor.first <= time && tensor.last >= time ? tensor.bytes : 0;
      live = std::max(live, now);
    }
    const int64_t arena = GreedyBySize(tensors);
    EXPECT_GE(arena, live);
    EXPECT_LE(arena, sum);
  }
}

}  // namespace
}  // namespace onnx2mcu
