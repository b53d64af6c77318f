// VitOf(): from the logits back to the image, each node as the canonical form has it (importer/passes.h). Movement is
// not matched but followed element by element, so that its spelling does not matter.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "nas/vit_onnx.h"

namespace onnx2mcu {
namespace {

struct VitReader {
  const Graph &graph;
  std::vector<NodeId> producer;
  int64_t tokens = 0, dim = 0;
  float epsilon = -1;

  const Tensor &tensor(TensorId id) const { return graph.tensors[id]; }
  const FloatNode *By(TensorId id) const { return producer[id] == kNone ? nullptr : &graph.float_nodes[producer[id]]; }
  bool Is(TensorId id, const char *type) const { return By(id) && By(id)->op_type == type; }
  bool IsReshape(TensorId id) const {
    return Is(id, "Reshape") || Is(id, "Identity") || Is(id, "Squeeze") || Is(id, "Unsqueeze") || Is(id, "Flatten");
  }
  // The same rows, behind reshapes that leave them as they are.
  TensorId Rows(TensorId id) const {
    while (IsReshape(id) && tensor(By(id)->inputs[0]).dims.back() == tensor(id).dims.back()) id = By(id)->inputs[0];
    return id;
  }
  TensorId Input(TensorId id, int i) const { return Rows(By(id)->inputs[i]); }
};

std::string Shape(const std::vector<int64_t> &dims) {
  std::string text = "[";
  for (size_t i = 0; i < dims.size(); i++) absl::StrAppend(&text, i > 0 ? ", " : "", dims[i]);
  return text + "]";
}

// Where a ViT has something else than the file.
absl::Status Misfit(const VitReader &r, TensorId id, const std::string &expected) {
  const FloatNode *node = r.By(id);
  const std::string what =
      node ? absl::StrCat("node '", node->name, "' (", node->op_type, ", ", Shape(r.tensor(id).dims), ")")
           : absl::StrCat("tensor '", r.tensor(id).name, "' ", Shape(r.tensor(id).dims));
  return absl::InvalidArgumentError(
      absl::StrCat(r.graph.file, ": no pre-norm ViT: ", what, " stands where ", expected,
                   " is expected; `onnx2mcu MODEL.onnx` compiles other networks as they are"));
}

bool IsProduct(const VitReader &r, TensorId id) {
  return r.Is(id, "MatMul") && r.tensor(r.By(id)->inputs[1]).is_constant &&
         r.tensor(r.By(id)->inputs[1]).dims.size() == 2;
}
// The product, where that and its bias write `id`; else kNone.
TensorId ProductOf(const VitReader &r, TensorId id) {
  if (IsProduct(r, id)) return id;
  if (!r.Is(id, "Add") || !r.tensor(r.By(id)->inputs[1]).is_constant) return kNone;
  return IsProduct(r, r.Input(id, 0)) ? r.Input(id, 0) : kNone;
}

Matrix Transposed(const Tensor &weight) {
  return Eigen::Map<const Matrix>(FloatData(weight), weight.dims[0], weight.dims[1]).transpose();
}

// A constant of `count` elements, or of one for all.
absl::StatusOr<Vector> Values(const VitReader &r, TensorId id, int64_t count) {
  const Tensor &tensor = r.tensor(id);
  const int64_t elements = tensor.is_constant && tensor.dtype == DType::kF32 ? ElementCount(tensor.dims) : 0;
  if (elements == count) return Vector(Eigen::Map<const Vector>(FloatData(tensor), count));
  if (elements == 1) return Vector(Vector::Constant(count, FloatData(tensor)[0]));
  return Misfit(r, id, absl::StrCat("a constant of ", count, " elements"));
}

// One product and its bias; `x` becomes what it reads.
struct Layer {
  TensorId x = kNone, weight = kNone;
  Matrix v;
  Vector bias;
};
absl::StatusOr<Layer> ReadLayer(const VitReader &r, TensorId y) {
  const TensorId product = ProductOf(r, y);
  if (product == kNone) return Misfit(r, y, "a linear layer");
  const FloatNode &node = *r.By(product);
  Layer layer{r.Input(product, 0), node.inputs[1], Transposed(r.tensor(node.inputs[1])), {}};
  layer.bias = Vector::Zero(layer.v.rows());
  if (product != y) {
    O2M_ASSIGN_OR_RETURN(layer.bias, Values(r, r.By(y)->inputs[1], layer.v.rows()));
  }
  return layer;
}

// One layer, or the two of a low-rank one. A bias in between goes into the one behind.
struct ReadLinear {
  TensorId x = kNone, u = kNone;  // u: the constant; kNone where dense
  LinearWeights weights;
};
absl::StatusOr<ReadLinear> LinearAt(const VitReader &r, TensorId y) {
  O2M_ASSIGN_OR_RETURN(Layer last, ReadLayer(r, y));
  ReadLinear linear{last.x, kNone, {{}, std::move(last.v), std::move(last.bias)}};
  if (ProductOf(r, last.x) == kNone) return linear;
  O2M_ASSIGN_OR_RETURN(Layer first, ReadLayer(r, last.x));
  linear.x = first.x, linear.u = first.weight;
  linear.weights.bias += linear.weights.v * first.bias;
  linear.weights.u = std::move(first.v);
  return linear;
}

// ---- movement

bool IsMovement(const VitReader &r, TensorId id) { return r.IsReshape(id) || r.Is(id, "Transpose"); }

TensorId BehindMovement(const VitReader &r, TensorId id) {
  while (IsMovement(r, id)) id = r.By(id)->inputs[0];
  return id;
}

std::vector<int64_t> Permuted(const std::vector<int64_t> &values, const std::vector<int64_t> &dims,
                              const std::vector<int64_t> &perm) {
  const std::vector<int64_t> strides = DenseStrides(dims);
  std::vector<int64_t> out, at(perm.size());
  out.reserve(values.size());
  for (size_t n = 0; n < values.size(); n++) {
    int64_t from = 0;
    for (size_t i = 0; i < perm.size(); i++) from += at[i] * strides[perm[i]];
    out.push_back(values[from]);
    for (size_t i = perm.size(); i-- > 0;) {
      if (++at[i] < dims[perm[i]]) break;
      at[i] = 0;
    }
  }
  return out;
}

// By element of `id`: the element that it was before all movement.
std::vector<int64_t> Moved(const VitReader &r, TensorId id) {
  if (!IsMovement(r, id)) {
    std::vector<int64_t> values(ElementCount(r.tensor(id).dims));
    std::iota(values.begin(), values.end(), int64_t{0});
    return values;
  }
  const FloatNode &node = *r.By(id);
  std::vector<int64_t> values = Moved(r, node.inputs[0]);
  if (node.op_type != "Transpose") return values;
  return Permuted(values, r.tensor(node.inputs[0]).dims, AttrInts(node, "perm"));
}

// [0, a, b, c] in the order of axes `perm` of [a][b][c].
std::vector<int64_t> Order(const std::vector<int64_t> &dims, const std::vector<int64_t> &perm) {
  std::vector<int64_t> values(ElementCount(dims));
  std::iota(values.begin(), values.end(), int64_t{0});
  return Permuted(values, dims, perm);
}

// ---- parts

absl::StatusOr<NormWeights> NormAt(VitReader &r, TensorId y) {
  if (!r.Is(y, "LayerNormalization")) return Misfit(r, y, "a LayerNormalization");
  const FloatNode &node = *r.By(y);
  NormWeights norm;
  O2M_ASSIGN_OR_RETURN(norm.gain, Values(r, node.inputs[1], r.tensor(y).dims.back()));
  norm.bias = Vector::Zero(norm.gain.size());
  if (node.inputs.size() > 2 && node.inputs[2] != kNone) {
    O2M_ASSIGN_OR_RETURN(norm.bias, Values(r, node.inputs[2], norm.gain.size()));
  }
  const float epsilon = AttrFloat(node, "epsilon", 1e-5f);
  if (r.epsilon < 0) r.epsilon = epsilon;
  if (r.epsilon == epsilon) return norm;
  return Misfit(r, y, absl::StrCat("a LayerNormalization with an epsilon of ", r.epsilon, " as everywhere else"));
}

// x' = x + branch(x): the tensors; branch is kNone where `id` is no such sum.
struct Residual {
  TensorId x = kNone, branch = kNone;
};
Residual ResidualAt(const VitReader &r, TensorId id) {
  if (!r.Is(id, "Add")) return {};
  const FloatNode &node = *r.By(id);
  if (r.tensor(node.inputs[0]).is_constant || r.tensor(node.inputs[1]).is_constant) return {};
  for (const int branch : {0, 1})
    if (ProductOf(r, r.Input(id, branch)) != kNone) return {r.Input(id, 1 - branch), r.Input(id, branch)};
  return {};
}

absl::Status CheckStream(const VitReader &r, TensorId norm, TensorId x) {
  return r.Input(norm, 0) == x ? absl::OkStatus() : Misfit(r, norm, "the normalised residual stream");
}

// Scalar factors of the scores; `id` becomes their product.
float FactorOf(const VitReader &r, TensorId &id) {
  float factor = 1;
  while (r.Is(id, "Mul") && r.tensor(r.By(id)->inputs[1]).is_constant &&
         ElementCount(r.tensor(r.By(id)->inputs[1]).dims) == 1) {
    factor *= FloatData(r.tensor(r.By(id)->inputs[1]))[0];
    id = r.Input(id, 0);
  }
  return factor;
}

// The projection behind a head-wise operand [heads, rows of it in `perm` order].
absl::StatusOr<ReadLinear> ProjectionAt(const VitReader &r, TensorId operand, const BlockConfig &block,
                                        const std::vector<int64_t> &perm, const std::string &what) {
  const TensorId y = r.Rows(BehindMovement(r, operand));
  if (Moved(r, operand) != Order({r.tokens, block.heads, block.head_dim}, perm))
    return Misfit(r, operand, absl::StrCat(what, ", head by head,"));
  return LinearAt(r, y);
}

// q, k and v one below the other. All dense, or all of one U.
absl::StatusOr<LinearWeights> Stacked(const VitReader &r, TensorId at, const std::vector<ReadLinear> &parts) {
  for (const ReadLinear &part : parts)
    if (part.x != parts[0].x || part.u != parts[0].u)
      return Misfit(r, at, "attention whose q, k and v read one tensor, through one low-rank factor if any,");
  LinearWeights all;
  all.u = parts[0].weights.u;
  int64_t rows = 0;
  for (const ReadLinear &part : parts) rows += part.weights.v.rows();
  all.v.resize(rows, parts[0].weights.v.cols()), all.bias.resize(rows);
  int64_t row = 0;
  for (const ReadLinear &part : parts) {
    all.v.middleRows(row, part.weights.v.rows()) = part.weights.v;
    all.bias.segment(row, part.weights.v.rows()) = part.weights.bias;
    row += part.weights.v.rows();
  }
  return all;
}

absl::Status ReadAttention(VitReader &r, const Residual &residual, BlockConfig &block, BlockWeights &weights) {
  O2M_ASSIGN_OR_RETURN(ReadLinear proj, LinearAt(r, residual.branch));
  const TensorId mixed = BehindMovement(r, proj.x);
  if (!r.Is(mixed, "MatMul") || !r.Is(r.Input(mixed, 0), "Softmax"))
    return Misfit(r, mixed, "the product of softmax and values");
  const TensorId softmax = r.Input(mixed, 0);
  const int64_t inner = ElementCount(r.tensor(mixed).dims) / r.tokens;
  block.heads = ElementCount(r.tensor(softmax).dims) / (r.tokens * r.tokens), block.head_dim = inner / block.heads;
  if (Moved(r, proj.x) != Order({block.heads, r.tokens, block.head_dim}, {1, 0, 2}))
    return Misfit(r, proj.x, "the heads of a token, one behind the other,");
  TensorId scores = r.Input(softmax, 0);
  const float factor = FactorOf(r, scores) * std::sqrt(static_cast<float>(block.head_dim));
  if (!r.Is(scores, "MatMul")) return Misfit(r, scores, "the product of queries and keys, without mask or bias,");
  std::vector<ReadLinear> parts(3);
  O2M_ASSIGN_OR_RETURN(parts[0], ProjectionAt(r, r.By(scores)->inputs[0], block, {1, 0, 2}, "queries"));
  O2M_ASSIGN_OR_RETURN(parts[1], ProjectionAt(r, r.By(scores)->inputs[1], block, {1, 2, 0}, "transposed keys"));
  O2M_ASSIGN_OR_RETURN(parts[2], ProjectionAt(r, r.By(mixed)->inputs[1], block, {1, 0, 2}, "values"));
  parts[0].weights.v *= factor, parts[0].weights.bias *= factor;
  O2M_ASSIGN_OR_RETURN(weights.qkv, Stacked(r, scores, parts));
  O2M_ASSIGN_OR_RETURN(weights.norm1, NormAt(r, parts[0].x));
  weights.proj = std::move(proj.weights);
  block.ranks.qkv = weights.qkv.u.rows(), block.ranks.proj = weights.proj.u.rows();
  return CheckStream(r, parts[0].x, residual.x);
}

absl::Status ReadMlp(VitReader &r, const Residual &residual, BlockConfig &block, BlockWeights &weights) {
  O2M_ASSIGN_OR_RETURN(ReadLinear fc2, LinearAt(r, residual.branch));
  if (!r.Is(fc2.x, "Gelu") || AttrString(*r.By(fc2.x), "approximate", "none") != "none")
    return Misfit(r, fc2.x, "an exact GELU");
  O2M_ASSIGN_OR_RETURN(ReadLinear fc1, LinearAt(r, r.Input(fc2.x, 0)));
  O2M_ASSIGN_OR_RETURN(weights.norm2, NormAt(r, fc1.x));
  const TensorId norm = fc1.x;
  weights.fc1 = std::move(fc1.weights), weights.fc2 = std::move(fc2.weights);
  block.mlp_dim = weights.fc1.v.rows();
  block.ranks.fc1 = weights.fc1.u.rows(), block.ranks.fc2 = weights.fc2.u.rows();
  return CheckStream(r, norm, residual.x);
}

// From the last block to the first; `x` becomes what the first one reads.
absl::Status ReadBlocks(VitReader &r, TensorId &x, Vit &vit) {
  for (Residual mlp = ResidualAt(r, x); mlp.branch != kNone; mlp = ResidualAt(r, x)) {
    BlockConfig block;
    BlockWeights weights;
    O2M_RETURN_IF_ERROR(ReadMlp(r, mlp, block, weights));
    const Residual attention = ResidualAt(r, mlp.x);
    if (attention.branch == kNone) return Misfit(r, mlp.x, "the sum that ends attention");
    O2M_RETURN_IF_ERROR(ReadAttention(r, attention, block, weights));
    vit.config.blocks.push_back(block), vit.weights.blocks.push_back(std::move(weights));
    x = attention.x;
  }
  std::reverse(vit.config.blocks.begin(), vit.config.blocks.end());
  std::reverse(vit.weights.blocks.begin(), vit.weights.blocks.end());
  return absl::OkStatus();
}

// `x`: of the logits' layer; becomes the stream that the final norm reads.
absl::Status ReadPool(VitReader &r, TensorId &x, Vit &vit) {
  x = BehindMovement(r, x);
  const bool before = r.Is(x, "LayerNormalization");  // the norm of the class token alone
  TensorId norm = x;
  if (before) x = BehindMovement(r, r.By(x)->inputs[0]);
  if (r.Is(x, "ReduceMean") && !before) {
    vit.config.pool = Pool::kMean;
  } else if (r.Is(x, "Slice")) {
    const std::vector<TensorId> &in = r.By(x)->inputs;
    const bool first = ElementCount(r.tensor(in[1]).dims) == 1 && Int64Data(r.tensor(in[1]))[0] == 0 &&
                       ElementCount(r.tensor(x).dims) == r.tensor(in[0]).dims.back();
    if (!first) return Misfit(r, x, "the class token, first of all,");
  } else {
    return Misfit(r, x, "the mean of all tokens after the final norm, or the class token,");
  }
  if (!before) norm = r.Input(x, 0);
  O2M_ASSIGN_OR_RETURN(vit.weights.norm, NormAt(r, norm));
  x = r.Input(before ? x : norm, 0);
  const std::vector<int64_t> &dims = r.tensor(x).dims;
  if (dims.size() < 2) return Misfit(r, x, "a sequence of tokens");
  r.dim = dims.back(), r.tokens = dims[dims.size() - 2];
  return ElementCount(dims) == r.dim * r.tokens ? absl::OkStatus() : Misfit(r, x, "a sequence of tokens");
}

// Positions that are added to `x`, if any: rows of `positions` from `first` on.
absl::Status ReadPositions(const VitReader &r, TensorId &x, int64_t first, Matrix &positions) {
  if (!r.Is(x, "Add") || !r.tensor(r.By(x)->inputs[1]).is_constant) return absl::OkStatus();
  const int64_t rows = positions.rows() - first;
  O2M_ASSIGN_OR_RETURN(const Vector values, Values(r, r.By(x)->inputs[1], rows * r.dim));
  positions.bottomRows(rows) += Eigen::Map<const Matrix>(values.data(), rows, r.dim);
  x = r.Input(x, 0);
  return absl::OkStatus();
}

absl::Status ReadPatches(const VitReader &r, TensorId x, int64_t patches, Vit &vit) {
  const TensorId y = BehindMovement(r, x);
  if (!r.Is(y, "Conv") || r.By(y)->inputs[0] != r.graph.inputs[0])
    return Misfit(r, y, "the convolution that embeds the image's patches");
  if (Moved(r, x) != Order({r.dim, patches}, {1, 0})) return Misfit(r, x, "a row for each patch");
  const FloatNode &conv = *r.By(y);
  const std::vector<int64_t> &image = r.tensor(conv.inputs[0]).dims, &kernel = r.tensor(conv.inputs[1]).dims;
  const int64_t patch = kernel.back();
  const std::vector<int64_t> square = {patch, patch}, none = {0, 0, 0, 0};
  const bool fits = image.size() == 4 && kernel.size() == 4 && kernel[2] == patch && image[2] == image[3] &&
                    image[2] * image[2] == patches * patch * patch && kernel[1] == image[1] &&
                    AttrInts(conv, "strides", {1, 1}) == square && AttrInts(conv, "pads", none) == none;
  if (!fits) return Misfit(r, y, "a convolution of square patches that do not overlap, of a square image,");
  vit.config.image = image[2], vit.config.channels = image[1], vit.config.patch = patch, vit.config.dim = r.dim;
  O2M_ASSIGN_OR_RETURN(const Vector values, Values(r, conv.inputs[1], ElementCount(kernel)));
  vit.weights.patch = Eigen::Map<const Matrix>(values.data(), r.dim, patch * patch * image[1]);
  vit.weights.patch_bias = Vector::Zero(r.dim);
  if (conv.inputs.size() < 3 || conv.inputs[2] == kNone) return absl::OkStatus();
  O2M_ASSIGN_OR_RETURN(vit.weights.patch_bias, Values(r, conv.inputs[2], r.dim));
  return absl::OkStatus();
}

absl::Status ReadEmbedding(const VitReader &r, TensorId x, Vit &vit) {
  vit.weights.positions = Matrix::Zero(r.tokens, r.dim);
  x = r.Rows(x);
  O2M_RETURN_IF_ERROR(ReadPositions(r, x, 0, vit.weights.positions));
  if (vit.config.pool == Pool::kMean) return ReadPatches(r, x, r.tokens, vit);
  if (!r.Is(x, "Concat") || r.By(x)->inputs.size() != 2) return Misfit(r, x, "class token and patches");
  const FloatNode &concat = *r.By(x);
  O2M_ASSIGN_OR_RETURN(vit.weights.class_token, Values(r, concat.inputs[0], r.dim));
  TensorId patches = r.Input(x, 1);
  O2M_RETURN_IF_ERROR(ReadPositions(r, patches, 1, vit.weights.positions));
  return ReadPatches(r, patches, r.tokens - 1, vit);
}

}  // namespace

absl::StatusOr<Vit> VitOf(const Graph &graph) {
  VitReader r{graph, Producers(graph)};
  if (graph.inputs.size() != 1 || graph.outputs.size() != 1)
    return absl::InvalidArgumentError(absl::StrCat(graph.file, ": no ViT: ", graph.inputs.size(), " inputs and ",
                                                   graph.outputs.size(), " outputs; a classifier has one of each"));
  Vit vit;
  TensorId x = r.Rows(graph.outputs[0]);
  O2M_ASSIGN_OR_RETURN(ReadLinear head, LinearAt(r, x));
  if (head.u != kNone) return Misfit(r, x, "a head of one linear layer");
  vit.weights.head = std::move(head.weights), vit.config.classes = vit.weights.head.v.rows();
  x = head.x;
  O2M_RETURN_IF_ERROR(ReadPool(r, x, vit));
  O2M_RETURN_IF_ERROR(ReadBlocks(r, x, vit));
  O2M_RETURN_IF_ERROR(ReadEmbedding(r, x, vit));
  vit.weights.epsilon = r.epsilon;
  return vit;
}

}  // namespace onnx2mcu
