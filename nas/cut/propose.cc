#include "nas/cut/propose.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace onnx2mcu {
namespace {

constexpr int64_t kDimStep = 4, kMlpStep = 8;

// Images first, first + 2 ...
Images EverySecond(const Images &images, int64_t first) {
  Images some((images.rows() - first + 1) / 2, images.cols());
  for (int64_t n = 0; n < some.rows(); n++) some.row(n) = images.row(first + 2 * n);
  return some;
}

VitConfig Shrunk(const VitConfig &parent, int64_t dim, int64_t quarters, size_t depth, int64_t mlp_dim) {
  VitConfig config = parent;
  config.dim = dim;
  config.blocks.resize(depth);
  for (BlockConfig &block : config.blocks) {
    block.head_dim = std::max<int64_t>(1, block.head_dim * quarters / 4);
    block.mlp_dim = std::min(block.mlp_dim, mlp_dim);
    block.ranks = {};
  }
  return config;
}

int64_t WidestMlp(const VitConfig &config) {
  int64_t widest = 0;
  for (const BlockConfig &block : config.blocks) widest = std::max(widest, block.mlp_dim);
  return widest;
}

// The widest MLP, in steps, with which `shrunk` fits; 0 where none does. Whatever fits, fits with a narrower one. First
// asked is `guess`, as fits a size nearby.
absl::StatusOr<int64_t> WidestThatFits(const std::function<VitConfig(int64_t mlp_dim)> &shrunk, int64_t widest,
                                       int64_t guess, const Fits &fits) {
  int64_t least = 0, most = (widest + kMlpStep - 1) / kMlpStep, asked = std::max<int64_t>(1, guess / kMlpStep);
  for (int64_t stride = 1; least < most; stride *= 2) {
    O2M_ASSIGN_OR_RETURN(const bool fit, fits(shrunk(asked * kMlpStep)));
    (fit ? least : most) = fit ? asked : asked - 1;
    asked = std::min(asked + stride, (least + most + 1) / 2);
    if (!fit) stride = most;  // what is left is halved
  }
  return least * kMlpStep;
}

// Every size of the sweep that fits.
absl::StatusOr<std::vector<VitConfig>> Sizes(const VitConfig &parent, const Fits &fits) {
  std::vector<VitConfig> sizes;
  const size_t depth = parent.blocks.size();
  for (size_t blocks = depth; blocks > 0 && blocks + 1 >= depth; blocks--)
    for (int64_t quarters = 4; quarters >= 2; quarters--) {
      int64_t mlp_dim = 0;
      for (int64_t dim = parent.dim; dim >= std::max<int64_t>(2, parent.dim / 2); dim -= kDimStep) {
        const auto shrunk = [&](int64_t mlp) { return Shrunk(parent, dim, quarters, blocks, mlp); };
        O2M_ASSIGN_OR_RETURN(mlp_dim, WidestThatFits(shrunk, WidestMlp(parent), mlp_dim, fits));
        if (mlp_dim > 0) sizes.push_back(shrunk(mlp_dim));
      }
    }
  return sizes;
}

}  // namespace

absl::StatusOr<std::vector<Proposal>> ProposeCuts(const Vit &parent, const Images &images, const Fits &fits,
                                                  size_t count, const RefitOptions &options) {
  O2M_ASSIGN_OR_RETURN(const std::vector<VitConfig> sizes, Sizes(parent.config, fits));
  if (sizes.empty())
    return absl::InvalidArgumentError(absl::StrCat("no cut of this network keeps within the limits, not that to dim ",
                                                   parent.config.dim / 2, " with an MLP of ", kMlpStep,
                                                   "; raise them, or train a smaller network"));
  const Images fitted = EverySecond(images, 0), scored = EverySecond(images, 1);
  const Matrix logits = Logits(parent, scored);
  std::vector<Proposal> proposals;
  for (const VitConfig &size : sizes) {
    O2M_ASSIGN_OR_RETURN(Vit vit, CutTo(parent, size, fitted, options));
    const double agreement = Agreement(Logits(vit, scored), logits);
    proposals.push_back({std::move(vit), agreement});
  }
  std::stable_sort(proposals.begin(), proposals.end(),
                   [](const Proposal &a, const Proposal &b) { return a.agreement > b.agreement; });
  proposals.resize(std::min(count, proposals.size()));
  return proposals;
}

}  // namespace onnx2mcu
