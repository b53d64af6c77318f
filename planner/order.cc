#include "planner/order.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace onnx2mcu {
namespace {

// How many nodes each node needs, itself included.
std::vector<int64_t> WorkBehind(const Contracts &contracts) {
  const size_t n = contracts.nodes.size();
  std::vector<std::vector<bool>> ancestors(n, std::vector<bool>(n));
  std::vector<int64_t> work(n);
  for (size_t node = 0; node < n; node++) {
    std::vector<bool> &set = ancestors[node];
    set[node] = true;
    for (NodeId from : contracts.reads_from[node])
      for (size_t i = 0; i < n; i++)
        if (ancestors[from][i]) set[i] = true;
    for (size_t i = 0; i < n; i++) work[node] += set[i];
  }
  return work;
}

// One writer of one operand, ordered as it is to be visited.
struct OrderedOperand {
  bool stepwise = false;
  int64_t work = 0;
  int32_t position = 0;
  int64_t offset = 0;
  NodeId writer = kNone;
  auto key() const { return std::make_tuple(stepwise, -work, position, offset, writer); }
  bool operator<(const OrderedOperand &other) const { return key() < other.key(); }
};

std::vector<NodeId> WritersInOrder(const Contracts &contracts, const std::vector<int64_t> &work, NodeId node) {
  std::vector<OrderedOperand> operands;
  for (const Touch &read : contracts.nodes[node].touches) {
    if (read.write) continue;
    for (NodeId writer : contracts.reads_from[node])
      for (const Touch &write : contracts.nodes[writer].touches)
        if (write.write && write.base == read.base && MayOverlap(write, read))
          operands.push_back({!read.whole, work[writer], read.operand, write.offset, writer});
  }
  std::sort(operands.begin(), operands.end());
  std::vector<NodeId> writers;
  for (const OrderedOperand &operand : operands) writers.push_back(operand.writer);
  return writers;
}

std::vector<NodeId> OutputWriters(const Graph &graph, const Contracts &contracts) {
  std::vector<NodeId> writers;
  for (TensorId output : graph.outputs)
    for (size_t node = 0; node < contracts.nodes.size(); node++)
      for (const Touch &touch : contracts.nodes[node].touches)
        if (touch.write && touch.base == output) writers.push_back(static_cast<NodeId>(node));
  return writers;
}

}  // namespace

std::vector<NodeId> OrderNodes(const Graph &graph, const Contracts &contracts) {
  struct Frame {
    NodeId node;
    std::vector<NodeId> writers;
    size_t next = 0;
  };
  const std::vector<int64_t> work = WorkBehind(contracts);
  std::vector<bool> seen(contracts.nodes.size());
  std::vector<NodeId> order;
  std::vector<Frame> stack;
  const auto visit = [&](NodeId node) {
    if (seen[node]) return;
    seen[node] = true;
    stack.push_back({node, WritersInOrder(contracts, work, node)});
  };
  for (NodeId root : OutputWriters(graph, contracts)) {
    visit(root);
    while (!stack.empty()) {
      Frame &top = stack.back();
      if (top.next < top.writers.size()) {
        visit(top.writers[top.next++]);
      } else {
        order.push_back(top.node);
        stack.pop_back();
      }
    }
  }
  return order;
}

absl::StatusOr<std::vector<NodeId>> OrderOf(const Graph &graph, const o2m_target &target) {
  O2M_ASSIGN_OR_RETURN(const Contracts contracts, ContractsOf(graph, target));
  return OrderNodes(graph, contracts);
}

void KeepNodes(Graph &graph, const std::vector<NodeId> &order) {
  std::vector<Node> nodes;
  for (NodeId node : order) nodes.push_back(std::move(graph.nodes[node]));
  graph.nodes = std::move(nodes);
}

}  // namespace onnx2mcu
