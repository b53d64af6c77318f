// Gives every tensor that op nodes touch its place: memory of its own, or a strided window of another tensor's.
//
// Who decides the layout of a storage, in this order: a graph output is dense in its own shape; a Concat is dense and
// its parts are windows of it; else the producer's tensor is laid out so that most readers see it dense (attention
// heads as columns of [tokens, dim], a convolution's output channels last). What strides cannot say becomes a copy
// node.
#include <algorithm>
#include <limits>
#include <optional>

#include "absl/strings/str_cat.h"
#include "importer/copies.h"
#include "importer/fake_quantize.h"
#include "importer/layout.h"
#include "importer/passes.h"

namespace onnx2mcu {
namespace {

struct PendingCopy {
  NodeId position;  // the movement node in whose place it runs
  TensorId from, to;
};

struct Resolver {
  Graph &graph;
  std::vector<NodeId> producers;
  std::vector<std::vector<NodeId>> consumers;
  std::vector<bool> written, read;  // by TensorId: by an op node
  std::vector<bool> wanted;         // by TensorId: an op or the caller needs it, directly or through movement
  std::vector<std::optional<StridedView>> layouts;
  std::vector<PendingCopy> copies;
};

StridedView Own(const Graph &graph, TensorId id) { return {id, 0, DenseStrides(graph.tensors[id].dims)}; }

bool IsGraphInput(const Graph &graph, TensorId id) {
  return std::find(graph.inputs.begin(), graph.inputs.end(), id) != graph.inputs.end();
}

Resolver MakeResolver(Graph &graph) {
  const size_t n = graph.tensors.size();
  Resolver r{
      graph, Producers(graph), Consumers(graph), std::vector<bool>(n), std::vector<bool>(n), std::vector<bool>(n), {},
      {}};
  r.layouts.resize(n);
  for (const Node &node : graph.nodes) {
    for (TensorId id : node.inputs) r.read[id] = r.wanted[id] = true;
    for (TensorId id : node.outputs) r.written[id] = r.wanted[id] = true;
  }
  for (TensorId id : graph.outputs) r.wanted[id] = true;
  for (size_t i = graph.float_nodes.size(); i-- > 0;) {
    const FloatNode &node = graph.float_nodes[i];
    if (!IsMovement(graph, node)) continue;
    const auto needed = [&](TensorId id) { return r.wanted[id] && !r.written[id]; };
    if (std::none_of(node.outputs.begin(), node.outputs.end(), needed)) continue;
    const size_t data_inputs = node.op_type == "Concat" ? node.inputs.size() : 1;
    for (size_t k = 0; k < data_inputs; k++) r.wanted[node.inputs[k]] = true;
  }
  return r;
}

// A new tensor of the shape of `like`; its layout is the caller's to set.
TensorId Fresh(Resolver &r, TensorId like) {
  Tensor tensor;
  tensor.name = r.graph.tensors[like].name + "_copy";
  tensor.dims = r.graph.tensors[like].dims;
  tensor.dtype = r.graph.tensors[like].dtype;
  const TensorId id = AddTensor(r.graph, std::move(tensor));
  r.layouts.resize(r.graph.tensors.size());
  r.producers.resize(r.graph.tensors.size(), kNone);
  r.consumers.resize(r.graph.tensors.size());
  r.wanted.resize(r.graph.tensors.size(), true);
  r.written.resize(r.graph.tensors.size(), true);
  r.read.resize(r.graph.tensors.size(), false);
  return id;
}

// The rounding that the values of `id` come from through nothing but movement, or null.
const FloatNode *RoundingOf(const Resolver &r, TensorId id) {
  for (NodeId at = r.producers[id]; at != kNone; at = r.producers[r.graph.float_nodes[at].inputs[0]]) {
    const FloatNode &node = r.graph.float_nodes[at];
    if (IsFakeQuantize(node)) return &node;
    if (!IsMovement(r.graph, node) || node.op_type == "Concat") break;
  }
  return nullptr;
}

// Parts of a Concat share a scale: one whose rounding the others do not have is copied into its place.
bool MayJoin(const Resolver &r, const FloatNode &concat, TensorId part) {
  const FloatNode *const rounding = RoundingOf(r, part);
  return !rounding || std::all_of(concat.inputs.begin(), concat.inputs.end(), [&](TensorId other) {
    const FloatNode *const theirs = RoundingOf(r, other);
    const Tensor &tensor = r.graph.tensors[other];
    return tensor.is_constant ? OnGrid(tensor, GridOf(*rounding)) : theirs && GridOf(*theirs) == GridOf(*rounding);
  });
}

// Lets `from` appear at `place` by a copy; base kNone: in memory of its own. Returns the copy.
TensorId CopyTo(Resolver &r, NodeId position, TensorId from, StridedView place) {
  const TensorId to = Fresh(r, from);
  if (place.base == kNone) place = Own(r.graph, to);
  r.layouts[to] = place;
  r.copies.push_back({position, from, to});
  return to;
}

// Lays `id` out at `place` by moving its producer's output there. False, with nothing changed, where that cannot be.
bool TryPlace(Resolver &r, TensorId id, const StridedView &place) {
  const Graph &graph = r.graph;
  if (graph.tensors[id].is_constant || IsGraphInput(graph, id) || r.layouts[id]) return false;
  if (r.written[id]) return r.layouts[id] = place, true;
  const NodeId producer = r.producers[id];
  const FloatNode node = graph.float_nodes[producer];
  if (node.op_type == "Concat") {
    r.layouts[id] = place;
    for (size_t i = 0; i < node.inputs.size(); i++) {
      const StridedView part = *Backward(r.graph, node, static_cast<int>(i), place);
      const bool joins = MayJoin(r, node, node.inputs[i]) && TryPlace(r, node.inputs[i], part);
      if (!joins) CopyTo(r, producer, node.inputs[i], part);
    }
    return true;
  }
  if (!IsBijective(graph, node)) return false;
  const auto before = Backward(graph, node, 0, place);
  if (!before || !TryPlace(r, node.inputs[0], *before)) return false;
  r.layouts[id] = place;
  return true;
}

void PlaceOutputs(Resolver &r) {
  for (TensorId &out : r.graph.outputs) {
    if (TryPlace(r, out, Own(r.graph, out))) continue;
    const TensorId copy = CopyTo(r, std::numeric_limits<NodeId>::max(), out, {});
    FloatNode identity;
    identity.name = r.graph.tensors[copy].name, identity.op_type = "Identity", identity.opset = r.graph.opset;
    identity.inputs = {out}, identity.outputs = {copy};
    r.graph.float_nodes.push_back(identity);
    out = copy;
  }
}

void PlaceConcats(Resolver &r) {
  for (size_t i = r.graph.float_nodes.size(); i-- > 0;) {
    const FloatNode &node = r.graph.float_nodes[i];
    if (node.op_type != "Concat") continue;
    const TensorId out = node.outputs[0];
    if (r.wanted[out] && !r.written[out] && !r.layouts[out]) TryPlace(r, out, Own(r.graph, out));
  }
}

bool IsDense(const Graph &graph, TensorId id, const StridedView &layout) {
  const std::vector<int64_t> &dims = graph.tensors[id].dims, dense = DenseStrides(dims);
  for (size_t i = 0; i < dims.size(); i++)
    if (dims[i] != 1 && layout.strides[i] != dense[i]) return false;
  return true;
}

struct Score {
  int reachable = 0, dense = 0;
  bool operator>(const Score &other) const {
    return reachable != other.reachable ? reachable > other.reachable : dense > other.dense;
  }
};

// How many readers below `id` would see their operand as strides, and how many dense. `seen` collects the tensors that
// are the same elements as `id` in another shape or order: the candidates for the layout.
void ScoreReaders(const Resolver &r, TensorId id, const StridedView &layout, bool bijective, Score &score,
                  std::vector<TensorId> *seen) {
  if (r.read[id]) score.reachable++, score.dense += IsDense(r.graph, id, layout);
  if (seen && bijective) seen->push_back(id);
  for (NodeId reader : r.consumers[id]) {
    const FloatNode &node = r.graph.float_nodes[reader];
    if (!IsMovement(r.graph, node) || node.op_type == "Concat" || node.inputs[0] != id) continue;
    for (size_t out = 0; out < node.outputs.size(); out++) {
      if (node.outputs[out] == kNone || !r.wanted[node.outputs[out]] || r.written[node.outputs[out]]) continue;
      const auto next = Forward(r.graph, node, static_cast<int>(out), layout);
      const bool same = bijective && IsBijective(r.graph, node);
      if (next)
        ScoreReaders(r, node.outputs[out], *next, same, score, seen);
      else if (seen && same)
        seen->push_back(node.outputs[out]);  // not reachable from this layout, maybe from its own
    }
  }
}

// The layout of `id` if `target`, the same elements further down, is dense.
std::optional<StridedView> PulledFrom(const Resolver &r, TensorId id, TensorId target) {
  StridedView layout = Own(r.graph, target);
  for (TensorId at = target; at != id;) {
    const FloatNode &node = r.graph.float_nodes[r.producers[at]];
    const auto before = Backward(r.graph, node, 0, layout);
    if (!before) return std::nullopt;
    layout = *before, at = node.inputs[0];
  }
  return layout;
}

void PlaceProduced(Resolver &r, TensorId id) {
  Score best;
  std::vector<TensorId> candidates;
  ScoreReaders(r, id, Own(r.graph, id), true, best, &candidates);
  TensorId chosen = id;
  for (TensorId candidate : candidates) {
    const auto layout = PulledFrom(r, id, candidate);
    Score score;
    if (layout) ScoreReaders(r, id, *layout, true, score, nullptr);
    if (score > best) best = score, chosen = candidate;
  }
  TryPlace(r, chosen, Own(r.graph, chosen));
}

// Everything below is read where it lies; where strides cannot say that, from a dense copy.
void PlaceMoved(Resolver &r, NodeId id) {
  const FloatNode node = r.graph.float_nodes[id];
  if (!IsMovement(r.graph, node) || node.op_type == "Concat") return;
  TensorId input = node.inputs[0];
  for (size_t out = 0; out < node.outputs.size(); out++) {
    const TensorId output = node.outputs[out];
    if (output == kNone || !r.wanted[output] || r.written[output] || r.layouts[output]) continue;
    auto layout = Forward(r.graph, node, static_cast<int>(out), *r.layouts[input]);
    if (!layout) {
      input = CopyTo(r, id, input, {});
      layout = Forward(r.graph, node, static_cast<int>(out), *r.layouts[input]);
    }
    r.layouts[output] = layout;
  }
}

void WriteLayouts(Resolver &r) {
  for (size_t id = 0; id < r.graph.tensors.size(); id++) {
    if (!r.layouts[id]) continue;
    Tensor &tensor = r.graph.tensors[id];
    const bool own = r.layouts[id]->base == static_cast<TensorId>(id);
    tensor.base = own ? kNone : r.layouts[id]->base;
    tensor.view_offset = r.layouts[id]->offset;
    tensor.strides = own ? std::vector<int64_t>{} : r.layouts[id]->strides;
  }
}

// Op nodes in the order of the float nodes they end in: every writer stands before its readers.
void InsertCopies(Resolver &r, const o2m_op *copy) {
  std::vector<std::pair<NodeId, Node>> ordered;
  for (const PendingCopy &pending : r.copies)
    ordered.emplace_back(pending.position, MakeCopy(r.graph, copy, pending.from, pending.to));
  for (Node &node : r.graph.nodes) ordered.emplace_back(node.float_nodes.back(), std::move(node));
  std::stable_sort(ordered.begin(), ordered.end(), [](const auto &a, const auto &b) { return a.first < b.first; });
  r.graph.nodes.clear();
  for (auto &[position, node] : ordered) r.graph.nodes.push_back(std::move(node));
}

}  // namespace

absl::Status ResolveViews(Graph &graph, const Registry &registry) {
  Resolver r = MakeResolver(graph);
  for (TensorId id : graph.inputs) r.layouts[id] = Own(graph, id);
  PlaceOutputs(r);
  PlaceConcats(r);
  for (const Node &node : graph.nodes)
    for (TensorId id : node.outputs)
      if (!r.layouts[id]) PlaceProduced(r, id);
  for (size_t id = 0; id < graph.float_nodes.size(); id++) PlaceMoved(r, static_cast<NodeId>(id));
  O2M_ASSIGN_OR_RETURN(const o2m_op *copy, r.copies.empty() ? nullptr : FindCopy(registry, graph));
  WriteLayouts(r);
  InsertCopies(r, copy);
  return absl::OkStatus();
}

}  // namespace onnx2mcu
