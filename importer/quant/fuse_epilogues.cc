// Moves unary tables into the epilogue of the op that produces their input. Exact: the same table on the same s8 value.
#include <optional>

#include "importer/layout.h"
#include "importer/quant/quantize.h"

namespace onnx2mcu {
namespace {

bool OnlyReader(const Graph &graph, TensorId value, const Node &reader) {
  const TensorId base = BaseOf(graph, value);
  const auto shares = [&](TensorId id) { return id != kNone && BaseOf(graph, id) == base; };
  for (TensorId id : graph.outputs)
    if (shares(id)) return false;
  int writers = 0;
  for (const Node &node : graph.nodes) {
    for (TensorId id : node.inputs)
      if (shares(id) && &node != &reader) return false;
    for (TensorId id : node.outputs) writers += shares(id);
  }
  return writers == 1;
}

NodeId WriterOf(const Graph &graph, TensorId value) {
  for (size_t n = 0; n < graph.nodes.size(); n++)
    for (TensorId out : graph.nodes[n].outputs)
      if (BaseOf(graph, out) == BaseOf(graph, value)) return static_cast<NodeId>(n);
  return kNone;
}

// The producer's output in the memory of the table's output; nothing where its order of elements differs.
std::optional<TensorId> FusedOutput(Graph &graph, TensorId produced, TensorId table_in, TensorId table_out) {
  const Tensor p = graph.tensors[produced], in = graph.tensors[table_in], out = graph.tensors[table_out];
  if (produced == table_in) return table_out;
  if (ElementCount(p.dims) != ElementCount(in.dims) || p.view_offset != in.view_offset) return std::nullopt;
  const auto seen = ReshapeStrides(in.dims, StridesOf(in), p.dims);
  const auto strides = ReshapeStrides(out.dims, StridesOf(out), p.dims);
  if (!seen || !strides || *seen != *ReshapeStrides(p.dims, StridesOf(p), p.dims)) return std::nullopt;
  Tensor fused = out;
  fused.dims = p.dims, fused.base = BaseOf(graph, table_out), fused.strides = *strides;
  return AddTensor(graph, fused);
}

bool Fusable(const Graph &graph, const Node &node) {
  if (!ExtensionOf(node.op, "o2m.unary_table/1") || node.inputs.size() != 1 || node.outputs.size() != 1) return false;
  const Tensor &in = graph.tensors[node.inputs[0]], &out = graph.tensors[node.outputs[0]];
  return !in.is_constant && in.dtype == DType::kS8 && out.dtype == DType::kS8 &&
         OnlyReader(graph, node.inputs[0], node);
}

// True if `id` was fused into its producer and may be removed.
absl::StatusOr<bool> Fuse(Graph &graph, NodeId id, Host &host, const o2m_target &target) {
  if (!Fusable(graph, graph.nodes[id])) return false;
  const Node node = graph.nodes[id];
  const NodeId writer = WriterOf(graph, node.inputs[0]);
  if (writer == kNone) return false;
  const Node before = graph.nodes[writer];
  if (!(before.op->flags & O2M_TAKES_EPILOGUE) || !before.epilogue.empty() || before.outputs.size() != 1) return false;
  Epilogue epilogue{graph.tensors[node.inputs[0]].quant, std::vector<int8_t>(256), node.name};
  const auto *unary = static_cast<const o2m_unary_table *>(ExtensionOf(node.op, "o2m.unary_table/1"));
  if (unary->fill(OpNode(graph, node).get(), epilogue.table.data()) != O2M_OK) return false;
  const auto output = FusedOutput(graph, before.outputs[0], node.inputs[0], node.outputs[0]);
  if (!output) return false;
  Node &fused = graph.nodes[writer];
  fused.outputs[0] = *output;
  fused.epilogue = {epilogue};
  fused.float_nodes.insert(fused.float_nodes.end(), node.float_nodes.begin(), node.float_nodes.end());
  if (InferNode(graph, writer, host, target).ok()) return true;
  graph.nodes[writer] = before;  // the op takes no table on these dtypes: leave both as they were
  O2M_RETURN_IF_ERROR(InferNode(graph, writer, host, target));
  return false;
}

}  // namespace

absl::Status FuseEpilogues(Graph &graph, Host &host, const o2m_target &target) {
  for (size_t id = 0; id < graph.nodes.size();) {
    O2M_ASSIGN_OR_RETURN(const bool fused, Fuse(graph, static_cast<NodeId>(id), host, target));
    if (fused)
      graph.nodes.erase(graph.nodes.begin() + static_cast<int64_t>(id));
    else
      id++;
  }
  return absl::OkStatus();
}

}  // namespace onnx2mcu
