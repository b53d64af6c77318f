// The ViT structure is read from the graph's shape, whatever the nodes are called.
#include "importer/ir/vit_view.h"

#include <gtest/gtest.h>

#include "plugins/registry.h"

namespace onnx2mcu {
namespace {

// Float nodes by hand; names carry no hint.
struct VitBuilder {
  Graph graph;
  TensorId Value(std::vector<int64_t> dims) {
    Tensor tensor;
    tensor.name = "v" + std::to_string(graph.tensors.size()), tensor.dims = std::move(dims);
    return AddTensor(graph, tensor);
  }
  TensorId Append(const std::string &type, std::vector<TensorId> inputs, std::vector<int64_t> dims) {
    FloatNode node;
    node.name = "n" + std::to_string(graph.float_nodes.size()), node.op_type = type;
    node.inputs = std::move(inputs), node.outputs = {Value(std::move(dims))};
    graph.float_nodes.push_back(node);
    return node.outputs[0];
  }
  TensorId Linear(TensorId x, int64_t k, int64_t n) {
    const TensorId w = AddFloats(graph, "w", {k, n}, std::vector<float>(k * n, 0.5f));
    return Append("MatMul", {x, w}, {1, 5, n});
  }
  TensorId Norm(TensorId x) {
    const TensorId gamma = AddFloats(graph, "g", {8}, std::vector<float>(8, 1.0f));
    return Append("LayerNormalization", {x, gamma, gamma}, {1, 5, 8});
  }
  TensorId Heads(TensorId x, std::vector<int64_t> dims) {
    return Append("Transpose", {Append("Reshape", {x}, {1, 5, 2, 4})}, std::move(dims));
  }
  // Two heads of four.
  TensorId Attention(TensorId h) {
    const TensorId q = Heads(Linear(h, 8, 8), {1, 2, 5, 4}), k = Heads(Linear(h, 8, 8), {1, 2, 4, 5});
    const TensorId v = Heads(Linear(h, 8, 8), {1, 2, 5, 4});
    const TensorId p = Append("Softmax", {Append("MatMul", {q, k}, {1, 2, 5, 5})}, {1, 2, 5, 5});
    const TensorId o = Append("MatMul", {p, v}, {1, 2, 5, 4});
    return Linear(Append("Reshape", {o}, {1, 5, 8}), 8, 8);
  }
  TensorId Mlp(TensorId h) { return Linear(Append("Gelu", {Linear(h, 8, 24)}, {1, 5, 24}), 24, 8); }
  TensorId Add(TensorId a, TensorId b) { return Append("Add", {a, b}, {1, 5, 8}); }
};

VitBuilder PreNorm(int depth, bool swap) {
  VitBuilder b;
  TensorId x = b.Value({1, 5, 3});
  b.graph.inputs = {x};
  x = b.Linear(x, 3, 8);
  for (int i = 0; i < depth; i++) {
    const TensorId attention = b.Attention(b.Norm(x));
    x = swap ? b.Add(attention, x) : b.Add(x, attention);
    const TensorId mlp = b.Mlp(b.Norm(x));
    x = swap ? b.Add(mlp, x) : b.Add(x, mlp);
  }
  b.graph.outputs = {b.Linear(b.Norm(x), 8, 10)};
  return b;
}

void ExpectVit(const VitView &view, int depth) {
  EXPECT_TRUE(view.found);
  EXPECT_EQ(view.depth, depth);
  EXPECT_EQ(view.heads, 2);
  EXPECT_EQ(view.tokens, 5);
  EXPECT_EQ(view.dim, 8);
  EXPECT_EQ(view.head_dim, 4);
  EXPECT_EQ(view.mlp_dim, 24);
}

TEST(VitView, ReadsPreNormWhicheverWayAddsAreWritten) {
  ExpectVit(ViewAsVit(PreNorm(3, false).graph), 3);
  ExpectVit(ViewAsVit(PreNorm(3, true).graph), 3);
}

TEST(VitView, ReadsPostNorm) {
  VitBuilder b;
  TensorId x = b.Value({1, 5, 8});
  b.graph.inputs = {x};
  for (int i = 0; i < 2; i++) {
    x = b.Norm(b.Add(x, b.Attention(x)));
    x = b.Norm(b.Add(x, b.Mlp(x)));
  }
  b.graph.outputs = {x};
  ExpectVit(ViewAsVit(b.graph), 2);
}

TEST(VitView, ANetWithoutAttentionIsNone) {
  VitBuilder b;
  const TensorId x = b.Value({1, 5, 8});
  b.graph.inputs = {x};
  b.graph.outputs = {b.Add(x, b.Mlp(x))};
  EXPECT_FALSE(ViewAsVit(b.graph).found);
  EXPECT_FALSE(ViewAsVit(Graph{}).found);
}

// One op node per float node, as LowerToOps might make them.
TEST(LabelNodes, NamesPartsByTheirPlace) {
  VitBuilder b = PreNorm(2, false);
  o2m_op op{};
  op.id = "com.example.thing";
  for (NodeId id = 0; id < static_cast<NodeId>(b.graph.float_nodes.size()); id++) {
    Node node;
    node.op = &op, node.float_nodes = {id}, node.outputs = b.graph.float_nodes[id].outputs;
    b.graph.nodes.push_back(node);
  }
  std::string text;
  for (const NodeLabel &label : LabelNodes(b.graph)) {
    if (label.name != "thing") text += label.block + "." + label.part + "." + label.name + ">" + label.result + " ";
  }
  const auto block = [](const std::string &n) {
    const std::string attn = "block" + n + ".attn.", mlp = "block" + n + ".mlp.";
    return attn + "norm1>norm1 " + attn + "q>q " + attn + "k>k " + attn + "v>v " + attn + "proj>proj " + attn +
           "add1>x " + mlp + "norm2>norm2 " + mlp + "fc1>fc1 " + mlp + "fc2>fc2 " + mlp + "add2>x ";
  };
  EXPECT_EQ(text, block("0") + block("1"));
  EXPECT_EQ(LabelNodes(b.graph).front().block, "embed");
  EXPECT_EQ(LabelNodes(b.graph).front().result, "x");
  EXPECT_EQ(LabelNodes(b.graph).back().block, "head");
}

}  // namespace
}  // namespace onnx2mcu
