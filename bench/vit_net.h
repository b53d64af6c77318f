// bench/vit_net.h - transformers whose blocks may differ, as lowered graphs of made-up weights: what a search over
// architectures plans.
#pragma once
#include <cstdint>
#include <vector>

#include "importer/ir/graph.h"
#include "importer/ir/status.h"
#include "plugins/registry.h"

namespace onnx2mcu {

struct VitBlock {
  int64_t heads = 3, hidden = 768;
};
struct VitNet {
  int64_t image = 224, patch = 16, dim = 192, head_dim = 64, classes = 1000;
  std::vector<VitBlock> blocks = std::vector<VitBlock>(12);
};

// The float half, as an exporter writes it: convolution, class token, pre-norm blocks, head on the class token.
Graph FloatVit(const VitNet &net);

// Lowered from shapes alone: every pass from folding to fused epilogues, 8 bit, made-up scales.
absl::StatusOr<Graph> LoweredVit(const VitNet &net, const Registry &registry, Host &host, const o2m_target &target);

}  // namespace onnx2mcu
