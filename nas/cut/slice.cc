#include "nas/cut/slice.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "absl/strings/str_cat.h"

namespace onnx2mcu {
namespace {

absl::Status AtMost(const std::string &what, int64_t value, int64_t least, int64_t most) {
  if (value >= least && value <= most) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("target: ", what, " is ", value, "; ", least, " .. ", most, " can be cut from this parent"));
}

absl::Status CheckBlock(const std::string &name, const BlockConfig &parent, const BlockConfig &target, int64_t dim) {
  O2M_RETURN_IF_ERROR(AtMost(name + ".heads", target.heads, 1, parent.heads));
  O2M_RETURN_IF_ERROR(AtMost(name + ".head_dim", target.head_dim, 1, parent.head_dim));
  O2M_RETURN_IF_ERROR(AtMost(name + ".mlp_dim", target.mlp_dim, 1, parent.mlp_dim));
  const int64_t width = target.heads * target.head_dim;
  O2M_RETURN_IF_ERROR(AtMost(name + ".ranks.qkv", target.ranks.qkv, 0, std::min(dim, 3 * width)));
  O2M_RETURN_IF_ERROR(AtMost(name + ".ranks.proj", target.ranks.proj, 0, std::min(dim, width)));
  O2M_RETURN_IF_ERROR(AtMost(name + ".ranks.fc1", target.ranks.fc1, 0, std::min(dim, target.mlp_dim)));
  return AtMost(name + ".ranks.fc2", target.ranks.fc2, 0, std::min(dim, target.mlp_dim));
}

LinearWeights Corner(const LinearWeights &linear, int64_t out, int64_t in) {
  return {{}, linear.v.topLeftCorner(out, in), linear.bias.head(out)};
}

// The kept rows of qkv, and columns of proj (those of part 0).
std::vector<int64_t> HeadRows(const BlockConfig &block, const BlockConfig &target, int64_t parts) {
  std::vector<int64_t> rows;
  for (int64_t part = 0; part < parts; part++)
    for (int64_t head = 0; head < target.heads; head++)
      for (int64_t i = 0; i < target.head_dim; i++) rows.push_back((part * block.heads + head) * block.head_dim + i);
  return rows;
}

// Fewer entries make scores of another temperature: it stays in the weights of q.
void KeepScale(LinearWeights &qkv, const BlockConfig &block, const BlockConfig &target) {
  const float ratio = static_cast<float>(target.head_dim) / static_cast<float>(block.head_dim);
  const int64_t rows = target.heads * target.head_dim;
  qkv.v.topRows(rows) *= std::sqrt(ratio);
  qkv.bias.head(rows) *= std::sqrt(ratio);
}

BlockWeights SliceBlock(const BlockWeights &w, const BlockConfig &block, const BlockConfig &target, int64_t dim) {
  const auto rows = HeadRows(block, target, 3), columns = HeadRows(block, target, 1);
  const auto norm = [&](const NormWeights &n) { return NormWeights{n.gain.head(dim), n.bias.head(dim)}; };
  BlockWeights cut{
      norm(w.norm1), {}, {}, norm(w.norm2), Corner(w.fc1, target.mlp_dim, dim), Corner(w.fc2, dim, target.mlp_dim)};
  cut.qkv = {{}, Matrix(w.qkv.v.leftCols(dim))(rows, Eigen::all), w.qkv.bias(rows)};
  cut.proj = {{}, Matrix(w.proj.v.topRows(dim))(Eigen::all, columns), w.proj.bias.head(dim)};
  KeepScale(cut.qkv, block, target);
  return cut;
}

}  // namespace

absl::Status CheckTarget(const VitConfig &parent, const VitConfig &target) {
  O2M_RETURN_IF_ERROR(AtMost("classes", target.classes, parent.classes, parent.classes));
  O2M_RETURN_IF_ERROR(AtMost("channels", target.channels, parent.channels, parent.channels));
  O2M_RETURN_IF_ERROR(AtMost("image", target.image, 1, parent.image));
  O2M_RETURN_IF_ERROR(AtMost("patch", target.patch, 1, target.image));
  O2M_RETURN_IF_ERROR(AtMost("depth", target.blocks.size(), 1, parent.blocks.size()));
  O2M_RETURN_IF_ERROR(AtMost("dim", target.dim, 2, parent.dim));
  if (target.pool != parent.pool) return absl::InvalidArgumentError("target: pool differs from the parent's");
  if (target.image % target.patch != 0)
    return absl::InvalidArgumentError(
        absl::StrCat("target: image ", target.image, " is no multiple of patch ", target.patch));
  for (size_t b = 0; b < target.blocks.size(); b++)
    O2M_RETURN_IF_ERROR(CheckBlock(absl::StrCat("blocks[", b, "]"), parent.blocks[b], target.blocks[b], target.dim));
  return absl::OkStatus();
}

Vit Slice(const Vit &vit, const VitConfig &target) {
  const VitWeights &w = vit.weights;
  const int64_t dim = target.dim, with_class = std::min<int64_t>(dim, w.class_token.size());
  Vit cut{target, {}};
  for (BlockConfig &block : cut.config.blocks) block.ranks = {};
  cut.weights = {w.patch.topRows(dim),
                 w.patch_bias.head(dim),
                 w.class_token.head(with_class),
                 w.positions.leftCols(dim),
                 {},
                 {w.norm.gain.head(dim), w.norm.bias.head(dim)},
                 Corner(w.head, target.classes, dim),
                 w.epsilon};
  for (size_t b = 0; b < target.blocks.size(); b++)
    cut.weights.blocks.push_back(SliceBlock(w.blocks[b], vit.config.blocks[b], target.blocks[b], dim));
  return cut;
}

}  // namespace onnx2mcu
