#include "importer/ir/graph.h"

#include <cstring>
#include <set>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"

namespace onnx2mcu {

int64_t DTypeBytes(DType dtype) {
  switch (dtype) {
    case DType::kAny:
      return 0;
    case DType::kS8:
    case DType::kU8:
    case DType::kBool:
      return 1;
    case DType::kS16:
      return 2;
    case DType::kF32:
    case DType::kS32:
      return 4;
    case DType::kS64:
      return 8;
  }
  return 0;
}

const char *DTypeName(DType dtype) {
  static constexpr const char *kNames[] = {"any", "f32", "s8", "s16", "s32", "s64", "u8", "bool"};
  return kNames[static_cast<size_t>(dtype)];
}

int64_t ElementCount(const std::vector<int64_t> &dims) {
  int64_t count = 1;
  for (int64_t dim : dims) count *= dim;
  return count;
}

std::vector<int64_t> DenseStrides(const std::vector<int64_t> &dims) {
  std::vector<int64_t> strides(dims.size(), 1);
  for (size_t i = dims.size(); i-- > 1;) strides[i - 1] = strides[i] * dims[i];
  return strides;
}

std::vector<int64_t> StridesOf(const Tensor &tensor) {
  return tensor.strides.empty() ? DenseStrides(tensor.dims) : tensor.strides;
}

TensorId BaseOf(const Graph &graph, TensorId id) {
  const TensorId base = graph.tensors[id].base;
  return base == kNone ? id : base;
}

int64_t BytesOf(const Tensor &tensor) { return ElementCount(tensor.dims) * DTypeBytes(tensor.dtype); }

namespace {

bool NameTaken(const Graph &graph, const std::string &name) {
  for (const Tensor &tensor : graph.tensors)
    if (tensor.name == name) return true;
  return false;
}

}  // namespace

TensorId AddTensor(Graph &graph, Tensor tensor) {
  const std::string stem = tensor.name.empty() ? "t" : tensor.name;
  tensor.name = stem;
  for (int suffix = 2; NameTaken(graph, tensor.name); suffix++) tensor.name = absl::StrCat(stem, "_", suffix);
  graph.tensors.push_back(std::move(tensor));
  return static_cast<TensorId>(graph.tensors.size()) - 1;
}

TensorId AddFloats(Graph &graph, const std::string &name, std::vector<int64_t> dims, const std::vector<float> &values) {
  Tensor tensor;
  tensor.name = name;
  tensor.dims = std::move(dims);
  tensor.is_constant = true;
  tensor.data.resize(values.size() * sizeof(float));
  if (!values.empty()) std::memcpy(tensor.data.data(), values.data(), tensor.data.size());
  return AddTensor(graph, std::move(tensor));
}

const float *FloatData(const Tensor &tensor) { return reinterpret_cast<const float *>(tensor.data.data()); }

const int64_t *Int64Data(const Tensor &tensor) { return reinterpret_cast<const int64_t *>(tensor.data.data()); }

std::vector<NodeId> Producers(const Graph &graph) {
  std::vector<NodeId> producers(graph.tensors.size(), kNone);
  for (size_t node = 0; node < graph.float_nodes.size(); node++)
    for (TensorId output : graph.float_nodes[node].outputs)
      if (output != kNone) producers[output] = static_cast<NodeId>(node);
  return producers;
}

std::vector<std::vector<NodeId>> Consumers(const Graph &graph) {
  std::vector<std::vector<NodeId>> consumers(graph.tensors.size());
  for (size_t node = 0; node < graph.float_nodes.size(); node++)
    for (TensorId input : graph.float_nodes[node].inputs)
      if (input != kNone) consumers[input].push_back(static_cast<NodeId>(node));
  return consumers;
}

namespace {

template <typename T>
const T *Find(const FloatNode &node, const std::string &key) {
  const auto it = node.attrs.find(key);
  return it == node.attrs.end() ? nullptr : std::get_if<T>(&it->second);
}

}  // namespace

Users OpUsers(const Graph &graph) {
  const size_t count = graph.tensors.size();
  Users users{std::vector<std::vector<NodeId>>(count), std::vector<std::vector<NodeId>>(count)};
  const auto add = [&](std::vector<std::vector<NodeId>> &lists, TensorId id, size_t node) {
    if (id == kNone) return;
    std::vector<NodeId> &list = lists[BaseOf(graph, id)];
    if (list.empty() || list.back() != static_cast<NodeId>(node)) list.push_back(static_cast<NodeId>(node));
  };
  for (size_t node = 0; node < graph.nodes.size(); node++) {
    for (TensorId id : graph.nodes[node].inputs) add(users.readers, id, node);
    for (TensorId id : graph.nodes[node].outputs) add(users.writers, id, node);
  }
  return users;
}

int64_t ConstantBytes(const Node &node) {
  int64_t bytes = 0;
  for (const Constant &constant : node.constants) bytes += constant.count * DTypeBytes(constant.dtype);
  return bytes;
}

int64_t ConstantBytes(const Graph &graph) {
  std::set<std::tuple<const o2m_op *, std::string, std::vector<TensorId>>> seen;
  int64_t bytes = 0;
  for (const Node &node : graph.nodes) {
    std::vector<TensorId> weights;
    for (TensorId id : node.inputs)
      if (id != kNone && graph.tensors[id].is_constant) weights.push_back(id);
    if (seen.emplace(node.op, node.name, std::move(weights)).second) bytes += ConstantBytes(node);
  }
  return bytes;
}

int64_t AttrInt(const FloatNode &node, const std::string &key, int64_t fallback) {
  const int64_t *value = Find<int64_t>(node, key);
  return value ? *value : fallback;
}

float AttrFloat(const FloatNode &node, const std::string &key, float fallback) {
  const float *value = Find<float>(node, key);
  return value ? *value : fallback;
}

std::string AttrString(const FloatNode &node, const std::string &key, const std::string &fallback) {
  const std::string *value = Find<std::string>(node, key);
  return value ? *value : fallback;
}

std::vector<int64_t> AttrInts(const FloatNode &node, const std::string &key, const std::vector<int64_t> &fallback) {
  const std::vector<int64_t> *value = Find<std::vector<int64_t>>(node, key);
  return value ? *value : fallback;
}

}  // namespace onnx2mcu
