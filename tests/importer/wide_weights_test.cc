// Weights of more than s8 as more rows of s8; and what nothing but copies write.
#include "importer/fake_quantize.h"
#include "importer/quant/given.h"
#include "net.h"

namespace onnx2mcu {
namespace {

using Names = std::vector<std::string>;

// x rounded to s8, then y = its product with bytes `w` less `zero`.
Net &Product(Net &net, const Dims &dims, const Dims &w, int64_t zero) {
  net.Scalar("s", 0.05f).Constant("z", {DType::kS8, {}, {}, {3}});
  net.Op("QuantizeLinear", {"x", "s", "z"}, {"q"}).Op("DequantizeLinear", {"q", "s", "z"}, {"d"});
  net.Scalar("ws", 0.01f).Constant("wz", {DType::kU8, {}, {}, {zero}}).Constant("w", {DType::kU8, dims, {}, w});
  return net.Op("DequantizeLinear", {"w", "ws", "wz"}, {"wd"}).Op("MatMul", {"d", "wd"}, {"y"});
}

// Columns of 8 values each; the byte 0 stands for -140, more than s8 holds.
const Dims kColumns = {0, 21, 40, 77, 93, 108, 121, 250, 140, 3, 60, 0, 171, 200, 222, 255};

Dims ByRows(const Dims &columns) {
  Dims rows;
  for (int64_t k = 0; k < 8; k++) rows.push_back(columns[k]), rows.push_back(columns[8 + k]);
  return rows;
}

TEST(WideWeights, WhatLiesBeyondBecomesRows) {
  Net net({1, 5, 8});
  Product(net, {8, 2}, ByRows(kColumns), 140);
  EXPECT_EQ(net.Ops(), (Names{"FakeQuantize", "Gather", "Concat", "MatMul"}));  // rows 0, 1 and 3
  const Tensor &w = net.input(3, 1);
  ASSERT_EQ(w.dims, (Dims{11, 2}));
  EXPECT_NEAR(FloatData(w)[0], -1.27f, 1e-6);      // -140 is -127
  EXPECT_NEAR(FloatData(w)[8 * 2], -0.13f, 1e-6);  // and -13
  EXPECT_NEAR(FloatData(w)[1 * 2 + 1], -1.27f, 1e-6);
  EXPECT_NEAR(FloatData(w)[9 * 2 + 1], -0.10f, 1e-6);
}

TEST(WideWeights, S8IsLeftAlone) {
  Net net({1, 5, 8});
  Dims narrow = kColumns;
  for (int64_t &v : narrow) v = std::min<int64_t>(v + 13, 255);
  Product(net, {8, 2}, ByRows(narrow), 140);
  EXPECT_EQ(net.Ops(), (Names{"FakeQuantize", "MatMul"}));
}

TEST(GivenGrids, CopiesFromOneGridHaveIt) {
  Graph graph;
  graph.tensors.resize(4);  // x on a grid, two copies of it, and what another node writes
  for (size_t n = 0; n < 3; n++) {
    Node node;
    node.inputs = {0}, node.outputs = {static_cast<TensorId>(n + 1)};
    graph.nodes.push_back(node);
  }
  const auto joined = [](TensorId id) { return id == 2 ? 1 : id; };
  const Grid grid = {0.05f, 3, -128, 127};
  GivenGrids given(4);
  given[0] = grid;
  GiveToCopies(graph, joined, {true, true, false}, given);
  EXPECT_EQ(given[1], grid);
  EXPECT_FALSE(given[3].has_value());
  given.assign(4, std::nullopt), given[0] = grid;
  GiveToCopies(graph, joined, {true, false, false}, given);
  EXPECT_FALSE(given[1].has_value());
}

}  // namespace
}  // namespace onnx2mcu
