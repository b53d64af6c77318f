// Equal things once, and an order that depends on what is computed, not on how the file was written.
#include <algorithm>
#include <cstring>
#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "importer/canonicalize.h"

namespace onnx2mcu {
namespace {

constexpr int64_t kLargestShared = 1 << 16;  // bytes; equal weights of this size do not occur by chance

struct AttrKey {
  std::string operator()(int64_t v) const { return absl::StrCat("i", v); }
  std::string operator()(float v) const {
    uint32_t bits = 0;
    std::memcpy(&bits, &v, sizeof bits);
    return absl::StrCat("f", bits);
  }
  std::string operator()(const std::string &v) const { return absl::StrCat("s", v.size(), ":", v); }
  template <typename T>
  std::string operator()(const std::vector<T> &values) const {
    std::string key = "[";
    for (const T &v : values) absl::StrAppend(&key, (*this)(v), ",");
    return key + "]";
  }
};

std::string AttrsKey(const FloatNode &node) {
  std::string key = absl::StrCat(node.domain, "|", node.op_type, "|");
  for (const auto &[name, value] : node.attrs) absl::StrAppend(&key, name, "=", std::visit(AttrKey{}, value), ";");
  return key;
}

std::string NodeKey(const FloatNode &node) {
  std::string key = absl::StrCat(AttrsKey(node), node.opset, "|", node.outputs.size(), "|");
  for (const auto &[name, id] : node.subgraph_constants) absl::StrAppend(&key, name, "@", id, ";");
  for (TensorId id : node.inputs) absl::StrAppend(&key, id, ",");
  return key;
}

std::string ConstantKey(const Tensor &tensor) {
  std::string key = absl::StrCat(static_cast<int>(tensor.dtype), "|");
  for (int64_t dim : tensor.dims) absl::StrAppend(&key, dim, ",");
  return key.append(reinterpret_cast<const char *>(tensor.data.data()), tensor.data.size());
}

bool MergeEqualConstants(Rewriter &r, const std::vector<NodeId> &order) {
  std::map<std::string, TensorId> first;
  std::map<TensorId, TensorId> merged;
  bool changed = false;
  for (NodeId id : order) {
    std::vector<TensorId> inputs = r.node(id).inputs;
    for (TensorId &input : inputs) {
      if (!r.IsConstant(input) || BytesOf(r.tensor(input)) > kLargestShared) continue;
      auto [it, added] = merged.emplace(input, input);
      if (added) it->second = first.emplace(ConstantKey(r.tensor(input)), input).first->second;
      input = it->second;
    }
    if (inputs == r.node(id).inputs) continue;
    r.SetInputs(id, inputs);
    changed = true;
  }
  return changed;
}

bool MergeEqualNodes(Rewriter &r, const std::vector<NodeId> &order) {
  std::map<std::string, NodeId> first;
  bool changed = false;
  for (NodeId id : order) {
    if (!r.alive(id)) continue;
    const auto [it, added] = first.emplace(NodeKey(r.node(id)), id);
    if (added) continue;
    const std::vector<TensorId> outputs = r.node(id).outputs, kept = r.node(it->second).outputs;
    const bool replaceable =
        std::equal(outputs.begin(), outputs.end(), kept.begin(), kept.end(),
                   [&](TensorId a, TensorId b) { return a != kNone && b != kNone && !r.MustStay(a, b); });
    if (!replaceable) continue;
    for (size_t i = 0; i < outputs.size(); i++) r.Replace(outputs[i], kept[i]);
    changed = true;
  }
  return changed;
}

// ---- Order ----

// 64-bit FNV-1a: enough to order by, and the same on every machine.
uint64_t Hash(const std::string &text, uint64_t seed = 14695981039346656037ull) {
  for (unsigned char c : text) seed = (seed ^ c) * 1099511628211ull;
  return seed;
}

// What a tensor is, whatever it is called: its hash, and the length of the longest path from an input.
struct Fingerprint {
  uint64_t hash = 0;
  int32_t height = 0;
  bool operator<(const Fingerprint &o) const { return height != o.height ? height < o.height : hash < o.hash; }
};

bool Commutes(const FloatNode &node) {
  return node.domain.empty() && node.inputs.size() == 2 && (node.op_type == "Add" || node.op_type == "Mul");
}

// Constants last; among computed values the one that is ready earlier first.
void SortOperands(const Graph &graph, const std::vector<Fingerprint> &identity, FloatNode &node) {
  if (!Commutes(node)) return;
  const TensorId a = node.inputs[0], b = node.inputs[1];
  const bool a_last = graph.tensors[a].is_constant, b_last = graph.tensors[b].is_constant;
  if (a_last != b_last ? a_last : identity[b] < identity[a]) std::swap(node.inputs[0], node.inputs[1]);
}

void IdentifyNode(const FloatNode &node, std::vector<Fingerprint> &identity) {
  std::string key = AttrsKey(node);
  int32_t height = 0;
  for (TensorId id : node.inputs) {
    absl::StrAppend(&key, id == kNone ? 0 : identity[id].hash, ",");
    if (id != kNone) height = std::max(height, identity[id].height);
  }
  for (size_t i = 0; i < node.outputs.size(); i++)
    if (node.outputs[i] != kNone) identity[node.outputs[i]] = {Hash(absl::StrCat(key, i)), height + 1};
}

std::vector<Fingerprint> Identify(Graph &graph) {
  std::vector<Fingerprint> identity(graph.tensors.size());
  for (size_t i = 0; i < graph.tensors.size(); i++)
    if (graph.tensors[i].is_constant) identity[i].hash = Hash(ConstantKey(graph.tensors[i]));
  for (size_t i = 0; i < graph.inputs.size(); i++) identity[graph.inputs[i]].hash = Hash(absl::StrCat("input", i));
  for (FloatNode &node : graph.float_nodes) {
    SortOperands(graph, identity, node);
    IdentifyNode(node, identity);
  }
  return identity;
}

// Nodes in the order in which a walk from the outputs, operand by operand, finishes them.
std::vector<NodeId> WalkOrder(const Graph &graph) {
  const std::vector<NodeId> producers = Producers(graph);
  std::vector<bool> opened(graph.float_nodes.size()), done(graph.float_nodes.size());
  std::vector<NodeId> order, stack;
  for (TensorId output : graph.outputs) {
    if (producers[output] != kNone) stack.push_back(producers[output]);
    while (!stack.empty()) {
      const NodeId id = stack.back();
      if (opened[id]) {
        stack.pop_back();
        if (!done[id]) order.push_back(id), done[id] = true;
        continue;
      }
      opened[id] = true;
      const std::vector<TensorId> &inputs = graph.float_nodes[id].inputs;
      for (auto it = inputs.rbegin(); it != inputs.rend(); ++it)
        if (*it != kNone && producers[*it] != kNone && !opened[producers[*it]]) stack.push_back(producers[*it]);
    }
  }
  return order;
}

// Tensors in the order of their first mention; the others go.
void RenumberTensors(Graph &graph) {
  std::vector<TensorId> renamed(graph.tensors.size(), kNone);
  std::vector<Tensor> kept;
  const auto mention = [&](TensorId &id) {
    if (id == kNone) return;
    if (renamed[id] == kNone) {
      renamed[id] = static_cast<TensorId>(kept.size());
      kept.push_back(std::move(graph.tensors[id]));
    }
    id = renamed[id];
  };
  for (TensorId &id : graph.inputs) mention(id);
  for (FloatNode &node : graph.float_nodes) {
    for (TensorId &id : node.inputs) mention(id);
    for (auto &[name, id] : node.subgraph_constants) mention(id);
    for (TensorId &id : node.outputs) mention(id);
  }
  for (TensorId &id : graph.outputs) mention(id);
  graph.tensors = std::move(kept);
}

// Inputs and outputs keep their names; where others share one, the first has it and the next are numbered.
void NameTensors(Graph &graph) {
  std::set<std::string> taken;
  std::set<TensorId> fixed;
  for (const std::vector<TensorId> *ids : {&graph.inputs, &graph.outputs})
    for (TensorId id : *ids)
      if (fixed.insert(id).second) taken.insert(graph.tensors[id].name);
  for (size_t id = 0; id < graph.tensors.size(); id++) {
    if (fixed.count(static_cast<TensorId>(id))) continue;
    const std::string stem = graph.tensors[id].name;
    std::string &name = graph.tensors[id].name;
    for (int number = 2; !taken.insert(name).second; number++) name = absl::StrCat(stem, "_", number);
  }
}

}  // namespace

bool MergeEqual(Rewriter &r) {
  const std::vector<NodeId> order = r.TopologicalOrder();
  const bool constants = MergeEqualConstants(r, order);
  return MergeEqualNodes(r, order) || constants;
}

void OrderGraph(Graph &graph) {
  Identify(graph);
  std::vector<FloatNode> ordered;
  for (NodeId id : WalkOrder(graph)) ordered.push_back(std::move(graph.float_nodes[id]));
  graph.float_nodes = std::move(ordered);
  RenumberTensors(graph);
  NameTensors(graph);
}

}  // namespace onnx2mcu
