// The batched forward pass computes what the importer's evaluator finds in the exported file, whatever the exporter.
#include "nas/forward.h"

#include <gtest/gtest.h>

#include <map>

#include "importer/evaluate.h"
#include "importer/passes.h"
#include "nas/vit_onnx.h"
#include "tests/nas/made_vit.h"

namespace onnx2mcu {
namespace {

class Forward : public testing::TestWithParam<const char *> {};

TEST_P(Forward, EqualsTheEvaluator) {
  auto graph = ReadOnnx(std::string(O2M_SOURCE_DIR "/models/") + GetParam() + ".onnx");
  ASSERT_TRUE(graph.ok() && FoldConstants(*graph).ok() && Canonicalize(*graph).ok());
  const auto vit = VitOf(*graph);
  ASSERT_TRUE(vit.ok()) << vit.status();
  Maker maker(3);
  const Images images = maker.Pixels(vit->config, 70);  // more than a batch
  const Matrix logits = Logits(*vit, images);
  const Evaluator evaluator(*graph);
  for (int64_t n = 0; n < images.rows(); n += 23) {
    Value image{DType::kF32, graph->tensors[graph->inputs[0]].dims, {}, {}};
    image.f.assign(images.row(n).data(), images.row(n).data() + images.cols());
    const auto outputs = evaluator.Run({image});
    ASSERT_TRUE(outputs.ok()) << outputs.status();
    for (int64_t c = 0; c < logits.cols(); c++) EXPECT_NEAR(logits(n, c), (*outputs)[0].f[c], 1e-4f) << n;
  }
}
INSTANTIATE_TEST_SUITE_P(Models, Forward, testing::Values("vit_fmnist", "vit_fmnist_dynamo", "vit_fmnist_lowrank"));

TEST(Forward, HooksSeeWhatEachLayerReads) {
  Maker maker(4);
  const Vit vit = maker.Network(SmallConfig());
  std::map<std::pair<int64_t, Layer>, int64_t> rows;
  const Matrix logits = Logits(vit, maker.Pixels(vit.config, 70), [&](int64_t block, Layer layer, const Matrix &x) {
    rows[{block, layer}] += x.rows();
    if (layer == Layer::kFc2) {
      EXPECT_EQ(x.cols(), vit.config.blocks[block].mlp_dim);
    } else if (layer != Layer::kProj) {
      EXPECT_EQ(x.cols(), vit.config.dim);
    }
  });
  EXPECT_EQ(logits.rows(), 70);
  EXPECT_EQ(rows.size(), 13u);
  for (const auto &[key, count] : rows) EXPECT_EQ(count, key.second == Layer::kHead ? 70 : 350);
}

TEST(Forward, CountsRightAndEqualAnswers) {
  Matrix a(3, 2), b(3, 2);
  a << 1, 2, 3, 0, 0, 5;
  b << 2, 1, 3, 0, 1, 5;
  EXPECT_DOUBLE_EQ(Accuracy(a, {1, 1, 1}), 2 / 3.0);
  EXPECT_DOUBLE_EQ(Agreement(a, b), 2 / 3.0);
}

}  // namespace
}  // namespace onnx2mcu
