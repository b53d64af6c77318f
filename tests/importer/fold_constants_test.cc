// FoldConstants on hand-made graphs: what folds, what goes, what is refused; multiply-accumulates.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "importer/evaluate.h"
#include "importer/macs.h"
#include "importer/passes.h"

namespace onnx2mcu {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// A graph by names: tensors appear where they are first named.
struct Builder {
  Graph graph;
  std::map<std::string, TensorId> ids;

  Builder() {
    graph.file = "m.onnx";
    graph.inputs = {Id("x")};
    graph.tensors[0].dims = {1, 4, 6};
  }
  TensorId Id(const std::string &name) {
    if (name.empty()) return kNone;
    if (ids.count(name) > 0) return ids[name];
    Tensor tensor;
    tensor.name = name;
    graph.tensors.push_back(tensor);
    return ids[name] = static_cast<TensorId>(graph.tensors.size()) - 1;
  }
  void Ints(const std::string &name, const std::vector<int64_t> &values) {
    SetConstant(graph.tensors[Id(name)], {DType::kS64, {static_cast<int64_t>(values.size())}, {}, values});
  }
  void Floats(const std::string &name, const std::vector<int64_t> &dims) {
    SetConstant(graph.tensors[Id(name)], {DType::kF32, dims, std::vector<float>(ElementCount(dims), 1), {}});
  }
  void Add(const std::string &op, const std::vector<std::string> &inputs, const std::vector<std::string> &outputs,
           std::map<std::string, Attr> attrs = {}) {
    FloatNode node;
    node.name = op + "_" + outputs[0];
    node.op_type = op;
    node.opset = 17;
    node.attrs = std::move(attrs);
    for (const std::string &name : inputs) node.inputs.push_back(Id(name));
    for (const std::string &name : outputs) node.outputs.push_back(Id(name));
    graph.float_nodes.push_back(node);
  }
  std::vector<std::string> Fold(const std::string &output) {
    graph.outputs = {Id(output)};
    status = FoldConstants(graph);
    std::vector<std::string> ops;
    for (const FloatNode &node : graph.float_nodes) ops.push_back(node.op_type);
    return ops;
  }
  const Tensor &operator[](const std::string &name) { return graph.tensors[Id(name)]; }
  absl::Status status;
};

TEST(FoldConstants, ShapeArithmeticBecomesOneConstant) {
  Builder b;
  b.Ints("first", {0});
  b.Ints("rest", {-1});
  b.Add("Shape", {"x"}, {"shape"});
  b.Add("Gather", {"shape", "first"}, {"batch"});
  b.Add("Concat", {"batch", "rest"}, {"wanted"}, {{"axis", int64_t{0}}});
  b.Add("Reshape", {"x", "wanted"}, {"y"});
  EXPECT_THAT(b.Fold("y"), ElementsAre("Reshape"));
  EXPECT_TRUE(b.status.ok()) << b.status.message();
  EXPECT_TRUE(b["wanted"].is_constant);
  EXPECT_THAT(b["y"].dims, ElementsAre(1, 24));
  EXPECT_FALSE(b["first"].is_constant);  // read by nobody any more
}

TEST(FoldConstants, GivesDimsAndTypesToEveryTensor) {
  Builder b;
  b.Floats("w", {6, 3});
  b.Add("MatMul", {"x", "w"}, {"h"});
  b.Add("IsNaN", {"h"}, {"nan"});
  b.Add("Cast", {"nan"}, {"y"}, {{"to", int64_t{1}}});
  EXPECT_THAT(b.Fold("y"), ElementsAre("MatMul", "IsNaN", "Cast"));
  EXPECT_THAT(b["h"].dims, ElementsAre(1, 4, 3));
  EXPECT_EQ(b["nan"].dtype, DType::kBool);
  EXPECT_EQ(b["y"].dtype, DType::kF32);
  EXPECT_EQ(b.graph.macs, 4 * 6 * 3);
}

TEST(FoldConstants, RemovesWhatDoesNothing) {
  Builder b;
  b.Ints("same", {1, 4, 6});
  b.Ints("zeros", {0, 0, 0, 0, 0, 0});
  b.Ints("starts", {0});
  b.Ints("ends", {INT64_MAX});
  b.Add("Identity", {"x"}, {"a"});
  b.Add("Reshape", {"a", "same"}, {"b"});
  b.Add("Pad", {"b", "zeros"}, {"c"});
  b.Add("Slice", {"c", "starts", "ends"}, {"d"});
  b.Add("Cast", {"d"}, {"e"}, {{"to", int64_t{10}}});
  b.Add("Transpose", {"e"}, {"f"}, {{"perm", std::vector<int64_t>{0, 1, 2}}});
  b.Add("Dropout", {"f"}, {"g", "mask"});
  b.Add("Relu", {"g"}, {"h"});
  b.Add("Sigmoid", {"x"}, {"unread"});
  b.Add("Identity", {"h"}, {"y"});
  EXPECT_THAT(b.Fold("y"), ElementsAre("Relu"));
  const TensorId output = b.graph.outputs[0];
  EXPECT_EQ(b.graph.tensors[output].name, "y");  // the name of an output stays
  EXPECT_EQ(b.graph.float_nodes[0].outputs[0], output);
  EXPECT_EQ(b.graph.float_nodes[0].inputs[0], b.graph.inputs[0]);
}

TEST(FoldConstants, KeepsWhatLooksLikeNothing) {
  Builder b;
  b.Ints("starts", {-1});
  b.Ints("ends", {INT64_MIN});
  b.Ints("axes", {1});
  b.Ints("steps", {-1});
  b.Ints("shift", {0, 1, 0, 0, -1, 0});
  b.Add("Slice", {"x", "starts", "ends", "axes", "steps"}, {"reversed"});
  b.Add("Pad", {"reversed", "shift"}, {"shifted"});
  b.Add("Identity", {"shifted"}, {"y"});
  EXPECT_THAT(b.Fold("y"), ElementsAre("Slice", "Pad"));
  Builder pass;  // an output that is an input must still be written
  pass.Add("Identity", {"x"}, {"y"});
  EXPECT_THAT(pass.Fold("y"), ElementsAre("Identity"));
}

TEST(FoldConstants, RefusesShapesThatDependOnData) {
  Builder b;
  b.Add("Cast", {"x"}, {"numbers"}, {{"to", int64_t{7}}});
  b.Ints("flat", {-1});
  b.Add("Reshape", {"numbers", "flat"}, {"list"});
  b.Add("Reshape", {"x", "list"}, {"y"});
  b.Fold("y");
  EXPECT_EQ(b.status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(b.status.message()),
              HasSubstr("m.onnx: node 'Reshape_y' (Reshape, opset 17): its result depends on the values of 'list'"));
  Builder nonzero;
  nonzero.Add("NonZero", {"x"}, {"y"});
  nonzero.Fold("y");
  EXPECT_EQ(nonzero.status.code(), absl::StatusCode::kInvalidArgument);
}

TEST(FoldConstants, NamesEveryUnsupportedNodeAndTheNearestOperator) {
  Builder b;
  b.Add("Softmix", {"x"}, {"a"});
  b.Add("Relu", {"a"}, {"b"});
  b.Add("GeluX", {"b"}, {"y"});
  b.Fold("y");
  EXPECT_EQ(b.status.code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(b.status.message(),
            "m.onnx: node 'Softmix_a' (Softmix, opset 17), node 'GeluX_y' (GeluX, opset 17): no such operator is "
            "supported; the nearest that would work: Gelu for GeluX, Softmax for Softmix");
}

TEST(FoldConstants, NamesTheNodeWhoseShapesDoNotFit) {
  Builder b;
  b.Floats("w", {5, 3});
  b.Add("MatMul", {"x", "w"}, {"y"});
  b.Fold("y");
  EXPECT_THAT(std::string(b.status.message()), HasSubstr("m.onnx: node 'MatMul_y' (MatMul, opset 17): shapes [1,4,6] "
                                                         "and [5,3] do not multiply"));
}

TEST(CountMacs, CountsFiltersAndColumns) {
  Builder b;
  b.graph.tensors[0].dims = {1, 4, 8, 8};
  b.Floats("w", {6, 2, 3, 3});
  b.Add("Conv", {"x", "w"}, {"c"}, {{"group", int64_t{2}}});
  b.Ints("flat", {1, -1});
  b.Add("Reshape", {"c", "flat"}, {"f"});
  b.Floats("v", {10, 216});
  b.Add("Gemm", {"f", "v"}, {"y"}, {{"transB", int64_t{1}}});
  b.Fold("y");
  EXPECT_TRUE(b.status.ok()) << b.status.message();
  EXPECT_EQ(b.graph.macs, 6 * 36 * 2 * 9 + 216 * 10);
}

}  // namespace
}  // namespace onnx2mcu
