#include "importer/layout.h"

#include <gtest/gtest.h>

#include <numeric>
#include <random>

namespace onnx2mcu {
namespace {

using Dims = std::vector<int64_t>;

// Offsets of all elements, in row-major order.
Dims Offsets(const Dims &dims, const Dims &strides) {
  Dims offsets;
  const Dims dense = DenseStrides(dims);
  for (int64_t i = 0; i < ElementCount(dims); i++) {
    int64_t offset = 0;
    for (size_t d = 0; d < dims.size(); d++) offset += i / dense[d] % dims[d] * strides[d];
    offsets.push_back(offset);
  }
  return offsets;
}

TEST(ReshapeStrides, SplitsHeadsFromColumns) {
  const auto strides = ReshapeStrides({1, 17, 36}, {612, 36, 1}, {1, 17, 3, 12});
  ASSERT_TRUE(strides);
  EXPECT_EQ(Offsets({1, 17, 3, 12}, *strides), Offsets({1, 17, 36}, {612, 36, 1}));
}

TEST(ReshapeStrides, RefusesToMergeHeadsThatLieApart) {
  EXPECT_FALSE(ReshapeStrides({3, 17, 12}, {204, 12, 1}, {3, 204}) == std::nullopt);
  EXPECT_FALSE(ReshapeStrides({17, 3, 12}, {12, 204, 1}, {17, 36}).has_value());
}

TEST(ReshapeStrides, EveryAnswerNamesTheSameElements) {
  std::mt19937 random(7);
  int answered = 0;
  for (int trial = 0; trial < 2000; trial++) {
    Dims from, to = {1, 1, 1};
    for (int i = 0; i < 4; i++) from.push_back(1 + static_cast<int64_t>(random() % 4));
    const Dims order = trial % 2 ? Dims{0, 1, 2, 3} : Dims{1, 0, 2, 3};
    Dims strides(4), permuted = {from[order[0]], from[order[1]], from[order[2]], from[order[3]]};
    for (int i = 0; i < 4; i++) strides[order[i]] = DenseStrides(permuted)[i];
    int64_t left = ElementCount(from);
    for (int64_t prime : {2, 2, 2, 2, 3, 3, 3, 3})
      if (left % prime == 0) to[random() % 3] *= prime, left /= prime;
    if (left != 1) continue;
    const auto found = ReshapeStrides(from, strides, to);
    if (!found) continue;
    answered++;
    ASSERT_EQ(Offsets(to, *found), Offsets(from, strides));
  }
  EXPECT_GT(answered, 200);
}

Graph OneNode(const std::string &type, const Dims &in, const Dims &out) {
  Graph graph;
  Tensor x, y;
  x.name = "x", x.dims = in, y.name = "y", y.dims = out;
  AddTensor(graph, x), AddTensor(graph, y);
  FloatNode node;
  node.name = "move", node.op_type = type, node.inputs = {0}, node.outputs = {1};
  graph.float_nodes.push_back(node);
  return graph;
}

TensorId AddInts(Graph &graph, const std::string &name, const Dims &dims, const Dims &values) {
  Tensor t;
  t.name = name, t.dims = dims, t.dtype = DType::kS64, t.is_constant = true;
  const auto *bytes = reinterpret_cast<const std::byte *>(values.data());
  t.data.assign(bytes, bytes + values.size() * sizeof(int64_t));
  return AddTensor(graph, t);
}

TEST(Movement, TransposeGoesBothWays) {
  Graph graph = OneNode("Transpose", {2, 3, 4}, {4, 2, 3});
  graph.float_nodes[0].attrs["perm"] = Dims{2, 0, 1};
  const StridedView in{0, 5, {12, 4, 1}};
  const auto out = Forward(graph, graph.float_nodes[0], 0, in);
  ASSERT_TRUE(out);
  EXPECT_EQ(out->strides, (Dims{1, 12, 4}));
  EXPECT_EQ(Backward(graph, graph.float_nodes[0], 0, *out)->strides, in.strides);
}

TEST(Movement, SliceWithStepsAndNegativeStart) {
  Graph graph = OneNode("Slice", {4, 10}, {4, 3});
  FloatNode &node = graph.float_nodes[0];
  node.inputs = {0, AddInts(graph, "s", {1}, {-6}), AddInts(graph, "e", {1}, {10}), AddInts(graph, "a", {1}, {1}),
                 AddInts(graph, "t", {1}, {2})};
  ASSERT_TRUE(IsMovement(graph, node));
  const auto out = Forward(graph, node, 0, {0, 0, {10, 1}});
  EXPECT_EQ(out->offset, 4);
  EXPECT_EQ(out->strides, (Dims{10, 2}));
}

TEST(Movement, GatherOfPatchPositionsIsAffine) {
  Graph graph = OneNode("Gather", {1, 1, 6, 6}, {1, 1, 3, 2, 6});
  FloatNode &node = graph.float_nodes[0];
  node.attrs["axis"] = int64_t{2};
  node.inputs = {0, AddInts(graph, "i", {3, 2}, {0, 3, 1, 4, 2, 5})};
  ASSERT_TRUE(IsMovement(graph, node));
  EXPECT_EQ(Forward(graph, node, 0, {0, 0, {36, 36, 6, 1}})->strides, (Dims{36, 36, 6, 18, 1}));
  node.inputs[1] = AddInts(graph, "j", {3}, {0, 2, 3});
  EXPECT_FALSE(IsMovement(graph, node));
}

TEST(Movement, ConcatPutsItsPartsSideBySide) {
  Graph graph = OneNode("Concat", {1, 1, 8}, {1, 17, 8});
  Tensor rest;
  rest.name = "rest", rest.dims = {1, 16, 8};
  graph.float_nodes[0].inputs.push_back(AddTensor(graph, rest));
  graph.float_nodes[0].attrs["axis"] = int64_t{1};
  const StridedView whole{1, 0, {136, 8, 1}};
  EXPECT_EQ(Backward(graph, graph.float_nodes[0], 0, whole)->offset, 0);
  EXPECT_EQ(Backward(graph, graph.float_nodes[0], 1, whole)->offset, 8);
}

}  // namespace
}  // namespace onnx2mcu
