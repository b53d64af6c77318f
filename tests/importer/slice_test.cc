#include "importer/ir/slice.h"

#include <gtest/gtest.h>

namespace onnx2mcu {
namespace {

using Dims = std::vector<int64_t>;

TensorId AddBase(Graph &graph, const std::string &name, Dims dims) {
  Tensor tensor;
  tensor.name = name, tensor.dtype = DType::kS8, tensor.dims = std::move(dims);
  return AddTensor(graph, std::move(tensor));
}

TensorId AddView(Graph &graph, TensorId base, Dims dims, int64_t offset, Dims strides) {
  Tensor tensor = graph.tensors[base];
  tensor.dims = std::move(dims), tensor.base = base, tensor.view_offset = offset, tensor.strides = std::move(strides);
  return AddTensor(graph, std::move(tensor));
}

TEST(SliceTensor, AConstantKeepsTheRowsOfItsAxis) {
  Graph graph;
  const TensorId w = AddFloats(graph, "w", {2, 4}, {0, 1, 2, 3, 4, 5, 6, 7});
  const Tensor &part = graph.tensors[SliceTensor(graph, w, 1, 2, 2)];
  EXPECT_TRUE(part.is_constant);
  EXPECT_EQ(part.dims, (Dims{2, 2}));
  const float *data = FloatData(part);
  EXPECT_EQ(std::vector<float>(data, data + 4), (std::vector<float>{2, 3, 6, 7}));
}

TEST(SliceTensor, ScalesPerChannelAreCutAlongTheirAxis) {
  Graph graph;
  const TensorId w = AddFloats(graph, "w", {4}, {0, 1, 2, 3});
  graph.tensors[w].quant = {{1, 2, 3, 4}, {5, 6, 7, 8}, 0};
  const QuantParams &quant = graph.tensors[SliceTensor(graph, w, 0, 1, 2)].quant;
  EXPECT_EQ(quant.scale, (std::vector<float>{2, 3}));
  EXPECT_EQ(quant.zero_point, (std::vector<int32_t>{6, 7}));
}

TEST(SliceTensor, AnythingElseIsAWindow) {
  Graph graph;
  const TensorId x = AddBase(graph, "x", {5, 6});
  const Tensor &part = graph.tensors[SliceTensor(graph, x, 1, 2, 3)];
  EXPECT_EQ(part.base, x);
  EXPECT_EQ(part.view_offset, 2);
  EXPECT_EQ(part.dims, (Dims{5, 3}));
  EXPECT_EQ(part.strides, (Dims{6, 1}));
}

TEST(CoversBase, OnlyWithEveryElementOnce) {
  Graph graph;
  const TensorId x = AddBase(graph, "x", {6, 4});
  EXPECT_TRUE(CoversBase(graph, x));
  EXPECT_TRUE(CoversBase(graph, AddView(graph, x, {2, 6, 2}, 0, {2, 4, 1})));
  EXPECT_FALSE(CoversBase(graph, AddView(graph, x, {6, 2}, 0, {4, 1})));
  EXPECT_FALSE(CoversBase(graph, AddView(graph, x, {6, 4}, 0, {4, 0})));
}

TEST(AddCompact, HeadsOfAProjectionMoveTogether) {  // [heads, tokens, depth] in [tokens, heads * depth]
  Graph graph;
  const TensorId x = AddBase(graph, "x", {5, 12});
  const TensorId heads = AddView(graph, x, {3, 5, 4}, 0, {4, 12, 1});
  const Tensor &two = graph.tensors[AddCompact(graph, heads, 0, 2, "two")];
  EXPECT_EQ(two.dims, (Dims{2, 5, 4}));
  EXPECT_EQ(two.strides, (Dims{4, 8, 1}));
  EXPECT_EQ(graph.tensors[two.base].dims, (Dims{5, 2, 4}));
  const Tensor &one = graph.tensors[AddCompact(graph, heads, 0, 1, "one")];
  EXPECT_EQ(ElementCount(graph.tensors[BaseOf(graph, AddCompact(graph, heads, 0, 1, "one"))].dims), 20);
  EXPECT_EQ(one.dims, (Dims{1, 5, 4}));
}

TEST(AddCompact, TransposedHeadsAreOneRunEach) {  // [heads, depth, tokens], dense
  Graph graph;
  const TensorId x = AddBase(graph, "x", {3, 4, 5});
  const Tensor &one = graph.tensors[AddCompact(graph, x, 0, 1, "one")];
  EXPECT_EQ(one.base, kNone);
  EXPECT_EQ(one.dims, (Dims{1, 4, 5}));
}

TEST(InMemoryOrder, TheLongestStrideComesFirst) {
  Graph graph;
  const TensorId x = AddBase(graph, "x", {5, 12});
  const TensorId heads = AddView(graph, x, {1, 3, 5, 4}, 0, {60, 4, 12, 1});
  const Tensor &view = graph.tensors[InMemoryOrder(graph, heads)];
  EXPECT_EQ(view.dims, (Dims{5, 3, 4}));
  EXPECT_EQ(view.strides, (Dims{12, 4, 1}));
}

}  // namespace
}  // namespace onnx2mcu
