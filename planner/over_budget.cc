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

// "SRAM is to hold 7,168 B of 7,168, CCM is to hold 6,400 B of 6,144: 256 B short".
std::string RegionsText(const Plan &plan, const PlanOptions &options) {
  std::vector<int64_t> begins = {0}, used(plan.boundaries.size() + 1);
  begins.insert(begins.end(), plan.boundaries.begin(), plan.boundaries.end());
  for (const Arena &arena : ArenasOf(plan)) used[arena.region] = arena.bytes;
  std::vector<std::string> texts;
  for (size_t r = 0; r < used.size(); r++) {
    const int64_t bytes = (r + 1 < begins.size() ? begins[r + 1] : options.arena_budget) - begins[r];
    texts.push_back(absl::StrCat(r < options.region_names.size() ? options.region_names[r] : absl::StrCat("region ", r),
                                 " is to hold ", Grouped(used[r]), " B of ", Grouped(bytes)));
    if (used[r] > bytes) absl::StrAppend(&texts.back(), ": ", Grouped(used[r] - bytes), " B short");
  }
  return absl::StrJoin(texts, ", ");
}

// What of a plan in several regions no region could hold, and what else is the matter.
std::string WhereItIsShort(const Alternative &least, const PlanOptions &options) {
  int64_t largest = options.boundaries[0], begin = 0;
  for (const int64_t at : options.boundaries) largest = std::max(largest, at - begin), begin = at;
  largest = std::max(largest, options.arena_budget - begin);
  for (const Buffer &buffer : least.plan.buffers)
    if (buffer.bytes > largest && buffer.kind == BufferKind::kTensor)
      return absl::StrCat("; tensor '", least.graph.tensors[buffer.id].name, "' of ", Grouped(buffer.bytes),
                          " B is larger than any region");
  return "";
}

}  // namespace

absl::Status OverBudget(const Alternative &least, const PlanOptions &options) {
  int32_t worst = 0;
  for (int32_t s = 1; s < static_cast<int32_t>(least.plan.stages.size()); s++)
    if (LiveBytes(least.plan, s) > LiveBytes(least.plan, worst)) worst = s;
  const std::string arena = Grouped(least.plan.arena_bytes);
  const std::string rows = options.rows > 1 ? "a smaller --rows, " : "";
  const std::string largest =
      absl::StrCat("; largest: ", StageName(least.graph, least.plan.stages[worst]), " (tensors ",
                   LargestTensors(least.graph, least.plan, worst), "); this is the least of all schedules tried; try ");
  if (!options.boundaries.empty())
    return absl::ResourceExhaustedError(
        absl::StrCat(least.graph.file, ": the arena does not fit its ", options.boundaries.size() + 1,
                     " regions of RAM: ", RegionsText(least.plan, options), WhereItIsShort(least, options), largest,
                     rows, "a larger region, one region of ", Grouped(least.plan.lower_bound_bytes),
                     " B or more, or a model with fewer tokens or a smaller dim"));
  return absl::ResourceExhaustedError(absl::StrCat(least.graph.file, ": arena ", arena, " B exceeds the budget of ",
                                                   Grouped(options.arena_budget), " B", largest, rows, "a budget of ",
                                                   arena, " B, or a model with fewer tokens or a smaller dim"));
}

}  // namespace onnx2mcu
