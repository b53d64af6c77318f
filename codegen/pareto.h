// codegen/pareto.h - the schedules that were priced and that no other one beats: for --pareto and the reports.
#pragma once
#include <string>
#include <vector>

#include "codegen/compiler.h"

namespace onnx2mcu {

struct FrontierRow {
  std::string name;    // "recompute rows=1..16"
  bool exact = true;   // the same bytes out as the graph as written
  bool chosen = true;  // the one that is compiled
  int64_t arena_bytes = 0, lower_bound_bytes = 0;
  int64_t instructions = 0;      // estimate, per inference
  int64_t flash_bytes_read = 0;  // per inference
  int64_t weight_bytes = 0;      // constants in flash
};
// In the order of compilation.alternatives: the chosen one first.
std::vector<FrontierRow> FrontierOf(const Compilation &compilation);
// By arena, upward.
std::vector<FrontierRow> ByArena(std::vector<FrontierRow> rows);

// The table of --pareto, by arena.
std::string FrontierTable(const Compilation &compilation);
// report.json's "alternatives".
std::string FrontierJson(const Compilation &compilation);

}  // namespace onnx2mcu
