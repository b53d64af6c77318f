#include "importer/ir/op_node.h"

#include <algorithm>
#include <array>
#include <deque>

#include "absl/strings/str_cat.h"

namespace onnx2mcu {

// Deques keep addresses while the parts grow: the o2m_node points into them.
struct OpNode::Parts {
  std::deque<o2m_tensor> tensors;
  std::vector<const o2m_tensor *> inputs;
  std::vector<o2m_tensor *> outputs;
  std::vector<std::byte> params;
  std::array<o2m_constant, O2M_MAX_CONSTANTS> constants{};
  o2m_epilogue epilogue{};
  o2m_node node{};
};

namespace {

o2m_quant QuantView(const QuantParams &quant) {
  return {quant.scale.data(), quant.zero_point.data(), static_cast<int32_t>(quant.scale.size()), quant.axis};
}

o2m_tensor TensorView(const Tensor &tensor) {
  o2m_tensor view{};
  view.struct_size = sizeof view;
  view.name = tensor.name.c_str();
  view.dtype = static_cast<o2m_dtype>(tensor.dtype);
  view.rank = static_cast<int32_t>(tensor.dims.size());
  const std::vector<int64_t> strides = StridesOf(tensor);
  for (size_t i = 0; i < tensor.dims.size() && i < O2M_MAX_RANK; i++) {
    view.dims[i] = static_cast<int32_t>(tensor.dims[i]);
    view.strides[i] = strides[i];
  }
  view.token_axis = O2M_NONE;
  view.quant = QuantView(tensor.quant);
  view.is_constant = tensor.is_constant;
  view.data = tensor.is_constant && !tensor.data.empty() ? tensor.data.data() : nullptr;
  return view;
}

o2m_tensor Missing() {
  o2m_tensor view{};
  view.struct_size = sizeof view;
  view.name = "";
  view.token_axis = O2M_NONE;
  return view;
}

QuantParams QuantOf(const o2m_quant &quant) {
  QuantParams params;
  if (quant.count <= 0) return params;
  params.scale.assign(quant.scale, quant.scale + quant.count);
  params.zero_point.assign(quant.zero_point, quant.zero_point + quant.count);
  params.axis = quant.axis;
  return params;
}

std::string Where(const Graph &graph, const Node &node) {
  return absl::StrCat(graph.file, ": node '", node.name, "' (", node.op->id, ")");
}

}  // namespace

OpNode::OpNode(const Graph &graph, const Node &node) : parts_(std::make_unique<Parts>()) {
  Parts &p = *parts_;
  for (TensorId id : node.inputs) {
    p.tensors.push_back(id == kNone ? Missing() : TensorView(graph.tensors[id]));
    p.inputs.push_back(&p.tensors.back());
  }
  for (TensorId id : node.outputs) {
    p.tensors.push_back(TensorView(graph.tensors[id]));
    p.outputs.push_back(&p.tensors.back());
  }
  p.params = node.params;
  p.params.resize(std::max<size_t>(node.op->params_size, 1));
  for (size_t i = 0; i < node.constants.size(); i++) {
    const Constant &constant = node.constants[i];
    void *data = constant.data.empty() ? nullptr : const_cast<std::byte *>(constant.data.data());
    p.constants[i] = {constant.hint.c_str(), static_cast<o2m_dtype>(constant.dtype), constant.count, data};
  }
  if (!node.epilogue.empty()) p.epilogue = {QuantView(node.epilogue[0].in), node.epilogue[0].table.data()};
  p.node.struct_size = sizeof p.node;
  p.node.name = node.name.c_str();
  p.node.input_count = static_cast<int32_t>(p.inputs.size());
  p.node.output_count = static_cast<int32_t>(p.outputs.size());
  p.node.inputs = p.inputs.data();
  p.node.outputs = p.outputs.data();
  p.node.params = p.params.data();
  p.node.variant = node.variant;
  p.node.epilogue = node.epilogue.empty() ? nullptr : &p.epilogue;
  p.node.constants = p.constants.data();
}

OpNode::~OpNode() = default;
OpNode::OpNode(OpNode &&) noexcept = default;
o2m_node *OpNode::get() const { return &parts_->node; }
const o2m_tensor &OpNode::input(int i) const { return *parts_->inputs[i]; }
const o2m_tensor &OpNode::output(int i) const { return *parts_->outputs[i]; }

namespace {

// What infer() decided, copied into the graph. An op may fill what was open, never change what was preset.
absl::Status WriteBack(Graph &graph, Node &node, const OpNode &view) {
  const o2m_node &n = *view.get();
  for (size_t i = 0; i < node.outputs.size(); i++) {
    const o2m_tensor &out = view.output(static_cast<int>(i));
    Tensor &tensor = graph.tensors[node.outputs[i]];
    if (!std::equal(tensor.dims.begin(), tensor.dims.end(), out.dims, out.dims + out.rank))
      return absl::InternalError(absl::StrCat(Where(graph, node), ": infer gave output ", i, " another shape"));
    tensor.dtype = static_cast<DType>(out.dtype);
    if (tensor.quant.scale.empty()) tensor.quant = QuantOf(out.quant);
  }
  const auto *params = static_cast<const std::byte *>(n.params);
  node.params.assign(params, params + node.op->params_size);
  node.constants.clear();
  for (int i = 0; i < O2M_MAX_CONSTANTS && n.constants[i].count > 0; i++) {
    const o2m_constant &c = n.constants[i];
    node.constants.push_back({c.hint ? c.hint : "", static_cast<DType>(c.dtype), c.count, {}});
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status InferNode(Graph &graph, NodeId id, Host &host, const o2m_target &target) {
  Node &node = graph.nodes[id];
  node.constants.clear();
  OpNode view(graph, node);
  host.last_error.clear();
  const o2m_status status = node.op->infer(&host.host, &target, view.get());
  if (status != O2M_OK) return ToStatus(status, host, Where(graph, node));
  return WriteBack(graph, node, view);
}

absl::Status InferAll(Graph &graph, Host &host, const o2m_target &target) {
  absl::Status all;
  for (size_t id = 0; id < graph.nodes.size(); id++) {
    const absl::Status status = InferNode(graph, static_cast<NodeId>(id), host, target);
    if (status.ok()) continue;
    all = all.ok()
              ? status
              : absl::Status(all.code(), absl::StrCat(std::string(all.message()), "\n", std::string(status.message())));
  }
  return all;
}

absl::Status PackNode(Graph &graph, NodeId id, Host &host, const o2m_target &target) {
  Node &node = graph.nodes[id];
  for (Constant &constant : node.constants)
    constant.data.assign(constant.count * DTypeBytes(constant.dtype), std::byte{0});
  if (!node.op->pack) return absl::OkStatus();
  const OpNode view(graph, node);
  host.last_error.clear();
  const o2m_status status = node.op->pack(&host.host, &target, view.get());
  return status == O2M_OK ? absl::OkStatus() : ToStatus(status, host, Where(graph, node));
}

absl::Status PackAll(Graph &graph, Host &host, const o2m_target &target) {
  for (size_t id = 0; id < graph.nodes.size(); id++)
    O2M_RETURN_IF_ERROR(PackNode(graph, static_cast<NodeId>(id), host, target));
  return absl::OkStatus();
}

o2m_memory MemoryOf(const Graph &graph, const Node &node, const o2m_target &target, int32_t rows) {
  o2m_memory memory{};
  memory.struct_size = sizeof memory;
  if (!node.op->memory) return memory;
  const OpNode view(graph, node);
  node.op->memory(&target, view.get(), rows, &memory);
  return memory;
}

const void *ExtensionOf(const o2m_op *op, const char *id) {
  return op->get_extension ? op->get_extension(id) : nullptr;
}

bool TakesStrides(const o2m_access &access, const Tensor &tensor) {
  if (access.layout == O2M_ANY_STRIDES || tensor.is_constant) return true;
  const std::vector<int64_t> strides = StridesOf(tensor), dense = DenseStrides(tensor.dims);
  for (size_t i = 0; i < tensor.dims.size(); i++) {
    const bool free = access.layout == O2M_ROW_STRIDED && access.axis == static_cast<int32_t>(i);
    if (tensor.dims[i] > 1 && strides[i] != dense[i] && !free) return false;
  }
  return true;
}

bool TakesItsStrides(const Graph &graph, const Node &node, const o2m_target &target) {
  const o2m_memory memory = MemoryOf(graph, node, target, 1);
  for (size_t i = 0; i < node.inputs.size(); i++)
    if (node.inputs[i] != kNone && !TakesStrides(memory.inputs[i], graph.tensors[node.inputs[i]])) return false;
  for (size_t i = 0; i < node.outputs.size(); i++)
    if (!TakesStrides(memory.outputs[i], graph.tensors[node.outputs[i]])) return false;
  return true;
}

namespace {

// An axis of an operand that falls into equal parts, or none.
bool Fits(const Graph &graph, TensorId id, int32_t axis, int32_t parts) {
  if (axis == O2M_NONE) return true;
  if (id == kNone || axis < 0 || axis >= static_cast<int32_t>(graph.tensors[id].dims.size())) return false;
  return graph.tensors[id].dims[axis] % parts == 0;
}

}  // namespace

std::vector<o2m_split> SplitsOf(const Graph &graph, const Node &node) {
  const auto *splitter = static_cast<const o2m_splitter *>(ExtensionOf(node.op, "o2m.split/1"));
  std::vector<o2m_split> splits;
  if (!splitter || !splitter->split) return splits;
  const OpNode view(graph, node);
  o2m_split split{};
  for (int32_t choice = 0; splitter->split(view.get(), choice, &split) == O2M_OK; choice++) {
    bool fits = split.parts > 1;
    for (size_t i = 0; i < node.inputs.size() && fits; i++)
      fits = Fits(graph, node.inputs[i], split.input_axis[i], split.parts);
    for (size_t i = 0; i < node.outputs.size() && fits; i++)
      fits = Fits(graph, node.outputs[i], split.output_axis[i], split.parts);
    if (fits) splits.push_back(split);
  }
  return splits;
}

}  // namespace onnx2mcu
