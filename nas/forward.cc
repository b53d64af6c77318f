#include "nas/forward.h"

#include <algorithm>
#include <cmath>
#include <unsupported/Eigen/SpecialFunctions>

namespace onnx2mcu {
namespace {

constexpr int64_t kBatch = 64;  // images: their activations stay in the cache

Matrix LogitsOfBatch(const Vit &vit, const Images &images, const Hook &hook) {
  const int64_t depth = static_cast<int64_t>(vit.weights.blocks.size());
  Matrix x = Embed(vit, images);
  for (int64_t i = 0; i < depth; i++) AddBlock(vit, i, x, hook);
  const Matrix pooled = PoolTokens(vit.config, Normalise(vit.weights.norm, x, vit.weights.epsilon));
  if (hook) hook(depth, Layer::kHead, pooled);
  return Apply(vit.weights.head, pooled);
}

int64_t Largest(const Matrix &logits, int64_t row) {
  Eigen::Index at = 0;
  logits.row(row).maxCoeff(&at);
  return at;
}

}  // namespace

Matrix PatchesOf(const VitConfig &config, const Images &images) {
  const int64_t side = config.image / config.patch, patch = config.patch, image = config.image;
  Matrix patches(images.rows() * side * side, config.channels * patch * patch);
  for (int64_t row = 0; row < patches.rows(); row++) {
    const int64_t n = row / (side * side), top = row / side % side * patch, left = row % side * patch;
    for (int64_t c = 0; c < config.channels; c++)
      for (int64_t y = 0; y < patch; y++)
        patches.row(row).segment((c * patch + y) * patch, patch) =
            images.row(n).segment((c * image + top + y) * image + left, patch);
  }
  return patches;
}

Matrix Embed(const Vit &vit, const Images &images) {
  const VitWeights &w = vit.weights;
  const int64_t tokens = TokensOf(vit.config), first = w.class_token.size() > 0 ? 1 : 0, patches = tokens - first;
  const Matrix embedded = PatchesOf(vit.config, images) * w.patch.transpose();
  Matrix positions = w.positions;
  positions.bottomRows(patches).rowwise() += w.patch_bias.transpose();
  if (first == 1) positions.row(0) += w.class_token.transpose();
  Matrix x(images.rows() * tokens, vit.config.dim);
  for (int64_t n = 0; n < images.rows(); n++) {
    x.middleRows(n * tokens, tokens) = positions;
    x.middleRows(n * tokens + first, patches) += embedded.middleRows(n * patches, patches);
  }
  return x;
}

Matrix Standardise(const Matrix &x, float epsilon) {
  Matrix y = x.colwise() - x.rowwise().mean();
  const Vector scale = (y.rowwise().squaredNorm().array() / static_cast<float>(x.cols()) + epsilon).rsqrt();
  return y.array().colwise() * scale.array();
}

Matrix Normalise(const NormWeights &norm, const Matrix &x, float epsilon) {
  const Matrix y = Standardise(x, epsilon).array().rowwise() * norm.gain.transpose().array();
  return y.rowwise() + norm.bias.transpose();
}

Matrix Apply(const LinearWeights &linear, const Matrix &x) {
  Matrix y;
  if (linear.u.size() > 0) {
    const Matrix thin = x * linear.u.transpose();
    y.noalias() = thin * linear.v.transpose();
  } else {
    y.noalias() = x * linear.v.transpose();
  }
  y.rowwise() += linear.bias.transpose();
  return y;
}

Matrix Attend(const BlockConfig &block, const Matrix &qkv, int64_t tokens) {
  const int64_t width = block.heads * block.head_dim, dim = block.head_dim;
  const float scale = 1 / std::sqrt(static_cast<float>(dim));
  Matrix out(qkv.rows(), width), scores(tokens, tokens);
  for (int64_t first = 0; first < qkv.rows(); first += tokens)
    for (int64_t column = 0; column < width; column += dim) {
      const auto part = [&](int64_t i) { return qkv.block(first, i * width + column, tokens, dim); };
      scores.noalias() = part(0) * part(1).transpose();
      scores = ((scores.colwise() - scores.rowwise().maxCoeff()).array() * scale).exp();
      const Vector sums = scores.rowwise().sum();
      scores.array().colwise() /= sums.array();
      out.block(first, column, tokens, dim).noalias() = scores * part(2);
    }
  return out;
}

void Gelu(Matrix &x) {
  const float root_half = std::sqrt(0.5f);
  x = x.array() * (0.5f + 0.5f * (x.array() * root_half).erf());
}

void AddBlock(const Vit &vit, int64_t index, Matrix &x, const Hook &hook) {
  const BlockWeights &block = vit.weights.blocks[index];
  const auto read = [&](Layer layer, const LinearWeights &linear, const Matrix &input) {
    if (hook) hook(index, layer, input);
    return Apply(linear, input);
  };
  const Matrix qkv = read(Layer::kQkv, block.qkv, Normalise(block.norm1, x, vit.weights.epsilon));
  x += read(Layer::kProj, block.proj, Attend(vit.config.blocks[index], qkv, TokensOf(vit.config)));
  Matrix hidden = read(Layer::kFc1, block.fc1, Normalise(block.norm2, x, vit.weights.epsilon));
  Gelu(hidden);
  x += read(Layer::kFc2, block.fc2, hidden);
}

Matrix PoolTokens(const VitConfig &config, const Matrix &x) {
  const int64_t tokens = TokensOf(config), count = x.rows() / tokens;
  Matrix pooled(count, x.cols());
  for (int64_t n = 0; n < count; n++) {
    if (config.pool == Pool::kClassToken)
      pooled.row(n) = x.row(n * tokens);
    else
      pooled.row(n) = x.middleRows(n * tokens, tokens).colwise().mean();
  }
  return pooled;
}

Matrix Logits(const Vit &vit, const Images &images, const Hook &hook) {
  Matrix logits(images.rows(), vit.config.classes);
  for (int64_t n = 0; n < images.rows(); n += kBatch) {
    const int64_t count = std::min<int64_t>(kBatch, images.rows() - n);
    logits.middleRows(n, count) = LogitsOfBatch(vit, images.middleRows(n, count), hook);
  }
  return logits;
}

double Accuracy(const Matrix &logits, const std::vector<int64_t> &labels) {
  int64_t right = 0;
  for (int64_t n = 0; n < logits.rows(); n++) right += Largest(logits, n) == labels[n];
  return static_cast<double>(right) / std::max<int64_t>(1, logits.rows());
}

double Agreement(const Matrix &a, const Matrix &b) {
  int64_t same = 0;
  for (int64_t n = 0; n < a.rows(); n++) same += Largest(a, n) == Largest(b, n);
  return static_cast<double>(same) / std::max<int64_t>(1, a.rows());
}

}  // namespace onnx2mcu
