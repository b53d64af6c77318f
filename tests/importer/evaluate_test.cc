// Units of the float evaluator that the ONNX node tests do not reach: messages, checks, preparation, com.microsoft.
#include "importer/evaluate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <iostream>
#include <thread>

namespace onnx2mcu {
namespace {

using testing::ElementsAre;
using testing::FloatNear;
using testing::HasSubstr;
using testing::Pointwise;

Value Float(std::vector<int64_t> dims, std::vector<float> f) {
  return {DType::kF32, std::move(dims), std::move(f), {}};
}

Value Int(std::vector<int64_t> dims, std::vector<int64_t> i, DType dtype = DType::kS64) {
  return {dtype, std::move(dims), {}, std::move(i)};
}

FloatNode NodeOf(const std::string &op_type, std::map<std::string, Attr> attrs = {}, int32_t opset = 17) {
  FloatNode node;
  node.name = "n";
  const size_t dot = op_type.rfind('.');
  if (dot != std::string::npos) node.domain = op_type.substr(0, dot);
  node.op_type = dot == std::string::npos ? op_type : op_type.substr(dot + 1);
  node.opset = opset;
  node.outputs = {0};
  node.attrs = std::move(attrs);
  return node;
}

absl::StatusOr<std::vector<Value>> Outputs(const FloatNode &node, const std::vector<Value> &inputs) {
  std::vector<const Value *> pointers;
  for (const Value &input : inputs) pointers.push_back(&input);
  return EvaluateNode(node, pointers);
}

std::string ErrorOf(const FloatNode &node, const std::vector<Value> &inputs) {
  return std::string(Outputs(node, inputs).status().message());
}

Value Ramp(std::vector<int64_t> dims, float step) {
  Value value = Float(dims, {});
  for (int64_t k = 0; k < ElementCount(dims); k++) value.f.push_back(std::sin(step * static_cast<float>(k)));
  return value;
}

TEST(EvaluateNode, NamesAnUnknownOperatorAndTheNearest) {
  EXPECT_EQ(ErrorOf(NodeOf("Sigmoidd"), {Float({1}, {0})}),
            "node 'n' (Sigmoidd, opset 17): no such operator is supported; the nearest is Sigmoid");
  EXPECT_EQ(Outputs(NodeOf("Foo"), {}).status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_FALSE(CanEvaluate("com.example", "Add"));
  EXPECT_TRUE(CanEvaluate("ai.onnx", "Add"));
  EXPECT_TRUE(CanEvaluate("com.microsoft", "BiasGelu"));
}

TEST(EvaluateNode, RefusesOperandsByCountAndType) {
  EXPECT_THAT(ErrorOf(NodeOf("Add"), {Float({1}, {0})}), HasSubstr("operand 1 is missing"));
  EXPECT_THAT(ErrorOf(NodeOf("Exp"), {Int({1}, {0})}), HasSubstr("operand 0 is of integer type"));
  EXPECT_THAT(ErrorOf(NodeOf("Add"), {Float({1}, {0}), Int({1}, {0})}), HasSubstr("a Cast of one of them"));
  EXPECT_THAT(ErrorOf(NodeOf("Exp"), {Float({1}, {0}), Float({1}, {0})}), HasSubstr("one too many"));
  EXPECT_THAT(ErrorOf(NodeOf("Gather"), {Float({2}, {1, 2}), Int({1}, {2})}), HasSubstr("index 2 is outside"));
  EXPECT_THAT(ErrorOf(NodeOf("Reshape"), {Float({2}, {1, 2}), Int({1}, {3})}), HasSubstr("a shape of 2 elements"));
  EXPECT_THAT(ErrorOf(NodeOf("MatMul"), {Float({1, 2}, {1, 2}), Float({1, 2}, {1, 2})}), HasSubstr("do not multiply"));
}

TEST(EvaluateNode, RefusesSizesThatNoModelNeeds) {
  const int64_t huge = int64_t{1} << 40;
  EXPECT_THAT(ErrorOf(NodeOf("ConstantOfShape"), {Int({2}, {huge, huge})}), HasSubstr("too large"));
  EXPECT_THAT(ErrorOf(NodeOf("Expand"), {Float({1}, {0}), Int({1}, {huge})}), HasSubstr("too large"));
  EXPECT_THAT(ErrorOf(NodeOf("Tile"), {Float({1}, {0}), Int({1}, {INT64_MAX})}), HasSubstr("too large"));
  EXPECT_THAT(ErrorOf(NodeOf("Pad"), {Float({1}, {0}), Int({2}, {INT64_MAX, 1})}), HasSubstr("do not fit"));
  EXPECT_THAT(ErrorOf(NodeOf("Range"), {Int({}, {0}), Int({}, {huge}), Int({}, {1})}), HasSubstr("at most"));
  const FloatNode pool = NodeOf("MaxPool", {{"kernel_shape", std::vector<int64_t>{huge}}});
  EXPECT_THAT(ErrorOf(pool, {Float({1, 1, 1}, {0})}), HasSubstr("out of range"));
}

TEST(EvaluateNode, IntegerArithmeticIsThatOfTheType) {
  EXPECT_THAT((*Outputs(NodeOf("Div"), {Int({4}, {7, -7, 7, -7}), Int({4}, {2, 2, -2, -2})}))[0].i,
              ElementsAre(3, -3, -3, 3));
  EXPECT_THAT((*Outputs(NodeOf("Div"), {Int({1}, {INT64_MIN}), Int({1}, {-1})}))[0].i, ElementsAre(INT64_MIN));
  EXPECT_THAT((*Outputs(NodeOf("Add"), {Int({1}, {200}, DType::kU8), Int({1}, {100}, DType::kU8)}))[0].i,
              ElementsAre(44));
  EXPECT_THAT((*Outputs(NodeOf("Mod"), {Int({2}, {-7, 7}), Int({}, {3})}))[0].i, ElementsAre(2, 1));
  EXPECT_THAT(ErrorOf(NodeOf("Div"), {Int({1}, {1}), Int({1}, {0})}), HasSubstr("divisor is 0"));
}

TEST(EvaluateNode, SoftmaxBelowOpset13SeesOneRow) {
  const Value x = Float({1, 2, 2}, {0, 0, 0, 0});
  EXPECT_THAT((*Outputs(NodeOf("Softmax", {{"axis", int64_t{1}}}, 11), {x}))[0].f, ElementsAre(.25, .25, .25, .25));
  EXPECT_THAT((*Outputs(NodeOf("Softmax", {{"axis", int64_t{1}}}, 13), {x}))[0].f, ElementsAre(.5, .5, .5, .5));
}

TEST(EvaluateNode, SliceReachesTheEndsOfInt64) {
  const Value x = Float({4}, {0, 1, 2, 3});
  const auto slice = [&](int64_t start, int64_t end, int64_t step) {
    return (*Outputs(NodeOf("Slice"), {x, Int({1}, {start}), Int({1}, {end}), Int({1}, {0}), Int({1}, {step})}))[0].f;
  };
  EXPECT_THAT(slice(1, INT64_MAX, 2), ElementsAre(1, 3));
  EXPECT_THAT(slice(-1, INT64_MIN, -1), ElementsAre(3, 2, 1, 0));
  EXPECT_THAT(slice(3, INT64_MIN, INT64_MIN), ElementsAre(3));
  EXPECT_THAT(slice(2, 1, 1), ElementsAre());
}

// com.microsoft operators against the same thing spelled with ONNX's.
TEST(EvaluateNode, MicrosoftSpellingsEqualOnnxOnes) {
  const Value x = Ramp({1, 3, 8}, 0.7f), skip = Ramp({1, 3, 8}, 0.3f), gamma = Ramp({8}, 1.1f), bias = Ramp({8}, 0.2f);
  const Value sum = (*Outputs(NodeOf("Add"), {x, skip}))[0];
  const FloatNode norm = NodeOf("LayerNormalization", {{"epsilon", 1e-6f}});
  FloatNode fused = NodeOf("com.microsoft.SkipLayerNormalization", {{"epsilon", 1e-6f}}, 1);
  fused.outputs = {0, kNone, kNone, 1};
  const std::vector<Value> got = *Outputs(fused, {x, skip, gamma, bias});
  EXPECT_THAT(got[0].f, Pointwise(FloatNear(1e-6f), (*Outputs(norm, {sum, gamma, bias}))[0].f));
  EXPECT_EQ(got[3].f, sum.f);
  const Value biased = (*Outputs(NodeOf("Add"), {x, bias}))[0];
  EXPECT_THAT((*Outputs(NodeOf("com.microsoft.BiasGelu"), {x, bias}))[0].f,
              Pointwise(FloatNear(1e-6f), (*Outputs(NodeOf("Gelu"), {biased}))[0].f));
  const Value k = Ramp({1, 3, 8}, 0.9f),
              moved = (*Outputs(NodeOf("Transpose", {{"perm", std::vector<int64_t>{0, 2, 1}}}), {k}))[0];
  const Value product = (*Outputs(NodeOf("MatMul"), {x, moved}))[0];
  Value scaled = product;
  for (float &v : scaled.f) v *= 0.5f;
  EXPECT_THAT((*Outputs(NodeOf("com.microsoft.FusedMatMul", {{"transB", int64_t{1}}, {"alpha", 0.5f}}), {x, k}))[0].f,
              Pointwise(FloatNear(1e-6f), scaled.f));
}

TEST(EvaluateNode, EinsumEqualsMatMul) {
  const Value q = Ramp({1, 3, 2, 4}, 0.7f), k = Ramp({1, 5, 2, 4}, 0.3f);
  const Value scores = (*Outputs(NodeOf("Einsum", {{"equation", std::string("bnhp,bmhp->bhnm")}}), {q, k}))[0];
  const Value qt = (*Outputs(NodeOf("Transpose", {{"perm", std::vector<int64_t>{0, 2, 1, 3}}}), {q}))[0];
  const Value kt = (*Outputs(NodeOf("Transpose", {{"perm", std::vector<int64_t>{0, 2, 3, 1}}}), {k}))[0];
  EXPECT_EQ(scores.dims, (std::vector<int64_t>{1, 2, 3, 5}));
  EXPECT_THAT(scores.f, Pointwise(FloatNear(1e-6f), (*Outputs(NodeOf("MatMul"), {qt, kt}))[0].f));
  const FloatNode diagonal = NodeOf("Einsum", {{"equation", std::string("ii->i")}});
  EXPECT_THAT((*Outputs(diagonal, {Float({2, 2}, {1, 2, 3, 4})}))[0].f, ElementsAre(1, 4));
}

// y = relu(x W) as a graph: input 0, weight 1, product 2, output 3.
Graph SmallGraph() {
  Graph graph;
  graph.file = "small.onnx";
  for (const char *name : {"x", "w", "xw", "y"}) {
    Tensor tensor;
    tensor.name = name;
    graph.tensors.push_back(tensor);
  }
  graph.tensors[0].dims = {1, 2};
  SetConstant(graph.tensors[1], Float({2, 2}, {1, -1, 2, -2}));
  FloatNode product = NodeOf("MatMul"), relu = NodeOf("Relu");
  product.inputs = {0, 1};
  product.outputs = {2};
  relu.inputs = {2};
  relu.outputs = {3};
  graph.float_nodes = {product, relu};
  graph.inputs = {0};
  graph.outputs = {3};
  return graph;
}

TEST(Evaluator, VisitsEveryTensorOnceAndNoConstant) {
  const Graph graph = SmallGraph();
  std::vector<TensorId> seen;
  const auto out = Evaluate(graph, {Float({1, 2}, {1, 1})}, [&](TensorId t, const Value &) { seen.push_back(t); });
  EXPECT_THAT((*out)[0].f, ElementsAre(3, 0));
  EXPECT_THAT(seen, ElementsAre(0, 2, 3));
}

TEST(Evaluator, RunsFromTwoThreads) {
  const Graph graph = SmallGraph();
  const Evaluator evaluator(graph);
  std::vector<float> results(2);
  std::vector<std::thread> threads;
  for (size_t n = 0; n < 2; n++) {
    threads.emplace_back([&, n] {
      for (int k = 0; k < 100; k++) results[n] = (*evaluator.Run({Float({1, 2}, {static_cast<float>(n), 1})}))[0].f[0];
    });
  }
  for (std::thread &thread : threads) thread.join();
  EXPECT_THAT(results, ElementsAre(2, 3));
}

TEST(Evaluator, NamesTheInputThatDoesNotFit) {
  const Graph graph = SmallGraph();
  EXPECT_EQ(Evaluate(graph, {Float({2}, {1, 1})}).status().message(),
            "small.onnx: input 'x': got f32 [2]; f32 [1,2] would work");
  EXPECT_EQ(Evaluate(graph, {}).status().message(), "small.onnx: got 0 inputs; 1 would work");
}

TEST(Values, ConstantsKeepTheirBitsBothWays) {
  for (const DType dtype : {DType::kS8, DType::kU8, DType::kS16, DType::kS32, DType::kS64, DType::kBool}) {
    Tensor tensor;
    SetConstant(tensor, Int({2}, {0, 1}, dtype));
    EXPECT_EQ(static_cast<int64_t>(tensor.data.size()), 2 * DTypeBytes(dtype));
    EXPECT_THAT(ValueOf(tensor).i, ElementsAre(0, 1));
  }
  Tensor negative;
  SetConstant(negative, Int({1}, {-3}, DType::kS16));
  EXPECT_THAT(ValueOf(negative).i, ElementsAre(-3));
}

}  // namespace
}  // namespace onnx2mcu
