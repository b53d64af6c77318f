// nas/train/supernet.h - one set of weights for all networks of a space (AutoFormer, section 3.2, "weight
// entanglement"). Private to nas/train.
//
// A subnet takes the first elements along every axis. Heads are axes of their own, so that every number of heads and
// every head_dim slices evenly. A layer that may be of low rank is always kept as two factors, V U of full rank: rank r
// takes the first r of their components, the dense layer is their product. Kernels of smaller patches are the largest's
// by the pseudo-inverse of resizing a patch (FlexiViT, section 3.4), positions of a coarser grid those of the finest
// interpolated.
#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>

#include "nas/space.h"
#include "nas/train/net.h"

namespace onnx2mcu {

struct SharedWeights {
  // At the largest sizes, its image and patch those of the finest grid. patch: [dim, channels, largest patch^2];
  // qkv.v: [3, heads, head_dim, in or rank], its bias [3, heads, head_dim]; the input of proj: [heads, head_dim].
  Net net;
  std::map<int64_t, at::Tensor> kernels;  // by patch: [patch^2, largest patch^2]
  std::map<int64_t, at::Tensor> grids;    // by patches along a side: [tokens, tokens of the finest]
};

// Random weights, a function of the seed.
SharedWeights MakeSupernet(const Space &space, uint64_t seed);

// One network with random weights, drawn as a supernet's.
Net RandomNet(const VitConfig &config, uint64_t seed);

// Views of the supernet's weights, through which gradients flow back. Precondition: a config of its space.
Net Subnet(const SharedWeights &supernet, const VitConfig &config);

}  // namespace onnx2mcu
