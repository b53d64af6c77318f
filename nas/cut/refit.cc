#include "nas/cut/refit.h"

#include <cmath>

#include "nas/cut/least_squares.h"
#include "nas/cut/resize.h"

namespace onnx2mcu {
namespace {

// The parent, run along: its embedding before block `next`, all images at once.
struct Parent {
  const Vit &vit;
  Matrix x;
  int64_t next = 0;
};

// What of the parent's values a cut network is to give.
struct RefitTarget {
  const VitConfig &parent, &cut;
  Matrix tokens;  // [tokens of cut, tokens of parent]

  // The same number of tokens as the cut network has.
  Matrix Resampled(const Matrix &values) const {
    const int64_t from = tokens.cols(), to = tokens.rows();
    if (from == to && tokens.isIdentity()) return values;
    Matrix out(values.rows() / from * to, values.cols());
    for (int64_t n = 0; n < values.rows() / from; n++)
      out.middleRows(n * to, to).noalias() = tokens * values.middleRows(n * from, from);
    return out;
  }
  // The leading entries of the embedding; the mean is read by nobody.
  Matrix Embedding(const Matrix &x) const {
    const Matrix leading = Resampled(x.leftCols(cut.dim));
    return leading.colwise() - leading.rowwise().mean();
  }
  // Leading heads and entries of them, q for another divisor of the scores.
  Matrix Qkv(const Matrix &qkv, int64_t parent_block, int64_t cut_block) const {
    const BlockConfig &from = parent.blocks[parent_block], &to = cut.blocks[cut_block];
    const int64_t width = to.heads * to.head_dim;
    Matrix out(qkv.rows(), 3 * width);
    for (int64_t part = 0; part < 3; part++)
      for (int64_t head = 0; head < to.heads; head++)
        out.middleCols(part * width + head * to.head_dim, to.head_dim) =
            qkv.middleCols((part * from.heads + head) * from.head_dim, to.head_dim);
    out.leftCols(width) *= std::sqrt(static_cast<float>(to.head_dim) / static_cast<float>(from.head_dim));
    return Resampled(out);
  }
};

// Fits a layer that reads x. `wanted`: what it should give; rows count as weights say, token by token.
struct Fitter {
  const RefitOptions &options;

