// Puts dense copies before and after ops that do not take the strides their operands got (o2m_access.layout).
#include "absl/strings/str_cat.h"
#include "importer/copies.h"
#include "importer/ir/op_node.h"
#include "importer/passes.h"

namespace onnx2mcu {

absl::StatusOr<const o2m_op *> FindCopy(const Registry &registry, const Graph &graph) {
  if (const o2m_op *copy = registry.Find("o2m.copy")) return copy;
  return absl::NotFoundError(
      absl::StrCat(graph.file, ": a copy is needed and the plugin of o2m.copy is not loaded; check `onnx2mcu ops`"));
}

Node MakeCopy(const Graph &graph, const o2m_op *copy, TensorId from, TensorId to) {
  Node node;
  node.name = graph.tensors[to].name;
  node.op = copy;
  node.inputs = {from}, node.outputs = {to};
  node.params.resize(copy->params_size);
  return node;
}

namespace {

TensorId DenseLike(Graph &graph, TensorId like) {
  Tensor tensor = graph.tensors[like];
  tensor.name += "_dense";
  tensor.base = kNone, tensor.view_offset = 0, tensor.strides.clear();
  return AddTensor(graph, std::move(tensor));
}

// `node` with its refused operands replaced; copies go to `out` around it.
void LegalizeNode(Graph &graph, const o2m_op *copy, Node node, const o2m_memory &memory, std::vector<Node> &out) {
  std::vector<Node> after;
  for (size_t i = 0; i < node.inputs.size(); i++) {
    if (node.inputs[i] == kNone || TakesStrides(memory.inputs[i], graph.tensors[node.inputs[i]])) continue;
    const TensorId dense = DenseLike(graph, node.inputs[i]);
    out.push_back(MakeCopy(graph, copy, node.inputs[i], dense));
    node.inputs[i] = dense;
  }
  for (size_t i = 0; i < node.outputs.size(); i++) {
    if (TakesStrides(memory.outputs[i], graph.tensors[node.outputs[i]])) continue;
    const TensorId dense = DenseLike(graph, node.outputs[i]);
    after.push_back(MakeCopy(graph, copy, dense, node.outputs[i]));
    node.outputs[i] = dense;
  }
  out.push_back(std::move(node));
  out.insert(out.end(), after.begin(), after.end());
}

}  // namespace

absl::Status LegalizeLayouts(Graph &graph, const Registry &registry, const o2m_target &target) {
  std::vector<Node> nodes;
  O2M_ASSIGN_OR_RETURN(const o2m_op *copy, FindCopy(registry, graph));
  for (const Node &node : std::vector<Node>(graph.nodes))
    LegalizeNode(graph, copy, node, MemoryOf(graph, node, target, 1), nodes);
  graph.nodes = std::move(nodes);
  return absl::OkStatus();
}

}  // namespace onnx2mcu
