// What is said when no schedule fits the budget.
#include "planner/over_budget.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "importer/ir/text.h"

namespace onnx2mcu {
namespace {

std::string StageName(const Graph &graph, const Stage &stage) {
  const std::string first = graph.nodes[stage.nodes.front()].name, last = graph.nodes[stage.nodes.back()].name;
  return first == last ? absl::StrCat("'", first, "'") : absl::StrCat("'", first, "' .. '", last, "'");
}

// The three largest tensors alive in a stage.
std::string LargestTensors(const Graph &graph, const Plan &plan, int32_t stage) {
  std::vector<const Buffer *> alive;
  for (const Buffer &buffer : plan.buffers)
    if (buffer.first_stage <= stage && buffer.last_stage >= stage && buffer.kind == BufferKind::kTensor)
      alive.push_back(&buffer);
  std::stable_sort(alive.begin(), alive.end(), [](const Buffer *a, const Buffer *b) { return a->bytes > b->bytes; });
  std::vector<std::string> names;
  for (size_t i = 0; i < alive.size() && i < 3; i++)
    names.push_back(absl::StrCat("'", graph.tensors[alive[i]->id].name, "' ", Grouped(alive[i]->bytes), " B"));
  return absl::StrJoin(names, ", ");
}

}  // namespace

absl::Status OverBudget(const Alternative &least, const PlanOptions &options) {
  int32_t worst = 0;
  for (int32_t s = 1; s < static_cast<int32_t>(least.plan.stages.size()); s++)
    if (LiveBytes(least.plan, s) > LiveBytes(least.plan, worst)) worst = s;
  const std::string arena = Grouped(least.plan.arena_bytes);
  const std::string rows = options.rows > 1 ? "a smaller --rows, " : "";
  return absl::ResourceExhaustedError(
      absl::StrCat(least.graph.file, ": arena ", arena, " B exceeds the budget of ", Grouped(options.arena_budget),
                   " B; largest: ", StageName(least.graph, least.plan.stages[worst]), " (tensors ",
                   LargestTensors(least.graph, least.plan, worst), "); this is the least of all schedules tried; try ",
                   rows, "a budget of ", arena, " B, or a model with fewer tokens or a smaller dim"));
}

}  // namespace onnx2mcu
