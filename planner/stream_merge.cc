#include "planner/stream_merge.h"

#include <algorithm>

namespace onnx2mcu {
namespace {

struct Merger {
  const Graph &graph;
  const Contracts &contracts;
  std::vector<bool> reads, behind, before;  // by node: reads the input; waits for a reader; a reader waits for it
};

bool ReadsInput(const Graph &graph, const Contract &contract) {
  return std::any_of(contract.touches.begin(), contract.touches.end(), [&](const Touch &touch) {
    return !touch.write && std::find(graph.inputs.begin(), graph.inputs.end(), touch.base) != graph.inputs.end();
  });
}

// Nodes stand in topological order.
void Classify(Merger &m) {
  const size_t n = m.graph.nodes.size();
  m.reads.resize(n), m.behind.resize(n), m.before.resize(n);
  for (size_t id = 0; id < n; id++) {
    m.reads[id] = ReadsInput(m.graph, m.contracts.nodes[id]);
    for (NodeId from : m.contracts.reads_from[id]) m.behind[id] = m.behind[id] || m.reads[from] || m.behind[from];
  }
  for (size_t id = n; id-- > 0;)
    for (NodeId from : m.contracts.reads_from[id]) m.before[from] = m.before[from] || m.reads[id] || m.before[id];
}

bool InLoop(const Merger &m, NodeId node) { return m.reads[node] || (m.behind[node] && m.before[node]); }

// The stages [first, last] without the nodes that `keep` refuses.
template <typename Keep>
void AppendKept(const Plan &plan, size_t first, size_t last, const Keep &keep, std::vector<Stage> *stages) {
  for (size_t s = first; s <= last; s++) {
    Stage stage{{}, plan.stages[s].steps, plan.stages[s].rows};
    for (NodeId node : plan.stages[s].nodes)
      if (keep(node)) stage.nodes.push_back(node);
    if (!stage.nodes.empty()) stages->push_back(std::move(stage));
  }
}

}  // namespace

std::vector<Stage> MergeReaders(const Graph &graph, const Contracts &contracts, const Plan &plan) {
  Merger m{graph, contracts, {}, {}, {}};
  Classify(m);
  std::vector<size_t> readers;  // stages
  for (size_t s = 0; s < plan.stages.size(); s++)
    for (NodeId node : plan.stages[s].nodes)
      if (m.reads[node] && (readers.empty() || readers.back() != s)) readers.push_back(s);
  if (readers.size() < 2) return {};
  const size_t first = readers.front(), last = readers.back();
  Stage loop{{}, plan.stages[first].steps, plan.stages[first].rows};
  for (size_t s = first; s <= last; s++) {
    for (NodeId node : plan.stages[s].nodes) {
      if (!InLoop(m, node)) continue;
      if (plan.stages[s].steps != loop.steps || loop.steps == 0) return {};
      loop.nodes.push_back(node);
      loop.rows = std::min(loop.rows, plan.stages[s].rows);
    }
  }
  std::vector<Stage> stages(plan.stages.begin(), plan.stages.begin() + static_cast<int64_t>(first));
  AppendKept(
      plan, first, last, [&](NodeId node) { return !InLoop(m, node) && !m.behind[node]; }, &stages);
  stages.push_back(std::move(loop));
  AppendKept(
      plan, first, last, [&](NodeId node) { return !InLoop(m, node) && m.behind[node]; }, &stages);
  stages.insert(stages.end(), plan.stages.begin() + static_cast<int64_t>(last) + 1, plan.stages.end());
  return stages;
}

}  // namespace onnx2mcu
