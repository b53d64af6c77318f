#include "bench/case_network.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "importer/ir/op_node.h"
#include "planner/cost.h"
#include "planner/plan.h"

namespace onnx2mcu {
namespace {

bool IsSelected(const std::string &name, const std::vector<std::string> &select) {
  const auto in_name = [&name](const std::string &part) { return absl::StrContains(name, part); };
  return select.empty() || std::any_of(select.begin(), select.end(), in_name);
}

QuantParams QuantOf(const o2m_quant &quant) {
  QuantParams params;
  params.axis = quant.axis;
  for (int32_t c = 0; c < quant.count; c++) {
    params.scale.push_back(quant.scale[c]);
    params.zero_point.push_back(quant.zero_point[c]);
  }
  return params;
}

// Memory for an operand that the case wants strided: as long as it reaches.
TensorId AddBase(Graph &graph, const o2m_tensor &given, const Tensor &tensor) {
  Tensor base = tensor;
  int64_t last = 0;
  for (int32_t d = 0; d < given.rank; d++) last += (given.dims[d] - 1) * given.strides[d];
  base.name += ".memory";
  base.dims = {last + 1};
  return AddTensor(graph, base);
}

TensorId AddOperand(Graph &graph, const o2m_tensor &given, const std::string &name) {
  Tensor tensor;
  tensor.name = name;
  tensor.dtype = static_cast<DType>(given.dtype);
  tensor.dims.assign(given.dims, given.dims + given.rank);
  tensor.is_constant = given.is_constant != 0;
  tensor.quant = QuantOf(given.quant);
  if (given.data != nullptr) {
    const auto *bytes = static_cast<const std::byte *>(given.data);
    tensor.data.assign(bytes, bytes + BytesOf(tensor));
  }
  const std::vector<int64_t> strides(given.strides, given.strides + given.rank);
  if (!tensor.is_constant && given.dtype != O2M_ANY && strides != DenseStrides(tensor.dims)) {
    tensor.base = AddBase(graph, given, tensor);
    tensor.strides = strides;
  }
  return AddTensor(graph, tensor);
}

NodeId AddCase(Graph &graph, const o2m_op *op, const o2m_case &c, const std::string &name) {
  Node node;
  node.name = name;
  node.op = op;
  const auto *params = static_cast<const std::byte *>(c.params);
  node.params.assign(params, params + op->params_size);
  for (int32_t i = 0; i < c.input_count; i++) {
    const o2m_tensor &given = c.inputs[i];
    const bool missing = given.dtype == O2M_ANY && given.rank == 0;
    const TensorId id = missing ? kNone : AddOperand(graph, given, absl::StrCat(name, ".x", i));
    node.inputs.push_back(id);
    if (!missing && !graph.tensors[id].is_constant) graph.inputs.push_back(BaseOf(graph, id));
  }
  for (int32_t i = 0; i < c.output_count; i++) {
    const TensorId id = AddOperand(graph, c.outputs[i], absl::StrCat(name, ".y", i));
    node.outputs.push_back(id);
    graph.outputs.push_back(BaseOf(graph, id));
  }
  graph.nodes.push_back(node);
  return static_cast<NodeId>(graph.nodes.size() - 1);
}

// The same node with a table behind it, on the same inputs. A table of no regular form: nothing can see through it.
NodeId AddWithTable(Graph &graph, NodeId plain, const std::string &name) {
  Node node = graph.nodes[plain];
  node.name = name;
  Tensor output = graph.tensors[node.outputs[0]];
  output.name = name + ".y0";
  Epilogue epilogue{output.quant, std::vector<int8_t>(256), name};
  for (int i = 0; i < 256; i++) epilogue.table[i] = static_cast<int8_t>((i * 167 + 13) % 256 - 128);
  node.epilogue = {epilogue};
  node.outputs = {AddTensor(graph, output)};
  graph.outputs.push_back(node.outputs[0]);
  graph.nodes.push_back(node);
  return static_cast<NodeId>(graph.nodes.size() - 1);
}

bool TakesTable(const Graph &graph, const Node &node) {
  const Tensor &output = graph.tensors[node.outputs[0]];
  return (node.op->flags & O2M_TAKES_EPILOGUE) != 0 && output.dtype == DType::kS8 && output.quant.scale.size() == 1 &&
         output.base == kNone;
}

// "o2m.linear" -> "linear"
std::string ShortName(const o2m_op *op) {
  const std::string id = op->id;
  return id.substr(id.rfind('.') + 1);
}

// Those of a list whose names start with the prefix.
void AddCasesOf(const o2m_op *op, const char *extension, const std::string &prefix, const CaseOptions &options,
                CaseNetwork *network) {
  const auto *list = static_cast<const o2m_cases *>(ExtensionOf(op, extension));
  Graph &graph = network->compilation.graph;
  for (int32_t i = 0; list != nullptr && i < list->count; i++) {
    const o2m_case &c = *list->get(i);
    const std::string name = absl::StrCat(ShortName(op), "/", absl::StripPrefix(c.name, prefix));
    if (!absl::StartsWith(c.name, prefix) || !IsSelected(name, options.select)) continue;
    const NodeId node = AddCase(graph, op, c, name);
    network->cases.push_back({name, node});
    if (!TakesTable(graph, graph.nodes[node])) continue;
    network->cases.push_back({name + "+table", AddWithTable(graph, node, name + "+table")});
  }
}

void AddWork(const o2m_target &target, CaseNetwork *network) {
  const Compilation &c = network->compilation;
  for (const Stage &stage : c.plan.stages) {
    for (const NodeId id : stage.nodes) {
      const Work work = WorkOf(c.graph, c.graph.nodes[id], target, stage.steps, std::max(stage.rows, 1));
      CountedCase &counted = network->cases[id];  // one case per node, in order
      counted.macs = work.macs, counted.elements = work.elements, counted.outputs = work.outputs;
      counted.steps = stage.steps, counted.rows = stage.rows;
    }
  }
}

uint64_t Next(uint64_t &state) {
  state = state * 6364136223846793005u + 1442695040888963407u;
  return state >> 33;
}

}  // namespace

absl::StatusOr<CaseNetwork> NetworkOfCases(const Registry &registry, const CaseOptions &options, Host &host) {
  CaseNetwork network;
  Compilation &compilation = network.compilation;
  O2M_ASSIGN_OR_RETURN(compilation.target, FindTarget(options.target));
  if (options.plain) compilation.target.features &= O2M_FEATURE_LONG_MUL | O2M_FEATURE_UNALIGNED;
  Graph &graph = compilation.graph;
  graph.name = graph.file = "bench";
  graph.sha256 = std::string(64, '0');
  for (const o2m_op *op : registry.ops()) {
    AddCasesOf(op, "o2m.cases/1", options.prefix, options, &network);
    if (!options.cost_cases) continue;
    const bool has_own = ExtensionOf(op, "o2m.cost_cases/1") != nullptr;
    AddCasesOf(op, has_own ? "o2m.cost_cases/1" : "o2m.cases/1", "", options, &network);
  }
  if (network.cases.empty()) return network;
  const o2m_target target = compilation.target.abi();
  O2M_RETURN_IF_ERROR(InferAll(graph, host, target));
  PlanOptions plan;
  plan.rows = options.rows;
  plan.live_limit = std::numeric_limits<int64_t>::max() / 4;
  O2M_ASSIGN_OR_RETURN(compilation.plan, MakePlan(graph, target, plan));
  O2M_RETURN_IF_ERROR(PackAll(graph, host, target));
  O2M_RETURN_IF_ERROR(ValidatePlan(graph, target, compilation.plan));
  AddWork(target, &network);
  return network;
}

std::vector<std::vector<uint8_t>> InputsOf(const CaseNetwork &network) {
  const Graph &graph = network.compilation.graph;
  std::vector<std::vector<uint8_t>> inputs;
  uint64_t seed = 1;
  for (const TensorId id : graph.inputs) {
    const Tensor &tensor = graph.tensors[id];
    std::vector<uint8_t> &bytes = inputs.emplace_back(BytesOf(tensor));
    for (uint8_t &byte : bytes) byte = static_cast<uint8_t>(Next(seed));
    if (!tensor.data.empty()) std::memcpy(bytes.data(), tensor.data.data(), std::min(bytes.size(), tensor.data.size()));
  }
  return inputs;
}

}  // namespace onnx2mcu
