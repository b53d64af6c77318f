// codegen/report_model.h - what report.html shows, as names and numbers without layout.
//
// Time is the position of a kernel call's node in the schedule, as in planner/plan.h: one column of the memory map.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "codegen/compiler.h"
#include "codegen/pareto.h"

namespace onnx2mcu {

// One node of the schedule: a column of the memory map, a row of the layer table.
struct ReportCall {
  int32_t stage = 0;
  std::string block, label, node, kernel;  // "block3", "fc1", the ONNX name, "o2m_linear_s8"
  int32_t steps = 0, rows = 0;             // of its loop; 0: one whole call
  std::string shapes;                      // "197×192 → 197×768"
  int64_t live_bytes = 0;                  // of the arena, while it runs
  int64_t macs = 0, instructions = 0, flash_bytes_read = 0, weight_bytes = 0;
};

struct ReportBuffer {
  std::string name, label;        // the ONNX name of what it holds; short, "x"
  std::string kind;               // "stream", "tensor", "tile", "scratch", "state" or "input"
  int64_t bytes = 0, offset = 0;  // on the line of all regions
  ArenaPlace place;               // where that is
  std::string region;             // of that arena; empty where there is one
  int32_t first = 0, last = 0, first_stage = 0, last_stage = 0;
  // Times within [first, last] at which no other buffer shares a byte with it: where its name can stand. The longest
  // such run; its whole life where there is none.
  int32_t alone_first = 0, alone_last = 0;
};

// A block of the network, or a run of stages where no blocks were recognised: times [begin, end).
struct ReportSegment {
  std::string name;
  int32_t begin = 0, end = 0;
  int32_t alike = 0;  // index of the first segment with the same calls and buffers; its own index where it is the first
};

struct ReportModel {
  std::string model, target, board, version, sha256;
  std::vector<std::pair<int64_t, std::string>> regions;  // where on the line they begin; one: no names are needed
  int64_t arena_ram = 0;                                 // of all arenas; arena_bytes: where the line ends
  int64_t arena_bytes = 0, lower_bound_bytes = 0, ram_budget = 0, macs = 0, instructions = 0, weight_bytes = 0;
  int64_t clock_hz = 0;
  std::vector<ReportCall> calls;
  std::vector<ReportBuffer> buffers;            // in the order of Plan::buffers
  std::vector<std::pair<int, int>> overwrites;  // {x, y}: y is written over x, rows of x that nobody needs any more
  std::vector<ReportSegment> segments;
  std::vector<FrontierRow> frontier;  // by arena
};

// budget: what all RAM may take, in bytes; 0: no limit.
ReportModel ReportModelOf(const Compilation &compilation, int64_t ram_budget);

// Both alive at some time, and at least one byte of the arena in common.
bool Collide(const ReportBuffer &a, const ReportBuffer &b);

}  // namespace onnx2mcu
