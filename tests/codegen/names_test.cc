#include "codegen/names.h"

#include <gtest/gtest.h>

namespace onnx2mcu {
namespace {

TEST(CIdentifier, MakesValidNames) {
  EXPECT_EQ(CIdentifier("vit_fmnist"), "vit_fmnist");
  EXPECT_EQ(CIdentifier("/blocks.0/attn/q"), "blocks_0_attn_q");
  EXPECT_EQ(CIdentifier("3x3 conv!"), "x3x3_conv");
  EXPECT_EQ(CIdentifier(""), "x");
  EXPECT_EQ(CIdentifier("___"), "x");
  EXPECT_EQ(CIdentifier("int"), "int_");
  EXPECT_EQ(CIdentifier("caf\xc3\xa9"), "caf");
}

TEST(NameSet, CountsUpAndAvoidsReservedNames) {
  NameSet names;
  names.Reserve("fc1_2");
  EXPECT_EQ(names.Unique("fc1"), "fc1");
  EXPECT_EQ(names.Unique("fc1"), "fc1_3");
  EXPECT_EQ(names.Unique("fc1"), "fc1_4");
}

TEST(OperandNames, SayPixelsOnlyOfU8) {
  Graph graph;
  graph.name = "net";
  Tensor pixels, vector;
  pixels.name = "p", pixels.dtype = DType::kU8;
  vector.name = "v", vector.dtype = DType::kS8;
  graph.inputs = {AddTensor(graph, pixels), AddTensor(graph, vector)};
  EXPECT_EQ(InputName(graph, 0), "image");
  EXPECT_EQ(InputName(graph, 1), "input1");
  EXPECT_EQ(OutputName(graph, 2), "output2");
  EXPECT_EQ(InputMacro(graph, 1), "NET_INPUT1");
  EXPECT_EQ(OutputMacro(graph, 0), "NET_OUTPUT");
}

}  // namespace
}  // namespace onnx2mcu
