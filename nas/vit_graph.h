// nas/vit_graph.h - a Vit as the float half of a graph, as an exporter of PyTorch models would write it: what is
// written as ONNX, and what is lowered to be priced.
#pragma once
#include <cstdint>

#include "importer/ir/graph.h"
#include "nas/vit.h"

namespace onnx2mcu {

// Opset 20. Input "image" [1, channels, image, image], output "logits" [1, classes]; tensors and nodes have timm's
// names. Without mean and std: the input is what the weights were trained on.
// Precondition: weights of the shapes that the config says; the image is a multiple of the patch.
Graph FloatGraphOf(const Vit &vit);

// Weights of no network, without zeros: normal of deviation 1 / sqrt(inputs), by seed.
VitWeights RandomWeights(const VitConfig &config, uint64_t seed);

}  // namespace onnx2mcu
