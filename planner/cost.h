// planner/cost.h - work turned into instructions: what ops state in "o2m.cost/1", times one table per target.
//
// Provisional figures (counts of scalar kernels, see DESIGN.md); they order schedules, they do not predict a run.
#pragma once
#include <cstdint>
#include <string>

#include "importer/ir/graph.h"
#include "importer/ir/op_node.h"
#include "planner/plan.h"

namespace onnx2mcu {

// In thousandths of an instruction, but for the last.
struct CostTable {
  const char *target;
  int64_t per_mac, per_element, per_output, per_flash_byte;
  int64_t per_call;  // instructions: prologue, parameters, loop
};
const CostTable &CostTableOf(const std::string &target);

// Work of calls that together do all steps of a node, `rows` per call.
struct Work {
  std::string kernel;
  int64_t macs = 0, elements = 0, outputs = 0, flash_bytes_read = 0, instructions = 0, calls = 0;
};
Work WorkOf(const Graph &graph, const Node &node, const o2m_target &target, int32_t steps, int32_t rows);

// What schedules are compared by, in instructions: those they take, and those the core could take while it waits for
// constants (o2m_target.flash_wait).
int64_t TimeOf(int64_t instructions, int64_t flash_bytes_read, const o2m_target &target);

// Bytes that all calls of a plan read from flash: every loop reads its weights once per iteration.
int64_t FlashBytesRead(const Graph &graph, const Plan &plan, const o2m_target &target);

}  // namespace onnx2mcu
