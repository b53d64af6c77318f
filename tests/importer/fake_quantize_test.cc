// Q-DQ groups and integer operators as FakeQuantize on float tensors, and the scales that the quantiser takes from
// them.
#include "importer/fake_quantize.h"

#include "importer/quant/given.h"
#include "net.h"

namespace onnx2mcu {
namespace {

using Names = std::vector<std::string>;

Value Integers(DType dtype, const Dims &dims, const Dims &values) { return {dtype, dims, {}, values}; }

// scale and zero point "NAME_s", "NAME_z"; y = DequantizeLinear(QuantizeLinear(x)).
Net &Scale(Net &net, const std::string &name, float scale, int64_t zero, DType dtype = DType::kS8) {
  net.Scalar(name + "_s", scale);
  return net.Constant(name + "_z", Integers(dtype, {}, {zero}));
}
Net &Pair(Net &net, const std::string &x, const std::string &y, const std::string &grid) {
  net.Op("QuantizeLinear", {x, grid + "_s", grid + "_z"}, {y + "_q"});
  return net.Op("DequantizeLinear", {y + "_q", grid + "_s", grid + "_z"}, {y});
}

TEST(FakeQuantize, OnePerValueAboveMovement) {
  Net net({1, 4, 6});
  Scale(net, "a", 0.05f, -3);
  net.Op("Relu", {"x"}, {"r"});
  Pair(net, "r", "r1", "a").Ints("shape", {1, 6, 4});
  net.Op("Reshape", {"r1", "shape"}, {"m"});
  Pair(net, "m", "m1", "a").Op("Transpose", {"m1"}, {"t"}, {{"perm", Dims{0, 2, 1}}});
  Pair(net, "t", "y", "a");
  EXPECT_EQ(net.Ops(), (Names{"Relu", "FakeQuantize", "Reshape", "Transpose"}));
  EXPECT_TRUE(IsInPlace(net.node(1)));
  EXPECT_EQ(GridOf(net.node(1)), (Grid{0.05f, -3, -128, 127}));
}

TEST(FakeQuantize, UnsignedIsSignedWithTheZeroPointMoved) {
  Net net({1, 8});
  Scale(net, "a", 0.05f, 140, DType::kU8);
  net.Op("Tanh", {"x"}, {"t"});
  Pair(net, "t", "y", "a");
  net.Ops();
  EXPECT_EQ(GridOf(net.node(1)), (Grid{0.05f, 12, -128, 127}));
}

TEST(FakeQuantize, NotInPlaceWhereTheOperandIsReadUnrounded) {
  Net net({1, 8});
  Scale(net, "a", 0.05f, 0);
  net.Op("Tanh", {"x"}, {"t"});
  Pair(net, "t", "u", "a").Op("Add", {"t", "u"}, {"y"});
  EXPECT_EQ(net.Ops(), (Names{"Tanh", "FakeQuantize", "Add"}));
  EXPECT_FALSE(IsInPlace(net.node(1)));
}

TEST(FakeQuantize, PartsOfAConcatAreRoundedOnTheirOwn) {
  Net net({1, 8});
  Scale(net, "a", 0.05f, 0);
  net.Op("Tanh", {"x"}, {"t"}).Op("Sigmoid", {"x"}, {"s"});
  net.Op("Concat", {"t", "s"}, {"c"}, {{"axis", int64_t{1}}});
  Pair(net, "c", "y", "a");
  const Names ops = net.Ops();
  EXPECT_EQ(std::count(ops.begin(), ops.end(), "FakeQuantize"), 2);
  EXPECT_EQ(ops.back(), "Concat");
}

TEST(FakeQuantize, IntegersMovedAndChosen) {
  Net net({1, 2, 4, 4});
  Scale(net, "a", 0.05f, 100, DType::kU8);
  net.Op("Tanh", {"x"}, {"t"}).Op("QuantizeLinear", {"t", "a_s", "a_z"}, {"q"});
  net.Op("MaxPool", {"q"}, {"p"}, {{"kernel_shape", Dims{2, 2}}, {"strides", Dims{2, 2}}});
  net.Op("Transpose", {"p"}, {"m"}, {{"perm", Dims{0, 2, 3, 1}}});
  net.Op("DequantizeLinear", {"m", "a_s", "a_z"}, {"y"});
  EXPECT_EQ(net.Ops(), (Names{"Tanh", "FakeQuantize", "MaxPool", "Transpose"}));
}

TEST(FakeQuantize, RoundingTwiceIsRoundingOnce) {
  Net net({1, 8});
  Scale(net, "a", 0.05f, 0).Op("Tanh", {"x"}, {"t"});
  Pair(net, "t", "u", "a");
  Pair(net, "u", "y", "a");
  EXPECT_EQ(net.Ops(), (Names{"Tanh", "FakeQuantize"}));
}

// The kernel of ONNX Runtime has floor(1 / scale) steps.
TEST(FakeQuantize, SoftmaxBetweenBytes) {
  Net net({1, 4, 6});
  Scale(net, "a", 0.05f, 0), Scale(net, "p", 1.0f / 255, -128);
  Pair(net, "x", "x1", "a").Op("Softmax", {"x1"}, {"s"}, {{"axis", int64_t{-1}}});
  Pair(net, "s", "y", "p");
  EXPECT_EQ(net.Ops({"y"}, 0.03), (Names{"FakeQuantize", "Softmax", "Mul", "FakeQuantize"}));
  const float factor = FloatData(net.input(2, 1))[0];
  EXPECT_NEAR(factor * 255, 254, 1e-3);
}

TEST(QOperator, ProductsBetweenRoundings) {
  Net net({1, 4});
  Scale(net, "a", 0.02f, 3), Scale(net, "w", 0.01f, 0), Scale(net, "y", 0.03f, -5);
  net.Constant("w", Integers(DType::kS8, {4, 2}, {1, -2, 3, 4, -5, 6, 7, -127}));
  net.Op("QuantizeLinear", {"x", "a_s", "a_z"}, {"q"});
  net.Op("QLinearMatMul", {"q", "a_s", "a_z", "w", "w_s", "w_z", "y_s", "y_z"}, {"p"});
  net.Op("DequantizeLinear", {"p", "y_s", "y_z"}, {"y"});
  EXPECT_EQ(net.Ops({"y"}, 0.05), (Names{"FakeQuantize", "MatMul", "FakeQuantize"}));
}

TEST(QOperator, DynamicQuantisationBecomesBytesOfAScaleToBeFound) {
  Net net({1, 4});
  Scale(net, "w", 0.01f, 0).Constant("w", Integers(DType::kS8, {4, 2}, {1, -2, 3, 4, -5, 6, 7, -127}));
  net.Op("DynamicQuantizeLinear", {"x"}, {"q", "s", "z"});
  net.Op("MatMulInteger", {"q", "w", "z", "w_z"}, {"i"}).Op("Cast", {"i"}, {"f"}, {{"to", int64_t{1}}});
  net.Op("Mul", {"s", "w_s"}, {"sw"}).Op("Mul", {"f", "sw"}, {"y"});
  EXPECT_EQ(net.Ops({"y"}, 0.05), (Names{"FakeQuantize", "MatMul"}));
  EXPECT_EQ(GridOf(net.node(0)), kCalibratedBytes);
  EXPECT_FLOAT_EQ(FloatData(net.input(1, 1))[7], -1.27f);
}

TEST(HeldAs, SixteenBitsStayOrBecomeEight) {
  const Grid s16 = {0.001f, -20000, -32768, 32767};
  const Grid narrow = HeldAs(s16, false);
  EXPECT_EQ(HeldAs(s16, true), s16);
  const QuantParams centred = Centred(QuantOf(s16));
  EXPECT_EQ(centred.zero_point[0], 0);
  EXPECT_NEAR(centred.scale[0] * 32767, 0.001 * 52767, 1e-3);
  EXPECT_EQ(narrow.high, 127);
  EXPECT_NEAR(static_cast<float>(narrow.high - narrow.zero_point) * narrow.scale, 52.767, 0.3);
  const Grid s8 = {0.05f, 7, -128, 127};
  EXPECT_EQ(HeldAs(s8, true), s8);
}

}  // namespace
}  // namespace onnx2mcu
