#include "nas/train/net.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/scaled_dot_product_attention.h>

#include "nas/cut/resize.h"

namespace onnx2mcu {
namespace {

template <typename T>  // Matrix or Vector; undefined where it is empty
at::Tensor TensorOf(const T &x) {
  if (x.size() == 0) return {};
  std::vector<int64_t> dims = {x.rows(), x.cols()};
  if (T::ColsAtCompileTime == 1) dims.pop_back();
  return at::from_blob(const_cast<float *>(x.data()), dims, at::kFloat).clone();
}

at::Tensor Dense(const at::Tensor &x) { return x.detach().to(at::kCPU, at::kFloat).contiguous(); }

Matrix MatrixOf(const at::Tensor &x) {
  if (!x.defined()) return {};
  const at::Tensor dense = Dense(x).reshape({x.size(0), -1});
  return Eigen::Map<const Matrix>(dense.const_data_ptr<float>(), dense.size(0), dense.size(1));
}

Vector VectorOf(const at::Tensor &x) {
  if (!x.defined()) return {};
  const at::Tensor dense = Dense(x);
  return Eigen::Map<const Vector>(dense.const_data_ptr<float>(), dense.numel());
}

NormTensors TensorsOf(const NormWeights &w) { return {TensorOf(w.gain), TensorOf(w.bias)}; }
LinearTensors TensorsOf(const LinearWeights &w) { return {TensorOf(w.u), TensorOf(w.v), TensorOf(w.bias)}; }
NormWeights WeightsOf(const NormTensors &t) { return {VectorOf(t.gain), VectorOf(t.bias)}; }
LinearWeights WeightsOf(const LinearTensors &t) { return {MatrixOf(t.u), MatrixOf(t.v), VectorOf(t.bias)}; }

at::Tensor Apply(const LinearTensors &w, const at::Tensor &x) {
  return at::linear(w.u.defined() ? at::linear(x, w.u) : x, w.v, w.bias);
}

at::Tensor Normalized(const NormTensors &w, const at::Tensor &x, float epsilon) {
  return at::layer_norm(x, {x.size(-1)}, w.gain, w.bias, epsilon);
}

at::Tensor Resized(const at::Tensor &images, int64_t side) {
  if (images.size(-1) == side) return images;
  const at::Tensor map = TensorOf(ResizeAxis(images.size(-1), side)).to(images.device());
  return at::matmul(at::matmul(map, images), map.t());
}

// [n, channels, side, side] -> [n, patches, channels * patch * patch]
at::Tensor Patches(const at::Tensor &images, int64_t patch) {
  const int64_t n = images.size(0), channels = images.size(1), grid = images.size(2) / patch;
  return images.reshape({n, channels, grid, patch, grid, patch})
      .permute({0, 2, 4, 1, 3, 5})
      .reshape({n, grid * grid, channels * patch * patch});
}

at::Tensor Embedded(const Net &net, const at::Tensor &images) {
  at::Tensor x = at::linear(Patches(images, net.config.patch), net.patch, net.patch_bias);
  if (net.class_token.defined())
    x = at::cat({net.class_token.expand({x.size(0), 1, x.size(2)}).to(x.scalar_type()), x}, 1);
  return x + net.positions;
}

// Attention of the first `rows` tokens over all, [n, rows, heads * head_dim].
at::Tensor Attended(const BlockConfig &block, const at::Tensor &qkv, int64_t rows) {
  const int64_t n = qkv.size(0), tokens = qkv.size(1);
  const at::Tensor parts = qkv.reshape({n, tokens, 3, block.heads, block.head_dim}).permute({2, 0, 3, 1, 4});
  const at::Tensor q = parts[0].narrow(2, 0, rows);
  const at::Tensor y = at::scaled_dot_product_attention(q, parts[1], parts[2]);
  return y.transpose(1, 2).reshape({n, rows, block.heads * block.head_dim});
}

// Of the result, the first `rows` tokens.
at::Tensor BlockOf(const Net &net, size_t i, at::Tensor x, int64_t rows) {
  const BlockTensors &block = net.blocks[i];
  const at::Tensor qkv = Apply(block.qkv, Normalized(block.norm1, x, net.epsilon));
  x = x.narrow(1, 0, rows) + Apply(block.proj, Attended(net.config.blocks[i], qkv, rows));
  const at::Tensor hidden = at::gelu(Apply(block.fc1, Normalized(block.norm2, x, net.epsilon)));
  return x + Apply(block.fc2, hidden);
}

}  // namespace

Net NetOf(const Vit &vit) {
  const VitWeights &w = vit.weights;
  Net net{vit.config,
          w.epsilon,
          TensorOf(w.patch),
          TensorOf(w.patch_bias),
          TensorOf(w.class_token),
          TensorOf(w.positions),
          {},
          TensorsOf(w.norm),
          TensorsOf(w.head)};
  for (const BlockWeights &b : w.blocks)
    net.blocks.push_back({TensorsOf(b.norm1), TensorsOf(b.qkv), TensorsOf(b.proj), TensorsOf(b.norm2), TensorsOf(b.fc1),
                          TensorsOf(b.fc2)});
  return net;
}

Vit VitOf(const Net &net) {
  Vit vit{net.config, {}};
  VitWeights &w = vit.weights;
  w.epsilon = net.epsilon;
  w.patch = MatrixOf(net.patch), w.patch_bias = VectorOf(net.patch_bias);
  w.class_token = VectorOf(net.class_token), w.positions = MatrixOf(net.positions);
  for (const BlockTensors &b : net.blocks)
    w.blocks.push_back({WeightsOf(b.norm1), WeightsOf(b.qkv), WeightsOf(b.proj), WeightsOf(b.norm2), WeightsOf(b.fc1),
                        WeightsOf(b.fc2)});
  w.norm = WeightsOf(net.norm), w.head = WeightsOf(net.head);
  return vit;
}

at::Tensor Forward(const Net &net, at::Tensor images) {
  at::Tensor x = Embedded(net, Resized(images, net.config.image));
  const bool first_only = net.config.pool == Pool::kClassToken;
  for (size_t i = 0; i < net.blocks.size(); i++)  // the last block needs no more tokens than the head reads
    x = BlockOf(net, i, x, first_only && i + 1 == net.blocks.size() ? 1 : x.size(1));
  x = Normalized(net.norm, first_only ? x.narrow(1, 0, 1) : x, net.epsilon);
  return Apply(net.head, x.mean(1));
}

void ForEach(Net &net, const std::function<void(at::Tensor &, bool)> &visit) {
  const auto see = [&](at::Tensor &tensor, bool matrix) {
    if (tensor.defined()) visit(tensor, matrix);
  };
  const auto see_norm = [&](NormTensors &norm) { see(norm.gain, false), see(norm.bias, false); };
  const auto see_linear = [&](LinearTensors &w) { see(w.u, true), see(w.v, true), see(w.bias, false); };
  see(net.patch, true), see(net.patch_bias, false), see(net.class_token, false), see(net.positions, false);
  for (BlockTensors &block : net.blocks) {
    see_norm(block.norm1), see_linear(block.qkv), see_linear(block.proj);
    see_norm(block.norm2), see_linear(block.fc1), see_linear(block.fc2);
  }
  see_norm(net.norm), see_linear(net.head);
}

at::Tensor Flatten(Net net) {
  std::vector<at::Tensor> matrices, others;
  ForEach(net, [&](at::Tensor &x, bool matrix) { (matrix ? matrices : others).push_back(x.reshape({-1})); });
  matrices.insert(matrices.end(), others.begin(), others.end());
  return at::cat(matrices);
}

int64_t MatrixElements(Net net) {
  int64_t size = 0;
  ForEach(net, [&](at::Tensor &x, bool matrix) { size += matrix ? x.numel() : 0; });
  return size;
}

Net Bind(Net net, const at::Tensor &flat) {
  int64_t next[2] = {MatrixElements(net), 0};  // where the next vector and the next matrix begin
  ForEach(net, [&](at::Tensor &x, bool matrix) {
    const at::Tensor view = flat.narrow(0, next[matrix], x.numel()).view(x.sizes());
    next[matrix] += x.numel();
    x = view;
  });
  return net;
}

}  // namespace onnx2mcu
