// ReadOnnx on files made byte by byte: types, batch, inputs, order, functions, external data, names. What is refused,
// and how, is in tests/errors.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "importer/evaluate.h"
#include "importer/ir/print.h"
#include "importer/passes.h"
#include "importer/sha256.h"
#include "onnx_bytes.h"

namespace onnx2mcu {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

namespace fs = std::filesystem;

class ReadOnnxTest : public testing::Test {
 protected:
  ReadOnnxTest()
      : folder_(fs::path(testing::TempDir()) / testing::UnitTest::GetInstance()->current_test_info()->name()) {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  ~ReadOnnxTest() override { fs::remove_all(folder_); }

  std::string Write(const std::string &name, const std::string &bytes) {
    const fs::path path = folder_ / name;
    std::ofstream(path, std::ios::binary) << bytes;
    return path.string();
  }
  absl::StatusOr<Graph> Read(const std::string &model) { return ReadOnnx(Write("net.onnx", model)); }
  // A graph x [batch,2] -> y = x + w.
  std::string AddModel(const std::string &tensor, const std::string &more = "") {
    return wire::Model(wire::GraphNode(wire::Node("Add", {"x", "w"}, {"y"})) + wire::GraphTensor(tensor) +
                           wire::GraphInput(wire::Value("x", wire::kFloat, {"batch", "2"})) + wire::GraphOutput("y"),
                       17, more);
  }
  std::vector<float> Weights(const std::string &model) {
    const auto graph = Read(model);
    EXPECT_TRUE(graph.ok()) << graph.status();
    if (!graph.ok()) return {};
    const Tensor &w = graph->tensors[graph->float_nodes[0].inputs[1]];
    EXPECT_EQ(w.dtype, DType::kF32);
    return ValueOf(w).f;
  }

  fs::path folder_;
};

TEST_F(ReadOnnxTest, FixesTheBatchAndNamesTheGraph) {
  const std::string tensor = wire::Tensor("w", wire::kFloat, {2}, wire::Raw<float>({1, 2}));
  const auto graph = ReadOnnx(Write("3-vit.tiny.onnx", AddModel(tensor, wire::Bytes(14, wire::Entry("k", "v")))));
  ASSERT_TRUE(graph.ok()) << graph.status();
  EXPECT_THAT(graph->tensors[graph->inputs[0]].dims, ElementsAre(1, 2));
  EXPECT_EQ(graph->name, "model_3_vit_tiny");
  EXPECT_EQ(graph->opset, 17);
  EXPECT_EQ(graph->metadata.at("k"), "v");
  EXPECT_EQ(graph->sha256.size(), 64u);
  EXPECT_THAT(graph->warnings, IsEmpty());
}

TEST_F(ReadOnnxTest, TakesACIdentifierAsNameAndNothingElse) {
  const std::string path = Write("net.onnx", AddModel(wire::Tensor("w", wire::kFloat, {2}, wire::Raw<float>({1, 2}))));
  EXPECT_EQ(ReadOnnx(path, {"vit"})->name, "vit");
  EXPECT_THAT(std::string(ReadOnnx(path, {"my vit"}).status().message()), HasSubstr("my_vit"));
  EXPECT_FALSE(ReadOnnx(path, {"while"}).ok());
}

TEST_F(ReadOnnxTest, WidensToFloat) {
  EXPECT_THAT(
      Weights(AddModel(wire::Tensor("w", wire::kHalf, {4}, wire::Raw<uint16_t>({0x3c00, 0xc100, 0x0001, 0x7bff})))),
      ElementsAre(1.0f, -2.5f, 0x1p-24f, 65504.0f));
  EXPECT_THAT(Weights(AddModel(wire::Tensor("w", wire::kBfloat, {2}, wire::Raw<uint16_t>({0x3fc0, 0xc000})))),
              ElementsAre(1.5f, -2.0f));
  EXPECT_THAT(Weights(AddModel(wire::Tensor("w", wire::kDouble, {2}, wire::Raw<double>({0.1, -1.7e308})))),
              ElementsAre(0.1f, -std::numeric_limits<float>::max()));
}

TEST_F(ReadOnnxTest, ReadsTypedFieldsAndSmallIntegers) {
  const std::string typed =
      wire::Dims({2}) + wire::Int(2, wire::kFloat) + wire::Bytes(8, "w") + wire::Float(4, 1.5f) + wire::Float(4, 2.5f);
  EXPECT_THAT(Weights(AddModel(typed)), ElementsAre(1.5f, 2.5f));
  const auto graph = Read(AddModel(wire::Tensor("w", wire::kInt4, {3}, std::string("\xf8\x07", 2))));
  ASSERT_TRUE(graph.ok()) << graph.status();
  EXPECT_THAT(ValueOf(graph->tensors[graph->float_nodes[0].inputs[1]]).i, ElementsAre(-8, -1, 7));
}

TEST_F(ReadOnnxTest, LetsMasksBeInfiniteAndWeightsNot) {
  const float inf = std::numeric_limits<float>::infinity();
  EXPECT_THAT(Weights(AddModel(wire::Tensor("w", wire::kFloat, {2}, wire::Raw<float>({0, -inf})))),
              ElementsAre(0, -inf));
  EXPECT_THAT(Weights(AddModel(wire::Tensor("w", wire::kFloat, {}, wire::Raw<float>({inf})))), ElementsAre(inf));
  for (const std::vector<float> &bad : {std::vector<float>{1, -inf}, {0, inf}, {0, NAN}}) {
    const auto graph = Read(AddModel(wire::Tensor("w", wire::kFloat, {2}, wire::Raw(bad))));
    EXPECT_THAT(std::string(graph.status().message()), HasSubstr("tensor 'w': element 1 is"));
  }
}

TEST_F(ReadOnnxTest, TreatsInitialisersListedAsInputsAsWeights) {
  const auto graph =
      Read(wire::Model(wire::GraphNode(wire::Node("Add", {"x", "w"}, {"y"})) +
                       wire::GraphTensor(wire::Tensor("w", wire::kFloat, {2}, wire::Raw<float>({1, 2}))) +
                       wire::GraphInput(wire::Value("w", wire::kFloat, {"2"})) +
                       wire::GraphInput(wire::Value("x", wire::kFloat, {"1", "2"})) + wire::GraphOutput("y")));
  ASSERT_TRUE(graph.ok()) << graph.status();
  ASSERT_EQ(graph->inputs.size(), 1u);
  EXPECT_EQ(graph->tensors[graph->inputs[0]].name, "x");
}

TEST_F(ReadOnnxTest, SortsNodesAndSaysSo) {
  const auto graph = Read(wire::Model(
      wire::GraphNode(wire::Node("Relu", {"h"}, {"y"})) + wire::GraphNode(wire::Node("Sigmoid", {"x"}, {"h"})) +
      wire::GraphInput(wire::Value("x", wire::kFloat, {"1", "2"})) + wire::GraphOutput("y")));
  ASSERT_TRUE(graph.ok()) << graph.status();
  EXPECT_EQ(graph->float_nodes[0].op_type, "Sigmoid");
  EXPECT_THAT(graph->warnings, ElementsAre(HasSubstr("not in topological order")));
}

TEST_F(ReadOnnxTest, ReadsAnOperatorOfALaterOpsetWithAWarning) {
  const auto graph =
      Read(wire::Model(wire::GraphNode(wire::Node("Gelu", {"x"}, {"y"})) +
                       wire::GraphInput(wire::Value("x", wire::kFloat, {"1", "2"})) + wire::GraphOutput("y")));
  ASSERT_TRUE(graph.ok()) << graph.status();
  EXPECT_THAT(graph->warnings, ElementsAre(HasSubstr("opset 17 does not have this operator")));
}

TEST_F(ReadOnnxTest, InlinesFunctionsOfTheModel) {
  const std::string function = wire::Bytes(1, "Twice") + wire::Bytes(4, "a") + wire::Bytes(5, "b") +
                               wire::Bytes(7, wire::Node("Add", {"a", "a"}, {"b"})) + wire::Bytes(9, wire::Int(2, 17)) +
                               wire::Bytes(10, "my");
  const auto graph =
      Read(wire::Model(wire::GraphNode(wire::Node("Twice", {"x"}, {"y"}, wire::Bytes(7, "my"))) +
                           wire::GraphInput(wire::Value("x", wire::kFloat, {"1", "2"})) + wire::GraphOutput("y"),
                       17, wire::Bytes(8, wire::Bytes(1, "my") + wire::Int(2, 1)) + wire::Bytes(25, function)));
  ASSERT_TRUE(graph.ok()) << graph.status();
  ASSERT_EQ(graph->float_nodes.size(), 1u);
  EXPECT_EQ(graph->float_nodes[0].op_type, "Add");
}

TEST_F(ReadOnnxTest, ConvertsOpset9) {
  const auto graph = Read(wire::Model(wire::GraphNode(wire::Node("Relu", {"x"}, {"y"})) +
                                          wire::GraphInput(wire::Value("x", wire::kFloat, {"1", "2"})) +
                                          wire::Bytes(12, wire::Value("y", wire::kFloat, {"1", "2"})),
                                      9));
  ASSERT_TRUE(graph.ok()) << graph.status();
  EXPECT_GE(graph->opset, 11);
}

TEST_F(ReadOnnxTest, ReadsExternalData) {
  Write("w.bin", wire::Raw<float>({9, 9, 1, 2}));
  EXPECT_THAT(Weights(AddModel(wire::External("w", {2}, "w.bin", 8, 8))), ElementsAre(1, 2));
  EXPECT_THAT(std::string(Read(AddModel(wire::External("w", {2}, "w.bin", 8, 4))).status().message()),
              HasSubstr("tensor 'w': external data has 4 bytes where its shape needs 8"));
  EXPECT_THAT(std::string(Read(AddModel(wire::External("w", {2}, "w.bin", 12, 8))).status().message()),
              HasSubstr("ends after 16"));
  fs::create_directories(folder_ / "in");
  Write("in/w.bin", wire::Raw<float>({3, 4}));
  EXPECT_THAT(Weights(AddModel(wire::External("w", {2}, "in/w.bin", 0, 8))), ElementsAre(3, 4));
}

TEST_F(ReadOnnxTest, KeepsTheModelsOwnSourceLine) {
  const std::string trace =
      "File \"/home/me/nets.py\", line 7, in forward\n    x = self.a(x)\n  File "
      "\"/lib/linear.py\", line 134, in forward\n    return F.linear(x)";
  const std::string meta = wire::Bytes(9, wire::Entry("pkg.torch.onnx.stack_trace", trace));
  const auto graph =
      Read(wire::Model(wire::GraphNode(wire::Node("Relu", {"x"}, {"y"}, meta)) +
                       wire::GraphInput(wire::Value("x", wire::kFloat, {"1", "2"})) + wire::GraphOutput("y")));
  ASSERT_TRUE(graph.ok()) << graph.status();
  EXPECT_EQ(graph->float_nodes[0].source, "nets.py:7: x = self.a(x)");
  EXPECT_THAT(PrintGraph(*graph), HasSubstr("y:f32[] = Relu(x)  'node_y'  # nets.py:7"));
}

TEST_F(ReadOnnxTest, TurnsConstantNodesIntoConstantsAndHalfCastsIntoFloatCasts) {
  const auto graph =
      Read(wire::Model(wire::GraphNode(wire::Node("Constant", {}, {"c"}, wire::FloatAttr("value_float", 2.5f))) +
                       wire::GraphNode(wire::Node("Cast", {"x"}, {"h"}, wire::IntAttr("to", wire::kHalf))) +
                       wire::GraphNode(wire::Node("Mul", {"h", "c"}, {"y"})) +
                       wire::GraphInput(wire::Value("x", wire::kFloat, {"1", "2"})) + wire::GraphOutput("y")));
  ASSERT_TRUE(graph.ok()) << graph.status();
  ASSERT_EQ(graph->float_nodes.size(), 2u);
  EXPECT_EQ(AttrInt(graph->float_nodes[0], "to", 0), wire::kFloat);
  EXPECT_THAT(ValueOf(graph->tensors[graph->float_nodes[1].inputs[1]]).f, ElementsAre(2.5f));
}

TEST(Sha256, AgreesWithTheStandardsExamples) {
  EXPECT_EQ(Sha256Hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(Sha256Hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(Sha256Hex(std::string(1000000, 'a')), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

}  // namespace
}  // namespace onnx2mcu
