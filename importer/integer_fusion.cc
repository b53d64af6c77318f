// Fusion of integer nodes: exact, so that sums of 32 bits need no memory and functions of a byte no arithmetic.
#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "importer/dialect.h"
#include "importer/evaluate.h"

namespace onnx2mcu {
namespace {

using Dims = std::vector<int64_t>;

struct Uses {
  std::vector<NodeId> producers;
  std::vector<std::vector<NodeId>> consumers;
  std::vector<bool> is_output;
};

Uses UsesOf(const Graph &graph) {
  Uses uses{Producers(graph), Consumers(graph), std::vector<bool>(graph.tensors.size())};
  for (TensorId id : graph.outputs) uses.is_output[id] = true;
  return uses;
}

bool IsInteger(const FloatNode &node, const char *op_type) {
  return node.domain == kIntegerDomain && node.op_type == op_type;
}
bool HasFlag(const FloatNode &node, const char *key) { return AttrInt(node, key, 0) != 0; }
bool IsUnary(const FloatNode &node) { return IsInteger(node, "IntegerElementwise") && !HasFlag(node, "binary"); }
bool Sums(const FloatNode &node) { return IsInteger(node, "IntegerMatMul") || IsInteger(node, "IntegerConv"); }

// The node that `node` alone reads at input 0, or kNone.
NodeId OnlyProducer(const Uses &uses, const FloatNode &node) {
  const TensorId x = node.inputs[0];
  if (uses.is_output[x] || uses.consumers[x].size() != 1) return kNone;
  return uses.producers[x];
}

// The axis of the channels of what `producer` sums.
size_t ChannelAxis(const Graph &graph, const FloatNode &producer) {
  return producer.op_type == "IntegerConv" ? 1 : graph.tensors[producer.outputs[0]].dims.size() - 1;
}

// The constant `values`, which broadcasts to the output of `producer` as `aligned` says, as one value per channel or
// one for all; kNone where it runs along another axis.
TensorId PerChannel(Graph &graph, const FloatNode &producer, TensorId values, const Dims &aligned) {
  const Tensor tensor = graph.tensors[values];
  const size_t axis = ChannelAxis(graph, producer);
  if (!tensor.is_constant || aligned.size() <= axis) return kNone;
  for (size_t i = 0; i < aligned.size(); i++)
    if (i != axis && aligned[i] != 1) return kNone;
  Tensor vector;
  vector.name = tensor.name;
  const int64_t count = ElementCount(tensor.dims);
  const Dims dims = axis == 1 && producer.op_type == "IntegerConv" ? Dims{count} : Dims{1, count};
  SetConstant(vector, {DType::kS64, dims, {}, ValueOf(tensor).i});
  return AddTensor(graph, std::move(vector));
}

// `dims` with ones in front, up to `rank` of them.
Dims Broadcast(Dims dims, size_t rank) {
  while (dims.size() < rank) dims.insert(dims.begin(), 1);
  return dims;
}

// `node`, taken into `into`: that one writes what `node` wrote.
void TakeOver(FloatNode &into, FloatNode &node) {
  into.outputs = node.outputs;
  into.name = node.name;
  node.outputs = {kNone};
}

// a b + bias, or a convolution plus one value per channel.
bool FuseBias(Graph &graph, const Uses &uses, FloatNode &node) {
  if (!IsInteger(node, "IntegerElementwise") || AttrString(node, "kind", "") != "add" || HasFlag(node, "requant"))
    return false;
  const NodeId id = OnlyProducer(uses, node);
  if (id == kNone || !Sums(graph.float_nodes[id]) || !graph.tensors[node.inputs[1]].is_constant) return false;
  FloatNode &producer = graph.float_nodes[id];
  if (HasFlag(producer, "bias") || HasFlag(producer, "requant")) return false;
  if (graph.tensors[producer.outputs[0]].dims != graph.tensors[node.outputs[0]].dims) return false;
  const Dims dims = graph.tensors[node.outputs[0]].dims, added = graph.tensors[node.inputs[1]].dims;
  const TensorId bias = PerChannel(graph, producer, node.inputs[1], Broadcast(added, dims.size()));
  if (bias == kNone || ElementCount(added) != dims[ChannelAxis(graph, producer)]) return false;
  producer.inputs.resize(2);
  producer.inputs.push_back(bias);
  producer.attrs["bias"] = int64_t{1};
  TakeOver(producer, node);
  return true;
}

// What an elementwise node is given needs no shape of its own; sums take one factor per channel.
bool FuseRequantisation(Graph &graph, const Uses &uses, FloatNode &node) {
  if (!IsUnary(node) || AttrString(node, "kind", "") != "identity" || !HasFlag(node, "requant")) return false;
  const NodeId id = OnlyProducer(uses, node);
  if (id == kNone) return false;
  FloatNode &producer = graph.float_nodes[id];
  const bool elementwise = IsInteger(producer, "IntegerElementwise");
  if (HasFlag(producer, "requant") || (!elementwise && !Sums(producer))) return false;
  TensorId factors[2] = {node.inputs[1], node.inputs[2]};
  for (TensorId &factor : factors) {
    const auto aligned = FactorDims(graph.tensors[factor].dims, graph.tensors[node.outputs[0]].dims);
    if (!aligned.ok()) return false;
    if (!elementwise) factor = PerChannel(graph, producer, factor, *aligned);
    if (factor == kNone) return false;
  }
  for (TensorId factor : factors) producer.inputs.push_back(factor);
  for (const char *key : {"requant", "div", "round", "low", "high"}) producer.attrs[key] = node.attrs[key];
  TakeOver(producer, node);
  return true;
}

void RemoveTaken(Graph &graph) {
  auto &nodes = graph.float_nodes;
  nodes.erase(std::remove_if(nodes.begin(), nodes.end(),
                             [](const FloatNode &n) { return n.outputs.size() == 1 && n.outputs[0] == kNone; }),
              nodes.end());
}

// ---- Tables ----

bool IsScalar(const Graph &graph, TensorId id) {
  return graph.tensors[id].is_constant && ElementCount(graph.tensors[id].dims) == 1;
}

// One value in, one out, the same for every element.
bool IsFunction(const Graph &graph, const FloatNode &node) {
  if (IsInteger(node, "IntegerTable")) return true;
  if (!IsUnary(node)) return false;
  return std::all_of(node.inputs.begin() + 1, node.inputs.end(), [&](TensorId id) { return IsScalar(graph, id); });
}

// The values of `node` at every integer of x, all of one shape; `x` one-dimensional.
absl::StatusOr<std::vector<int64_t>> Tabulate(const Graph &graph, const FloatNode &node,
                                              const std::vector<int64_t> &x) {
  FloatNode exact = node;
  exact.attrs["wide"] = int64_t{1};
  const Value values{DType::kS64, {static_cast<int64_t>(x.size())}, {}, x};
  std::vector<Value> constants;
  for (size_t i = 1; i < node.inputs.size(); i++) constants.push_back(ValueOf(graph.tensors[node.inputs[i]]));
  std::vector<const Value *> operands = {&values};
  for (const Value &constant : constants) operands.push_back(&constant);
  O2M_ASSIGN_OR_RETURN(const std::vector<Value> out, EvaluateNode(exact, operands));
  return out[0].i;
}

absl::Status MakeTable(Graph &graph, FloatNode &node, int64_t first) {
  std::vector<int64_t> x(256);
  for (size_t i = 0; i < x.size(); i++) x[i] = first + static_cast<int64_t>(i);
  O2M_ASSIGN_OR_RETURN(const std::vector<int64_t> y, Tabulate(graph, node, x));
  Tensor table;
  table.name = graph.tensors[node.outputs[0]].name + "_table";
  SetConstant(table, {DType::kS64, {256}, {}, y});
  node.inputs = {node.inputs[0], AddTensor(graph, std::move(table))};
  node.op_type = "IntegerTable";
  node.attrs = {{"first", first}};
  return absl::OkStatus();
}

// The function `node` of a table's values is a table of the same values.
absl::Status ExtendTable(Graph &graph, FloatNode &table, FloatNode &node) {
  O2M_ASSIGN_OR_RETURN(const std::vector<int64_t> y, Tabulate(graph, node, ValueOf(graph.tensors[table.inputs[1]]).i));
  Tensor made;
  made.name = graph.tensors[node.outputs[0]].name + "_table";
  SetConstant(made, {DType::kS64, {256}, {}, y});
  table.inputs[1] = AddTensor(graph, std::move(made));
  TakeOver(table, node);
  return absl::OkStatus();
}

// Identities by name only: requantised by one, nothing clipped. They stay, as a table, where an output needs them.
absl::Status TabulateNode(Graph &graph, const Uses &uses, const std::vector<IntegerRange> &ranges, NodeId id) {
  FloatNode &node = graph.float_nodes[id];
  if (!IsFunction(graph, node) || IsInteger(node, "IntegerTable")) return absl::OkStatus();
  const NodeId before = OnlyProducer(uses, node);
  if (before != kNone && IsInteger(graph.float_nodes[before], "IntegerTable") &&
      graph.float_nodes[before].outputs[0] == node.inputs[0])
    return ExtendTable(graph, graph.float_nodes[before], node);
  const IntegerRange x = ranges[node.inputs[0]];
  const DType type = TypeOf(x);
  if (type != DType::kS8 && type != DType::kU8) return absl::OkStatus();
  return MakeTable(graph, node, type == DType::kS8 ? -128 : 0);
}

// ---- Widths ----

double Magnitude(const Graph &graph, TensorId id) {
  double most = 0;
  for (int64_t v : ValueOf(graph.tensors[id]).i) most = std::max(most, std::abs(static_cast<double>(v)));
  return most;
}

// wide_sum: what is added up, in any order, may need more than 32 bits; narrow: what is requantised never does, scaled.
absl::Status StateWidths(const Graph &graph, FloatNode &node, std::vector<IntegerRange> ranges) {
  if (!Sums(node) && !IsInteger(node, "IntegerElementwise")) return absl::OkStatus();
  for (IntegerRange &range : ranges) range = {std::min<int64_t>(range.low, 0), std::max<int64_t>(range.high, 0)};
  const IntegerRange sum = SumRange(graph, node, ranges);
  const double most = static_cast<double>(std::max(-sum.low, sum.high));
  if (most >= 2147483648.0) node.attrs["wide_sum"] = int64_t{1};
  if (!HasFlag(node, "requant")) return absl::OkStatus();
  const size_t at = node.inputs.size() - 2;
  const double div = static_cast<double>(AttrInt(node, "div", 1));
  const double scaled = 2 * (most * Magnitude(graph, node.inputs[at]) + Magnitude(graph, node.inputs[at + 1]) + div);
  if (scaled < 2147483648.0 || (AttrInt(node, "div", 1) % 2 == 0 && scaled < 2 * 2147483648.0))
    node.attrs["narrow"] = int64_t{1};
  if (scaled < 4.0e18) return absl::OkStatus();
  return absl::UnimplementedError(absl::StrCat(graph.file, ": ", NodeText(node), ": sums up to ", sum.high,
                                               " times its factors do not fit 64 bits; smaller factors would work"));
}

}  // namespace

void FuseIntegers(Graph &graph) {
  for (auto *fuse : {FuseBias, FuseRequantisation}) {
    const Uses uses = UsesOf(graph);
    for (FloatNode &node : graph.float_nodes) fuse(graph, uses, node);
    RemoveTaken(graph);
  }
}

absl::Status TabulateIntegers(Graph &graph) {
  constexpr int64_t kExactInFloat = int64_t{1} << 24;
  std::vector<IntegerRange> inputs;
  for (const auto &[low, high] : graph.declared_inputs) inputs.push_back({low, high});
  O2M_ASSIGN_OR_RETURN(const std::vector<IntegerRange> ranges, IntegerRanges(graph, inputs));
  const Uses uses = UsesOf(graph);
  for (size_t id = 0; id < graph.float_nodes.size(); id++)
    O2M_RETURN_IF_ERROR(TabulateNode(graph, uses, ranges, static_cast<NodeId>(id)));
  RemoveTaken(graph);
  for (FloatNode &node : graph.float_nodes) {
    if (node.domain != kIntegerDomain) continue;
    const IntegerRange range = ranges[node.outputs[0]];
    if (range.low < -kExactInFloat || range.high > kExactInFloat) node.attrs["wide"] = int64_t{1};
    O2M_RETURN_IF_ERROR(StateWidths(graph, node, ranges));
  }
  return absl::OkStatus();
}

}  // namespace onnx2mcu
