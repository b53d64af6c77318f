// Canonicalize on hand-made graphs: linear layers, convolutions, what is folded into them and cut out of them;
// attention; movement.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "absl/strings/str_cat.h"
#include "net.h"

namespace onnx2mcu {
namespace {

using testing::ElementsAre;

// ---- Linear layers and convolutions ----

TEST(Canonicalize, MakesGemmAMatMulAndAnAdd) {
  Net net({4, 6});
  net.Weights("w", {5, 6})
      .Weights("b", {1})
      .Op("Gemm", {"x", "w", "b"}, {"y"}, {{"transB", int64_t{1}}, {"alpha", 0.5f}, {"beta", 2.0f}});
  EXPECT_THAT(net.Ops(), ElementsAre("MatMul", "Add"));
  EXPECT_THAT(net.input(0, 1).dims, ElementsAre(6, 5));
  EXPECT_THAT(net.input(1, 1).dims, ElementsAre(5));
}

TEST(Canonicalize, KeepsABiasPerRowOfGemm) {
  Net net({4, 6});
  net.Weights("w", {6, 5}).Weights("b", {4, 1}).Op("Gemm", {"x", "w", "b"}, {"y"});
  EXPECT_THAT(net.Ops(), ElementsAre("MatMul", "Add"));
}

TEST(Canonicalize, PutsTheWeightSecond) {
  Net net({1, 4, 6});
  net.Weights("w", {3, 4}).Op("MatMul", {"w", "x"}, {"y"});
  EXPECT_THAT(net.Ops(), ElementsAre("Transpose", "MatMul", "Transpose"));
  EXPECT_THAT(net.input(1, 1).dims, ElementsAre(4, 3));
}

TEST(Canonicalize, FoldsFactorsIntoTheLayerBefore) {
  Net net({1, 4, 6});
  net.Weights("w", {6, 8}).Weights("b", {8}).Weights("layer scale", {8}).Scalar("s", 0.25f).Ints("shape", {1, 4, 2, 4});
  net.Op("MatMul", {"x", "w"}, {"m"}).Op("Add", {"b", "m"}, {"l"}).Op("Mul", {"l", "layer scale"}, {"k"});
  net.Op("Reshape", {"k", "shape"}, {"h"})
      .Op("Transpose", {"h"}, {"t"}, {{"perm", Dims{0, 2, 1, 3}}})
      .Op("Mul", {"t", "s"}, {"y"});
  EXPECT_THAT(net.Ops(), ElementsAre("MatMul", "Add", "Reshape", "Transpose"));
}

TEST(Canonicalize, KeepsAFactorThatOthersDoNotRead) {
  Net net({1, 4, 6});
  net.Weights("w", {6, 8})
      .Scalar("s", 0.25f)
      .Op("MatMul", {"x", "w"}, {"m"})
      .Op("Mul", {"m", "s"}, {"p"})
      .Op("Relu", {"m"}, {"q"});
  net.Op("Add", {"p", "q"}, {"y"});
  EXPECT_THAT(net.Ops(), testing::UnorderedElementsAre("MatMul", "Mul", "Relu", "Add"));
}

TEST(Canonicalize, FoldsPixelScalingIntoAConvolution) {
  Net net({1, 3, 8, 8});
  net.Weights("std", {3, 1, 1})
      .Weights("mean", {3, 1, 1})
      .Weights("w", {4, 3, 4, 4})
      .Op("Mul", {"x", "std"}, {"a"})
      .Op("Add", {"a", "mean"}, {"b"});
  net.Op("Conv", {"b", "w"}, {"y"}, {{"strides", Dims{4, 4}}});
  EXPECT_THAT(net.Ops(), ElementsAre("Conv"));
  EXPECT_THAT(AttrInts(net.node(0), "pads"), ElementsAre(0, 0, 0, 0));
}

// A mix of channels, biased or not, before a convolution, padded or not.
std::vector<std::string> OpsOfMix(bool biased, int64_t pad, Dims mix) {
  Net net({1, mix[1], 8, 8});
  net.Weights("m", mix).Weights("c", {mix[0]}).Weights("w", {6, mix[0], 4, 4});
  biased ? net.Op("Conv", {"x", "m", "c"}, {"a"}) : net.Op("Conv", {"x", "m"}, {"a"});
  net.Op("Conv", {"a", "w"}, {"y"}, {{"strides", Dims{4, 4}}, {"pads", Dims{pad, pad, pad, pad}}});
  return net.Ops();
}

TEST(Canonicalize, FoldsAMixOfChannelsIntoAConvolution) {
  EXPECT_THAT(OpsOfMix(false, 0, {3, 3, 1, 1}), ElementsAre("Conv"));
  EXPECT_THAT(OpsOfMix(true, 0, {3, 1, 1, 1}), ElementsAre("Conv"));
  EXPECT_THAT(OpsOfMix(false, 1, {3, 3, 1, 1}), ElementsAre("Conv"));
  EXPECT_THAT(OpsOfMix(true, 1, {3, 3, 1, 1}), ElementsAre("Conv", "Conv"));   // padding is no bias
  EXPECT_THAT(OpsOfMix(false, 0, {1, 3, 1, 1}), ElementsAre("Conv", "Conv"));  // weights would grow
  EXPECT_THAT(OpsOfMix(false, 0, {3, 3, 2, 2}), ElementsAre("Conv", "Conv"));
}

TEST(Canonicalize, FoldsNoTermIntoAPaddedConvolution) {
  Net net({1, 3, 8, 8});
  net.Weights("std", {3, 1, 1})
      .Weights("mean", {3, 1, 1})
      .Weights("w", {4, 3, 3, 3})
      .Op("Add", {"x", "mean"}, {"a"})
      .Op("Mul", {"a", "std"}, {"b"});
  net.Op("Conv", {"b", "w"}, {"y"}, {{"pads", Dims{1, 1, 1, 1}}});
  EXPECT_THAT(net.Ops(), ElementsAre("Add", "Conv"));
}

TEST(Canonicalize, NormalisesPixelsOfAPaddedConvolutionByChannel) {
  Net net({1, 3, 8, 8});
  net.Weights("std", {3, 1, 1}).Weights("mean", {3, 1, 1}).Weights("w", {4, 3, 3, 3});
  net.Op("Mul", {"x", "std"}, {"a"}).Op("Add", {"a", "mean"}, {"b"});
  net.Op("Conv", {"b", "w"}, {"y"}, {{"pads", Dims{1, 1, 1, 1}}});
  EXPECT_THAT(net.Ops(), ElementsAre("Conv", "Conv"));
  EXPECT_EQ(AttrInt(net.node(0), "group", 1), 3);
}

TEST(Canonicalize, FoldsPixelScalingThroughPatches) {
  Net net({1, 3, 8, 8});
  net.Weights("std", {3, 1, 1})
      .Weights("mean", {3, 1, 1})
      .Weights("w", {48, 5})
      .Op("Mul", {"x", "std"}, {"a"})
      .Op("Add", {"a", "mean"}, {"b"});
  net.Ints("split", {1, 3, 2, 4, 2, 4}).Ints("rows", {1, 4, 48}).Op("Reshape", {"b", "split"}, {"c"});
  net.Op("Transpose", {"c"}, {"d"}, {{"perm", Dims{0, 2, 4, 3, 5, 1}}})
      .Op("Reshape", {"d", "rows"}, {"e"})
      .Op("MatMul", {"e", "w"}, {"y"});
  EXPECT_THAT(net.Ops(), ElementsAre("Reshape", "Transpose", "Reshape", "MatMul", "Add"));
}

TEST(Canonicalize, FoldsScalarScalingIntoTheNormOfPatches) {
  Net net({1, 3, 8, 8});
  net.Scalar("s", 0.1f)
      .Scalar("m", 0.5f)
      .Weights("gamma", {48})
      .Weights("beta", {48})
      .Op("Mul", {"x", "s"}, {"a"})
      .Op("Add", {"a", "m"}, {"b"});
  net.Ints("split", {1, 3, 2, 4, 2, 4}).Ints("rows", {1, 4, 48}).Op("Reshape", {"b", "split"}, {"c"});
  net.Op("Transpose", {"c"}, {"d"}, {{"perm", Dims{0, 2, 4, 3, 5, 1}}}).Op("Reshape", {"d", "rows"}, {"e"});
  net.Op("LayerNormalization", {"e", "gamma", "beta"}, {"y"});
  EXPECT_THAT(net.Ops(), ElementsAre("Reshape", "Transpose", "Reshape", "LayerNormalization"));
}

TEST(Canonicalize, FoldsBatchNormalization) {
  Net net({1, 3, 8, 8});
  net.Weights("w", {4, 3, 3, 3})
      .Weights("scale", {4})
      .Weights("shift", {4})
      .Weights("mean", {4})
      .Floats("var", {4}, {1, 2, 3, 4});
  net.Op("Conv", {"x", "w"}, {"c"}).Op("BatchNormalization", {"c", "scale", "shift", "mean", "var"}, {"y"});
  EXPECT_THAT(net.Ops(), ElementsAre("Conv"));
  Net series({1, 3, 16});
  series.Weights("w", {4, 3, 5})
      .Weights("scale", {4})
      .Weights("shift", {4})
      .Weights("mean", {4})
      .Floats("var", {4}, {1, 2, 3, 4});
  series.Op("Conv", {"x", "w"}, {"c"}, {{"strides", Dims{2}}, {"pads", Dims{2, 1}}})
      .Op("BatchNormalization", {"c", "scale", "shift", "mean", "var"}, {"y"});
  EXPECT_THAT(series.Ops(), ElementsAre("Reshape", "Conv", "Reshape"));
  EXPECT_THAT(AttrInts(series.node(1), "pads"), ElementsAre(0, 2, 0, 1));
}

TEST(Canonicalize, WritesAutomaticPaddingAsNumbers) {
  for (const char *mode : {"SAME_UPPER", "SAME_LOWER", "VALID"}) {
    Net net({1, 2, 8, 7});
    net.Weights("w", {4, 2, 3, 2})
        .Op("Conv", {"x", "w"}, {"y"}, {{"auto_pad", std::string(mode)}, {"strides", Dims{2, 1}}});
    EXPECT_THAT(net.Ops(), ElementsAre("Conv")) << mode;
    EXPECT_EQ(net.node(0).attrs.count("auto_pad"), 0u);
  }
}

// ---- Slices ----

TEST(Canonicalize, CutsALinearLayerThatIsReadInSlices) {
  Net net({1, 4, 6});
  net.Weights("w", {6, 8}).Weights("b", {8}).Op("MatMul", {"x", "w"}, {"m"}).Op("Add", {"b", "m"}, {"l"});
  net.Op("Split", {"l"}, {"g", "h"}, {{"axis", int64_t{-1}}}).Op("Sigmoid", {"g"}, {"s"}).Op("Mul", {"s", "h"}, {"y"});
  EXPECT_THAT(net.Ops(), testing::UnorderedElementsAre("MatMul", "Add", "MatMul", "Add", "Sigmoid", "Mul"));
}

TEST(Canonicalize, LeavesTheHeadsOfOneLayerTogether) {
  Net net({1, 4, 6});
  net.Weights("w", {6, 8}).Op("MatMul", {"x", "w"}, {"l"}).Op("Split", {"l"}, {"g", "h"}, {{"axis", int64_t{-1}}});
  net.Op("Softmax", {"g"}, {"s"}).Op("Softmax", {"h"}, {"t"}).Op("Concat", {"s", "t"}, {"y"}, {{"axis", int64_t{2}}});
  EXPECT_THAT(net.Ops(), testing::UnorderedElementsAre("MatMul", "Slice", "Slice", "Softmax", "Softmax", "Concat"));
}

// The same attention of 2 heads of 3, q k v of one layer, by different movement.
class FusedAttention : public testing::TestWithParam<std::string> {
 protected:
  static void Take(Net &net, const std::string &how, int i, const std::string &name) {
    const std::string index = "i" + name;
    if (how == "gather" || how == "mha") net.Int(index, i).Op("Gather", {"p", index}, {name}, {{"axis", int64_t{0}}});
    if (how == "unbind") net.Ints("axis0", {0}).Op("Squeeze", {"part" + std::to_string(i), "axis0"}, {name});
  }
};

TEST_P(FusedAttention, BecomesThreeLayers) {
  const std::string how = GetParam();
  Net net({1, 4, 6});
  net.Weights("w", {6, 18}).Weights("b", {18}).Op("MatMul", {"x", "w"}, {"m"}).Op("Add", {"b", "m"}, {"l"});
  if (how == "gather" || how == "unbind") {
    net.Ints("s5", {1, 4, 3, 2, 3})
        .Op("Reshape", {"l", "s5"}, {"r"})
        .Op("Transpose", {"r"}, {"p"}, {{"perm", Dims{2, 0, 3, 1, 4}}});
    if (how == "unbind") net.Op("Split", {"p"}, {"part0", "part1", "part2"}, {{"axis", int64_t{0}}});
    Take(net, how, 0, "q"), Take(net, how, 1, "k"), Take(net, how, 2, "v");
  } else if (how == "interleaved") {  // heads outside of q, k, v
    net.Ints("s5", {1, 4, 2, 3, 3})
        .Op("Reshape", {"l", "s5"}, {"r"})
        .Op("Transpose", {"r"}, {"p"}, {{"perm", Dims{3, 0, 2, 1, 4}}});
    Take(net, "gather", 0, "q"), Take(net, "gather", 1, "k"), Take(net, "gather", 2, "v");
  } else if (how == "chunk") {
    net.Ints("s4", {1, 4, 2, 3}).Op("Split", {"l"}, {"c0", "c1", "c2"}, {{"axis", int64_t{2}}});
    for (const char *name : {"q", "k", "v"}) {
      const std::string part = absl::StrCat("c", name[0] == 'q'   ? 0
                                                 : name[0] == 'k' ? 1
                                                                  : 2),
                        r = absl::StrCat("r", name);
      net.Op("Reshape", {part, "s4"}, {r}).Op("Transpose", {r}, {name}, {{"perm", Dims{0, 2, 1, 3}}});
    }
  } else {  // nn.MultiheadAttention, tokens first
    net.Ints("tokens first", {4, 1, 3, 6})
        .Ints("zero", {0})
        .Ints("minus two", {-2})
        .Ints("heads", {4, 2, 3})
        .Ints("batch", {1, 2, 4, 3});
    net.Op("Transpose", {"l"}, {"lt"}, {{"perm", Dims{1, 0, 2}}})
        .Op("Reshape", {"lt", "tokens first"}, {"r"})
        .Op("Unsqueeze", {"r", "zero"}, {"u"});
    net.Op("Transpose", {"u"}, {"t"}, {{"perm", Dims{3, 1, 2, 0, 4}}}).Op("Squeeze", {"t", "minus two"}, {"p"});
    for (int i = 0; i < 3; i++) {
      const std::string name = std::string("qkv").substr(i, 1);
      Take(net, how, i, "g" + name);
      net.Op("Reshape", {"g" + name, "heads"}, {"h" + name})
          .Op("Transpose", {"h" + name}, {"ht" + name}, {{"perm", Dims{1, 0, 2}}});
      net.Op("Reshape", {"ht" + name, "batch"}, {name});
    }
  }
  net.Op("Transpose", {"k"}, {"kt"}, {{"perm", Dims{0, 1, 3, 2}}})
      .Scalar("scale", 0.57735f)
      .Op("Mul", {"q", "scale"}, {"qs"});
  net.Op("MatMul", {"qs", "kt"}, {"s"})
      .Op("Softmax", {"s"}, {"a"}, {{"axis", int64_t{-1}}})
      .Op("MatMul", {"a", "v"}, {"y"});
  const std::vector<std::string> ops = net.Ops();
  const auto count = [&](const char *op) { return std::count(ops.begin(), ops.end(), op); };
  EXPECT_EQ(count("MatMul"), 5) << PrintGraph(net.graph());
  EXPECT_EQ(count("Add"), 3);
  EXPECT_EQ(count("Transpose"), 3);
  EXPECT_EQ(count("Mul") + count("Slice") + count("Gather") + count("Split"), 0) << PrintGraph(net.graph());
}

INSTANTIATE_TEST_SUITE_P(All, FusedAttention, testing::Values("gather", "unbind", "chunk", "mha", "interleaved"),
                         [](const auto &test) { return test.param; });

// ---- Attention ----

TEST(Canonicalize, TurnsScoresOfKeysByQueriesRound) {
  Net net({1, 2, 3, 4});  // [heads, width, tokens]
  net.Weights("wk", {4, 4})
      .Weights("wv", {4, 4})
      .Scalar("s", 0.5f)
      .Op("MatMul", {"x", "wk"}, {"k"})
      .Op("MatMul", {"x", "wv"}, {"v"});
  net.Op("Transpose", {"k"}, {"kt"}, {{"perm", Dims{0, 1, 3, 2}}})
      .Op("MatMul", {"kt", "x"}, {"st"})
      .Op("Mul", {"st", "s"}, {"ss"});
  net.Op("Softmax", {"ss"}, {"a"}, {{"axis", int64_t{2}}}).Op("MatMul", {"v", "a"}, {"y"});
  const std::vector<std::string> ops = net.Ops();
  const Graph &g = net.graph();
  for (const FloatNode &node : g.float_nodes)
    EXPECT_TRUE(node.op_type != "Softmax" || g.float_nodes[Producers(g)[node.inputs[0]]].op_type == "Mul");
  EXPECT_EQ(std::count(ops.begin(), ops.end(), "Softmax"), 1);
}

TEST(Canonicalize, AddsConstantMasks) {
  Net net({1, 2, 2});
  net.Bools("mask", {2, 2}, {0, 1, 0, 0}).Scalar("inf", -std::numeric_limits<float>::infinity());
  net.Op("Where", {"mask", "inf", "x"}, {"m"})
      .Op("Softmax", {"m"}, {"p"}, {{"axis", int64_t{-1}}})
      .Op("IsNaN", {"p"}, {"n"});
  net.Scalar("zero", 0).Op("Where", {"n", "zero", "p"}, {"y"});
  EXPECT_THAT(net.Ops(), ElementsAre("Add", "Softmax"));
}

TEST(Canonicalize, ChoicesThatNoSoftmaxReadsAreSums) {
  Net net({1, 2, 2});
  net.Bools("mask", {2, 2}, {0, 1, 0, 0}).Scalar("low", -1e5f).Op("Where", {"mask", "low", "x"}, {"m"});
  net.Op("Add", {"m", "x"}, {"y"});
  EXPECT_THAT(net.Ops(), ElementsAre("Mul", "Add", "Add"));
}

TEST(Canonicalize, TakesFusedOperatorsApart) {
  Net attention({1, 2, 4, 3}, 23);
  attention.Op("Attention", {"x", "x", "x"}, {"y"});
  EXPECT_THAT(attention.Ops(), ElementsAre("Transpose", "MatMul", "Mul", "Softmax", "MatMul"));
  Net causal({1, 4, 6}, 23);
  causal.Op("Attention", {"x", "x", "x"}, {"y"},
            {{"q_num_heads", int64_t{2}}, {"kv_num_heads", int64_t{2}}, {"is_causal", int64_t{1}}});
  const std::vector<std::string> ops = causal.Ops();
  EXPECT_EQ(std::count(ops.begin(), ops.end(), "Add"), 1);
  Net einsum({1, 4, 2, 3});
  einsum.Op("Einsum", {"x", "x"}, {"y"}, {{"equation", std::string("bnhp,bmhp->bhnm")}});
  EXPECT_THAT(einsum.Ops(), ElementsAre("Transpose", "Transpose", "MatMul"));
  Net skip({1, 4, 6});
  skip.Weights("w", {6, 6})
      .Weights("gamma", {6})
      .Weights("beta", {6})
      .Weights("bias", {6})
      .Op("MatMul", {"x", "w"}, {"m"});
  skip.Op("SkipLayerNormalization", {"x", "m", "gamma", "beta", "bias"}, {"y", "", "", "sum"}, {{"epsilon", 1e-5f}},
          "com.microsoft");
  EXPECT_THAT(skip.Ops({"y", "sum"}), ElementsAre("MatMul", "Add", "Add", "LayerNormalization"));
  Net gelu({1, 6});
  gelu.Weights("b", {6})
      .Op("BiasGelu", {"x", "b"}, {"g"}, {}, "com.microsoft")
      .Op("FastGelu", {"g"}, {"f"}, {}, "com.microsoft");
  gelu.Op("QuickGelu", {"f"}, {"y"}, {}, "com.microsoft");
  EXPECT_THAT(gelu.Ops(), ElementsAre("Add", "Gelu", "Gelu", "Mul", "Sigmoid", "Mul"));
  Net fused({1, 4, 6});
  fused.Op("FusedMatMul", {"x", "x"}, {"y"}, {{"transB", int64_t{1}}, {"alpha", 0.5f}}, "com.microsoft");
  EXPECT_THAT(fused.Ops(), ElementsAre("Transpose", "MatMul", "Mul"));
}

// ---- Movement ----

TEST(Canonicalize, ComposesMovement) {
  Net net({1, 4, 6});
  net.Op("Transpose", {"x"}, {"a"}, {{"perm", Dims{0, 2, 1}}})
      .Ints("four", {1, 1, 6, 4})
      .Op("Reshape", {"a", "four"}, {"b"});
  net.Op("Transpose", {"b"}, {"c"}, {{"perm", Dims{0, 1, 3, 2}}})
      .Ints("one", {1})
      .Op("Squeeze", {"c", "one"}, {"d"})
      .Op("Relu", {"d"}, {"y"});
  EXPECT_THAT(net.Ops(), ElementsAre("Relu"));
}

TEST(Canonicalize, MakesUnfoldOneTranspose) {
  Net net({1, 3, 8, 8});
  Dims index;  // [kernel row][block]
  for (int64_t k = 0; k < 4; k++)
    for (int64_t block = 0; block < 2; block++) index.push_back(k + 4 * block);
  net.Ints("flat", index)
      .Ints("grid", {4, 2})
      .Op("Reshape", {"flat", "grid"}, {"rows"})
      .Op("Gather", {"x", "rows"}, {"a"}, {{"axis", int64_t{2}}});
  net.Op("Gather", {"a", "rows"}, {"b"}, {{"axis", int64_t{4}}})
      .Op("Transpose", {"b"}, {"c"}, {{"perm", Dims{0, 1, 2, 4, 3, 5}}});
  net.Ints("columns", {1, 48, 4})
      .Op("Reshape", {"c", "columns"}, {"d"})
      .Op("Transpose", {"d"}, {"y"}, {{"perm", Dims{0, 2, 1}}});
  EXPECT_THAT(net.Ops(), ElementsAre("Reshape", "Transpose", "Reshape"));
}

}  // namespace
}  // namespace onnx2mcu
