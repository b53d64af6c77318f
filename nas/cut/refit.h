// nas/cut/refit.h - layer after layer, the weights of a cut network from what its parent computes on the same images.
#pragma once
#include <cstdint>
#include <vector>

#include "nas/forward.h"
#include "nas/vit.h"

namespace onnx2mcu {

struct RefitOptions {
  bool least_squares =
      true;             // false: weights stay; each norm takes a gain and low ranks are of the weights as they are
  double ridge = 1e-4;  // of the mean square of what a layer reads
};

// `parent` gives what each layer should: its weights are in the order and coordinates of which `cut` has the leading
// ones (RotateEmbedding() and the like). Block b of the cut one is blocks[b] of the parent's, ascending; what the
// blocks between do, the writer before them learns. Each layer is fitted to the parent's values for what the cut
// network gives it, so that it also makes up for the layers before; a writer of the embedding is fitted to the whole
// embedding. In the last block only tokens count that the head reads. Ranks of cut.config are applied here.
// Deterministic. images: as the parent takes them, cut_images as the cut network does; unlabelled. Bytes needed: about
// 8 * count * tokens * (2 * dim + 3 * heads * head_dim + 2 * mlp_dim).
void Refit(const Vit &parent, const std::vector<int64_t> &blocks, const Images &images, const Images &cut_images,
           const RefitOptions &options, Vit &cut);

}  // namespace onnx2mcu
