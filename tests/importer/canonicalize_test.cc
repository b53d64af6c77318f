// Canonicalize on hand-made graphs, spelling by spelling: what comes out, and that it computes the same. Here
// arithmetic, normalisation and activations.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "net.h"

namespace onnx2mcu {
namespace {

using testing::ElementsAre;

// ---- Arithmetic and spelling ----

TEST(Canonicalize, PutsConstantsSecond) {
  Net net({1, 4, 6});
  net.Weights("w", {6}).Op("Sub", {"w", "x"}, {"d"}).Scalar("c", 3).Op("Div", {"d", "c"}, {"y"});
  EXPECT_THAT(net.Ops(), ElementsAre("Mul", "Add", "Mul"));
  EXPECT_TRUE(net.input(1, 1).is_constant);
}

TEST(Canonicalize, DropsWhatChangesNothing) {
  Net net({1, 4, 6});
  net.Scalar("zero", 0)
      .Floats("one", {6}, std::vector<float>(6, 1))
      .Op("Identity", {"x"}, {"a"})
      .Op("Add", {"a", "zero"}, {"b"});
  net.Op("Mul", {"b", "one"}, {"c"}).Op("Dropout", {"c"}, {"d"}).Op("Cast", {"d"}, {"e"}, {{"to", int64_t{1}}});
  net.Ints("shape", {0, -1, 6}).Op("Reshape", {"e", "shape"}, {"f"}).Op("Relu", {"f"}, {"y"});
  EXPECT_THAT(net.Ops(), ElementsAre("Relu"));
}

TEST(Canonicalize, KeepsOutputsThatAreInputs) {
  Net net({1, 4});
  net.Op("Identity", {"x"}, {"y"}).Op("Relu", {"x"}, {"z"}).Op("Relu", {"x"}, {"also z"});
  EXPECT_THAT(net.Ops({"y", "z", "also z"}), ElementsAre("Identity", "Relu", "Relu"));
}

TEST(Canonicalize, MergesEqualComputations) {
  Net net({1, 4, 6});
  net.Weights("w", {6, 6}).Scalar("a", 2).Scalar("b", 2).Op("MatMul", {"x", "w"}, {"m"}).Op("Relu", {"m"}, {"h"});
  net.Op("Mul", {"h", "a"}, {"p"}).Op("Mul", {"h", "b"}, {"q"}).Op("Add", {"p", "q"}, {"y"});
  EXPECT_THAT(net.Ops(), ElementsAre("MatMul", "Relu", "Mul", "Add"));
}

TEST(Canonicalize, WritesClipBoundsAsAttributes) {
  Net net({1, 4});
  net.Scalar("lo", -1)
      .Scalar("hi", 6)
      .Op("Clip", {"x", "lo", "hi"}, {"c"})
      .Op("Clip", {"c", "zero"}, {"y"})
      .Scalar("zero", 0);
  EXPECT_THAT(net.Ops(), ElementsAre("Clip", "Relu"));
  EXPECT_EQ(AttrFloat(net.node(0), "max", 0), 6);
}

TEST(Canonicalize, MovesSoftmaxToTheLastAxis) {
  Net net({1, 4, 6, 2});
  net.Op("Softmax", {"x"}, {"y"}, {{"axis", int64_t{2}}});
  EXPECT_THAT(net.Ops(), ElementsAre("Transpose", "Softmax", "Transpose"));
  Net flat({2, 4, 6}, 11);  // below opset 13 axes 1 and 2 count as one
  flat.Op("Softmax", {"x"}, {"y"}, {{"axis", int64_t{1}}});
  EXPECT_THAT(flat.Ops(), ElementsAre("Reshape", "Softmax", "Reshape"));
}

TEST(Canonicalize, MakesPoolsMeans) {
  Net net({1, 3, 4, 5});
  net.Op("GlobalAveragePool", {"x"}, {"p"}).Op("Flatten", {"p"}, {"y"});
  EXPECT_THAT(net.Ops(), ElementsAre("ReduceMean", "Reshape"));
  EXPECT_THAT(AttrInts(net.node(0), "axes"), ElementsAre(2, 3));
}

// ---- Normalisation ----

struct NormSpelling {
  const char *name;
  bool pow, reciprocal, gamma_first, outside;
  int32_t mean_axes_as_input;
};

class LayerNormSpelling : public testing::TestWithParam<NormSpelling> {};

TEST_P(LayerNormSpelling, BecomesLayerNormalization) {
  const NormSpelling p = GetParam();
  Net net({1, 4, 6});
  net.Weights("gamma", {6}).Weights("beta", {6}).Scalar("eps", 1e-3f).Scalar("two", 2).Scalar("one", 1);
  net.Op("ReduceMean", {"x"}, {"mean"}, kLast).Op("Sub", {"x", "mean"}, {"d"}).Op("Sub", {"x", "mean"}, {"d again"});
  if (p.pow) net.Op("Pow", {"d again", "two"}, {"s"});
  if (!p.pow) net.Op("Mul", {"d", "d again"}, {"s"});
  net.Op("ReduceMean", {"s"}, {"v"}, kLast);
  if (p.outside) net.Op("Sqrt", {"v"}, {"q"}).Op("Add", {"eps", "q"}, {"r"});
  if (!p.outside) net.Op("Add", {"v", "eps"}, {"ve"}).Op("Sqrt", {"ve"}, {"r"});
  if (p.gamma_first) net.Op("Mul", {"gamma", "d"}, {"n"});
  if (p.reciprocal) net.Op("Div", {"one", "r"}, {"i"}).Op("Mul", {p.gamma_first ? "n" : "d", "i"}, {"z"});
  if (!p.reciprocal) net.Op("Div", {p.gamma_first ? "n" : "d", "r"}, {"z"});
  if (!p.gamma_first) net.Op("Mul", {"z", "gamma"}, {"g"});
  net.Op("Add", {p.gamma_first ? "z" : "g", "beta"}, {"y"});
  EXPECT_THAT(net.Ops({"y"}, p.outside ? 5e-3 : 2e-6), ElementsAre("LayerNormalization"));
  ASSERT_EQ(net.node(0).inputs.size(), 3u);
  EXPECT_NEAR(AttrFloat(net.node(0), "epsilon", 0), p.outside ? 1e-6 : 1e-3, 1e-9);
  EXPECT_EQ(AttrInt(net.node(0), "axis", 0), -1);
}

INSTANTIATE_TEST_SUITE_P(All, LayerNormSpelling,
                         testing::Values(NormSpelling{"plain", true, false, false, false, 0},
                                         NormSpelling{"mul", false, false, false, false, 0},
                                         NormSpelling{"rsqrt", true, true, false, false, 0},
                                         NormSpelling{"gamma_first", true, false, true, false, 0},
                                         NormSpelling{"gamma_first_rsqrt", false, true, true, false, 0},
                                         NormSpelling{"eps_outside", true, false, true, true, 0}),
                         [](const auto &test) { return test.param.name; });

TEST(Canonicalize, RecognisesRmsNorm) {
  Net net({1, 4, 6});
  net.Weights("gamma", {6}).Scalar("eps", 1e-5f).Op("Mul", {"x", "x"}, {"s"}).Op("ReduceMean", {"s"}, {"v"}, kLast);
  net.Op("Add", {"v", "eps"}, {"ve"}).Op("Sqrt", {"ve"}, {"r"}).Op("Reciprocal", {"r"}, {"i"});
  net.Op("Mul", {"i", "x"}, {"n"}).Op("Mul", {"n", "gamma"}, {"y"});
  EXPECT_THAT(net.Ops(), ElementsAre("RMSNormalization"));
}

TEST(Canonicalize, LeavesAVarianceOfAnotherValueAlone) {
  Net net({1, 4, 6});
  net.Scalar("eps", 1e-5f).Weights("w", {6}).Op("Add", {"x", "w"}, {"z"}).Op("Mul", {"z", "z"}, {"s"});
  net.Op("ReduceMean", {"s"}, {"v"}, kLast)
      .Op("Add", {"v", "eps"}, {"ve"})
      .Op("Sqrt", {"ve"}, {"r"})
      .Op("Div", {"x", "r"}, {"y"});
  const std::vector<std::string> ops = net.Ops();
  EXPECT_EQ(std::count(ops.begin(), ops.end(), "RMSNormalization"), 0);
}

TEST(Canonicalize, InventsMissingGammaAndBetaAndMergesAxes) {
  Net net({2, 3, 4});
  net.Weights("gamma", {3, 4}).Op("LayerNormalization", {"x", "gamma"}, {"y"}, {{"axis", int64_t{1}}});
  EXPECT_THAT(net.Ops(), ElementsAre("Reshape", "LayerNormalization", "Reshape"));
  EXPECT_THAT(net.input(1, 2).dims, ElementsAre(12));
}

// ---- Activations ----

TEST(Canonicalize, RecognisesGeluInEveryOrderOfFactors) {
  for (int order = 0; order < 6; order++) {
    Net net({1, 8});
    net.Scalar("r2", std::sqrt(2.0f)).Scalar("one", 1).Scalar("half", 0.5f).Op("Div", {"x", "r2"}, {"a"});
    net.Op("Erf", {"a"}, {"e"}).Op("Add", {"e", "one"}, {"f"});
    if (order == 0) net.Op("Mul", {"x", "f"}, {"g"}).Op("Mul", {"g", "half"}, {"y"});
    if (order == 1) net.Op("Mul", {"half", "f"}, {"g"}).Op("Mul", {"x", "g"}, {"y"});
    if (order == 2) net.Op("Mul", {"x", "half"}, {"g"}).Op("Mul", {"g", "f"}, {"y"});
    if (order == 3) net.Op("Mul", {"f", "half"}, {"g"}).Op("Mul", {"g", "x"}, {"y"});
    if (order == 4) net.Op("Mul", {"e", "half"}, {"g"}).Op("Add", {"g", "half"}, {"k"}).Op("Mul", {"k", "x"}, {"y"});
    if (order == 5) net.Op("Mul", {"x", "e"}, {"g"}).Op("Add", {"g", "x"}, {"k"}).Op("Mul", {"k", "half"}, {"y"});
    EXPECT_THAT(net.Ops(), ElementsAre("Gelu")) << order;
    EXPECT_EQ(AttrString(net.node(0), "approximate", ""), "none");
  }
}

TEST(Canonicalize, RecognisesTanhGelu) {
  for (int form = 0; form < 3; form++) {
    Net net({1, 8});
    net.Scalar("c", 0.044715f).Scalar("s", 0.7978845608f).Scalar("one", 1).Scalar("half", 0.5f).Scalar("three", 3);
    if (form == 0) net.Op("Pow", {"x", "three"}, {"cube"});
    if (form > 0) net.Op("Mul", {"x", "x"}, {"square"});
    if (form == 1) net.Op("Mul", {"x", "square"}, {"cube"});
    if (form < 2) net.Op("Mul", {"cube", "c"}, {"k"}).Op("Add", {"x", "k"}, {"p"}).Op("Mul", {"p", "s"}, {"q"});
    if (form == 2)
      net.Op("Mul", {"square", "c"}, {"k"})
          .Op("Add", {"k", "one"}, {"p"})
          .Op("Mul", {"x", "s"}, {"xs"})
          .Op("Mul", {"xs", "p"}, {"q"});
    net.Op("Tanh", {"q"}, {"t"})
        .Op("Add", {"one", "t"}, {"u"})
        .Op("Mul", {"half", "x"}, {"h"})
        .Op("Mul", {"h", "u"}, {"y"});
    EXPECT_THAT(net.Ops(), ElementsAre("Gelu")) << form;
    EXPECT_EQ(AttrString(net.node(0), "approximate", ""), "tanh");
  }
}

TEST(Canonicalize, LeavesWhatOnlyLooksLikeGelu) {
  Net net({1, 8});
  net.Scalar("r2", 1.5f).Scalar("one", 1).Scalar("half", 0.5f).Op("Div", {"x", "r2"}, {"a"}).Op("Erf", {"a"}, {"e"});
  net.Op("Add", {"e", "one"}, {"f"}).Op("Mul", {"x", "f"}, {"g"}).Op("Mul", {"g", "half"}, {"y"});
  const std::vector<std::string> ops = net.Ops();
  EXPECT_EQ(std::count(ops.begin(), ops.end(), "Erf"), 1);
}

TEST(Canonicalize, RecognisesHardSwishAndMish) {
  Net swish({1, 8});
  swish.Scalar("three", 3)
      .Scalar("six", 6)
      .Scalar("zero", 0)
      .Op("Add", {"x", "three"}, {"a"})
      .Op("Clip", {"a", "zero", "six"}, {"c"});
  swish.Op("Mul", {"x", "c"}, {"m"}).Op("Div", {"m", "six"}, {"y"});
  EXPECT_THAT(swish.Ops(), ElementsAre("HardSwish"));
  Net mish({1, 8});
  mish.Op("Softplus", {"x"}, {"s"}).Op("Tanh", {"s"}, {"t"}).Op("Mul", {"x", "t"}, {"y"});
  EXPECT_THAT(mish.Ops(), ElementsAre("Mish"));
}

}  // namespace
}  // namespace onnx2mcu
