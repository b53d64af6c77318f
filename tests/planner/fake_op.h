// tests/planner/fake_op.h - ops with any memory contract whose outputs depend on every byte they may read.
#pragma once
#include <cstring>
#include <string>
#include <vector>

#include "importer/ir/graph.h"
#include "planner/plan.h"

namespace onnx2mcu::fake {

// The contract, as data. Operands beyond `inputs` / the one output do not exist.
struct Params {
  int32_t steps = 0;
  o2m_access inputs[4] = {};
  o2m_access output = {};
  uint32_t in_place = 0;
  int32_t scratch_per_row = 0, scratch_fixed = 0, state = 0;
  int32_t macs_per_row = 0;  // 0: cheap
  int32_t seed = 1;
};

inline Params ParamsOf(const o2m_node *node) {
  Params params;
  std::memcpy(&params, node->params, sizeof params);
  return params;
}

inline uint32_t Mix(uint32_t hash, uint32_t value) {
  hash ^= value + 0x9e3779b9u + (hash << 6) + (hash >> 2);
  hash *= 2654435761u;
  return hash ^ (hash >> 15);
}

// Calls visit(byte offset from row 0, index in the tensor) for every element in rows [low, high) of `axis`.
template <typename Visit>
void ForEach(const o2m_tensor &t, int32_t axis, int64_t low, int64_t high, const Visit &visit) {
  int64_t count = 1;
  for (int32_t d = 0; d < t.rank; d++) count *= t.dims[d];
  for (int64_t i = 0; i < count; i++) {
    int64_t rest = i, offset = 0, row = 0;
    for (int32_t d = t.rank; d-- > 0; rest /= t.dims[d]) {
      offset += rest % t.dims[d] * t.strides[d];
      if (d == axis) row = rest % t.dims[d];
    }
    if (axis == O2M_NONE || (row >= low && row < high)) visit(offset, i);
  }
}

struct Range {
  int32_t axis = O2M_NONE;
  int64_t low = 0, high = 0;
};
inline Range RowsOf(const o2m_tensor &t, const o2m_access &a, int32_t steps, int64_t u, int64_t count) {
  if (steps == 0 || a.extent == 0) return {};
  const int64_t low = u * a.step - a.before, high = (u + count - 1) * a.step - a.before + a.extent;
  return {a.axis, low < 0 ? 0 : low, high < t.dims[a.axis] ? high : t.dims[a.axis]};
}

inline int64_t FirstByte(const o2m_tensor &t, const o2m_access &a, int32_t steps, int64_t first) {
  const Range range = RowsOf(t, a, steps, first, 1);
  return range.axis == O2M_NONE ? 0 : range.low * t.strides[range.axis];
}

// Reads all it may of the step, fills the scratch, then writes all of the step's output: the row is buffered. A scratch
// byte that does not hold what was put there shows in the output.
inline void Run(const o2m_node *node, const o2m_call *call) {
  const Params p = ParamsOf(node);
  auto *scratch = static_cast<uint8_t *>(call->scratch);
  auto *state = static_cast<uint8_t *>(call->state);
  const int64_t scratch_bytes = p.scratch_fixed + int64_t{p.scratch_per_row} * call->rows;
  for (int64_t u = call->first; u < call->first + call->rows; u++) {
    uint32_t hash = static_cast<uint32_t>(p.seed);
    for (int32_t i = 0; i < node->input_count; i++) {
      const o2m_tensor &t = *node->inputs[i];
      const auto *data =
          static_cast<const uint8_t *>(call->inputs[i]) - FirstByte(t, p.inputs[i], p.steps, call->first);
      const Range r = RowsOf(t, p.inputs[i], p.steps, u, 1);
      ForEach(t, r.axis, r.low, r.high, [&](int64_t offset, int64_t index) {
        hash = Mix(hash, data[offset] + 257u * static_cast<uint32_t>(index));
      });
    }
    for (int32_t i = 0; i < p.state; i++) hash = Mix(hash, state[i]), state[i] = static_cast<uint8_t>(hash >> 3);
    for (int64_t i = 0; i < scratch_bytes; i++) scratch[i] = static_cast<uint8_t>(hash >> (i % 24));
    const o2m_tensor &y = *node->outputs[0];
    auto *data = static_cast<uint8_t *>(call->outputs[0]) - FirstByte(y, p.output, p.steps, call->first);
    const Range r = RowsOf(y, p.output, p.steps, u, 1);
    ForEach(y, r.axis, r.low, r.high, [&](int64_t offset, int64_t index) {
      const int64_t i = scratch_bytes ? index % scratch_bytes : 0;
      const uint32_t noise = scratch_bytes ? scratch[i] ^ static_cast<uint8_t>(hash >> (i % 24)) : 0;
      data[offset] = static_cast<uint8_t>(Mix(hash + noise, static_cast<uint32_t>(index)) >> 7);
    });
  }
}

inline void Memory(const o2m_target *, const o2m_node *node, int32_t rows, o2m_memory *memory) {
  const Params p = ParamsOf(node);
  memory->steps = p.steps;
  for (int i = 0; i < 4; i++) memory->inputs[i] = p.inputs[i];
  memory->outputs[0] = p.output;
  memory->in_place_inputs = p.in_place;
  memory->scratch_bytes = p.scratch_fixed + int64_t{p.scratch_per_row} * rows;
  memory->state_bytes = p.state;
}

inline void Cost(const o2m_target *, const o2m_node *node, int32_t rows, o2m_cost *cost) {
  cost->kernel = "fake";
  cost->macs = int64_t{ParamsOf(node).macs_per_row} * rows;
  cost->elements = rows;
  cost->flash_bytes_read = ParamsOf(node).macs_per_row;  // weights, once per call
  cost->instructions = (10 * cost->macs + cost->flash_bytes_read) / 4 + 12 * cost->elements;
}

inline const void *GetExtension(const char *id) {
  static const o2m_coster coster = {Cost};
  return std::string(id) == "o2m.cost/1" ? &coster : nullptr;
}

inline o2m_status Infer(const o2m_host *, const o2m_target *, o2m_node *) { return O2M_OK; }

inline const o2m_op *Op() {
  static const o2m_op op = [] {
    o2m_op o{};
    o.struct_size = sizeof o, o.id = "fake.op", o.params_size = sizeof(Params);
    o.infer = Infer, o.memory = Memory, o.run = Run, o.get_extension = GetExtension;
    return o;
  }();
  return &op;
}

inline constexpr o2m_target kTarget = {sizeof(o2m_target), "cortex-m4", 0, 0, 0};
inline constexpr o2m_access kWhole = {O2M_ANY_STRIDES, 0, 0, 0, 0};
inline constexpr o2m_access Rows(int32_t axis, int32_t step = 1, int32_t extent = 0, int32_t before = 0) {
  return {O2M_ANY_STRIDES, axis, step, extent ? extent : step, before};
}

// ---- graphs by hand

inline TensorId AddBase(Graph &graph, const std::string &name, std::vector<int64_t> dims) {
  Tensor tensor;
  tensor.name = name, tensor.dtype = DType::kS8, tensor.dims = std::move(dims);
  return AddTensor(graph, std::move(tensor));
}

inline TensorId AddView(Graph &graph, TensorId base, std::vector<int64_t> dims, int64_t offset,
                        std::vector<int64_t> strides) {
  Tensor tensor = graph.tensors[base];
  tensor.name += "_view";
  tensor.dims = std::move(dims), tensor.base = base, tensor.view_offset = offset, tensor.strides = std::move(strides);
  return AddTensor(graph, std::move(tensor));
}

inline NodeId AddNode(Graph &graph, const std::string &name, std::vector<TensorId> inputs, TensorId output,
                      const Params &params) {
  Node node;
  node.name = name, node.op = Op(), node.inputs = std::move(inputs), node.outputs = {output};
  node.params.resize(sizeof params);
  Params seeded = params;
  for (char c : name)
    seeded.seed = static_cast<int32_t>((static_cast<uint32_t>(seeded.seed) * 31u + static_cast<uint8_t>(c)) % 1000003u);
  std::memcpy(node.params.data(), &seeded, sizeof seeded);
  graph.nodes.push_back(std::move(node));
  return static_cast<NodeId>(graph.nodes.size()) - 1;
}

// y [n, dim] from rows of the inputs, all with n rows on axis 0.
inline TensorId AddRowwise(Graph &graph, const std::string &name, std::vector<TensorId> inputs, int64_t dim,
                           int32_t macs = 0, uint32_t in_place = 0) {
  const int64_t n = graph.tensors[inputs[0]].dims[0];
  Params p;
  p.steps = static_cast<int32_t>(n), p.macs_per_row = macs, p.in_place = in_place;
  for (size_t i = 0; i < inputs.size(); i++) p.inputs[i] = Rows(0);
  p.output = Rows(0);
  const TensorId y = AddBase(graph, name, {n, dim});
  AddNode(graph, name, std::move(inputs), y, p);
  return y;
}

struct VitSizes {
  int64_t image = 32, patch = 8, dim = 12, hidden = 40, blocks = 2, classes = 5;
  int64_t patches() const { return image / patch * (image / patch); }
  int64_t tokens() const { return patches() + 1; }
};

inline TensorId AddEmbedding(Graph &graph, const VitSizes &s) {
  const int32_t bands = static_cast<int32_t>(s.image / s.patch);
  const TensorId image = AddBase(graph, "image", {3, s.image, s.image});
  graph.inputs = {image};
  const TensorId tokens = AddBase(graph, "tokens", {s.tokens(), s.dim});
  const TensorId patches = AddView(graph, tokens, {s.patches(), s.dim}, s.dim, {s.dim, 1});
  const TensorId token = AddView(graph, tokens, {1, s.dim}, 0, {s.dim, 1});
  Params embed;
  embed.steps = bands, embed.macs_per_row = 1000;
  embed.inputs[0] = Rows(1, static_cast<int32_t>(s.patch));
  embed.output = Rows(0, bands);
  AddNode(graph, "class_token", {}, token, Params{});
  AddNode(graph, "patch_embed", {image}, patches, embed);
  return AddRowwise(graph, "position", {tokens}, s.dim, 0, 1);
}

inline TensorId AddAttention(Graph &graph, const std::string &name, TensorId x, const VitSizes &s) {
  const int32_t n = static_cast<int32_t>(s.tokens()), macs = static_cast<int32_t>(s.dim * s.dim);
  const TensorId norm = AddRowwise(graph, name + "norm1", {x}, s.dim, 0, 1);
  const TensorId q = AddRowwise(graph, name + "q", {norm}, s.dim, macs);
  const TensorId k = AddRowwise(graph, name + "k", {norm}, s.dim, macs);
  const TensorId v = AddRowwise(graph, name + "v", {norm}, s.dim, macs);
  const TensorId o = AddBase(graph, name + "attn", {s.tokens(), s.dim});
  Params attend;
  attend.steps = n, attend.macs_per_row = static_cast<int32_t>(2 * n * s.dim), attend.scratch_per_row = n;
  attend.inputs[0] = Rows(0), attend.inputs[1] = attend.inputs[2] = kWhole;
  attend.output = Rows(0);
  AddNode(graph, name + "attn", {q, k, v}, o, attend);
  const TensorId proj = AddRowwise(graph, name + "proj", {o}, s.dim, macs);
  return AddRowwise(graph, name + "add1", {x, proj}, s.dim, 0, 3);
}

inline TensorId AddMlp(Graph &graph, const std::string &name, TensorId x, const VitSizes &s) {
  const int32_t macs = static_cast<int32_t>(s.dim * s.hidden);
  const TensorId norm = AddRowwise(graph, name + "norm2", {x}, s.dim, 0, 1);
  const TensorId hidden = AddRowwise(graph, name + "fc1", {norm}, s.hidden, macs);
  const TensorId gelu = AddRowwise(graph, name + "gelu", {hidden}, s.hidden, 0, 1);
  const TensorId y = AddRowwise(graph, name + "fc2", {gelu}, s.dim, macs);
  return AddRowwise(graph, name + "add2", {x, y}, s.dim, 0, 3);
}

inline Graph Vit(const VitSizes &s) {
  Graph graph;
  graph.file = "vit.onnx";
  TensorId x = AddEmbedding(graph, s);
  for (int64_t block = 0; block < s.blocks; block++) {
    const std::string name = "block" + std::to_string(block) + "_";
    x = AddMlp(graph, name, AddAttention(graph, name, x, s), s);
  }
  const TensorId token = AddView(graph, x, {1, s.dim}, 0, {s.dim, 1});
  const TensorId norm = AddRowwise(graph, "norm", {token}, s.dim);
  graph.outputs = {AddRowwise(graph, "head", {norm}, s.classes, static_cast<int32_t>(s.dim * s.classes))};
  return graph;
}

inline VitSizes DeitTiny() { return {224, 16, 192, 768, 12, 1000}; }

}  // namespace onnx2mcu::fake
