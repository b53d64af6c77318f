#include "codegen/pareto.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "importer/ir/text.h"
#include "planner/cost.h"

namespace onnx2mcu {
std::vector<FrontierRow> FrontierOf(const Compilation &compilation) {
  std::vector<FrontierRow> rows;
  for (const Alternative &alternative : compilation.alternatives) {
    const bool chosen = rows.empty();
    const Graph &graph = chosen ? compilation.graph : alternative.graph;
    FrontierRow row;
    row.name = alternative.name, row.exact = alternative.exact, row.chosen = chosen;
    row.arena_bytes = ArenaRam(alternative.plan), row.lower_bound_bytes = alternative.plan.lower_bound_bytes;
    row.instructions = alternative.instructions;
    row.flash_bytes_read = FlashBytesRead(graph, alternative.plan, compilation.target.abi());
    row.weight_bytes = ConstantBytes(graph);
    rows.push_back(std::move(row));
  }
  return rows;
}

std::vector<FrontierRow> ByArena(std::vector<FrontierRow> rows) {
  std::stable_sort(rows.begin(), rows.end(),
                   [](const FrontierRow &a, const FrontierRow &b) { return a.arena_bytes < b.arena_bytes; });
  return rows;
}

std::string FrontierTable(const Compilation &compilation) {
  std::string text = absl::StrFormat("  %-3s %12s %10s %17s %15s  %-8s %s\n", "", "arena B", "KiB", "instructions",
                                     "flash reads B", "bytes", "schedule (* chosen; instructions are an estimate)");
  for (const FrontierRow &row : ByArena(FrontierOf(compilation)))
    absl::StrAppendFormat(&text, "  %-3s %12s %10.1f %17s %15s  %-8s %s\n", row.chosen ? "*" : "",
                          Grouped(row.arena_bytes), static_cast<double>(row.arena_bytes) / 1024,
                          Grouped(row.instructions), Grouped(row.flash_bytes_read), row.exact ? "exact" : "numeric",
                          row.name);
  if (compilation.rounding) absl::StrAppend(&text, "  numeric schedules: ", RoundingText(*compilation.rounding), "\n");
  return text;
}

namespace {

void AddFidelity(const Compilation &compilation, const FrontierRow &row, nlohmann::ordered_json &json) {
  const std::optional<RoundingChange> &change = compilation.rounding;
  if (row.exact) json["cosine"] = 1.0;
  if (!change) return;
  const Fidelity &fidelity = row.exact ? change->exact : change->numeric;
  if (!row.exact) json["cosine"] = change->cosine;
  json["sqnr_db"] = fidelity.sqnr_db, json["agreement"] = fidelity.agreement;
}

}  // namespace

std::string FrontierJson(const Compilation &compilation) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const FrontierRow &row : FrontierOf(compilation)) {
    list.push_back({{"name", row.name},
                    {"exact", row.exact},
                    {"chosen", row.chosen},
                    {"cosine", nullptr},   // to the output of the graph as written
                    {"sqnr_db", nullptr},  // this and the next: to the float model, where it was measured
                    {"agreement", nullptr},
                    {"arena_bytes", row.arena_bytes},
                    {"instructions_estimate", row.instructions},
                    {"flash_bytes", row.weight_bytes},
                    {"flash_bytes_read", row.flash_bytes_read}});
    AddFidelity(compilation, row, list.back());
  }
  return list.dump();
}

}  // namespace onnx2mcu
