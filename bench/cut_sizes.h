// bench/cut_sizes.h - the sizes that bench/cut cuts a ViT of 4 blocks to: about half of its flash, by different means.
#pragma once
#include <string>
#include <vector>

#include "nas/vit.h"

namespace onnx2mcu {

struct CutSize {
  std::string name;
  VitConfig config;
};

inline std::vector<CutSize> CutSizesOf(const VitConfig &parent) {
  const auto all = [&](int64_t dim, const BlockConfig &block, size_t depth = 4) {
    VitConfig config = parent;
    config.dim = dim, config.blocks.assign(depth, block);
    return config;
  };
  return {{"dim_48_mlp_64", all(48, {4, 8, 64, {}})},
          {"dim_44_mlp_80", all(44, {4, 8, 80, {}})},
          {"low_rank_mlp", all(44, {4, 8, 128, {0, 0, 22, 22}})},
          {"two_heads", all(44, {2, 16, 80, {}})},
          {"three_blocks", all(48, {4, 10, 96, {}}, 3)}};
}

}  // namespace onnx2mcu
