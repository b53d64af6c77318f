#include "nas/cut/cut.h"

#include <gmock/gmock.h>

#include "nas/cut/resize.h"
#include "tests/nas/made_vit.h"

namespace onnx2mcu {
namespace {

// [wide, narrow]: columns of mean 0 that keep lengths of what has mean 0, whatever the mean.
Matrix Widening(Maker &maker, int64_t narrow, int64_t wide) {
  const auto basis = [&](int64_t dim) -> Matrix {  // orthonormal, mean 0
    const Matrix random = maker.Normal(dim, narrow - 1, 1);
    const Eigen::MatrixXf centred = random.rowwise() - random.colwise().mean();
    return Eigen::HouseholderQR<Eigen::MatrixXf>(centred).householderQ() * Eigen::MatrixXf::Identity(dim, narrow - 1);
  };
  return basis(wide) * basis(narrow).transpose();
}

// The same function with an embedding of `dim` entries, a head more and neurons more, none of which adds anything.
Vit Widened(Maker &maker, const Vit &vit, int64_t dim) {
  Vit wide = maker.Network({vit.config.image, vit.config.channels, vit.config.patch, dim, vit.config.classes,
                            vit.config.pool, std::vector<BlockConfig>(vit.config.blocks.size(), {3, 4, 16, {}})});
  const Matrix map = Widening(maker, vit.config.dim, dim);
  const float scale = std::sqrt(static_cast<float>(vit.config.dim) / static_cast<float>(dim));
  VitWeights &w = wide.weights;
  const VitWeights &from = vit.weights;
  const auto read = [&](const NormWeights &norm, const LinearWeights &linear, NormWeights &plain, LinearWeights &to) {
    const int64_t rows = linear.v.rows();
    to.v.topRows(rows) = scale * (linear.v * norm.gain.asDiagonal()) * map.transpose();
    to.bias.head(rows) = linear.bias + linear.v * norm.bias;
    plain.gain.setOnes(), plain.bias.setZero();
  };
  w.patch = map * from.patch, w.patch_bias = map * from.patch_bias, w.class_token = map * from.class_token;
  w.positions = from.positions * map.transpose(), w.epsilon = from.epsilon;
  for (size_t b = 0; b < w.blocks.size(); b++) {
    BlockWeights &to = w.blocks[b];
    const BlockWeights &block = from.blocks[b];
    LinearWeights qkv{{}, Matrix::Zero(24, dim), Vector::Zero(24)};
    read(block.norm1, block.qkv, to.norm1, qkv);
    for (int64_t part = 0; part < 3; part++) {  // two heads of the narrow network; the third stays random
      to.qkv.v.middleRows(part * 12, 8) = qkv.v.middleRows(part * 8, 8);
      to.qkv.bias.segment(part * 12, 8) = qkv.bias.segment(part * 8, 8);
    }
    read(block.norm2, block.fc1, to.norm2, to.fc1);
    to.proj.v << map * block.proj.v, Matrix::Zero(dim, 4);
    to.fc2.v << map * block.fc2.v, Matrix::Zero(dim, 6);
    to.proj.bias = map * block.proj.bias, to.fc2.bias = map * block.fc2.bias;
  }
  read(from.norm, from.head, w.norm, w.head);
  return wide;
}

struct Narrow {
  Vit narrow, wide;
  Images images;
};

Narrow MakeNarrow() {
  Maker maker(11);
  VitConfig config = SmallConfig();
  config.blocks.assign(2, {2, 4, 10, {}});
  const Vit narrow = maker.Network(config);
  return {narrow, Widened(maker, narrow, 20), maker.Pixels(config, 300)};
}

TEST(CutTo, FindsTheNarrowNetworkInAWideOne) {
  const Narrow made = MakeNarrow();
  const Matrix logits = Logits(made.narrow, made.images);
  ASSERT_LT(LargestDifference(Logits(made.wide, made.images), logits), 1e-3f);
  for (const bool least_squares : {false, true}) {
    const auto cut = CutTo(made.wide, made.narrow.config, made.images, {.least_squares = least_squares});
    ASSERT_TRUE(cut.ok()) << cut.status();
    EXPECT_EQ(cut->config, made.narrow.config);
    EXPECT_LT(LargestDifference(Logits(*cut, made.images), logits), 0.02f) << least_squares;
  }
  const auto naive = NaiveCut(made.wide, made.narrow.config);
  ASSERT_TRUE(naive.ok()) << naive.status();
  EXPECT_GT(LargestDifference(Logits(*naive, made.images), logits), 0.5f);
}

TEST(CutTo, NothingIsItsParentAgain) {
  for (const Pool pool : {Pool::kClassToken, Pool::kMean}) {
    Maker maker(5);
    const Vit vit = maker.Network(SmallConfig(pool));
    const Images images = maker.Pixels(vit.config, 200);
    VitConfig dense = vit.config;
    for (BlockConfig &block : dense.blocks) block.ranks = {};
    const auto cut = CutTo(vit, dense, images);
    ASSERT_TRUE(cut.ok()) << cut.status();
    EXPECT_LT(LargestDifference(Logits(*cut, images), Logits(vit, images)), 1e-3f);
  }
}

TEST(CutTo, DropsTheBlockThatDoesNothing) {
  const Narrow made = MakeNarrow();
  Vit vit = made.narrow;
  vit.weights.blocks[0].proj.v *= 1e-4f, vit.weights.blocks[0].fc2.v *= 1e-4f;
  vit.weights.blocks[0].proj.bias.setZero(), vit.weights.blocks[0].fc2.bias.setZero();
  VitConfig target = vit.config;
  target.blocks.resize(1);
  const auto cut = CutTo(vit, target, made.images);
  ASSERT_TRUE(cut.ok()) << cut.status();
  EXPECT_LT(LargestDifference(Logits(*cut, made.images), Logits(vit, made.images)), 0.02f);
}

// Whatever is asked for comes out in the shapes that the config says, and refitting brings it nearer to the parent.
TEST(CutTo, GivesEveryTarget) {
  const Narrow made = MakeNarrow();
  const Vit &parent = made.wide;
  const Matrix logits = Logits(parent, made.images);
  VitConfig target = parent.config;
  target.dim = 15;
  target.blocks[0] = {2, 3, 12, {5, 0, 4, 0}}, target.blocks[1] = {3, 4, 9, {0, 6, 0, 7}};
  for (const auto &[image, patch] : {std::pair{8, 4}, {8, 2}, {4, 2}, {6, 3}}) {
    target.image = image, target.patch = patch;
    const Images resized = ResizeImages(made.images, 2, 8, image);
    const auto cut = CutTo(parent, target, made.images), plain = CutTo(parent, target, made.images, {false});
    ASSERT_TRUE(cut.ok() && plain.ok()) << cut.status();
    EXPECT_EQ(cut->config, target);
    EXPECT_EQ(cut->weights.blocks[0].qkv.u.rows(), 5);
    EXPECT_EQ(cut->weights.blocks[0].qkv.v.rows(), 18);
    EXPECT_LT((Logits(*cut, resized) - logits).norm(), (Logits(*plain, resized) - logits).norm()) << image;
  }
}

TEST(CutTo, RefusesWhatIsNoPartOfTheParent) {
  const Narrow made = MakeNarrow();
  const auto message = [&](auto change) {
    VitConfig target = made.wide.config;
    change(target);
    return std::string(CutTo(made.wide, target, made.images).status().message());
  };
  EXPECT_EQ(message([](VitConfig &c) { c.dim = 21; }), "target: dim is 21; 2 .. 20 can be cut from this parent");
  EXPECT_EQ(message([](VitConfig &c) { c.blocks[1].heads = 4; }),
            "target: blocks[1].heads is 4; 1 .. 3 can be cut from this parent");
  EXPECT_EQ(message([](VitConfig &c) { c.blocks[0].ranks.fc1 = 17; }),
            "target: blocks[0].ranks.fc1 is 17; 0 .. 16 can be cut from this parent");
  EXPECT_EQ(message([](VitConfig &c) { c.patch = 3; }), "target: image 8 is no multiple of patch 3");
  EXPECT_THAT(std::string(CutTo(made.wide, made.wide.config, Images(0, 128)).status().message()),
              testing::HasSubstr("calibration: [0,128]"));
}

}  // namespace
}  // namespace onnx2mcu
