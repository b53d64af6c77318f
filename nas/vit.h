// nas/vit.h - a vision transformer as data: what a search changes of it, and its weights.
//
// Pre-norm (ViT, DeiT): x += proj(attention(norm1(x))), x += fc2(gelu(fc1(norm2(x)))). A config says all shapes; a
// linear layer of rank r > 0 is two, U [r, in] and V [out, r] (MCUFormer, section 3.2, "low-rank decomposition").
#pragma once
#include <Eigen/Dense>
#include <compare>
#include <cstdint>
#include <vector>

namespace onnx2mcu {

// Ranks of a block's linear layers; 0: dense. qkv is one layer [3 * heads * head_dim, dim], so its U is shared.
struct BlockRanks {
  int64_t qkv = 0, proj = 0, fc1 = 0, fc2 = 0;
  auto operator<=>(const BlockRanks &) const = default;
};

struct BlockConfig {
  int64_t heads = 3, head_dim = 64, mlp_dim = 768;
  BlockRanks ranks;
  auto operator<=>(const BlockConfig &) const = default;
};

enum class Pool { kClassToken, kMean };  // what the head reads, after the final norm

struct VitConfig {
  int64_t image = 28, channels = 1, patch = 4, dim = 64, classes = 10;  // image: side, pixels; a multiple of patch
  Pool pool = Pool::kClassToken;
  std::vector<BlockConfig> blocks;
  auto operator<=>(const VitConfig &) const = default;
};

// Patches, and the class token where there is one.
inline int64_t TokensOf(const VitConfig &config) {
  const int64_t side = config.image / config.patch;
  return side * side + (config.pool == Pool::kClassToken ? 1 : 0);
}

using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Vector = Eigen::VectorXf;

// y = v (u x) + bias, or v x + bias where u is empty. v: [out, rank or in], u: [rank, in], bias: [out].
struct LinearWeights {
  Matrix u, v;
  Vector bias;
};

struct NormWeights {
  Vector gain, bias;  // [dim]
};

struct BlockWeights {
  NormWeights norm1;
  LinearWeights qkv, proj;  // rows of qkv: q of head 0, q of head 1 ..., then k, then v
  NormWeights norm2;
  LinearWeights fc1, fc2;
};

struct VitWeights {
  Matrix patch;        // [dim, channels * patch * patch], in the order of a convolution's kernel
  Vector patch_bias;   // [dim]
  Vector class_token;  // [dim]; empty without one
  Matrix positions;    // [tokens, dim], the class token's first
  std::vector<BlockWeights> blocks;
  NormWeights norm;
  LinearWeights head;  // [classes, dim]
  float epsilon = 1e-6f;
};

struct Vit {
  VitConfig config;
  VitWeights weights;
};

}  // namespace onnx2mcu
