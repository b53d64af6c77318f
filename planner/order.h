// planner/order.h - in which order the nodes run.
#pragma once
#include <vector>

#include "planner/contract.h"

namespace onnx2mcu {

// Depth first from the graph's outputs: a node runs right after the operands it was waiting for. Operands that are read
// whole come first, step-wise ones last, so that those end up next to their reader, where they can share its loop (k
// and v, then q and attention). Among equals the operand with more work behind it comes first. Always topological;
// depends on the graph's structure and operand order, not on ids or names. Nodes that no output needs are left out.
std::vector<NodeId> OrderNodes(const Graph &graph, const Contracts &contracts);
absl::StatusOr<std::vector<NodeId>> OrderOf(const Graph &graph, const o2m_target &target);

// The graph with these nodes only, in this order.
void KeepNodes(Graph &graph, const std::vector<NodeId> &order);

}  // namespace onnx2mcu
