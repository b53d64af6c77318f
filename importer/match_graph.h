// importer/match_graph.h - the float half as op->match() sees it: an o2m_graph that looks through reshapes.
#pragma once
#include <deque>
#include <map>
#include <vector>

#include "importer/ir/graph.h"

namespace onnx2mcu {

// The graph must not change while a MatchGraph of it lives.
class MatchGraph {
 public:
  explicit MatchGraph(const Graph &graph);
  MatchGraph(const MatchGraph &) = delete;
  MatchGraph &operator=(const MatchGraph &) = delete;
  const o2m_graph *get() const { return &view_; }

  // The node that computes `tensor`, reshapes skipped; kNone for inputs and constants.
  NodeId ProducerOf(TensorId tensor) const;
  const Graph &graph() const { return graph_; }
  const std::vector<NodeId> &ReadersOf(TensorId tensor) const { return consumers_[tensor]; }
  bool IsOutput(TensorId tensor) const { return is_output_[tensor]; }
  const o2m_tensor *TensorOf(TensorId tensor) const { return &tensors_[tensor]; }

 private:
  const Graph &graph_;
  o2m_graph view_{};
  std::vector<NodeId> producers_;
  std::vector<std::vector<NodeId>> consumers_;
  std::vector<bool> is_output_;
  std::vector<o2m_tensor> tensors_;
};

}  // namespace onnx2mcu
