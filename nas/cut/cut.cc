#include "nas/cut/cut.h"

#include <algorithm>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "nas/cut/exact.h"
#include "nas/cut/least_squares.h"
#include "nas/cut/resize.h"
#include "nas/cut/slice.h"

namespace onnx2mcu {
namespace {

constexpr int64_t kOrdering = 512;  // images are enough to say in which order; fitting takes all

// The blocks that stay, ascending.
std::vector<int64_t> KeptBlocks(const Vit &vit, int64_t depth, const Images &images) {
  std::vector<int64_t> order(vit.config.blocks.size());
  std::iota(order.begin(), order.end(), 0);
  if (depth == static_cast<int64_t>(order.size())) return order;
  const std::vector<double> influence = BlockInfluence(vit, images);
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return influence[a] > influence[b]; });
  order.resize(depth);
  std::sort(order.begin(), order.end());
  return order;
}

absl::Status CheckImages(const Vit &parent, const Images &images) {
  const int64_t pixels = parent.config.channels * parent.config.image * parent.config.image;
  if (images.rows() > 0 && images.cols() == pixels) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("calibration: [", images.rows(), ",", images.cols(),
                                                 "] where the parent takes [n,", pixels, "], n at least 1"));
}

// `vit` with only these blocks.
Vit WithBlocks(const Vit &vit, const std::vector<int64_t> &blocks) {
  Vit kept = vit;
  kept.config.blocks.clear(), kept.weights.blocks.clear();
  for (const int64_t b : blocks) {
    kept.config.blocks.push_back(vit.config.blocks[b]);
    kept.weights.blocks.push_back(vit.weights.blocks[b]);
  }
  return kept;
}

// What matters least last, in everything that the target has less of.
Vit Ordered(const Vit &folded, const VitConfig &target, const std::vector<int64_t> &blocks, const Images &images) {
  const Statistics statistics = StatisticsOf(folded, images.topRows(std::min<int64_t>(kOrdering, images.rows())));
  Vit ordered = folded;
  OrderHeads(ordered, statistics);
  OrderNeurons(ordered, statistics);
  for (size_t b = 0; b < target.blocks.size(); b++)
    if (target.blocks[b].head_dim < folded.config.blocks[blocks[b]].head_dim)
      OrderHeadDims(ordered, blocks[b], statistics);
  if (target.dim < folded.config.dim) RotateEmbedding(ordered, statistics);
  return ordered;
}

}  // namespace

std::vector<double> BlockInfluence(const Vit &vit, const Images &images) {
  std::vector<double> influence;
  Matrix x = Embed(vit, images);
  for (size_t b = 0; b < vit.config.blocks.size(); b++) {
    const Matrix before = x;
    AddBlock(vit, static_cast<int64_t>(b), x);
    const auto dots = (before.array() * x.array()).rowwise().sum();
    const auto norms = (before.rowwise().norm().array() * x.rowwise().norm().array()).max(1e-12f);
    influence.push_back(1 - (dots / norms).cast<double>().mean());
  }
  return influence;
}

absl::StatusOr<Vit> CutTo(const Vit &parent, const VitConfig &target, const Images &images,
                          const RefitOptions &options) {
  O2M_RETURN_IF_ERROR(CheckImages(parent, images));
  const Vit folded = FoldNorms(parent);
  const size_t depth = std::clamp<size_t>(target.blocks.size(), 1, parent.config.blocks.size());
  const auto blocks = KeptBlocks(folded, static_cast<int64_t>(depth), images);
  O2M_RETURN_IF_ERROR(CheckTarget(WithBlocks(folded, blocks).config, target));
  const Vit ordered = Ordered(folded, target, blocks, images);
  Vit cut = Slice(ResizePatches(WithBlocks(ordered, blocks), target.image, target.patch), target);
  cut.config = target;
  const Images resized = ResizeImages(images, target.channels, parent.config.image, target.image);
  Refit(ordered, blocks, images, resized, options, cut);
  return cut;
}

absl::StatusOr<Vit> NaiveCut(const Vit &parent, const VitConfig &target) {
  O2M_RETURN_IF_ERROR(CheckTarget(parent.config, target));
  Vit cut = Slice(ResizePatches(WithDenseLayers(parent), target.image, target.patch), target);
  cut.config = target;
  for (size_t b = 0; b < target.blocks.size(); b++) {
    BlockWeights &block = cut.weights.blocks[b];
    const BlockRanks &ranks = target.blocks[b].ranks;
    block.qkv = TruncatedSvd(block.qkv, ranks.qkv), block.proj = TruncatedSvd(block.proj, ranks.proj);
    block.fc1 = TruncatedSvd(block.fc1, ranks.fc1), block.fc2 = TruncatedSvd(block.fc2, ranks.fc2);
  }
  return cut;
}

}  // namespace onnx2mcu
