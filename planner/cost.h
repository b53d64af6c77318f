// planner/cost.h - work turned into instructions: the terms that ops state in "o2m.terms/1", each times what it costs
// on a core (cost_table.inc, which bench/fit makes from counts).
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "importer/ir/graph.h"
#include "importer/ir/op_node.h"
#include "planner/plan.h"

namespace onnx2mcu {

// The cores that were counted, by column of the table; others are priced as kFallbackCore.
inline constexpr const char *kCostCores[] = {"cortex-m0",  "cortex-m3",  "cortex-m4", "cortex-m7",
                                             "cortex-m33", "cortex-m55", "rv32imc"};
inline constexpr int32_t kCostCoreCount = 7, kFallbackCore = 2;
int32_t CostCoreOf(const std::string &target);

// What one of a term costs, in thousandths of an instruction; kUnknownCost where nobody counted it on that core.
// Kernel "*" has those of scalar C: macs and outputs; elements, where there are no macs; calls.
inline constexpr int64_t kUnknownCost = -1;
int64_t CostOf(int32_t core, const char *kernel, const char *term);

// Work of calls that together do all steps of a node, `rows` per call.
struct Work {
  std::string kernel;
  int64_t macs = 0, elements = 0, outputs = 0, flash_bytes_read = 0, instructions = 0, calls = 0;
};
Work WorkOf(const Graph &graph, const Node &node, const o2m_target &target, int32_t steps, int32_t rows);

// What those instructions are the sum of, by kernel and name; `generic`: as for a kernel that nobody counted.
struct Term {
  std::string kernel, name;
  int64_t count = 0;
};
std::vector<Term> TermsOf(const Graph &graph, const Node &node, const o2m_target &target, int32_t steps, int32_t rows,
                          bool generic = false);

// What schedules are compared by, in instructions: those they take, and those the core could take while it waits for
// constants (o2m_target.flash_wait).
int64_t TimeOf(int64_t instructions, int64_t flash_bytes_read, const o2m_target &target);

// Bytes that all calls of a plan read from flash: every loop reads its weights once per iteration.
int64_t FlashBytesRead(const Graph &graph, const Plan &plan, const o2m_target &target);

}  // namespace onnx2mcu
