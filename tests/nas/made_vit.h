// tests/nas/made_vit.h - small ViTs with random weights, and wide ones that say no more than a narrow one.
#pragma once
#include <cmath>
#include <random>

#include "nas/forward.h"

namespace onnx2mcu {

struct Maker {
  std::mt19937 random;
  explicit Maker(uint32_t seed) : random(seed) {}

  Matrix Normal(int64_t rows, int64_t columns, double deviation) {
    std::normal_distribution<double> normal(0, deviation);
    Matrix values(rows, columns);
    for (int64_t i = 0; i < values.size(); i++) values.data()[i] = static_cast<float>(normal(random));
    return values;
  }
  Vector Row(int64_t size, double deviation, float mean = 0) {
    return Normal(size, 1, deviation).col(0).array() + mean;
  }
  LinearWeights Linear(int64_t in, int64_t out, int64_t rank) {
    const double deviation = 1 / std::sqrt(static_cast<double>(in));
    if (rank == 0) return {{}, Normal(out, in, deviation), Row(out, 0.2)};
    return {Normal(rank, in, deviation), Normal(out, rank, 0.5), Row(out, 0.2)};
  }
  NormWeights Norm(int64_t dim) { return {Row(dim, 0.3, 1), Row(dim, 0.3)}; }
  BlockWeights Block(const BlockConfig &block, int64_t dim) {
    const int64_t width = block.heads * block.head_dim;
    BlockWeights made{
        Norm(dim), Linear(dim, 3 * width, block.ranks.qkv),     Linear(width, dim, block.ranks.proj),
        Norm(dim), Linear(dim, block.mlp_dim, block.ranks.fc1), Linear(block.mlp_dim, dim, block.ranks.fc2)};
    made.qkv.v *= 2;  // attention that tells tokens apart
    return made;
  }
  Vit Network(const VitConfig &config) {
    const int64_t dim = config.dim, pixels = config.channels * config.patch * config.patch;
    VitWeights w{Normal(dim, pixels, 0.4),       Row(dim, 0.2), {}, Normal(TokensOf(config), dim, 0.5), {}, Norm(dim),
                 Linear(dim, config.classes, 0), 1e-6f};
    if (config.pool == Pool::kClassToken) w.class_token = Row(dim, 1);
    for (const BlockConfig &block : config.blocks) w.blocks.push_back(Block(block, dim));
    return {config, w};
  }
  Images Pixels(const VitConfig &config, int64_t count) {
    return Normal(count, config.channels * config.image * config.image, 1);
  }
};

inline VitConfig SmallConfig(Pool pool = Pool::kClassToken) {
  return {.image = 8,
          .channels = 2,
          .patch = 4,
          .dim = 12,
          .classes = 5,
          .pool = pool,
          .blocks = {{2, 4, 10, {}}, {3, 2, 7, {0, 0, 3, 4}}, {2, 3, 9, {5, 0, 0, 0}}}};
}

inline float LargestDifference(const Matrix &a, const Matrix &b) {
  if (a.rows() != b.rows() || a.cols() != b.cols()) return INFINITY;
  return (a - b).cwiseAbs().maxCoeff();
}

}  // namespace onnx2mcu
