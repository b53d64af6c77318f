#include "planner/cost.h"

#include <algorithm>

namespace onnx2mcu {
namespace {

// Scalar, register-tiled C; MACs after the counts of portable kernels, the rest after their shortest loops.
constexpr CostTable kTables[] = {
    {"cortex-m0", 6000, 24000, 50000, 500, 90}, {"cortex-m3", 3500, 14000, 12000, 250, 60},
    {"cortex-m4", 2500, 12000, 9000, 250, 60},  {"cortex-m7", 2500, 12000, 9000, 250, 60},
    {"cortex-m33", 2500, 12000, 9000, 250, 60}, {"cortex-m55", 2500, 12000, 9000, 250, 60},
    {"rv32imc", 3900, 16000, 14000, 250, 60},   {"host", 1000, 6000, 5000, 0, 40},
};

// An op that states nothing: its outputs, element by element.
o2m_cost Guess(const Graph &graph, const Node &node, int32_t steps, int32_t rows) {
  o2m_cost cost{};
  cost.kernel = node.op->id;
  cost.instructions = -1;
  for (TensorId id : node.outputs) cost.elements += ElementCount(graph.tensors[id].dims);
  if (steps > 0) cost.elements = cost.elements * rows / steps;
  return cost;
}

o2m_cost CostOfCall(const Graph &graph, const Node &node, const o2m_target &target, int32_t steps, int32_t rows) {
  const auto *coster = static_cast<const o2m_coster *>(ExtensionOf(node.op, "o2m.cost/1"));
  if (!coster || !coster->cost) return Guess(graph, node, steps, rows);
  o2m_cost cost{};
  cost.instructions = -1;
  const OpNode view(graph, node);
  coster->cost(&target, view.get(), rows, &cost);
  return cost;
}

void Add(Work &work, const o2m_cost &cost, const CostTable &table, int64_t calls) {
  work.kernel = cost.kernel ? cost.kernel : "";
  work.calls += calls;
  work.macs += calls * std::max<int64_t>(cost.macs, 0);
  work.elements += calls * std::max<int64_t>(cost.elements, 0);
  work.outputs += calls * std::max<int64_t>(cost.outputs, 0);
  work.flash_bytes_read += calls * std::max<int64_t>(cost.flash_bytes_read, 0);
  const int64_t thousandths = cost.macs * table.per_mac + cost.elements * table.per_element +
                              cost.outputs * table.per_output + cost.flash_bytes_read * table.per_flash_byte;
  const int64_t instructions = cost.instructions >= 0 ? cost.instructions : thousandths / 1000;
  work.instructions += calls * (std::max<int64_t>(instructions, 0) + table.per_call);
}

}  // namespace

const CostTable &CostTableOf(const std::string &target) {
  for (const CostTable &table : kTables)
    if (target == table.target) return table;
  return kTables[2];
}

Work WorkOf(const Graph &graph, const Node &node, const o2m_target &target, int32_t steps, int32_t rows) {
  const CostTable &table = CostTableOf(target.id ? target.id : "");
  Work work;
  if (steps == 0) {
    Add(work, CostOfCall(graph, node, target, 0, 1), table, 1);
    return work;
  }
  if (steps >= rows) Add(work, CostOfCall(graph, node, target, steps, rows), table, steps / rows);
  if (steps % rows) Add(work, CostOfCall(graph, node, target, steps, steps % rows), table, 1);
  return work;
}

int64_t TimeOf(int64_t instructions, int64_t flash_bytes_read, const o2m_target &target) {
  return instructions + flash_bytes_read * target.flash_wait / 1000;
}

int64_t FlashBytesRead(const Graph &graph, const Plan &plan, const o2m_target &target) {
  int64_t total = 0;
  for (const Stage &stage : plan.stages)
    for (NodeId node : stage.nodes)
      total += WorkOf(graph, graph.nodes[node], target, stage.steps, std::max(stage.rows, 1)).flash_bytes_read;
  return total;
}

int64_t EstimateInstructions(const Graph &graph, const Plan &plan, const o2m_target &target) {
  int64_t total = 0;
  for (const Stage &stage : plan.stages)
    for (NodeId node : stage.nodes)
      total += WorkOf(graph, graph.nodes[node], target, stage.steps, std::max(stage.rows, 1)).instructions;
  return total;
}

}  // namespace onnx2mcu
