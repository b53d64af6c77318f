#include "nas/vit_graph.h"

#include <cmath>
#include <cstring>
#include <random>
#include <string>
#include <utility>

namespace onnx2mcu {
namespace {

using Dims = std::vector<int64_t>;

struct VitBuilder {
  Graph graph;
  int64_t tokens = 0;
};

TensorId Constant(VitBuilder &b, const std::string &name, Dims dims, const float *values) {
  Tensor tensor;
  tensor.name = name, tensor.is_constant = true, tensor.dims = std::move(dims);
  const auto *bytes = reinterpret_cast<const std::byte *>(values);
  tensor.data.assign(bytes, bytes + ElementCount(tensor.dims) * static_cast<int64_t>(sizeof(float)));
  return AddTensor(b.graph, std::move(tensor));
}

TensorId Constant(VitBuilder &b, const std::string &name, const Vector &values) {
  return Constant(b, name, {values.size()}, values.data());
}

TensorId Ints(VitBuilder &b, const std::string &name, const Dims &values) {
  Tensor tensor;
  tensor.name = name, tensor.dtype = DType::kS64, tensor.is_constant = true;
  tensor.dims = {static_cast<int64_t>(values.size())};
  const auto *bytes = reinterpret_cast<const std::byte *>(values.data());
  tensor.data.assign(bytes, bytes + values.size() * sizeof(int64_t));
  return AddTensor(b.graph, std::move(tensor));
}

FloatNode &AddNode(VitBuilder &b, const std::string &name, const std::string &type, std::vector<TensorId> inputs,
                   int outputs) {
  FloatNode &node = b.graph.float_nodes.emplace_back();
  node.name = "/" + name, node.op_type = type, node.opset = b.graph.opset, node.inputs = std::move(inputs);
  for (int i = 0; i < outputs; i++) {
    Tensor y;
    y.name = node.name + "_output_" + std::to_string(i);
    node.outputs.push_back(AddTensor(b.graph, std::move(y)));
  }
  return node;
}

TensorId Op(VitBuilder &b, const std::string &name, const std::string &type, std::vector<TensorId> inputs,
            std::map<std::string, Attr> attrs = {}) {
  FloatNode &node = AddNode(b, name, type, std::move(inputs), 1);
  node.attrs = std::move(attrs);
  return node.outputs[0];
}

// x times the transpose of m [out, in].
TensorId Product(VitBuilder &b, const std::string &name, TensorId x, const Matrix &m) {
  const Matrix transposed = m.transpose();
  const TensorId weight = Constant(b, name + ".weight", {m.cols(), m.rows()}, transposed.data());
  return Op(b, name + "/MatMul", "MatMul", {x, weight});
}

TensorId Linear(VitBuilder &b, const std::string &name, TensorId x, const LinearWeights &weights) {
  const bool low_rank = weights.u.size() > 0;
  if (low_rank) x = Product(b, name + ".u", x, weights.u);
  const TensorId y = Product(b, low_rank ? name + ".v" : name, x, weights.v);
  return Op(b, name + "/Add", "Add", {y, Constant(b, name + ".bias", weights.bias)});
}

TensorId Norm(VitBuilder &b, const std::string &name, TensorId x, const NormWeights &norm, float epsilon) {
  return Op(b, name, "LayerNormalization",
            {x, Constant(b, name + ".weight", norm.gain), Constant(b, name + ".bias", norm.bias)},
            {{"axis", int64_t{-1}}, {"epsilon", epsilon}});
}

TensorId Transpose(VitBuilder &b, const std::string &name, TensorId x, const Dims &perm) {
  return Op(b, name, "Transpose", {x}, {{"perm", perm}});
}

TensorId Reshape(VitBuilder &b, const std::string &name, TensorId x, const Dims &dims) {
  return Op(b, name, "Reshape", {x, Ints(b, name + ".shape", dims)});
}

TensorId Embed(VitBuilder &b, const VitConfig &c, const VitWeights &w) {
  const TensorId kernel = Constant(b, "patch_embed.proj.weight", {c.dim, c.channels, c.patch, c.patch}, w.patch.data());
  const TensorId y = Op(b, "patch_embed/proj/Conv", "Conv",
                        {b.graph.inputs[0], kernel, Constant(b, "patch_embed.proj.bias", w.patch_bias)},
                        {{"kernel_shape", Dims{c.patch, c.patch}}, {"strides", Dims{c.patch, c.patch}}});
  TensorId x = Transpose(b, "patch_embed/Transpose", Reshape(b, "patch_embed/Reshape", y, {1, c.dim, -1}), {0, 2, 1});
  if (c.pool == Pool::kClassToken) {
    const TensorId token = Constant(b, "cls_token", {1, 1, c.dim}, w.class_token.data());
    x = Op(b, "Concat", "Concat", {token, x}, {{"axis", int64_t{1}}});
  }
  return Op(b, "Add", "Add", {x, Constant(b, "pos_embed", {1, b.tokens, c.dim}, w.positions.data())});
}

// q, k and v, each [1, heads, tokens, head_dim].
std::vector<TensorId> Heads(VitBuilder &b, const std::string &name, TensorId qkv, const BlockConfig &block) {
  const TensorId parts = Reshape(b, name + "/Reshape", qkv, {1, b.tokens, 3, block.heads, block.head_dim});
  const TensorId ordered = Transpose(b, name + "/Transpose", parts, {2, 0, 3, 1, 4});
  FloatNode &split = AddNode(b, name + "/Split", "Split", {ordered}, 3);
  split.attrs = {{"axis", int64_t{0}}, {"num_outputs", int64_t{3}}};
  const std::vector<TensorId> split_outputs = split.outputs;
  const TensorId axis = Ints(b, name + ".axis", {0});
  std::vector<TensorId> heads;
  for (int i = 0; i < 3; i++)
    heads.push_back(Op(b, name + "/" + "qkv"[i] + "/Squeeze", "Squeeze", {split_outputs[i], axis}));
  return heads;
}

TensorId Attention(VitBuilder &b, const std::string &name, TensorId x, const BlockConfig &block,
                   const BlockWeights &weights) {
  const std::vector<TensorId> heads = Heads(b, name, Linear(b, name + ".qkv", x, weights.qkv), block);
  const float scale = 1 / std::sqrt(static_cast<float>(block.head_dim));
  const TensorId q = Op(b, name + "/Mul", "Mul", {heads[0], Constant(b, name + ".scale", {}, &scale)});
  const TensorId k = Transpose(b, name + "/k/Transpose", heads[1], {0, 1, 3, 2});
  const TensorId scores = Op(b, name + "/scores/MatMul", "MatMul", {q, k});
  const TensorId shares = Op(b, name + "/Softmax", "Softmax", {scores}, {{"axis", int64_t{-1}}});
  const TensorId mixed = Op(b, name + "/values/MatMul", "MatMul", {shares, heads[2]});
  const TensorId rows = Transpose(b, name + "/rows/Transpose", mixed, {0, 2, 1, 3});
  const Dims dims = {1, b.tokens, block.heads * block.head_dim};
  return Linear(b, name + ".proj", Reshape(b, name + "/rows/Reshape", rows, dims), weights.proj);
}

TensorId AppendBlock(VitBuilder &b, const std::string &name, TensorId x, const BlockConfig &block,
                     const BlockWeights &weights, float epsilon) {
  const TensorId norm1 = Norm(b, name + ".norm1", x, weights.norm1, epsilon);
  x = Op(b, name + "/Add", "Add", {x, Attention(b, name + ".attn", norm1, block, weights)});
  const TensorId norm2 = Norm(b, name + ".norm2", x, weights.norm2, epsilon);
  const TensorId hidden = Op(b, name + "/Gelu", "Gelu", {Linear(b, name + ".mlp.fc1", norm2, weights.fc1)});
  return Op(b, name + "/Add_1", "Add", {x, Linear(b, name + ".mlp.fc2", hidden, weights.fc2)});
}

// [1, dim] of all tokens.
TensorId Pooled(VitBuilder &b, const VitConfig &c, TensorId x) {
  const TensorId axis = Ints(b, "pool.axis", {1});
  if (c.pool == Pool::kMean) return Op(b, "pool/ReduceMean", "ReduceMean", {x, axis}, {{"keepdims", int64_t{0}}});
  const TensorId token = Op(b, "pool/Slice", "Slice", {x, Ints(b, "pool.start", {0}), Ints(b, "pool.end", {1}), axis});
  return Reshape(b, "pool/Reshape", token, {1, c.dim});
}

}  // namespace

Graph FloatGraphOf(const Vit &vit) {
  const VitConfig &c = vit.config;
  const VitWeights &w = vit.weights;
  VitBuilder b;
  b.tokens = TokensOf(c);
  b.graph.name = "vit", b.graph.file = "vit.onnx", b.graph.opset = 20;
  Tensor image;
  image.name = "image", image.dims = {1, c.channels, c.image, c.image};
  b.graph.inputs = {AddTensor(b.graph, std::move(image))};
  TensorId x = Embed(b, c, w);
  for (size_t i = 0; i < c.blocks.size(); i++)
    x = AppendBlock(b, "blocks." + std::to_string(i), x, c.blocks[i], w.blocks[i], w.epsilon);
  x = Linear(b, "head", Pooled(b, c, Norm(b, "norm", x, w.norm, w.epsilon)), w.head);
  b.graph.tensors[x].name = "logits", b.graph.tensors[x].dims = {1, c.classes};
  b.graph.outputs = {x};
  return std::move(b.graph);
}

namespace {

// Sums of four uniform numbers, near enough to normal, and the same with every standard library.
struct Noise {
  std::mt19937_64 random;
  float operator()() {
    float sum = 0;
    for (int i = 0; i < 4; i++) sum += static_cast<float>(random() >> 40) * 0x1p-24f - 0.5f;
    return sum == 0 ? 1 : sum * 1.7320508f;
  }
};

void Fill(Noise &noise, float *values, int64_t count, float scale) {
  for (int64_t i = 0; i < count; i++) values[i] = noise() * scale;
}

Matrix RandomMatrix(Noise &noise, int64_t rows, int64_t columns) {
  Matrix m(rows, columns);
  Fill(noise, m.data(), m.size(), 1 / std::sqrt(static_cast<float>(columns)));
  return m;
}

Vector RandomVector(Noise &noise, int64_t count, float scale) {
  Vector v(count);
  Fill(noise, v.data(), count, scale);
  return v;
}

LinearWeights RandomLinear(Noise &noise, int64_t in, int64_t out, int64_t rank) {
  LinearWeights weights;
  if (rank > 0) weights.u = RandomMatrix(noise, rank, in);
  weights.v = RandomMatrix(noise, out, rank > 0 ? rank : in);
  weights.bias = RandomVector(noise, out, 0.1f);
  return weights;
}

NormWeights RandomNorm(Noise &noise, int64_t dim) {
  return {RandomVector(noise, dim, 0.1f).array() + 1.0f, RandomVector(noise, dim, 0.1f)};
}

}  // namespace

VitWeights RandomWeights(const VitConfig &config, uint64_t seed) {
  Noise noise{std::mt19937_64(seed)};
  const int64_t dim = config.dim;
  VitWeights w;
  w.patch = RandomMatrix(noise, dim, config.channels * config.patch * config.patch);
  w.patch_bias = RandomVector(noise, dim, 0.1f);
  if (config.pool == Pool::kClassToken) w.class_token = RandomVector(noise, dim, 1);
  w.positions = RandomMatrix(noise, TokensOf(config), dim);
  for (const BlockConfig &block : config.blocks) {
    BlockWeights &b = w.blocks.emplace_back();
    const int64_t inner = block.heads * block.head_dim;
    b.norm1 = RandomNorm(noise, dim), b.norm2 = RandomNorm(noise, dim);
    b.qkv = RandomLinear(noise, dim, 3 * inner, block.ranks.qkv);
    b.proj = RandomLinear(noise, inner, dim, block.ranks.proj);
    b.fc1 = RandomLinear(noise, dim, block.mlp_dim, block.ranks.fc1);
    b.fc2 = RandomLinear(noise, block.mlp_dim, dim, block.ranks.fc2);
  }
  w.norm = RandomNorm(noise, dim);
  w.head = RandomLinear(noise, dim, config.classes, 0);
  return w;
}

}  // namespace onnx2mcu
