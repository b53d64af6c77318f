#include "nas/train/supernet.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/linalg_svd.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "nas/cut/resize.h"
#include "nas/train/random.h"

namespace onnx2mcu {
namespace {

using Dims = std::vector<int64_t>;

int64_t Product(const Dims &dims) { return std::accumulate(dims.begin(), dims.end(), int64_t{1}, std::multiplies<>()); }

Dims Joined(Dims a, const Dims &b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

void Raise(int64_t &most, int64_t value) { most = std::max(most, value); }

void Raise(BlockConfig &most, const BlockConfig &block) {
  Raise(most.heads, block.heads), Raise(most.head_dim, block.head_dim), Raise(most.mlp_dim, block.mlp_dim);
  Raise(most.ranks.qkv, block.ranks.qkv), Raise(most.ranks.proj, block.ranks.proj);
  Raise(most.ranks.fc1, block.ranks.fc1), Raise(most.ranks.fc2, block.ranks.fc2);
}

// The largest of everything, gene by gene from the smallest and from the largest network; its patch is the largest.
VitConfig Envelope(const Space &space) {
  Genes ends[2];
  for (const Gene &gene : space.genes) {
    ends[0].push_back(0);
    ends[1].push_back(static_cast<int32_t>(gene.values.size()) - 1);
  }
  VitConfig most = ConfigOf(space, ends[1]);
  for (const Genes &end : ends)
    for (size_t i = 0; i < end.size(); i++)
      for (size_t value = 0; value < space.genes[i].values.size(); value++) {
        Genes genes = end;
        genes[i] = static_cast<int32_t>(value);
        const VitConfig config = ConfigOf(space, genes);
        Raise(most.dim, config.dim), Raise(most.patch, config.patch), Raise(most.image, config.image);
        for (size_t b = 0; b < config.blocks.size(); b++) Raise(most.blocks[b], config.blocks[b]);
      }
  return most;
}

// All values of a quantity of the network.
std::vector<int64_t> ValuesOf(const Space &space, const std::string &name) {
  std::vector<int64_t> values;
  for (const std::vector<Gene> *genes : {&space.genes, &space.constants})
    for (const Gene &gene : *genes)
      if (gene.name == name)
        for (const double value : gene.values) values.push_back(std::llround(value));
  return values;
}

at::Tensor Copied(const Matrix &x) {
  return at::from_blob(const_cast<float *>(x.data()), {x.rows(), x.cols()}, at::kFloat).clone();
}

// ---- initial weights

at::Tensor Drawn(const Dims &dims, double most, std::mt19937_64 &random) {
  at::Tensor x = at::empty(dims, at::kFloat);
  auto *values = x.mutable_data_ptr<float>();
  for (int64_t i = 0; i < x.numel(); i++) values[i] = static_cast<float>(most * (2 * Uniform(random) - 1));
  return x;
}

NormTensors MakeNorm(int64_t dim) { return {at::ones({dim}), at::zeros({dim})}; }

// Dense, or the two factors of the same matrix, singular values shared by both.
LinearTensors MakeLinear(const Dims &out, const Dims &in, bool factors, std::mt19937_64 &random) {
  const int64_t rows = Product(out), columns = Product(in), rank = std::min(rows, columns);
  const at::Tensor w = Drawn({rows, columns}, 1 / std::sqrt(static_cast<double>(columns)), random);
  if (!factors) return {{}, w.view(Joined(out, in)), at::zeros(out)};
  const auto [u, s, vt] = at::linalg_svd(w, false);
  const at::Tensor root = s.sqrt();
  return {(root.unsqueeze(1) * vt).contiguous().view(Joined({rank}, in)),
          (u * root).contiguous().view(Joined(out, {rank})), at::zeros(out)};
}

Net MakeNet(const VitConfig &config, int64_t tokens, std::mt19937_64 &random) {
  const Dims dim = {config.dim};
  Net net;
  net.config = config;
  net.patch = MakeLinear(dim, {config.channels, config.patch * config.patch}, false, random).v;
  net.patch_bias = at::zeros(dim);
  if (config.pool == Pool::kClassToken) net.class_token = at::zeros(dim);
  net.positions = Drawn({tokens, config.dim}, 0.03, random);
  for (const BlockConfig &b : config.blocks) {
    const Dims heads = {b.heads, b.head_dim}, mlp = {b.mlp_dim};
    net.blocks.push_back({MakeNorm(config.dim), MakeLinear(Joined({3}, heads), dim, b.ranks.qkv > 0, random),
                          MakeLinear(dim, heads, b.ranks.proj > 0, random), MakeNorm(config.dim),
                          MakeLinear(mlp, dim, b.ranks.fc1 > 0, random),
                          MakeLinear(dim, mlp, b.ranks.fc2 > 0, random)});
  }
  net.norm = MakeNorm(config.dim), net.head = MakeLinear({config.classes}, dim, false, random);
  return net;
}

// Reads the map off an identity.
at::Tensor KernelMap(int64_t from, int64_t to) {
  Vit unit;
  unit.config.patch = from, unit.config.image = from * to;
  unit.weights.patch = Matrix::Identity(from * from, from * from);
  unit.weights.positions.resize(TokensOf(unit.config), 0);
  return Copied(ResizePatches(unit, from * to, to).weights.patch.transpose());
}

// ---- slices

at::Tensor Cut(at::Tensor x, const Dims &sizes) {
  for (size_t axis = 0; axis < sizes.size(); axis++)
    if (x.size(static_cast<int64_t>(axis)) != sizes[axis]) x = x.narrow(static_cast<int64_t>(axis), 0, sizes[axis]);
  return x;
}

NormTensors Cut(const NormTensors &norm, int64_t dim) { return {Cut(norm.gain, {dim}), Cut(norm.bias, {dim})}; }

LinearTensors Cut(const LinearTensors &w, const Dims &out, const Dims &in, int64_t rank) {
  const int64_t rows = Product(out), columns = Product(in);
  const at::Tensor bias = Cut(w.bias, out).reshape({rows});
  if (!w.u.defined()) return {{}, Cut(w.v, Joined(out, in)).reshape({rows, columns}), bias};
  const int64_t components = rank > 0 ? rank : w.u.size(0);
  const at::Tensor u = Cut(w.u, Joined({components}, in)).reshape({components, columns});
  const at::Tensor v = Cut(w.v, Joined(out, {components})).reshape({rows, components});
  if (rank > 0) return {u, v, bias};
  return {{}, at::matmul(v, u), bias};
}

BlockTensors Cut(const BlockTensors &b, const BlockConfig &config, int64_t dim) {
  const Dims heads = {config.heads, config.head_dim}, mlp = {config.mlp_dim};
  return {Cut(b.norm1, dim),
          Cut(b.qkv, Joined({3}, heads), {dim}, config.ranks.qkv),
          Cut(b.proj, {dim}, heads, config.ranks.proj),
          Cut(b.norm2, dim),
          Cut(b.fc1, mlp, {dim}, config.ranks.fc1),
          Cut(b.fc2, {dim}, mlp, config.ranks.fc2)};
}

}  // namespace

SharedWeights MakeSupernet(const Space &space, uint64_t seed) {
  VitConfig config = Envelope(space);
  const std::vector<int64_t> patches = ValuesOf(space, "patch"), images = ValuesOf(space, "image");
  VitConfig finest = config;  // the most patches along a side
  finest.patch = *std::min_element(patches.begin(), patches.end());
  SharedWeights supernet;
  std::mt19937_64 random = RandomOf(seed, Purpose::kWeights, 0);
  supernet.net = MakeNet(config, TokensOf(finest), random);
  for (const int64_t patch : patches) supernet.kernels[patch] = KernelMap(config.patch, patch);
  for (const int64_t patch : patches)
    for (const int64_t image : images) {
      VitConfig to = config;
      to.image = image, to.patch = patch;
      supernet.grids[image / patch] = Copied(ResizeTokens(finest, to));
    }
  supernet.net.config = finest;
  return supernet;
}

Net Subnet(const SharedWeights &supernet, const VitConfig &config) {
  const Net &all = supernet.net;
  Net net;
  net.config = config, net.epsilon = all.epsilon;
  const at::Tensor kernels = all.patch.narrow(0, 0, config.dim);  // of the largest patch
  net.patch = at::matmul(kernels, supernet.kernels.at(config.patch).t()).reshape({config.dim, -1});
  net.patch_bias = Cut(all.patch_bias, {config.dim});
  if (all.class_token.defined()) net.class_token = Cut(all.class_token, {config.dim});
  net.positions = at::matmul(supernet.grids.at(config.image / config.patch), all.positions.narrow(1, 0, config.dim));
  for (size_t i = 0; i < config.blocks.size(); i++)
    net.blocks.push_back(Cut(all.blocks[i], config.blocks[i], config.dim));
  net.norm = Cut(all.norm, config.dim);
  net.head = Cut(all.head, {config.classes}, {config.dim}, 0);
  return net;
}

Net RandomNet(const VitConfig &config, uint64_t seed) {
  SharedWeights own;
  std::mt19937_64 random = RandomOf(seed, Purpose::kWeights, 0);
  own.net = MakeNet(config, TokensOf(config), random);
  own.kernels[config.patch] = at::eye(config.patch * config.patch);
  own.grids[config.image / config.patch] = at::eye(TokensOf(config));
  return Subnet(own, config);
}

}  // namespace onnx2mcu
