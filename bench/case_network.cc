#include "bench/case_network.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "importer/ir/op_node.h"
#include "ops/op_cases.hpp"
#include "planner/cost.h"
#include "planner/execute.h"
#include "planner/make_plan.h"
#include "planner/plan.h"
#include "planner/variants.h"

namespace onnx2mcu {
namespace {

bool IsNamed(const std::string &op, const std::vector<std::string> &ops) {
  return ops.empty() || std::find(ops.begin(), ops.end(), op) != ops.end();
}

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
    const o2m_tensor &given = TensorAt(c.inputs, i);
    const bool missing = given.dtype == O2M_ANY && given.rank == 0;
    const TensorId id = missing ? kNone : AddOperand(graph, given, absl::StrCat(name, ".x", i));
    node.inputs.push_back(id);
    if (!missing && !graph.tensors[id].is_constant) graph.inputs.push_back(BaseOf(graph, id));
  }
  for (int32_t i = 0; i < c.output_count; i++) {
    const TensorId id = AddOperand(graph, TensorAt(c.outputs, i), absl::StrCat(name, ".y", i));
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

struct RandomTaker {
  const o2m_op *op;
  CaseNetwork *network;
  uint64_t seed;
};

void TakeCase(void *taker, const o2m_case *c) {
  const auto &[op, network, seed] = *static_cast<RandomTaker *>(taker);
  Graph &graph = network->compilation.graph;
  const std::string name = absl::StrCat(ShortName(op), "/", seed);
  const NodeId node = AddCase(graph, op, *c, name);
  network->cases.push_back({name, node});
  if (seed % 3 == 0 && TakesTable(graph, graph.nodes[node]))
    network->cases.push_back({name + "+table", AddWithTable(graph, node, name + "+table")});
}

void AddRandomCasesOf(const o2m_op *op, const CaseOptions &options, CaseNetwork *network) {
  const auto *random = static_cast<const o2m_random_cases *>(ExtensionOf(op, "o2m.random_cases/1"));
  if (random == nullptr || !IsNamed(ShortName(op), options.ops)) return;
  for (int32_t i = options.random_first; i < options.random_first + options.random_count; i++) {
    RandomTaker taker{op, network, static_cast<uint64_t>(i)};
    random->make(taker.seed, &taker, TakeCase);
  }
}

// *number: of the op's first case among those of all ops; becomes that of the next op's.
void AddWorstCasesOf(const o2m_op *op, const CaseOptions &options, int32_t *number, CaseNetwork *network) {
  const auto *list = static_cast<const o2m_cases *>(ExtensionOf(op, "o2m.worst_cases/1"));
  if (list == nullptr || !IsNamed(ShortName(op), options.ops)) return;
  for (int32_t i = 0; i < list->count; i++) {
    const o2m_case &c = *list->get(i);
    const int32_t own = (*number)++ - options.random_first;
    if (own < 0 || own >= options.random_count || absl::StartsWith(c.name, "host_")) continue;
    Graph &graph = network->compilation.graph;
    const std::string name = absl::StrCat(ShortName(op), "/", c.name);
    const NodeId node = AddCase(graph, op, c, name);
    network->cases.push_back({name, node});
    if (TakesTable(graph, graph.nodes[node]))
      network->cases.push_back({name + "+table", AddWithTable(graph, node, name + "+table")});
  }
}

uint64_t Next(uint64_t &state) {
  state = state * 6364136223846793005u + 1442695040888963407u;
  return state >> 33;
}

// Rows per call by chance, few more often than many. Every block then lies where nothing else does.
absl::Status Scatter(const o2m_target &target, int32_t seed, CaseNetwork *network) {
  constexpr int64_t kAlign = 16, kGap = 64;
  Compilation &c = network->compilation;
  O2M_ASSIGN_OR_RETURN(Contracts contracts, ContractsOf(c.graph, target));
  uint64_t state = static_cast<uint64_t>(seed) + 7;
  std::vector<Stage> stages = c.plan.stages;
  for (Stage &stage : stages) {
    const auto steps = static_cast<uint64_t>(std::max(stage.steps, 1));
    if (stage.steps > 0)
      stage.rows = static_cast<int32_t>(1 + Next(state) % (Next(state) % 2 ? std::min<uint64_t>(steps, 6) : steps));
  }
  c.plan = PlanStages(c.graph, target, contracts, stages);
  c.plan.arena_bytes = 0;
  for (Buffer &buffer : c.plan.buffers) {
    buffer.offset = c.plan.arena_bytes;
    c.plan.arena_bytes = (buffer.offset + buffer.bytes + kGap + kAlign - 1) / kAlign * kAlign;
  }
  return absl::OkStatus();
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

// Element i at its high end where is_high(i), else at its low one.
template <class IsHigh>
void FillEnds(DType dtype, const IsHigh &is_high, std::vector<uint8_t> *bytes) {
  const auto width = static_cast<size_t>(DTypeBytes(dtype));
  for (size_t i = 0; i + width <= bytes->size(); i += width) {
    const bool high = is_high(static_cast<int64_t>(i / width));
    for (size_t b = 0; b < width; b++) {
      const bool top = b + 1 == width && dtype != DType::kU8;
      (*bytes)[i + b] = high ? (top ? 0x7f : 0xff) : (top ? 0x80 : 0);
    }
  }
}

// Input i of a case: for every input of the network, its i.
std::vector<int32_t> PlacesOfInputs(const Graph &graph) {
  std::vector<int32_t> of_tensor(graph.tensors.size(), 0), places;
  for (const Node &node : graph.nodes)
    for (size_t i = 0; i < node.inputs.size(); i++)
      if (node.inputs[i] != kNone) of_tensor[BaseOf(graph, node.inputs[i])] = static_cast<int32_t>(i);
  for (const TensorId id : graph.inputs) places.push_back(of_tensor[id]);
  return places;
}

// Which bytes of an output the view `tensor` writes.
void MarkElements(const Tensor &tensor, size_t start, std::vector<bool> *written) {
  const int64_t element = DTypeBytes(tensor.dtype);
  std::vector<int64_t> index(tensor.dims.size(), 0);
  for (int64_t n = ElementCount(tensor.dims); n > 0; n--) {
    int64_t at = tensor.view_offset;
    for (size_t d = 0; d < index.size(); d++) at += index[d] * tensor.strides[d];
    for (int64_t b = 0; b < element; b++) (*written)[start + static_cast<size_t>(at * element + b)] = true;
    for (size_t d = index.size(); d > 0 && ++index[d - 1] == tensor.dims[d - 1]; d--) index[d - 1] = 0;
  }
}

// What lies between the rows of an output is nobody's.
std::vector<bool> WrittenBytes(const Graph &graph, size_t bytes) {
  std::vector<bool> written(bytes, false);
  std::vector<size_t> starts(graph.tensors.size(), bytes);
  size_t start = 0;
  for (const TensorId id : graph.outputs) starts[id] = start, start += static_cast<size_t>(BytesOf(graph.tensors[id]));
  std::vector<bool> strided(graph.tensors.size(), false);
  for (const Tensor &tensor : graph.tensors) {
    if (tensor.base == kNone || starts[tensor.base] == bytes) continue;
    strided[tensor.base] = true;
    MarkElements(tensor, starts[tensor.base], &written);
  }
  for (const TensorId id : graph.outputs)
    for (size_t i = 0; !strided[id] && i < static_cast<size_t>(BytesOf(graph.tensors[id])); i++)
      written[starts[id] + i] = true;
  return written;
}

// The variant asked for where a node's op takes it; variant 0 where not.
absl::Status ForceVariant(Graph &graph, int32_t variant, Host &host, const o2m_target &target) {
  for (NodeId id = 0; id < static_cast<NodeId>(graph.nodes.size()); id++) {
    O2M_ASSIGN_OR_RETURN(const std::vector<VariantPrice> prices, VariantsOf(graph, id, host, target, 0));
    for (const VariantPrice &price : prices)
      if (price.variant == variant) O2M_RETURN_IF_ERROR(SetVariant(graph, id, variant, host, target));
  }
  return absl::OkStatus();
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
  network.random = options.random_count > 0;
  int32_t worst = 0, number = 0;
  for (const o2m_op *op : registry.ops()) {
    if (number++ % options.parts != options.part) continue;
    if (options.worst) AddWorstCasesOf(op, options, &worst, &network);
    if (options.random_count > 0 && !options.worst) AddRandomCasesOf(op, options, &network);
    if (options.random_count > 0) continue;
    AddCasesOf(op, "o2m.cases/1", options.prefix, options, &network);
    if (!options.cost_cases) continue;
    const bool has_own = ExtensionOf(op, "o2m.cost_cases/1") != nullptr;
    AddCasesOf(op, has_own ? "o2m.cost_cases/1" : "o2m.cases/1", "", options, &network);
  }
  if (network.cases.empty()) return network;
  const o2m_target target = compilation.target.abi();
  O2M_RETURN_IF_ERROR(InferAll(graph, host, target));
  O2M_RETURN_IF_ERROR(options.variant == kNone ? ChooseVariants(graph, host, target, {})
                                               : ForceVariant(graph, options.variant, host, target));
  PlanOptions plan;
  plan.rows = options.rows;
  plan.live_limit = std::numeric_limits<int64_t>::max() / 4;
  O2M_ASSIGN_OR_RETURN(compilation.plan, MakePlan(graph, target, plan));
  if (options.random_count > 0) O2M_RETURN_IF_ERROR(Scatter(target, options.random_first, &network));
  O2M_RETURN_IF_ERROR(PackAll(graph, host, target));
  O2M_RETURN_IF_ERROR(ValidatePlan(graph, target, compilation.plan));
  AddWork(target, &network);
  return network;
}

std::vector<std::vector<uint8_t>> InputsOf(const CaseNetwork &network) {
  const Graph &graph = network.compilation.graph;
  std::vector<std::vector<uint8_t>> inputs;
  uint64_t seed = 1, kinds = 1;
  for (const TensorId id : graph.inputs) {
    const Tensor &tensor = graph.tensors[id];
    std::vector<uint8_t> &bytes = inputs.emplace_back(BytesOf(tensor));
    for (uint8_t &byte : bytes) byte = static_cast<uint8_t>(Next(seed));
    const uint64_t kind = network.random ? Next(kinds) % 8 : 3;
    // any, the lowest, the highest, or both ends at random
    const auto is_high = [&](int64_t) { return kind == 1 || (kind == 2 && Next(kinds) % 2 != 0); };
    if (kind < 3) FillEnds(tensor.dtype, is_high, &bytes);
    if (!tensor.data.empty()) std::memcpy(bytes.data(), tensor.data.data(), std::min(bytes.size(), tensor.data.size()));
  }
  return inputs;
}

std::vector<std::vector<uint8_t>> EndInputsOf(const CaseNetwork &network, int32_t run) {
  const Graph &graph = network.compilation.graph;
  const std::vector<int32_t> places = PlacesOfInputs(graph);
  std::vector<std::vector<uint8_t>> inputs;
  for (size_t i = 0; i < places.size(); i++) {
    const Tensor &tensor = graph.tensors[graph.inputs[i]];
    std::vector<uint8_t> &bytes = inputs.emplace_back(BytesOf(tensor));
    FillEnds(
        tensor.dtype, [&](int64_t n) { return o2m::IsHighEnd(run, places[i], n); }, &bytes);
  }
  return inputs;
}

std::vector<uint8_t> HostBytes(const Compilation &compilation, const std::vector<std::vector<uint8_t>> &inputs) {
  const Graph &graph = compilation.graph;
  Executor executor(graph, compilation.plan, compilation.target.abi());
  std::vector<const void *> in;
  std::vector<void *> out;
  std::vector<std::vector<uint8_t>> parts;
  for (const auto &input : inputs) in.push_back(input.data());
  for (const TensorId id : graph.outputs) parts.emplace_back(BytesOf(graph.tensors[id]));
  for (auto &part : parts) out.push_back(part.data());
  executor.Run(in, out);
  std::vector<uint8_t> outputs;
  for (const auto &part : parts) outputs.insert(outputs.end(), part.begin(), part.end());
  return outputs;
}

std::string FirstDifference(const Graph &graph, const std::vector<uint8_t> &host, const std::vector<uint8_t> &target,
                            uint8_t poison) {
  const std::vector<bool> written = WrittenBytes(graph, host.size());
  size_t start = 0;
  for (const TensorId id : graph.outputs) {
    const size_t end = start + static_cast<size_t>(BytesOf(graph.tensors[id]));
    for (size_t i = start; i < end; i++) {
      const int expected = written[i] ? host[i] : poison;
      if (target[i] == expected) continue;
      return absl::StrCat(graph.tensors[id].name, ", byte ", i - start, written[i] ? "" : " between rows", ": ",
                          static_cast<int>(target[i]), " and not ", expected);
    }
    start = end;
  }
  return "";
}

}  // namespace onnx2mcu
