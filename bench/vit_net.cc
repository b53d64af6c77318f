#include "bench/vit_net.h"

#include <map>
#include <string>
#include <utility>

#include "importer/passes.h"
#include "importer/quant/quantize.h"

namespace onnx2mcu {
namespace {

using Dims = std::vector<int64_t>;

struct Builder {
  Graph graph;
  int32_t count = 0;
};

TensorId Floats(Builder &b, const Dims &dims) {
  const std::vector<float> values(ElementCount(dims), 0.5f);
  return AddFloats(b.graph, "w" + std::to_string(b.count++), dims, values);
}

TensorId Ints(Builder &b, const Dims &values) {
  Tensor tensor;
  tensor.name = "i" + std::to_string(b.count++), tensor.dtype = DType::kS64, tensor.is_constant = true;
  tensor.dims = {static_cast<int64_t>(values.size())};
  const auto *bytes = reinterpret_cast<const std::byte *>(values.data());
  tensor.data.assign(bytes, bytes + values.size() * sizeof(int64_t));
  return AddTensor(b.graph, std::move(tensor));
}

TensorId Op(Builder &b, const std::string &type, std::vector<TensorId> inputs, std::map<std::string, Attr> attrs = {}) {
  Tensor y;
  y.name = type + std::to_string(b.count++);
  FloatNode node;
  node.name = "/" + y.name, node.op_type = type, node.opset = b.graph.opset;
  node.inputs = std::move(inputs), node.attrs = std::move(attrs);
  node.outputs = {AddTensor(b.graph, std::move(y))};
  b.graph.float_nodes.push_back(std::move(node));
  return b.graph.float_nodes.back().outputs[0];
}

TensorId Linear(Builder &b, TensorId x, int64_t from, int64_t to) {
  return Op(b, "Add", {Op(b, "MatMul", {x, Floats(b, {from, to})}), Floats(b, {to})});
}

TensorId Norm(Builder &b, TensorId x, int64_t dim) {
  return Op(b, "LayerNormalization", {x, Floats(b, {dim}), Floats(b, {dim})},
            {{"axis", int64_t{-1}}, {"epsilon", 1e-6f}});
}

TensorId Transpose(Builder &b, TensorId x, const Dims &perm) { return Op(b, "Transpose", {x}, {{"perm", perm}}); }

TensorId Embed(Builder &b, const VitNet &net) {
  const TensorId kernel = Floats(b, {net.dim, 3, net.patch, net.patch});
  const TensorId y = Op(b, "Conv", {b.graph.inputs[0], kernel, Floats(b, {net.dim})},
                        {{"kernel_shape", Dims{net.patch, net.patch}}, {"strides", Dims{net.patch, net.patch}}});
  const TensorId rows = Op(b, "Reshape", {y, Ints(b, {1, net.dim, -1})});
  const TensorId all =
      Op(b, "Concat", {Floats(b, {1, 1, net.dim}), Transpose(b, rows, {0, 2, 1})}, {{"axis", int64_t{1}}});
  const int64_t side = net.image / net.patch;
  return Op(b, "Add", {all, Floats(b, {1, side * side + 1, net.dim})});
}

TensorId Heads(Builder &b, TensorId x, const VitNet &net, const VitBlock &block, const Dims &perm) {
  const TensorId y = Linear(b, x, net.dim, block.heads * net.head_dim);
  return Transpose(b, Op(b, "Reshape", {y, Ints(b, {1, -1, block.heads, net.head_dim})}), perm);
}

TensorId AddBlock(Builder &b, TensorId x, const VitNet &net, const VitBlock &block) {
  const TensorId norm = Norm(b, x, net.dim), scale = AddFloats(b.graph, "s" + std::to_string(b.count++), {}, {0.125f});
  const TensorId q = Heads(b, norm, net, block, {0, 2, 1, 3}), k = Heads(b, norm, net, block, {0, 2, 3, 1});
  const TensorId v = Heads(b, norm, net, block, {0, 2, 1, 3});
  const TensorId scores = Op(b, "Mul", {Op(b, "MatMul", {q, k}), scale});
  const TensorId mixed = Op(b, "MatMul", {Op(b, "Softmax", {scores}, {{"axis", int64_t{-1}}}), v});
  const TensorId rows =
      Op(b, "Reshape", {Transpose(b, mixed, {0, 2, 1, 3}), Ints(b, {1, -1, block.heads * net.head_dim})});
  x = Op(b, "Add", {x, Linear(b, rows, block.heads * net.head_dim, net.dim)});
  const TensorId hidden = Op(b, "Gelu", {Linear(b, Norm(b, x, net.dim), net.dim, block.hidden)});
  return Op(b, "Add", {x, Linear(b, hidden, block.hidden, net.dim)});
}

}  // namespace

Graph FloatVit(const VitNet &net) {
  Builder b;
  b.graph.name = "vit", b.graph.file = "vit.onnx", b.graph.opset = 20;
  Tensor image;
  image.name = "image", image.dims = {1, 3, net.image, net.image};
  b.graph.inputs = {AddTensor(b.graph, std::move(image))};
  TensorId x = Embed(b, net);
  for (const VitBlock &block : net.blocks) x = AddBlock(b, x, net, block);
  const TensorId token = Op(b, "Slice", {Norm(b, x, net.dim), Ints(b, {0}), Ints(b, {1}), Ints(b, {1})});
  b.graph.outputs = {Linear(b, Op(b, "Reshape", {token, Ints(b, {1, net.dim})}), net.dim, net.classes)};
  return std::move(b.graph);
}

absl::StatusOr<Graph> LoweredVit(const VitNet &net, const Registry &registry, Host &host, const o2m_target &target) {
  Graph graph = FloatVit(net);
  O2M_RETURN_IF_ERROR(FoldConstants(graph));
  O2M_RETURN_IF_ERROR(Canonicalize(graph));
  O2M_RETURN_IF_ERROR(LowerToOps(graph, registry));
  O2M_RETURN_IF_ERROR(ResolveViews(graph, registry));
  QuantOptions quant;
  quant.shapes_only = true, quant.residual = "s8";
  O2M_RETURN_IF_ERROR(Quantize(graph, quant, host, target));
  O2M_RETURN_IF_ERROR(LegalizeLayouts(graph, registry, target));
  O2M_RETURN_IF_ERROR(InferAll(graph, host, target));
  O2M_RETURN_IF_ERROR(FuseEpilogues(graph, host, target));
  return graph;
}

}  // namespace onnx2mcu
