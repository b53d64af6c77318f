// libtorch carries a protobuf and an onnx of its own; both must live beside the importer's.
#include <ATen/ops/ones.h>
#include <gtest/gtest.h>

#include "importer/evaluate.h"
#include "importer/passes.h"

namespace onnx2mcu {
namespace {

TEST(OneProcessTest, ReadsOnnxBesideTorch) {
  const at::Tensor product = at::ones({2, 3}).matmul(at::ones({3, 2}));
  EXPECT_EQ(product.sum().item<float>(), 12.0f);
  const absl::StatusOr<Graph> graph = ReadOnnx(O2M_SOURCE_DIR "/models/vit_fmnist.onnx");
  ASSERT_TRUE(graph.ok()) << graph.status();
  EXPECT_GT(graph->float_nodes.size(), 10u);
  const absl::StatusOr<Graph> none = ReadOnnx(O2M_SOURCE_DIR "/models/README.md");
  EXPECT_EQ(none.status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace onnx2mcu
