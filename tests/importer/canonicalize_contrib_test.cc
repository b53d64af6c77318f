// Rotary embeddings and fused convolutions: what is taken apart computes what the operator did.
#include "net.h"

namespace onnx2mcu {
namespace {

using Names = std::vector<std::string>;

bool Holds(const Names &ops, const std::string &op) { return std::find(ops.begin(), ops.end(), op) != ops.end(); }

TEST(Contrib, RotaryEmbeddingOfHeads) {
  Net net({1, 2, 5, 8}, 23);
  net.Weights("cos", {9, 4}).Weights("sin", {9, 4}).Constant("at", {DType::kS64, {1, 5}, {}, {4, 0, 8, 1, 2}});
  net.Op("RotaryEmbedding", {"x", "cos", "sin", "at"}, {"y"});
  const Names ops = net.Ops();
  EXPECT_FALSE(Holds(ops, "RotaryEmbedding"));
  EXPECT_EQ(std::count(ops.begin(), ops.end(), "Mul"), 4);
}

TEST(Contrib, RotaryEmbeddingOfTokensInterleavedInPart) {
  Net net({1, 5, 24}, 23);
  net.Weights("cos", {1, 5, 2}).Weights("sin", {1, 5, 2});
  net.Op("RotaryEmbedding", {"x", "cos", "sin"}, {"y"},
         {{"num_heads", int64_t{3}}, {"interleaved", int64_t{1}}, {"rotary_embedding_dim", int64_t{4}}});
  EXPECT_FALSE(Holds(net.Ops(), "RotaryEmbedding"));
}

TEST(Contrib, RotaryEmbeddingOfMicrosoftFromAnOffset) {
  Net net({1, 5, 16});
  net.Weights("cos", {9, 4}).Weights("sin", {9, 4}).Ints("at", {3});
  net.Op("RotaryEmbedding", {"x", "at", "cos", "sin"}, {"y"}, {}, "com.microsoft");
  EXPECT_FALSE(Holds(net.Ops(), "RotaryEmbedding"));
}

TEST(Contrib, RotaryEmbeddingRefusesCachesWithoutAngles) {
  FloatNode node;
  node.op_type = "RotaryEmbedding", node.opset = 23;
  const Value x = {DType::kF32, {1, 2, 5, 8}, std::vector<float>(80), {}}, scalar = {DType::kF32, {}, {1.0f}, {}};
  EXPECT_FALSE(EvaluateNode(node, {&x, &scalar, &scalar}).ok());
}

TEST(Contrib, FusedConvolution) {
  for (const char *activation : {"Relu", "Clip", "HardSigmoid"}) {
    Net net({1, 3, 6, 6});
    net.Weights("w", {4, 3, 3, 3}).Weights("b", {4}).Weights("z", {1, 4, 4, 4});
    net.Op("FusedConv", {"x", "w", "b", "z"}, {"y"},
           {{"activation", std::string(activation)}, {"activation_params", std::vector<float>{0.1f, 0.5f}}},
           "com.microsoft");
    EXPECT_TRUE(Holds(net.Ops(), "Conv")) << activation;
  }
}

TEST(Contrib, SkipSimplifiedLayerNormalization) {
  Net net({1, 5, 8});
  net.Weights("s", {1, 5, 8}).Weights("g", {8}).Weights("b", {8});
  net.Op("SkipSimplifiedLayerNormalization", {"x", "s", "g", "b"}, {"y", "", "", "sum"}, {}, "com.microsoft");
  EXPECT_EQ(net.Ops({"y", "sum"}).back(), "RMSNormalization");
}

}  // namespace
}  // namespace onnx2mcu
