// Part by part: a node that holds whole operands (keys and values, say) and that "o2m.split/1" cuts into equal parts
// runs one part after the other, so that only one part of those operands exists at a time. The last parts run in the
// loop of whoever reads the result: their columns never exist for more than a tile of rows. Exact.
#include <algorithm>
#include <optional>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "importer/ir/slice.h"
#include "planner/contract.h"
#include "planner/rewrites.h"

namespace onnx2mcu {
namespace {

// A node made for one part, with the place of the node it is a part of.
struct PartNode {
  NodeId original = kNone;
  int32_t part = 0;
  Node node;
};

struct Splitter {
  Graph &graph;
  const RewriteTools &tools;
  int32_t parts, kept;
  Users users;                            // of the graph as it was
  std::vector<std::vector<Node>> before;  // by NodeId: what is put before it
  std::vector<bool> removed;
  std::vector<PartNode> made;  // of the node being split
};

std::optional<o2m_split> OfferedSplit(const Graph &graph, const Node &node, int32_t parts) {
  for (const o2m_split &split : SplitsOf(graph, node))
    if (split.parts == parts && !split.sum) return split;
  return std::nullopt;
}

// A base that lives past the segment has users there, who stand as kNone.
Users UsersWithin(const Graph &graph, const RewriteTools &tools) {
  Users users = OpUsers(graph);
  if (!tools.border) return users;
  for (TensorId base : tools.border->out) users.readers[base].push_back(kNone);
  for (TensorId base : tools.border->in) users.writers[base].push_back(kNone);
  return users;
}

bool IsInArena(const Graph &graph, TensorId id) { return HomeOf(graph, BaseOf(graph, id)).place == Place::kArena; }

// What a cut is worth: an operand that is held whole, and shrinks.
bool HoldsWholeOperand(const Splitter &s, const Node &node, const o2m_split &split) {
  const o2m_memory memory = MemoryOf(s.graph, node, s.tools.target, 1);
  if (memory.steps < 1) return false;
  for (size_t i = 0; i < node.inputs.size(); i++) {
    const TensorId id = node.inputs[i];
    if (id == kNone || split.input_axis[i] == O2M_NONE || s.graph.tensors[id].is_constant) continue;
    if (memory.inputs[i].extent == 0 && IsInArena(s.graph, id)) return true;
  }
  return false;
}

// Within the segment: a copy must stand before it.
bool HasReader(const Splitter &s, TensorId base) {
  return !s.users.readers[base].empty() && s.users.readers[base].front() != kNone;
}

bool IsSite(const Splitter &s, NodeId id, const o2m_split &split) {
  const Node &node = s.graph.nodes[id];
  if (node.outputs.size() != 1 || split.output_axis[0] == O2M_NONE) return false;
  const TensorId y = node.outputs[0];
  return CoversBase(s.graph, y) && IsInArena(s.graph, y) && s.users.writers[BaseOf(s.graph, y)].size() == 1 &&
         HasReader(s, BaseOf(s.graph, y)) && HoldsWholeOperand(s, node, split);
}

// One axis of a tensor: which runs of memory a cut of it makes.
struct AxisCut {
  TensorId id = kNone;
  int32_t axis = kNone;
};
bool SameCut(const Graph &graph, const AxisCut &a, const AxisCut &b) {
  const auto period = [&](const AxisCut &cut) {
    const Tensor &tensor = graph.tensors[cut.id];
    return StridesOf(tensor)[cut.axis] * tensor.dims[cut.axis];
  };
  return CoversBase(graph, a.id) && CoversBase(graph, b.id) && period(a) == period(b);
}

std::string PartName(const std::string &name, int32_t part) { return absl::StrCat(name, ":", part); }

std::vector<TensorId> SplitOperand(Splitter &s, const AxisCut &cut, NodeId reader);

// The writer of `cut`, part by part, each into memory of its own. Empty: it cannot be split like that.
std::vector<TensorId> SplitWriter(Splitter &s, const AxisCut &cut, NodeId reader) {
  const TensorId base = BaseOf(s.graph, cut.id);
  if (!IsInArena(s.graph, base) || s.users.readers[base] != std::vector<NodeId>{reader}) return {};
  if (s.users.writers[base].size() != 1 || s.users.writers[base][0] == kNone) return {};
  const NodeId id = s.users.writers[base][0];
  const Node node = s.graph.nodes[id];
  const std::optional<o2m_split> split = OfferedSplit(s.graph, node, s.parts);
  if (!split || node.outputs.size() != 1 || split->output_axis[0] == O2M_NONE) return {};
  const AxisCut written{node.outputs[0], split->output_axis[0]};
  if (!SameCut(s.graph, written, cut)) return {};
  std::vector<std::vector<TensorId>> inputs;
  for (size_t i = 0; i < node.inputs.size(); i++)
    inputs.push_back(split->input_axis[i] == O2M_NONE || node.inputs[i] == kNone
                         ? std::vector<TensorId>(s.parts, node.inputs[i])
                         : SplitOperand(s, {node.inputs[i], split->input_axis[i]}, id));
  s.removed[id] = true;
  std::vector<TensorId> views;
  for (int32_t part = 0; part < s.parts; part++) {
    PartNode made{id, part, node};
    made.node.name = PartName(node.name, part);
    for (size_t i = 0; i < inputs.size(); i++) made.node.inputs[i] = inputs[i][part];
    const int64_t count = s.graph.tensors[written.id].dims[written.axis] / s.parts;
    made.node.outputs[0] =
        AddCompact(s.graph, written.id, written.axis, count, PartName(s.graph.tensors[written.id].name, part));
    Tensor view = s.graph.tensors[cut.id];
    view.dims[cut.axis] /= s.parts;
    view.strides = CompactStrides(s.graph.tensors[cut.id], cut.axis, view.dims[cut.axis]);
    view.base = BaseOf(s.graph, made.node.outputs[0]);
    views.push_back(cut.id == written.id ? made.node.outputs[0] : AddTensor(s.graph, std::move(view)));
    s.made.push_back(std::move(made));
  }
  return views;
}

// Parts of an operand: made on their own where its writer can be split, else windows of the whole.
std::vector<TensorId> SplitOperand(Splitter &s, const AxisCut &cut, NodeId reader) {
  const bool constant = s.graph.tensors[cut.id].is_constant;
  std::vector<TensorId> parts = constant ? std::vector<TensorId>{} : SplitWriter(s, cut, reader);
  if (!parts.empty()) return parts;
  const int64_t count = s.graph.tensors[cut.id].dims[cut.axis] / s.parts;
  for (int32_t part = 0; part < s.parts; part++)
    parts.push_back(SliceTensor(s.graph, cut.id, cut.axis, part * count, count));
  return parts;
}

// Where each part writes: the kept ones into the result, which may then be a tile; those before them into memory of
// their own, from which a copy fills the result's columns tile by tile.
std::vector<TensorId> SplitResult(Splitter &s, const AxisCut &y, NodeId id) {
  const int64_t count = s.graph.tensors[y.id].dims[y.axis] / s.parts, early = s.parts - s.kept;
  const std::string name = s.graph.nodes[id].name;
  const TensorId gathered =
      AddCompact(s.graph, y.id, y.axis, early * count, absl::StrCat(s.graph.tensors[y.id].name, ":0..", early - 1));
  std::vector<TensorId> parts;
  for (int32_t part = 0; part < s.parts; part++)
    parts.push_back(SliceTensor(s.graph, part < early ? gathered : y.id, y.axis, part * count, count));
  Node copy;
  copy.name = absl::StrCat(name, ":copy"), copy.op = s.tools.copy;
  copy.params.resize(copy.op->params_size);
  copy.inputs = {InMemoryOrder(s.graph, gathered)};
  const TensorId columns = SliceTensor(s.graph, y.id, y.axis, 0, early * count);
  copy.outputs = {InMemoryOrder(s.graph, columns)};
  s.before[s.users.readers[BaseOf(s.graph, y.id)].front()].push_back(std::move(copy));
  return parts;
}

// Part after part, but for those kept: of these first all that must be whole, then what reads it.
void Arrange(Splitter &s, NodeId id) {
  const int32_t early = s.parts - s.kept;
  std::stable_sort(s.made.begin(), s.made.end(), [&](const PartNode &a, const PartNode &b) {
    const auto key = [&](const PartNode &n) {
      return n.part < early ? std::make_tuple(n.part, n.original, 0) : std::make_tuple(early, n.original, n.part);
    };
    return key(a) < key(b);
  });
  for (PartNode &part : s.made) s.before[id].push_back(std::move(part.node));
  s.made.clear();
}

void SplitSite(Splitter &s, NodeId id, const o2m_split &split) {
  const Node node = s.graph.nodes[id];
  std::vector<std::vector<TensorId>> inputs;
  for (size_t i = 0; i < node.inputs.size(); i++)
    inputs.push_back(split.input_axis[i] == O2M_NONE || node.inputs[i] == kNone
                         ? std::vector<TensorId>(s.parts, node.inputs[i])
                         : SplitOperand(s, {node.inputs[i], split.input_axis[i]}, id));
  const std::vector<TensorId> outputs = SplitResult(s, {node.outputs[0], split.output_axis[0]}, id);
  for (int32_t part = 0; part < s.parts; part++) {
    PartNode made{id, part, node};
    made.node.name = PartName(node.name, part);
    for (size_t i = 0; i < inputs.size(); i++) made.node.inputs[i] = inputs[i][part];
    made.node.outputs[0] = outputs[part];
    s.made.push_back(std::move(made));
  }
  s.removed[id] = true;
  Arrange(s, id);
}

absl::Status Assemble(Splitter &s) {
  std::vector<Node> nodes;
  std::vector<NodeId> fresh;
  for (size_t i = 0; i < s.graph.nodes.size(); i++) {
    for (Node &node : s.before[i]) {
      fresh.push_back(static_cast<NodeId>(nodes.size()));
      nodes.push_back(std::move(node));
    }
    if (!s.removed[i]) nodes.push_back(std::move(s.graph.nodes[i]));
  }
  s.graph.nodes = std::move(nodes);
  for (NodeId id : fresh) {
    O2M_RETURN_IF_ERROR(InferNode(s.graph, id, s.tools.host, s.tools.target));
    if (!TakesItsStrides(s.graph, s.graph.nodes[id], s.tools.target))
      return absl::UnimplementedError(absl::StrCat(s.graph.nodes[id].name, ": a part needs other strides"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Graph> SplitIntoParts(const Graph &graph, const RewriteTools &tools, int32_t parts, int32_t kept) {
  Graph split = graph;
  Splitter s{split, tools, parts, kept, UsersWithin(graph, tools), {}, {}, {}};
  s.before.resize(graph.nodes.size()), s.removed.resize(graph.nodes.size());
  for (NodeId id = 0; id < static_cast<NodeId>(graph.nodes.size()); id++) {
    const std::optional<o2m_split> offered = OfferedSplit(graph, graph.nodes[id], parts);
    if (offered && IsSite(s, id, *offered)) SplitSite(s, id, *offered);
  }
  O2M_RETURN_IF_ERROR(Assemble(s));
  return split;
}

// The most parts of any site; what is kept of them is a fraction, and other numbers of parts are fractions of these.
std::vector<std::pair<int32_t, int32_t>> PartChoices(const Graph &graph, const RewriteTools &tools) {
  Graph copy = graph;
  Splitter s{copy, tools, 0, 0, UsersWithin(graph, tools), {}, {}, {}};
  std::vector<std::pair<int32_t, int32_t>> choices;
  if (!tools.copy) return choices;
  for (NodeId id = 0; id < static_cast<NodeId>(graph.nodes.size()); id++) {
    const Node &node = graph.nodes[id];
    for (const o2m_split &split : SplitsOf(graph, node)) {
      if (split.sum || !IsSite(s, id, split)) continue;
      for (int32_t kept = 1; kept < split.parts; kept++) choices.emplace_back(split.parts, kept);
    }
  }
  const auto less = [](const auto &a, const auto &b) {  // by fraction, then the fewest parts
    return std::make_pair(a.second * b.first, a.first) < std::make_pair(b.second * a.first, b.first);
  };
  std::sort(choices.begin(), choices.end(), less);
  const auto same = [](const auto &a, const auto &b) { return a.second * b.first == b.second * a.first; };
  choices.erase(std::unique(choices.begin(), choices.end(), same), choices.end());
  return choices;
}

}  // namespace onnx2mcu
