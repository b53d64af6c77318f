// What is trained is what ONNX files say: the importer's evaluator is the judge.
#include <gtest/gtest.h>

#include "importer/evaluate.h"
#include "importer/passes.h"
#include "nas/train/random.h"
#include "nas/train/trainer.h"
#include "nas/vit_onnx.h"

namespace onnx2mcu {
namespace {

ImageSet Noise(int64_t count, uint64_t seed) {
  ImageSet set;
  set.count = count;
  std::mt19937_64 random = RandomOf(seed, Purpose::kHoldOut, 0);
  for (int64_t i = 0; i < count * set.ImageSize(); i++)
    set.floats.push_back(static_cast<float>(Uniform(random) * 3 - 1));
  return set;
}

// The greatest difference to what the importer's evaluator computes from the file.
double DistanceToFile(const std::string &path, const Vit &vit, const ImageSet &images) {
  absl::StatusOr<Graph> graph = ReadOnnx(path);
  EXPECT_TRUE(graph.ok()) << graph.status();
  EXPECT_TRUE(FoldConstants(*graph).ok());
  const absl::StatusOr<Matrix> logits = Logits(vit, images);
  EXPECT_TRUE(logits.ok()) << logits.status();
  double most = 0;
  for (int64_t n = 0; n < images.count; n++) {
    const auto first = images.floats.begin() + n * images.ImageSize();
    const Value image{DType::kF32, graph->tensors[graph->inputs[0]].dims, {first, first + images.ImageSize()}, {}};
    const absl::StatusOr<std::vector<Value>> outputs = Evaluate(*graph, {image});
    EXPECT_TRUE(outputs.ok()) << outputs.status();
    for (int64_t c = 0; c < logits->cols(); c++)
      most = std::max(most, std::abs(static_cast<double>((*logits)(n, c)) - (*outputs)[0].f[c]));
  }
  return most;
}

TEST(ExportedTest, ANetworkFromAFileComputesTheSame) {
  for (const char *name : {"vit_fmnist", "vit_fmnist_lowrank", "vit_fmnist_dynamo"}) {
    const std::string path = O2M_SOURCE_DIR "/models/" + std::string(name) + ".onnx";
    const absl::StatusOr<VitFile> file = ReadVit(path);
    ASSERT_TRUE(file.ok()) << file.status();
    EXPECT_LT(DistanceToFile(path, file->vit, Noise(3, 1)), 1e-4) << name;
  }
}

TEST(ExportedTest, ASubnetIsTheFileWrittenOfIt) {
  const absl::StatusOr<Space> space = ReadSpace(O2M_SOURCE_DIR "/nas/spaces/fmnist.yaml");
  ASSERT_TRUE(space.ok()) << space.status();
  ImageSet images = Noise(4, 2);
  images.labels = {0, 1, 2, 3};
  const Trainer trainer = *Trainer::Create(*space, images, {});
  const uint64_t seed = 4;
  std::mt19937_64 random = RandomOf(seed, Purpose::kSubnet, 0);
  for (int trial = 0; trial < 5; trial++) {
    const Vit vit = trainer.Subnet(ConfigOf(*space, RandomGenes(*space, random)));
    const std::string path = testing::TempDir() + "/subnet.onnx";
    ASSERT_TRUE(WriteVit(vit, {}, path).ok());
    EXPECT_LT(DistanceToFile(path, vit, images), 1e-4) << "seed " << seed << " trial " << trial;
  }
}

TEST(ExportedTest, FineTuningKeepsTheShapesOfAFile) {
  const Vit vit = ReadVit(O2M_SOURCE_DIR "/models/vit_fmnist_lowrank.onnx")->vit;
  ASSERT_GT(vit.config.blocks[0].ranks.fc1, 0);
  TrainOptions options;
  options.batch = 4;
  const absl::StatusOr<Vit> tuned = FineTune(vit, Noise(8, 3), &vit, options, {0, 3});
  ASSERT_TRUE(tuned.ok()) << tuned.status();
  EXPECT_EQ(tuned->config, vit.config);
  EXPECT_EQ(tuned->weights.blocks[0].fc1.u.rows(), vit.config.blocks[0].ranks.fc1);
  EXPECT_NE(tuned->weights.blocks[0].fc1.u, vit.weights.blocks[0].fc1.u);
}

}  // namespace
}  // namespace onnx2mcu
