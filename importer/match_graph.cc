#include "importer/match_graph.h"

#include "importer/fake_quantize.h"
#include "importer/layout.h"

namespace onnx2mcu {
namespace {

const MatchGraph &Self(const o2m_graph *g) { return *static_cast<const MatchGraph *>(g->graph_data); }

const FloatNode *NodeAt(const o2m_graph *g, int32_t node) {
  const auto &nodes = Self(g).graph().float_nodes;
  return node >= 0 && node < static_cast<int32_t>(nodes.size()) ? &nodes[node] : nullptr;
}

bool IsTensor(const o2m_graph *g, int32_t tensor) {
  return tensor >= 0 && tensor < static_cast<int32_t>(Self(g).graph().tensors.size());
}

const char *OpType(const o2m_graph *g, int32_t node) {
  const FloatNode *n = NodeAt(g, node);
  return n ? n->op_type.c_str() : nullptr;
}
const char *Domain(const o2m_graph *g, int32_t node) {
  const FloatNode *n = NodeAt(g, node);
  return n ? n->domain.c_str() : nullptr;
}
int32_t Opset(const o2m_graph *g, int32_t node) {
  const FloatNode *n = NodeAt(g, node);
  return n ? n->opset : 0;
}

int32_t Count(const std::vector<TensorId> &ids) { return static_cast<int32_t>(ids.size()); }
int32_t At(const std::vector<TensorId> &ids, int32_t i) { return i >= 0 && i < Count(ids) ? ids[i] : O2M_NONE; }

int32_t InputCount(const o2m_graph *g, int32_t node) {
  const FloatNode *n = NodeAt(g, node);
  return n ? Count(n->inputs) : 0;
}
int32_t InputTensor(const o2m_graph *g, int32_t node, int32_t i) {
  const FloatNode *n = NodeAt(g, node);
  return n ? At(n->inputs, i) : O2M_NONE;
}
int32_t OutputCount(const o2m_graph *g, int32_t node) {
  const FloatNode *n = NodeAt(g, node);
  return n ? Count(n->outputs) : 0;
}
int32_t OutputTensor(const o2m_graph *g, int32_t node, int32_t i) {
  const FloatNode *n = NodeAt(g, node);
  return n ? At(n->outputs, i) : O2M_NONE;
}
int32_t Producer(const o2m_graph *g, int32_t tensor) {
  return IsTensor(g, tensor) ? Self(g).ProducerOf(tensor) : O2M_NONE;
}

int32_t ConsumerCount(const o2m_graph *g, int32_t tensor) {
  if (!IsTensor(g, tensor)) return 0;
  return static_cast<int32_t>(Self(g).ReadersOf(tensor).size()) + (Self(g).IsOutput(tensor) ? 1 : 0);
}
int32_t Consumer(const o2m_graph *g, int32_t tensor, int32_t i) {
  return IsTensor(g, tensor) ? At(Self(g).ReadersOf(tensor), i) : O2M_NONE;
}
const o2m_tensor *TensorAt(const o2m_graph *g, int32_t tensor) {
  return IsTensor(g, tensor) ? Self(g).TensorOf(tensor) : nullptr;
}

template <typename T>
const T *Attribute(const o2m_graph *g, int32_t node, const char *key) {
  const FloatNode *n = NodeAt(g, node);
  if (!n) return nullptr;
  const auto it = n->attrs.find(key);
  return it == n->attrs.end() ? nullptr : std::get_if<T>(&it->second);
}
int AttrI(const o2m_graph *g, int32_t node, const char *key, int64_t *value) {
  const auto *found = Attribute<int64_t>(g, node, key);
  if (found) *value = *found;
  return found != nullptr;
}
int AttrF(const o2m_graph *g, int32_t node, const char *key, float *value) {
  const auto *found = Attribute<float>(g, node, key);
  if (found) *value = *found;
  return found != nullptr;
}
const char *AttrS(const o2m_graph *g, int32_t node, const char *key) {
  const auto *found = Attribute<std::string>(g, node, key);
  return found ? found->c_str() : nullptr;
}
const int64_t *AttrInts(const o2m_graph *g, int32_t node, const char *key, int32_t *count) {
  const auto *found = Attribute<std::vector<int64_t>>(g, node, key);
  if (count) *count = found ? static_cast<int32_t>(found->size()) : 0;
  return found ? found->data() : nullptr;
}

o2m_tensor FloatView(const Tensor &tensor) {
  o2m_tensor view{};
  view.struct_size = sizeof view;
  view.name = tensor.name.c_str();
  view.dtype = static_cast<o2m_dtype>(tensor.dtype);
  view.rank = static_cast<int32_t>(std::min<size_t>(tensor.dims.size(), O2M_MAX_RANK));
  const std::vector<int64_t> strides = DenseStrides(tensor.dims);
  for (int32_t i = 0; i < view.rank; i++)
    view.dims[i] = static_cast<int32_t>(tensor.dims[i]), view.strides[i] = strides[i];
  view.token_axis = O2M_NONE;
  view.is_constant = tensor.is_constant;
  view.data = tensor.is_constant && !tensor.data.empty() ? tensor.data.data() : nullptr;
  return view;
}

bool KeepsOrder(const Graph &graph, const FloatNode &node) {
  return node.op_type != "Transpose" && !IsFakeQuantize(node) && IsBijective(graph, node);
}

}  // namespace

MatchGraph::MatchGraph(const Graph &graph)
    : graph_(graph), producers_(Producers(graph)), consumers_(Consumers(graph)), is_output_(graph.tensors.size()) {
  for (TensorId id : graph.outputs) is_output_[id] = true;
  for (const Tensor &tensor : graph.tensors) tensors_.push_back(FloatView(tensor));
  view_ = {sizeof view_, this,          OpType,   Domain,   Opset, InputCount, InputTensor, OutputCount, OutputTensor,
           Producer,     ConsumerCount, Consumer, TensorAt, AttrI, AttrF,      AttrS,       AttrInts};
}

NodeId MatchGraph::ProducerOf(TensorId tensor) const {
  NodeId node = producers_[tensor];
  while (node != kNone && KeepsOrder(graph_, graph_.float_nodes[node]))
    node = producers_[graph_.float_nodes[node].inputs[0]];
  return node;
}

}  // namespace onnx2mcu