  void Fit(const Matrix &x, const Matrix &wanted, const Vector &weights, int64_t rank, LinearWeights &linear) const {
    const Moments moments = MomentsOf(x, options.least_squares ? wanted : Matrix(), weights);
    if (options.least_squares) linear = Regress(moments, linear, options.ridge);
    linear = LowRank(moments, linear, rank);
  }
  // Fewer entries have another mean square: the layer takes the factor that brings the norm's output nearest to the
  // parent's.
  void Rescale(const Matrix &x, const Matrix &parent, LinearWeights &linear) const {
    const double scale = (x.array() * parent.array()).cast<double>().sum() / x.cast<double>().squaredNorm();
    linear.v *= static_cast<float>(scale);
  }
};

// Writers of the embedding write no mean, which nobody reads and which would take up range when quantised.
void CentreWriters(Vit &vit) {
  const auto centre = [](LinearWeights &linear) {
    linear.v = (linear.v.rowwise() - linear.v.colwise().mean()).eval();
    linear.bias.array() -= linear.bias.mean();
  };
  VitWeights &w = vit.weights;
  w.patch = (w.patch.rowwise() - w.patch.colwise().mean()).eval();
  w.patch_bias.array() -= w.patch_bias.mean();
  w.positions = (w.positions.colwise() - w.positions.rowwise().mean()).eval();
  if (w.class_token.size() > 0) w.class_token.array() -= w.class_token.mean();
  for (BlockWeights &block : w.blocks) centre(block.proj), centre(block.fc2);
}

// Weights of the tokens that count where the head alone reads on.
Vector ReadByHead(const VitConfig &config) {
  Vector weights = Vector::Ones(TokensOf(config));
  if (config.pool == Pool::kClassToken) weights.tail(weights.size() - 1).setZero();
  return weights;
}

// The patch embedding of other patches, from the parent's at the same places.
void FitPatches(const Matrix &embedding, const Images &images, const Fitter &fitter, Vit &cut) {
  const int64_t tokens = TokensOf(cut.config), first = cut.weights.class_token.size() > 0 ? 1 : 0;
  const Matrix patches = PatchesOf(cut.config, images);
  Matrix wanted(patches.rows(), cut.config.dim);
  const int64_t count = tokens - first;
  for (int64_t n = 0; n < images.rows(); n++)
    wanted.middleRows(n * count, count) =
        embedding.middleRows(n * tokens + first, count) - cut.weights.positions.bottomRows(count);
  LinearWeights linear{{}, cut.weights.patch, cut.weights.patch_bias};
  fitter.Fit(patches, wanted, Vector::Ones(1), 0, linear);
  cut.weights.patch = linear.v, cut.weights.patch_bias = linear.bias;
}

void SkipTo(int64_t block, Parent &parent) {
  for (; parent.next < block; parent.next++) AddBlock(parent.vit, parent.next, parent.x);
}

// All that the fitting of a block needs. `until`: the parent's block that the next one of the cut network stands for.
struct Step {
  const RefitTarget &target;
  const Fitter &fitter;
  int64_t block, until;
  Vector all, read;  // weights of the tokens: where all are read on, and in this block's embedding
};

// norm1, qkv, attention, proj of both.
void FitAttention(const Step &step, Parent &parent, Matrix &x, Vit &cut) {
  const BlockWeights &from = parent.vit.weights.blocks[parent.next];
  const BlockConfig &config = cut.config.blocks[step.block];
  BlockWeights &to = cut.weights.blocks[step.block];
  const Matrix given = Standardise(parent.x, parent.vit.weights.epsilon);
  const Matrix own = Standardise(x, cut.weights.epsilon), qkv = Apply(from.qkv, given);
  if (!step.fitter.options.least_squares) step.fitter.Rescale(own, step.target.Embedding(given), to.qkv);
  step.fitter.Fit(own, step.target.Qkv(qkv, parent.next, step.block), step.all, config.ranks.qkv, to.qkv);

  const BlockConfig &parent_config = parent.vit.config.blocks[parent.next];
  parent.x += Apply(from.proj, Attend(parent_config, qkv, TokensOf(parent.vit.config)));
  const Matrix mixed = Attend(config, Apply(to.qkv, own), TokensOf(cut.config));
  step.fitter.Fit(mixed, step.target.Embedding(parent.x) - x, step.read, config.ranks.proj, to.proj);
  x += Apply(to.proj, mixed);
}

// norm2, fc1, gelu, fc2 of both; and what the parent has before the next block.
void FitMlp(const Step &step, Parent &parent, Matrix &x, Vit &cut) {
  const BlockWeights &from = parent.vit.weights.blocks[parent.next];
  const BlockConfig &config = cut.config.blocks[step.block];
  BlockWeights &to = cut.weights.blocks[step.block];
  const Matrix given = Standardise(parent.x, parent.vit.weights.epsilon), own = Standardise(x, cut.weights.epsilon);
  Matrix hidden = Apply(from.fc1, given);
  if (!step.fitter.options.least_squares) step.fitter.Rescale(own, step.target.Embedding(given), to.fc1);
  step.fitter.Fit(own, step.target.Resampled(hidden.leftCols(config.mlp_dim)), step.read, config.ranks.fc1, to.fc1);

  Gelu(hidden);
  parent.x += Apply(from.fc2, hidden);
  parent.next++;
  SkipTo(step.until, parent);
  hidden = Apply(to.fc1, own);
  Gelu(hidden);
  step.fitter.Fit(hidden, step.target.Embedding(parent.x) - x, step.read, config.ranks.fc2, to.fc2);
  x += Apply(to.fc2, hidden);
}

}  // namespace

void Refit(const Vit &parent, const std::vector<int64_t> &blocks, const Images &images, const Images &cut_images,
           const RefitOptions &options, Vit &cut) {
  const Fitter fitter{options};
  const RefitTarget target{parent.config, cut.config, ResizeTokens(parent.config, cut.config)};
  const float epsilon = parent.weights.epsilon;
  const int64_t depth = static_cast<int64_t>(cut.config.blocks.size());
  CentreWriters(cut);
  Parent run{parent, Embed(parent, images)};
  SkipTo(blocks[0], run);
  if (options.least_squares && (parent.config.patch != cut.config.patch || parent.config.image != cut.config.image))
    FitPatches(target.Embedding(run.x), cut_images, fitter, cut);
  Matrix x = Embed(cut, cut_images);
  for (int64_t b = 0; b < depth; b++) {
    const int64_t until = b + 1 < depth ? blocks[b + 1] : static_cast<int64_t>(parent.config.blocks.size());
    const Vector all = Vector::Ones(TokensOf(cut.config));
    const Step step{target, fitter, b, until, all, b + 1 < depth ? all : ReadByHead(cut.config)};
    FitAttention(step, run, x, cut);
    FitMlp(step, run, x, cut);
  }
  const Matrix given = PoolTokens(parent.config, Standardise(run.x, epsilon));
  const Matrix own = PoolTokens(cut.config, Standardise(x, epsilon));
  if (!options.least_squares) {
    const Matrix leading = given.leftCols(cut.config.dim);
    fitter.Rescale(own, leading.colwise() - leading.rowwise().mean(), cut.weights.head);
  }
  fitter.Fit(own, Apply(parent.weights.head, given), Vector::Ones(1), 0, cut.weights.head);
}

}  // namespace onnx2mcu
