// The two sides of a product with a projection: (q W^T) x^T for q (x W)^T, and (A x) W for A (x W). See passes.h.
#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "importer/ir/op_node.h"
#include "importer/ir/slice.h"
#include "importer/passes.h"

namespace onnx2mcu {
namespace {

// k or v as columns of x W + b: column (head, i) is head * head_step + i * column_step.
struct Projected {
  NodeId node = kNone;
  o2m_projection operands{};
  int64_t head_step = 0, column_step = 0;
};

// One node with "o2m.mixing/1", and how it falls apart into heads.
struct Site {
  NodeId node = kNone;
  o2m_mixing operands{};
  o2m_split split{};  // parts 1: no heads
  Projected k, v;
};

int64_t StrideOf(const Graph &graph, TensorId id, int32_t from_end) {
  const std::vector<int64_t> strides = StridesOf(graph.tensors[id]);
  return strides[strides.size() - from_end];
}
int64_t DimOf(const Graph &graph, TensorId id, int32_t from_end) {
  const std::vector<int64_t> &dims = graph.tensors[id].dims;
  return dims[dims.size() - from_end];
}

// `columns` and `rows`: axes of the operand from its end that walk columns and rows of x W + b.
std::optional<Projected> ProjectionOf(const Graph &graph, const Users &users, TensorId operand, int32_t head_axis,
                                      int32_t parts, int32_t columns, int32_t rows) {
  const TensorId base = BaseOf(graph, operand);
  if (users.writers[base].size() != 1 || users.readers[base].size() != 1 || !CoversBase(graph, operand))
    return std::nullopt;
  if (std::find(graph.outputs.begin(), graph.outputs.end(), base) != graph.outputs.end()) return std::nullopt;
  Projected projected{users.writers[base][0], {}, 0, 0};
  const Node &node = graph.nodes[projected.node];
  const auto *projector = static_cast<const o2m_projector *>(ExtensionOf(node.op, "o2m.projection/1"));
  if (!projector || !projector->projection ||
      projector->projection(OpNode(graph, node).get(), &projected.operands) != O2M_OK)
    return std::nullopt;
  const TensorId y = node.outputs[0];
  const int64_t step = StrideOf(graph, y, 1);
  if (!CoversBase(graph, y) || StrideOf(graph, y, 2) != StrideOf(graph, operand, rows)) return std::nullopt;
  if (parts > 1) {
    const Tensor &tensor = graph.tensors[operand];
    const int64_t heads = head_axis == O2M_NONE ? 0 : tensor.dims[head_axis] / parts;
    projected.head_step = head_axis == O2M_NONE ? 0 : StridesOf(tensor)[head_axis] * heads / step;
  }
  projected.column_step = StrideOf(graph, operand, columns) / step;
  return projected;
}

// The split into as many parts as there are heads; one part where the node offers none.
o2m_split HeadsOf(const Graph &graph, const Node &node) {
  o2m_split best{};
  best.parts = 1;
  for (const o2m_split &split : SplitsOf(graph, node))
    if (!split.sum && split.parts > best.parts) best = split;
  return best;
}

// All leading dims of a part are 1: its operands are matrices.
bool IsMatrix(const Graph &graph, TensorId id, int32_t parts, int32_t head_axis) {
  const std::vector<int64_t> &dims = graph.tensors[id].dims;
  for (int32_t i = 0; i + 2 < static_cast<int32_t>(dims.size()); i++)
    if ((i == head_axis ? dims[i] / parts : dims[i]) != 1) return false;
  return dims.size() >= 2;
}

// The columns of one head lie within those of the projection.
bool WithinColumns(const Graph &graph, const Projected &p, int32_t parts, int64_t columns) {
  const int64_t last = (parts - 1) * p.head_step + (columns - 1) * p.column_step;
  return p.head_step >= 0 && p.column_step >= 0 &&
         last < DimOf(graph, graph.nodes[p.node].inputs[p.operands.weights], 1);
}

// k and v are projected from one matrix, row by row, and nothing else is in the way.
bool FitsInput(const Graph &graph, const Node &node, const Site &site) {
  const TensorId q = node.inputs[site.operands.q], k = node.inputs[site.operands.k], v = node.inputs[site.operands.v];
  const TensorId x = graph.nodes[site.k.node].inputs[site.k.operands.x];
  if (x != graph.nodes[site.v.node].inputs[site.v.operands.x] || graph.tensors[x].is_constant) return false;
  if (graph.tensors[q].is_constant || BaseOf(graph, q) == BaseOf(graph, k) || BaseOf(graph, q) == BaseOf(graph, v))
    return false;
  for (size_t i = 0; i < node.inputs.size(); i++) {
    const bool other = node.inputs[i] != q && node.inputs[i] != k && node.inputs[i] != v && node.inputs[i] != kNone;
    if (other && !graph.tensors[node.inputs[i]].is_constant) return false;
  }
  return IsMatrix(graph, x, 1, O2M_NONE) && DimOf(graph, x, 2) == DimOf(graph, k, 1) &&
         DimOf(graph, x, 2) == DimOf(graph, v, 2) &&
         WithinColumns(graph, site.k, site.split.parts, DimOf(graph, k, 2)) &&
         WithinColumns(graph, site.v, site.split.parts, DimOf(graph, v, 1));
}

std::optional<Site> SiteAt(const Graph &graph, const Users &users, NodeId id) {
  const Node &node = graph.nodes[id];
  const auto *mixer = static_cast<const o2m_mixer *>(ExtensionOf(node.op, "o2m.mixing/1"));
  Site site;
  site.node = id;
  if (!mixer || !mixer->mixing || mixer->mixing(OpNode(graph, node).get(), &site.operands) != O2M_OK)
    return std::nullopt;
  site.split = HeadsOf(graph, node);
  const int32_t parts = site.split.parts;
  for (int32_t i : {site.operands.q, site.operands.k, site.operands.v})
    if (!IsMatrix(graph, node.inputs[i], parts, parts > 1 ? site.split.input_axis[i] : O2M_NONE)) return std::nullopt;
  const int32_t k = site.operands.k, v = site.operands.v;
  const auto pk = ProjectionOf(graph, users, node.inputs[k], site.split.input_axis[k], parts, 2, 1);
  const auto pv = ProjectionOf(graph, users, node.inputs[v], site.split.input_axis[v], parts, 1, 2);
  if (!pk || !pv) return std::nullopt;
  site.k = *pk, site.v = *pv;
  return FitsInput(graph, node, site) ? std::optional(site) : std::nullopt;
}

// ---- What a site becomes

struct Builder {
  Graph &graph;
  const Site &site;
  Node whole;  // the node as it was
  TensorId x = kNone;
  TensorId weights_of_rows = kNone;  // the float tensor f(q k)
  std::vector<Node> made;
};

NodeId AddFloat(Graph &graph, const std::string &name, const std::string &type, std::vector<TensorId> inputs,
                TensorId output) {
  FloatNode node;
  node.name = name, node.op_type = type, node.opset = graph.opset;
  node.inputs = std::move(inputs), node.outputs = {output};
  graph.float_nodes.push_back(std::move(node));
  return static_cast<NodeId>(graph.float_nodes.size()) - 1;
}

TensorId AddInts(Graph &graph, std::vector<int64_t> values) {
  Tensor tensor;
  tensor.name = "ints", tensor.dtype = DType::kS64, tensor.is_constant = true;
  tensor.dims = {static_cast<int64_t>(values.size())};
  const auto *bytes = reinterpret_cast<const std::byte *>(values.data());
  tensor.data.assign(bytes, bytes + values.size() * sizeof(int64_t));
  return AddTensor(graph, std::move(tensor));
}

// Part `part` of a tensor along `axis`, in both halves.
TensorId AddSlice(Graph &graph, TensorId id, int32_t axis, int32_t parts, int32_t part) {
  if (parts == 1 || axis == O2M_NONE) return id;
  const int64_t count = graph.tensors[id].dims[axis] / parts;
  const TensorId slice = SliceTensor(graph, id, axis, part * count, count);
  const TensorId first = AddInts(graph, {part * count}), end = AddInts(graph, {part * count + count});
  AddFloat(graph, graph.tensors[slice].name, "Slice", {id, first, end, AddInts(graph, {axis})}, slice);
  return slice;
}

// [rows of W or its columns] of one head: W^T for the keys ([columns, K]), W for the values ([K, columns]).
TensorId HeadWeights(Builder &b, const Projected &from, int32_t part, int64_t columns, bool transposed) {
  const Tensor weights = b.graph.tensors[b.graph.nodes[from.node].inputs[from.operands.weights]];
  const int64_t depth = weights.dims[weights.dims.size() - 2], all = weights.dims.back();
  std::vector<float> values(depth * columns);
  for (int64_t e = 0; e < depth; e++) {
    for (int64_t c = 0; c < columns; c++) {
      const int64_t column = part * from.head_step + c * from.column_step;
      values[transposed ? c * depth + e : e * columns + c] = FloatData(weights)[e * all + column];
    }
  }
  std::vector<int64_t> dims = {transposed ? columns : depth, transposed ? depth : columns};
  return AddFloats(b.graph, absl::StrCat(weights.name, ":", part), std::move(dims), values);
}

TensorId HeadBias(Builder &b, int32_t part, int64_t columns) {
  const Node &node = b.graph.nodes[b.site.v.node];
  if (b.site.v.operands.bias == O2M_NONE) return kNone;
  const Tensor bias = b.graph.tensors[node.inputs[b.site.v.operands.bias]];
  if (ElementCount(bias.dims) == 1) return node.inputs[b.site.v.operands.bias];
  std::vector<float> values;
  for (int64_t c = 0; c < columns; c++)
    values.push_back(FloatData(bias)[part * b.site.v.head_step + c * b.site.v.column_step]);
  return AddFloats(b.graph, absl::StrCat(bias.name, ":", part), {columns}, values);
}

TensorId AddLike(Graph &graph, TensorId like, int64_t columns, const std::string &name) {
  Tensor tensor;
  tensor.name = name, tensor.dims = graph.tensors[like].dims;
  tensor.dims.back() = columns;
  return AddTensor(graph, std::move(tensor));
}

// x as the keys ([.., K, M]) or the values ([.., M, K]) of one head.
TensorId InputView(Builder &b, TensorId like, bool transposed) {
  const int64_t rows = DimOf(b.graph, b.x, 2), columns = DimOf(b.graph, b.x, 1);
  const int64_t row = StrideOf(b.graph, b.x, 2), column = StrideOf(b.graph, b.x, 1);
  Tensor view;
  view.name = b.graph.tensors[b.x].name;
  view.dims.assign(b.graph.tensors[like].dims.size(), 1);
  view.strides.assign(view.dims.size(), rows * columns);
  view.base = BaseOf(b.graph, b.x), view.view_offset = b.graph.tensors[b.x].view_offset;
  const size_t last = view.dims.size() - 1;
  view.dims[last] = transposed ? rows : columns, view.dims[last - 1] = transposed ? columns : rows;
  view.strides[last] = transposed ? row : column, view.strides[last - 1] = transposed ? column : row;
  return AddTensor(b.graph, std::move(view));
}

Node ProjectionNode(const Builder &b, const Projected &like, TensorId x, TensorId weights, TensorId bias, TensorId y,
                    const std::string &name, std::vector<NodeId> float_nodes) {
  Node node = b.graph.nodes[like.node];
  node.name = name;
  node.inputs[like.operands.x] = x, node.inputs[like.operands.weights] = weights;
  if (like.operands.bias != O2M_NONE && bias == kNone) node.inputs.resize(like.operands.bias);
  if (bias != kNone) node.inputs[like.operands.bias] = bias;
  node.outputs = {y}, node.float_nodes = std::move(float_nodes);
  return node;
}

void AddHead(Builder &b, int32_t part) {
  const o2m_split &split = b.site.split;
  const o2m_mixing &at = b.site.operands;
  const auto name = [&](const char *what) { return absl::StrCat(b.whole.name, ":", what, part); };
  const auto piece = [&](int32_t i) {
    return AddSlice(b.graph, b.whole.inputs[i], split.input_axis[i], split.parts, part);
  };
  const TensorId q = piece(at.q), y = AddSlice(b.graph, b.whole.outputs[0], split.output_axis[0], split.parts, part);
  const int64_t dim = DimOf(b.graph, b.x, 1), depth = DimOf(b.graph, q, 1), columns = DimOf(b.graph, y, 1);

  const TensorId keys = HeadWeights(b, b.site.k, part, depth, true);
  const TensorId query = AddLike(b.graph, q, dim, name("query"));
  const NodeId to_query = AddFloat(b.graph, name("query"), "MatMul", {q, keys}, query);
  b.made.push_back(ProjectionNode(b, b.site.k, q, keys, kNone, query, name("query"), {to_query}));

  const int32_t rank = static_cast<int32_t>(b.graph.tensors[b.weights_of_rows].dims.size());
  const bool per_head = rank > 2 && DimOf(b.graph, b.weights_of_rows, 3) == split.parts;
  const TensorId rows = AddSlice(b.graph, b.weights_of_rows, per_head ? rank - 3 : O2M_NONE, split.parts, part);
  const TensorId mixed = AddLike(b.graph, q, dim, name("mixed"));
  const NodeId to_mixed = AddFloat(b.graph, name("mixed"), "MatMul", {rows, b.x}, mixed);
  Node mixing = b.whole;
  mixing.name = name("mixed");
  for (size_t i = 0; i < mixing.inputs.size(); i++) {
    const int32_t axis = split.parts > 1 ? split.input_axis[i] : O2M_NONE;
    if (axis == O2M_NONE || mixing.inputs[i] == kNone || !b.graph.tensors[mixing.inputs[i]].is_constant) continue;
    const int64_t count = b.graph.tensors[mixing.inputs[i]].dims[axis] / split.parts;
    mixing.inputs[i] = SliceTensor(b.graph, mixing.inputs[i], axis, part * count, count);
  }
  mixing.inputs[at.q] = query;
  mixing.inputs[at.k] = InputView(b, q, true), mixing.inputs[at.v] = InputView(b, q, false);
  mixing.outputs = {mixed}, mixing.float_nodes = {to_mixed};
  b.made.push_back(std::move(mixing));

  const TensorId values = HeadWeights(b, b.site.v, part, columns, false), bias = HeadBias(b, part, columns);
  b.made.push_back(ProjectionNode(b, b.site.v, mixed, values, bias, y, name("values"), b.whole.float_nodes));
}

// f(q k): what the float node that wrote the output multiplies v by.
TensorId RowWeights(const Graph &graph, const Node &node) {
  const std::vector<NodeId> producers = Producers(graph);
  const NodeId product = producers[node.outputs[0]];
  return product == kNone || graph.float_nodes[product].inputs.size() != 2 ? kNone
                                                                           : graph.float_nodes[product].inputs[0];
}

std::vector<Node> HeadsAt(Graph &graph, const Site &site) {
  Builder b{graph, site, graph.nodes[site.node], kNone, RowWeights(graph, graph.nodes[site.node]), {}};
  if (b.weights_of_rows == kNone) return {};
  b.x = graph.nodes[site.k.node].inputs[site.k.operands.x];
  for (int32_t part = 0; part < site.split.parts; part++) AddHead(b, part);
  return b.made;
}

}  // namespace

absl::StatusOr<int> Reassociate(Graph &graph) {
  const Users users = OpUsers(graph);
  std::vector<std::vector<Node>> heads(graph.nodes.size());
  std::vector<bool> gone(graph.nodes.size());
  int changed = 0;
  for (NodeId id = 0; id < static_cast<NodeId>(graph.nodes.size()); id++) {
    const std::optional<Site> site = SiteAt(graph, users, id);
    if (!site) continue;
    heads[id] = HeadsAt(graph, *site);
    if (heads[id].empty()) continue;
    gone[id] = gone[site->k.node] = gone[site->v.node] = true;
    changed++;
  }
  std::vector<Node> nodes;
  for (size_t id = 0; id < graph.nodes.size(); id++) {
    for (Node &node : heads[id]) nodes.push_back(std::move(node));
    if (!gone[id]) nodes.push_back(std::move(graph.nodes[id]));
  }
  graph.nodes = std::move(nodes);
  return changed;
}

}  // namespace onnx2mcu
