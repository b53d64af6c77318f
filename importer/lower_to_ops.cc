// Lets ops claim subgraphs of the float half: a tree covering from the outputs upward, largest match first.
#include <algorithm>
#include <array>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "importer/coarse.h"
#include "importer/fake_quantize.h"
#include "importer/layout.h"
#include "importer/match_graph.h"
#include "importer/quant/rule.h"

namespace onnx2mcu {
namespace {

struct Claim {
  const o2m_op *op = nullptr;
  std::vector<NodeId> nodes;
  std::vector<TensorId> inputs, outputs;
  std::vector<std::byte> params;
};

// Arrays that a match() call fills.
struct MatchBuffers {
  std::vector<int32_t> nodes;
  std::array<int32_t, O2M_MAX_OPERANDS> inputs{}, outputs{};
  std::vector<std::byte> params;
  o2m_match match{};
  MatchBuffers(const o2m_op *op, size_t node_count) : nodes(node_count), params(std::max<size_t>(op->params_size, 1)) {
    match.struct_size = sizeof match;
    match.capacity = static_cast<int32_t>(nodes.size());
    match.nodes = nodes.data(), match.inputs = inputs.data(), match.outputs = outputs.data();
    match.params = params.data();
  }
};

bool InRange(const int32_t *ids, int32_t count, size_t limit) {
  return std::all_of(ids, ids + count, [&](int32_t id) { return id >= 0 && static_cast<size_t>(id) < limit; });
}

absl::StatusOr<Claim> TryMatch(const o2m_op *op, const MatchGraph &match_graph, NodeId root, Host &host) {
  const Graph &graph = match_graph.graph();
  MatchBuffers b(op, graph.float_nodes.size());
  const o2m_status status = op->match(&host.host, match_graph.get(), root, &b.match);
  if (status == O2M_NO_MATCH) return Claim{};
  const std::string where = absl::StrCat(graph.file, ": node '", graph.float_nodes[root].name, "': match of ", op->id);
  if (status != O2M_OK) return ToStatus(status, host, where);
  const o2m_match &m = b.match;
  if (m.node_count < 0 || m.node_count > m.capacity || m.input_count < 0 || m.input_count > O2M_MAX_OPERANDS ||
      m.output_count < 0 || m.output_count > O2M_MAX_OPERANDS ||
      !InRange(m.nodes, m.node_count, graph.float_nodes.size()) ||
      !InRange(m.inputs, m.input_count, graph.tensors.size()) ||
      !InRange(m.outputs, m.output_count, graph.tensors.size()))
    return absl::InvalidArgumentError(
        absl::StrCat(where, " returned ids outside the graph; the plugin must be mended"));
  Claim claim{op,
              {b.nodes.begin(), b.nodes.begin() + m.node_count},
              {m.inputs, m.inputs + m.input_count},
              {m.outputs, m.outputs + m.output_count},
              {b.params.begin(), b.params.begin() + op->params_size}};
  if (claim.nodes.empty()) claim.nodes = {root};
  if (claim.outputs.empty()) claim.outputs = graph.float_nodes[root].outputs;
  std::sort(claim.nodes.begin(), claim.nodes.end());
  return claim;
}

Node NodeOf(const Claim &claim, const std::string &name) {
  Node node;
  node.name = name, node.op = claim.op, node.inputs = claim.inputs, node.outputs = claim.outputs;
  node.params = claim.params, node.float_nodes = claim.nodes;
  return node;
}

// What bytes are too coarse for: `coarse`; in a model that rounds, what it rounds to 16 bits, and what it computes
// without rounding at all.
bool IsFine(const MatchGraph &match_graph, const std::vector<TensorId> &coarse, TensorId id, bool rounds) {
  const Graph &graph = match_graph.graph();
  for (NodeId producer; (producer = match_graph.ProducerOf(id)) != kNone; id = graph.float_nodes[producer].inputs[0]) {
    const FloatNode &node = graph.float_nodes[producer];
    if (Contains(coarse, id) || Contains(coarse, node.outputs[0])) return true;
    if (IsFakeQuantize(node)) return DTypeOf(GridOf(node)) == DType::kS16;
    if (!IsMovement(graph, node)) return rounds;
  }
  return false;
}

// The op would take as bytes what they are too coarse for.
bool IsCoarse(const MatchGraph &match_graph, const std::vector<TensorId> &coarse, const Claim &claim) {
  const Graph &graph = match_graph.graph();
  const bool rounds = std::any_of(graph.float_nodes.begin(), graph.float_nodes.end(), IsFakeQuantize);
  if (!rounds && coarse.empty()) return false;
  const o2m_quant_rule rule = RuleOf(graph, NodeOf(claim, {}));
  for (size_t i = 0; i < claim.inputs.size(); i++)
    if (!(rule.s16_inputs >> i & 1) && IsFine(match_graph, coarse, claim.inputs[i], rounds)) return true;
  return false;
}

// The largest claim on `root`, of those that are not coarse if there are any; on a tie the later-loaded op wins, so
// that a third party can replace a built-in one.
absl::StatusOr<Claim> BestClaim(const Registry &registry, const MatchGraph &match_graph, NodeId root, Host &host,
                                CoarseTensors &tensors) {
  Claim best, coarse;
  for (const o2m_op *op : registry.ops()) {
    O2M_ASSIGN_OR_RETURN(Claim claim, TryMatch(op, match_graph, root, host));
    if (!claim.op) continue;
    Claim &other = IsCoarse(match_graph, tensors.read, claim) ? coarse : best;
    if (claim.nodes.size() >= other.nodes.size()) other = std::move(claim);
  }
  if (!best.op) return coarse;
  for (NodeId id : coarse.nodes)
    for (TensorId out : match_graph.graph().float_nodes[id].outputs) tensors.inside.push_back(out);
  return best;
}

// An operand that must be constant and is not: its position, or -1.
int ComputedOperand(const Graph &graph, const FloatNode &node) {
  const bool weights = node.op_type == "Conv" || node.op_type == "ConvTranspose" || node.op_type == "Einsum";
  for (size_t i = 1; i < node.inputs.size(); i++) {
    if (node.inputs[i] == kNone || graph.tensors[node.inputs[i]].is_constant) continue;
    if (weights || graph.tensors[node.inputs[i]].dtype != DType::kF32) return static_cast<int>(i);
  }
  return -1;
}

// Why no op takes the node, and what to change where the model is exported.
std::string Reason(const Graph &graph, const FloatNode &node) {
  for (TensorId out : node.outputs)
    if (out != kNone && graph.tensors[out].dtype == DType::kBool)
      return "truth values cannot leave the network; write .float() behind the comparison, or compare outside";
  for (const char *type : {"LSTM", "GRU", "RNN"})
    if (node.op_type == type) return "recurrent layers have no integer form; convolutions or attention would work";
  if (const int operand = ComputedOperand(graph, node); operand > 0)
    return absl::StrCat("operand ", operand, ", '", graph.tensors[node.inputs[operand]].name,
                        "', is computed from the input; a constant would work");
  if (!node.outputs.empty() && node.outputs[0] != kNone && graph.tensors[node.outputs[0]].dtype != DType::kF32)
    return "its result is an integer that depends on the input; ArgMax and TopK are the ones that work";
  return "write it with other operators in the model, such as a lower opset uses";
}

std::string Describe(const Graph &graph, const FloatNode &node) {
  const std::string type = node.domain.empty() ? node.op_type : absl::StrCat(node.domain, ".", node.op_type);
  return absl::StrCat("node '", node.name, "' (", type, ", opset ", node.opset, ")",
                      node.source.empty() ? "" : absl::StrCat(" from ", node.source), ": ", Reason(graph, node));
}

struct Covering {
  std::vector<bool> needed;  // by TensorId
  std::vector<Node> nodes;   // last first
  std::vector<std::string> refused;
  CoarseTensors *coarse;
};

bool AnyNeeded(const Covering &cover, const FloatNode &node) {
  return std::any_of(node.outputs.begin(), node.outputs.end(),
                     [&](TensorId id) { return id != kNone && cover.needed[id]; });
}

void Need(Covering &cover, const Graph &graph, const std::vector<TensorId> &ids) {
  for (TensorId id : ids)
    if (id != kNone && !graph.tensors[id].is_constant) cover.needed[id] = true;
}

absl::Status CoverNode(const Graph &graph, const Registry &registry, const MatchGraph &match_graph, Host &host,
                       NodeId id, Covering &cover) {
  const FloatNode &node = graph.float_nodes[id];
  if (!AnyNeeded(cover, node)) return absl::OkStatus();
  if (IsMovement(graph, node)) {
    Need(cover, graph, node.op_type == "Concat" ? node.inputs : std::vector<TensorId>{node.inputs[0]});
    return absl::OkStatus();
  }
  O2M_ASSIGN_OR_RETURN(Claim claim, BestClaim(registry, match_graph, id, host, *cover.coarse));
  if (!claim.op) {
    cover.refused.push_back(Describe(graph, node));
    Need(cover, graph, node.inputs);  // go on, to list every unsupported node at once
    return absl::OkStatus();
  }
  Need(cover, graph, claim.inputs);
  for (TensorId out : claim.outputs) cover.needed[out] = false;
  cover.nodes.push_back(NodeOf(claim, node.name));
  return absl::OkStatus();
}

}  // namespace

absl::Status LowerToOps(Graph &graph, const Registry &registry) {
  CoarseTensors coarse;
  return LowerToOps(graph, registry, &coarse);
}

absl::Status LowerToOps(Graph &graph, const Registry &registry, CoarseTensors *coarse) {
  if (registry.ops().empty())
    return absl::FailedPreconditionError(
        absl::StrCat(graph.file,
                     ": no operator plugin is loaded, so nothing can be lowered; the built-in ones lie in "
                     "`plugins` beside the program, others are given by --plugin=FILE.so"));
  const MatchGraph match_graph(graph);
  Host host;
  Covering cover{std::vector<bool>(graph.tensors.size()), {}, {}, coarse};
  Need(cover, graph, graph.outputs);
  for (NodeId id = static_cast<NodeId>(graph.float_nodes.size()) - 1; id >= 0; id--)
    O2M_RETURN_IF_ERROR(CoverNode(graph, registry, match_graph, host, id, cover));
  if (!cover.refused.empty()) {
    std::reverse(cover.refused.begin(), cover.refused.end());
    return absl::UnimplementedError(absl::StrCat(
        graph.file, ": ", cover.refused.size(), " node(s) that no op claims: ", absl::StrJoin(cover.refused, "; "),
        "; load a plugin that matches them (--plugin=FILE.so; `onnx2mcu ops` lists what is loaded)"));
  }
  graph.nodes.assign(std::make_move_iterator(cover.nodes.rbegin()), std::make_move_iterator(cover.nodes.rend()));
  return absl::OkStatus();
}

}  // namespace onnx2mcu
