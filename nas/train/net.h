// nas/train/net.h - the weights of a Vit as tensors, and what it computes. Private to nas/train.
//
// The same struct holds a supernet, at the largest sizes and with heads as axes of their own (supernet.h).
#pragma once
#include <ATen/core/Tensor.h>

#include <functional>
#include <vector>

#include "nas/vit.h"

namespace onnx2mcu {

// As LinearWeights: y = v (u x) + bias; u is undefined in a dense layer.
struct LinearTensors {
  at::Tensor u, v, bias;
};
struct NormTensors {
  at::Tensor gain, bias;  // [dim]
};
struct BlockTensors {
  NormTensors norm1;
  LinearTensors qkv, proj;
  NormTensors norm2;
  LinearTensors fc1, fc2;
};
struct Net {
  VitConfig config;
  float epsilon = 1e-6f;
  at::Tensor patch, patch_bias, class_token, positions;  // as VitWeights; class_token undefined without one
  std::vector<BlockTensors> blocks;
  NormTensors norm;
  LinearTensors head;
};

Net NetOf(const Vit &vit);  // copies
Vit VitOf(const Net &net);  // copies, from any device

// images: [n, channels, side, side], side resized where it is not the config's. Returns logits [n, classes].
at::Tensor Forward(const Net &net, at::Tensor images);

// Every defined tensor, in one order. matrix: of a linear layer or the patch embedding, which weight decay is for.
void ForEach(Net &net, const std::function<void(at::Tensor &tensor, bool matrix)> &visit);

// All tensors in one, [size], matrices first: optimiser and checkpoint need no names. Gradients flow back.
at::Tensor Flatten(Net net);
int64_t MatrixElements(Net net);  // how many of them are of matrices
// `net` with its tensors replaced by views of `flat`, in Flatten()'s order.
Net Bind(Net net, const at::Tensor &flat);

}  // namespace onnx2mcu
