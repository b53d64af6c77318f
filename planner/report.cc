#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "importer/ir/text.h"
#include "planner/place.h"
#include "planner/plan.h"

namespace onnx2mcu {
namespace {

std::string BufferName(const Graph &graph, const Buffer &buffer) {
  if (buffer.kind == BufferKind::kTensor) return graph.tensors[buffer.id].name;
  return absl::StrCat(graph.nodes[buffer.id].name, buffer.kind == BufferKind::kScratch ? ":scratch"
                                                   : buffer.kind == BufferKind::kState ? ":state"
                                                                                       : ":prefetch");
}

std::string WithoutCommas(std::string name) {
  std::replace_if(
      name.begin(), name.end(), [](char c) { return c == ',' || c == '\n' || c == '\r' || c == '"'; }, '_');
  return name;
}

// One column per stage, folded to at most `width`: '#' where the buffer is alive, '.' elsewhere.
std::string Lifeline(const Buffer &buffer, size_t stages, size_t width) {
  std::string line(std::min(stages, width), '.');
  for (size_t s = buffer.first_stage; s <= static_cast<size_t>(buffer.last_stage); s++)
    line[stages <= width ? s : s * width / stages] = '#';
  return line;
}

}  // namespace

std::string PlanCsv(const Graph &graph, const Plan &plan) {
  Problem problem;
  Solution solution;
  problem.boundaries = plan.boundaries;
  for (const Buffer &buffer : plan.buffers) {
    problem.blocks.push_back({WithoutCommas(BufferName(graph, buffer)), buffer.bytes, 1, buffer.first, buffer.last});
    solution.offsets.push_back(buffer.offset);
  }
  return WriteCsv(problem, &solution);
}

std::string MemoryMap(const Graph &graph, const Plan &plan) {
  std::vector<const Buffer *> sorted;
  for (const Buffer &buffer : plan.buffers) sorted.push_back(&buffer);
  std::sort(sorted.begin(), sorted.end(), [](const Buffer *a, const Buffer *b) {
    if (a->first_stage != b->first_stage) return a->first_stage < b->first_stage;
    return a->offset != b->offset ? a->offset < b->offset : a < b;
  });
  const std::vector<Arena> arenas = ArenasOf(plan);
  std::string sizes;
  for (const Arena &arena : arenas) absl::StrAppend(&sizes, sizes.empty() ? "" : " + ", Grouped(arena.bytes));
  std::string map = absl::StrCat("arena ", sizes, " bytes; lower bound ", Grouped(plan.lower_bound_bytes), "; ",
                                 plan.stages.size(), " stages\n");
  absl::StrAppend(&map, "    offset      bytes  stages   alive\n");
  for (const Buffer *buffer : sorted) {
    const ArenaPlace place = PlaceOf(plan, buffer->offset);
    const std::string offset = absl::StrCat(place.arena > 0 ? absl::StrCat("a", place.arena, " + ") : "", place.offset);
    absl::StrAppend(&map, absl::StrFormat("%10s %10d %3d-%-3d   %s  %s%s\n", offset, buffer->bytes, buffer->first_stage,
                                          buffer->last_stage, Lifeline(*buffer, plan.stages.size(), 40),
                                          BufferName(graph, *buffer), buffer->tile ? " (tile)" : ""));
  }
  return map;
}

}  // namespace onnx2mcu
