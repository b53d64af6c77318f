#include "importer/ir/vit_view.h"

#include <algorithm>
#include <map>
#include <set>

namespace onnx2mcu {
namespace {

// x' = x + branch(x): one half of a block, seen from the Add that ends it.
struct Residual {
  NodeId add = kNone;
  TensorId skip = kNone;
  std::set<NodeId> branch;
  std::vector<NodeId> softmaxes;
  bool is_attention() const { return !softmaxes.empty(); }
};

struct StreamWalk {
  const Graph &graph;
  std::vector<NodeId> producer;
  explicit StreamWalk(const Graph &g) : graph(g), producer(Producers(g)) {}
  const FloatNode &node(NodeId id) const { return graph.float_nodes[id]; }
  bool Is(NodeId id, const char *type) const { return id != kNone && node(id).op_type == type; }
  bool IsConstant(TensorId id) const { return id == kNone || graph.tensors[id].is_constant; }
};

// Values pass unchanged, at most in another shape or order.
bool IsMovement(const FloatNode &node) {
  return node.op_type == "Reshape" || node.op_type == "Transpose" || node.op_type == "Identity";
}

TensorId BehindMovement(const StreamWalk &walk, TensorId id) {
  NodeId by = walk.producer[id];
  while (by != kNone && IsMovement(walk.node(by))) {
    id = walk.node(by).inputs[0];
    by = walk.producer[id];
  }
  return id;
}

// Nodes between `from` and `stop`; empty where a path ends anywhere else than there or in constants.
std::set<NodeId> NodesBetween(const StreamWalk &walk, TensorId from, TensorId stop) {
  std::set<NodeId> nodes;
  std::vector<TensorId> open = {from};
  bool reached = false;
  while (!open.empty()) {
    const TensorId id = open.back();
    open.pop_back();
    if (id == stop) reached = true;
    if (id == stop || walk.IsConstant(id)) continue;
    const NodeId by = walk.producer[id];
    if (by == kNone) return {};  // a graph input: not a branch of this residual
    if (!nodes.insert(by).second) continue;
    for (const TensorId in : walk.node(by).inputs) open.push_back(in);
  }
  return reached ? nodes : std::set<NodeId>{};
}

bool SameSize(const Graph &graph, TensorId a, TensorId b) {
  return ElementCount(graph.tensors[a].dims) == ElementCount(graph.tensors[b].dims);
}

std::vector<Residual> FindResiduals(const StreamWalk &walk) {
  const Graph &graph = walk.graph;
  std::vector<Residual> residuals;
  for (NodeId id = 0; id < static_cast<NodeId>(graph.float_nodes.size()); id++) {
    const FloatNode &node = graph.float_nodes[id];
    if (node.op_type != "Add" || walk.IsConstant(node.inputs[0]) || walk.IsConstant(node.inputs[1])) continue;
    for (const int skip : {0, 1}) {
      if (!SameSize(graph, node.inputs[skip], node.outputs[0])) continue;
      Residual residual{id, BehindMovement(walk, node.inputs[skip]), {}, {}};
      residual.branch = NodesBetween(walk, node.inputs[1 - skip], residual.skip);
      if (residual.branch.empty()) continue;
      for (const NodeId in : residual.branch) {
        if (walk.Is(in, "Softmax")) residual.softmaxes.push_back(in);
      }
      residuals.push_back(std::move(residual));
      break;
    }
  }
  return residuals;
}

// A branch inside another branch (a residual inside an MLP, say) belongs to the outer one.
std::vector<Residual> Outermost(std::vector<Residual> all) {
  std::vector<Residual> outer;
  for (const Residual &residual : all) {
    const bool inside = std::any_of(all.begin(), all.end(),
                                    [&](const Residual &other) { return other.branch.count(residual.add) > 0; });
    if (!inside) outer.push_back(residual);
  }
  return outer;
}

// The residual stream of a ViT; empty where no attention lies on one.
std::vector<Residual> Stream(const StreamWalk &walk) {
  std::vector<Residual> stream = Outermost(FindResiduals(walk));
  const bool any = std::any_of(stream.begin(), stream.end(), [](const Residual &r) { return r.is_attention(); });
  return any ? stream : std::vector<Residual>{};
}

// ---- Roles

bool IsLinear(const StreamWalk &walk, NodeId id) {
  return (walk.Is(id, "MatMul") || walk.Is(id, "Gemm")) && walk.IsConstant(walk.node(id).inputs[1]);
}

bool IsNorm(const FloatNode &node) { return node.op_type.find("Normalization") != std::string::npos; }

// The linear layer that a score or value operand comes from.
NodeId LinearBehind(const StreamWalk &walk, TensorId id) {
  while (id != kNone && !walk.IsConstant(id)) {
    const NodeId by = walk.producer[id];
    if (by == kNone || IsLinear(walk, by)) return by;
    id = walk.node(by).inputs[0];
  }
  return kNone;
}

NodeId MatMulAbove(const StreamWalk &walk, NodeId softmax) {
  TensorId id = walk.node(softmax).inputs[0];
  while (id != kNone && !walk.IsConstant(id)) {
    const NodeId by = walk.producer[id];
    if (by == kNone || walk.Is(by, "MatMul")) return by;
    id = walk.node(by).inputs[0];
  }
  return kNone;
}

using Roles = std::map<NodeId, std::string>;

// q, k, v of one softmax; "qkv" or "kv" where one layer makes several.
void NameProjections(const StreamWalk &walk, NodeId softmax, const std::set<NodeId> &branch, Roles *roles) {
  std::map<NodeId, std::string> letters;
  const NodeId scores = MatMulAbove(walk, softmax);
  if (scores != kNone) {
    letters[LinearBehind(walk, walk.node(scores).inputs[0])] += "q";
    letters[LinearBehind(walk, walk.node(scores).inputs[1])] += "k";
  }
  for (const NodeId id : branch) {
    const FloatNode &node = walk.node(id);
    if (node.op_type != "MatMul" || BehindMovement(walk, node.inputs[0]) != walk.node(softmax).outputs[0]) continue;
    letters[LinearBehind(walk, node.inputs[1])] += "v";
  }
  for (const auto &[id, role] : letters) {
    if (id != kNone) roles->emplace(id, role);
  }
}

void NameBranch(const StreamWalk &walk, const Residual &residual, Roles *roles) {
  for (const NodeId softmax : residual.softmaxes) NameProjections(walk, softmax, residual.branch, roles);
  int fc = 0;
  for (const NodeId id : residual.branch) {
    if (IsNorm(walk.node(id))) (*roles)[id] = residual.is_attention() ? "norm1" : "norm2";
    if (!IsLinear(walk, id) || roles->count(id) > 0) continue;
    (*roles)[id] = residual.is_attention() ? "proj" : "fc" + std::to_string(++fc);
  }
  (*roles)[residual.add] = residual.is_attention() ? "add1" : "add2";
}

// ---- Blocks

struct Place {
  std::string block, part;
};

// By float node. What lies between two residuals (the norm of a post-norm block) belongs to the one before.
std::vector<Place> PlaceNodes(const StreamWalk &walk, const std::vector<Residual> &stream) {
  std::vector<Place> places(walk.graph.float_nodes.size());
  if (stream.empty()) return places;
  std::vector<bool> placed(places.size());
  int block = -1;
  NodeId next = 0;
  Place before = {"embed", ""};
  for (const Residual &residual : stream) {
    block += residual.is_attention() || block < 0;
    const Place place = {"block" + std::to_string(block), residual.is_attention() ? "attn" : "mlp"};
    for (const NodeId id : residual.branch) places[id] = place, placed[id] = true;
    places[residual.add] = place, placed[residual.add] = true;
    for (; next < residual.add; next++) {
      if (!placed[next]) places[next] = before, placed[next] = true;
    }
    before = place;
  }
  for (; next < static_cast<NodeId>(places.size()); next++) {
    if (!placed[next]) places[next] = {"head", ""};
  }
  return places;
}

// "com.example.hard_swish" -> "hard_swish"
std::string OpName(const o2m_op *op) {
  const std::string id = op->id;
  const size_t dot = id.rfind('.');
  return dot == std::string::npos ? id : id.substr(dot + 1);
}

// Tensors that carry the residual stream.
std::set<TensorId> StreamTensors(const StreamWalk &walk, const std::vector<Residual> &stream) {
  std::set<TensorId> tensors;
  for (const Residual &residual : stream) {
    tensors.insert(residual.skip);
    tensors.insert(walk.node(residual.add).outputs[0]);
  }
  return tensors;
}

}  // namespace

VitView ViewAsVit(const Graph &graph) {
  const StreamWalk walk(graph);
  VitView view;
  for (const Residual &residual : Stream(walk)) {
    Roles roles;
    NameBranch(walk, residual, &roles);
    if (residual.is_attention()) view.depth++;
    if (residual.is_attention() && !view.found) {
      view.found = true;
      const std::vector<int64_t> &dims = graph.tensors[walk.node(residual.softmaxes[0]).inputs[0]].dims;
      const int64_t rows = dims.size() >= 2 ? dims[dims.size() - 2] * dims.back() : 1;
      view.heads = static_cast<int64_t>(residual.softmaxes.size()) * ElementCount(dims) / std::max<int64_t>(rows, 1);
      view.tokens = dims.size() >= 2 ? dims[dims.size() - 2] : 0;
      const std::vector<int64_t> &x = graph.tensors[residual.skip].dims;
      view.dim = x.empty() ? 0 : x.back();
      view.head_dim = view.heads > 0 ? view.dim / view.heads : 0;
    }
    for (const auto &[id, role] : roles) {
      if (role == "fc1" && view.mlp_dim == 0) view.mlp_dim = graph.tensors[walk.node(id).outputs[0]].dims.back();
    }
  }
  return view;
}

std::vector<NodeLabel> LabelNodes(const Graph &graph) {
  const StreamWalk walk(graph);
  const std::vector<Residual> stream = Stream(walk);
  const std::vector<Place> places = PlaceNodes(walk, stream);
  const std::set<TensorId> x = StreamTensors(walk, stream);
  Roles roles;
  for (const Residual &residual : stream) NameBranch(walk, residual, &roles);

  std::vector<NodeLabel> labels;
  for (const Node &node : graph.nodes) {
    NodeLabel label;
    if (!stream.empty()) label.block = "embed";
    if (!labels.empty()) label.block = labels.back().block, label.part = labels.back().part;  // of a copy
    label.name = OpName(node.op);
    for (const NodeId id : node.float_nodes) {
      if (roles.count(id) > 0) label.name = roles.at(id);
      label.block = places[id].block, label.part = places[id].part;
    }
    label.result = label.name;
    for (const TensorId out : node.outputs) {
      if (x.count(out) > 0) label.result = "x";
    }
    labels.push_back(std::move(label));
  }
  return labels;
}

std::vector<std::pair<std::string, int64_t>> StructureOf(const Graph &graph) {
  const VitView vit = ViewAsVit(graph);
  if (!vit.found) return {};
  return {{"blocks", vit.depth}, {"heads", vit.heads},       {"tokens", vit.tokens},
          {"dim", vit.dim},      {"head_dim", vit.head_dim}, {"mlp_dim", vit.mlp_dim}};
}

}  // namespace onnx2mcu
