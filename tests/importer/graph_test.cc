#include "importer/ir/graph.h"

#include <gtest/gtest.h>

namespace onnx2mcu {
namespace {

Node Layer(const std::string &name, TensorId x, TensorId weights, TensorId y) {
  Node node;
  node.name = name, node.inputs = {x, weights, kNone}, node.outputs = {y};
  node.constants = {{"weights", DType::kS8, 12, {}}, {"bias", DType::kS32, 3, {}}};
  return node;
}

TensorId Add(Graph &graph, const std::string &name, bool is_constant, TensorId base = kNone) {
  Tensor tensor;
  tensor.name = name, tensor.is_constant = is_constant, tensor.base = base;
  return AddTensor(graph, std::move(tensor));
}

TEST(ConstantBytes, ANodeThatIsRepeatedHasItsWeightsOnce) {
  Graph graph;
  const TensorId x = Add(graph, "x", false), again = Add(graph, "x again", false), y = Add(graph, "y", false);
  const TensorId w = Add(graph, "w", true), part = Add(graph, "w part", true);
  graph.nodes = {Layer("fc", x, w, y), Layer("fc", again, w, y)};
  EXPECT_EQ(ConstantBytes(graph.nodes[0]), 24);
  EXPECT_EQ(ConstantBytes(graph), 24);
  graph.nodes.push_back(Layer("fc", x, part, y));  // a part of it has weights of its own
  graph.nodes.push_back(Layer("other", x, w, y));  // and so has another layer: its scales differ
  EXPECT_EQ(ConstantBytes(graph), 3 * 24);
}

TEST(OpUsers, AreListedOnceByTheBaseOfWhatTheyTouch) {
  Graph graph;
  const TensorId x = Add(graph, "x", false), head = Add(graph, "head", false, x), y = Add(graph, "y", false);
  graph.nodes = {Layer("project", y, head, x), Layer("mix", x, head, y)};
  const Users users = OpUsers(graph);
  EXPECT_EQ(users.readers[x], (std::vector<NodeId>{0, 1}));
  EXPECT_EQ(users.writers[x], (std::vector<NodeId>{0}));
  EXPECT_EQ(users.readers[y], (std::vector<NodeId>{0}));
  EXPECT_TRUE(users.readers[head].empty());
}

}  // namespace
}  // namespace onnx2mcu
