// importer/ir/op_node.h - a Node of the graph as the o2m_node that an op sees. The only place that fills ABI structs.
#pragma once
#include <memory>

#include "importer/ir/graph.h"
#include "importer/ir/status.h"
#include "plugins/registry.h"

namespace onnx2mcu {

// Owns every array behind the o2m_node; the graph must outlive it and keep its tensors in place. Building one is cheap
// enough per node, not per call: an executor keeps them.
class OpNode {
 public:
  OpNode(const Graph &graph, const Node &node);
  ~OpNode();
  OpNode(OpNode &&) noexcept;
  o2m_node *get() const;
  const o2m_tensor &input(int i) const;  // dims zero and dtype O2M_ANY for a missing optional operand
  const o2m_tensor &output(int i) const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

// Calls op->infer() and writes back what it decided: dims, dtype and quant of the outputs, params, sizes of constants.
absl::Status InferNode(Graph &graph, NodeId node, Host &host, const o2m_target &target);
// Infer for every node, in order; every refusal is listed, not the first alone.
absl::Status InferAll(Graph &graph, Host &host, const o2m_target &target);
// Allocates constants and calls op->pack().
absl::Status PackNode(Graph &graph, NodeId node, Host &host, const o2m_target &target);
absl::Status PackAll(Graph &graph, Host &host, const o2m_target &target);
// The memory contract for steps of `rows`; zeroed (everything whole, one call) where the op has no memory().
o2m_memory MemoryOf(const Graph &graph, const Node &node, const o2m_target &target, int32_t rows);
const void *ExtensionOf(const o2m_op *op, const char *id);  // null if absent

// True if an operand that is accessed like that may have the strides of `tensor`.
bool TakesStrides(const o2m_access &access, const Tensor &tensor);
// The same of every operand of a node, whose outputs are inferred.
bool TakesItsStrides(const Graph &graph, const Node &node, const o2m_target &target);

// What "o2m.split/1" offers for a node: only choices that fit its operands, into two parts at least.
std::vector<o2m_split> SplitsOf(const Graph &graph, const Node &node);

}  // namespace onnx2mcu
