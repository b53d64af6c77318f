#include "nas/vit_onnx.h"

#include <gmock/gmock.h>

#include <cstdio>
#include <fstream>
#include <random>
#include <sstream>

#include "importer/evaluate.h"
#include "importer/onnx_writer.h"
#include "importer/passes.h"
#include "nas/vit_graph.h"

namespace onnx2mcu {
namespace {

using testing::AllOf;
using testing::HasSubstr;

const std::string kModels = O2M_SOURCE_DIR "/models/";

int64_t Pick(std::mt19937_64 &random, std::initializer_list<int64_t> values) {
  return values.begin()[random() % values.size()];
}

BlockConfig RandomBlock(std::mt19937_64 &random) {
  BlockConfig block;
  block.heads = Pick(random, {1, 2, 3, 4}), block.head_dim = Pick(random, {1, 2, 3, 4, 8});
  block.mlp_dim = Pick(random, {1, 4, 7, 16});
  for (int64_t *rank : {&block.ranks.qkv, &block.ranks.proj, &block.ranks.fc1, &block.ranks.fc2})
    *rank = Pick(random, {0, 0, 1, 2, 3});
  return block;
}

VitConfig RandomConfig(std::mt19937_64 &random) {
  VitConfig config;
  config.patch = Pick(random, {1, 2, 3, 5}), config.image = config.patch * Pick(random, {2, 3});
  config.channels = Pick(random, {1, 2, 3}), config.dim = Pick(random, {2, 3, 6, 8, 12});
  config.classes = Pick(random, {1, 2, 5}), config.pool = random() % 2 ? Pool::kMean : Pool::kClassToken;
  for (int64_t i = Pick(random, {1, 1, 1, 2, 2, 3}); i > 0; i--) config.blocks.push_back(RandomBlock(random));
  return config;
}

std::string Temporary(const std::string &name) { return testing::TempDir() + name; }

std::string Describe(const VitConfig &c) {
  std::ostringstream text;
  text << "image " << c.image << "x" << c.image << "x" << c.channels << " patch " << c.patch << " dim " << c.dim
       << " classes " << c.classes << (c.pool == Pool::kMean ? " mean" : " token");
  for (const BlockConfig &b : c.blocks)
    text << " | " << b.heads << "x" << b.head_dim << " mlp " << b.mlp_dim << " ranks " << b.ranks.qkv << ","
         << b.ranks.proj << "," << b.ranks.fc1 << "," << b.ranks.fc2;
  return text.str();
}

float Difference(const Matrix &a, const Matrix &b) {
  if (a.rows() != b.rows() || a.cols() != b.cols()) return 1e9f;
  return a.size() == 0 ? 0 : (a - b).cwiseAbs().maxCoeff();
}
float Difference(const LinearWeights &a, const LinearWeights &b) {
  return std::max({Difference(a.u, b.u), Difference(a.v, b.v), Difference(a.bias, b.bias)});
}
float Difference(const NormWeights &a, const NormWeights &b) {
  return std::max(Difference(a.gain, b.gain), Difference(a.bias, b.bias));
}
float Difference(const VitWeights &a, const VitWeights &b) {
  float most = std::max({Difference(a.patch, b.patch), Difference(a.patch_bias, b.patch_bias),
                         Difference(a.class_token, b.class_token), Difference(a.positions, b.positions),
                         Difference(a.norm, b.norm), Difference(a.head, b.head), std::abs(a.epsilon - b.epsilon)});
  for (size_t i = 0; i < a.blocks.size(); i++) {
    const BlockWeights &x = a.blocks[i], &y = b.blocks[i];
    most = std::max({most, Difference(x.norm1, y.norm1), Difference(x.norm2, y.norm2), Difference(x.qkv, y.qkv),
                     Difference(x.proj, y.proj), Difference(x.fc1, y.fc1), Difference(x.fc2, y.fc2)});
  }
  return most;
}

// Eight times 1,250 configs: 10,000, on as many processors as there are.
class RoundTrip : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(VitOnnx, RoundTrip, testing::Values(0));
INSTANTIATE_TEST_SUITE_P(More, RoundTrip, testing::Range(1, 8));

TEST_P(RoundTrip, ConfigsComeBackAsTheyWere) {
  const uint64_t seed = std::random_device{}();
  std::mt19937_64 random(seed);
  const std::string path = Temporary("round_trip_" + std::to_string(GetParam()) + ".onnx");
  for (int i = 0; i < 1250; i++) {
    const Vit vit{RandomConfig(random), {}};
    const Vit made{vit.config, RandomWeights(vit.config, random())};
    ASSERT_TRUE(WriteVit(made, {}, path).ok());
    const auto back = ReadVit(path);
    ASSERT_TRUE(back.ok()) << "seed " << seed << ", " << Describe(vit.config) << ": " << back.status();
    ASSERT_EQ(back->vit.config, vit.config)
        << "seed " << seed << ", " << Describe(vit.config) << " became " << Describe(back->vit.config);
    ASSERT_LT(Difference(back->vit.weights, made.weights), 1e-5f) << "seed " << seed << ", " << Describe(vit.config);
  }
}

TEST(VitOnnx, TheSameVitGivesTheSameBytes) {
  std::mt19937_64 random(3);
  const VitConfig config = RandomConfig(random);
  const Graph graph = FloatGraphOf({config, RandomWeights(config, 5)});
  EXPECT_EQ(OnnxBytes(graph).value(), OnnxBytes(FloatGraphOf({config, RandomWeights(config, 5)})).value());
  EXPECT_NE(OnnxBytes(graph).value(), OnnxBytes(FloatGraphOf({config, RandomWeights(config, 6)})).value());
}

TEST(VitOnnx, MetadataComesBack) {
  const Vit vit{{.blocks = {{2, 8, 16, {}}}}, {}};
  const std::string path = Temporary("metadata.onnx");
  const Metadata metadata = {{"onnx2mcu.mean", "0.5"}, {"onnx2mcu.search", "{\"seed\": 1}"}};
  ASSERT_TRUE(WriteVit({vit.config, RandomWeights(vit.config, 1)}, metadata, path).ok());
  const auto back = ReadVit(path);
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->metadata, metadata);
  EXPECT_EQ(back->sha256.size(), 64u);
}

TEST(VitOnnx, ModelsOfEveryExporterAreRead) {
  for (const char *name : {"vit_fmnist", "vit_fmnist_dynamo", "vit_fmnist_lowrank"}) {
    const auto file = ReadVit(kModels + name + ".onnx");
    ASSERT_TRUE(file.ok()) << name << ": " << file.status();
    const bool low_rank = std::string(name) == "vit_fmnist_lowrank";
    BlockConfig block{4, 16, 128, {0, 0, low_rank ? 24 : 0, low_rank ? 24 : 0}};
    VitConfig expected{28, 1, 4, 64, 10, Pool::kClassToken, {block, block, block, block}};
    EXPECT_EQ(file->vit.config, expected) << name << ": " << Describe(file->vit.config);
    EXPECT_EQ(file->metadata.count("onnx2mcu.mean"), 1u) << name;
  }
}

// Of an image that onnx_runtime_test.py knows too.
std::vector<float> LogitsOf(const std::string &path) {
  auto graph = ReadOnnx(path);
  if (!graph.ok() || !FoldConstants(*graph).ok()) return {};
  Value image{DType::kF32, graph->tensors[graph->inputs[0]].dims, {}, {}};
  for (int64_t i = 0; i < ElementCount(image.dims); i++) image.f.push_back(static_cast<float>(i * 37 % 101) / 50 - 1);
  const auto outputs = Evaluate(*graph, {image});
  return outputs.ok() ? (*outputs)[0].f : std::vector<float>{};
}

// The files stay where onnx_runtime_test.py finds them, which lets ONNX Runtime run them.
TEST(VitOnnx, WrittenAgainModelsComputeTheSame) {
  for (const std::string name : {"vit_fmnist", "vit_fmnist_dynamo", "vit_fmnist_lowrank"}) {
    const std::string path = Temporary("again_" + name + ".onnx");
    const auto file = ReadVit(kModels + name + ".onnx");
    ASSERT_TRUE(file.ok()) << file.status();
    ASSERT_TRUE(WriteVit(file->vit, file->metadata, path).ok());
    const std::vector<float> a = LogitsOf(kModels + name + ".onnx"), b = LogitsOf(path);
    ASSERT_EQ(a.size(), 10u);
    ASSERT_EQ(b.size(), 10u);
    for (size_t i = 0; i < a.size(); i++) EXPECT_NEAR(a[i], b[i], 1e-4) << name;
  }
}

TEST(VitOnnx, ConfigsAreWrittenForOtherRuntimes) {
  std::mt19937_64 random(11);
  for (int i = 0; i < 20; i++) {
    const VitConfig config = RandomConfig(random);
    const std::string path = Temporary("config_" + std::to_string(i));
    ASSERT_TRUE(WriteVit({config, RandomWeights(config, random())}, {}, path + ".onnx").ok());
    const std::vector<float> logits = LogitsOf(path + ".onnx");
    ASSERT_EQ(static_cast<int64_t>(logits.size()), config.classes) << Describe(config);
    std::ofstream text(path + ".txt");
    for (const float value : logits) text << value << "\n";
  }
}

TEST(VitOnnx, OtherNetworksAreRefusedByTheNodeThatDoesNotFit) {
  for (const char *name : {"cct_fmnist", "pit_fmnist", "vit_fmnist_decomposed"})
    EXPECT_THAT(std::string(ReadVit(kModels + name + ".onnx").status().message()),
                AllOf(HasSubstr("no pre-norm ViT: node '"), HasSubstr("is expected")))
        << name;
}

TEST(VitOnnx, AnUnwritableFileIsAnError) {
  const VitConfig config{.blocks = {{1, 4, 4, {}}}};
  EXPECT_FALSE(WriteVit({config, RandomWeights(config, 1)}, {}, "/no/such/folder/vit.onnx").ok());
}

}  // namespace
}  // namespace onnx2mcu
