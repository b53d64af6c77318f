// memory_table MODEL.onnx ...: one Markdown table of arenas against what they are measured by. bench/memory says of
// which models.
#include <cstdio>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "bench/op_by_op.h"
#include "codegen/compiler.h"
#include "importer/ir/text.h"
#include "importer/ir/vit_view.h"
#include "plugins/registry.h"

namespace onnx2mcu {
namespace {

const std::vector<std::string> kColumns = {"model",
                                           "blocks × tokens × dim, heads",
                                           "op by op, greedy",
                                           "eq. 5",
                                           "floor 2NE + NP",
                                           "default",
                                           "over its bound",
                                           "`--optimize=ram`",
                                           "over its bound",
                                           "floor 3NE + NP",
                                           "`--residual=s16`",
                                           "over its bound"};

// From shapes alone: the plan does not depend on the weights.
absl::StatusOr<Compilation> PlanOf(const std::string &model, const std::string &residual, const std::string &optimize,
                                   const Registry &registry) {
  CompileOptions options;
  options.model = model, options.residual = residual, options.optimize = optimize, options.shapes_only = true;
  Host host;
  host.options = {{"gelu", options.gelu}};
  return Compile(options, registry, host);
}

// The arena, in parentheses against the floor where there is one; and how far above the bound of its own schedule.
void AddArena(const Plan &plan, int64_t floor, std::vector<std::string> *cells) {
  const auto ratio = [&](int64_t of) { return static_cast<double>(plan.arena_bytes) / static_cast<double>(of); };
  cells->push_back(Grouped(plan.arena_bytes) + (floor > 0 ? absl::StrFormat(" (%.3f)", ratio(floor)) : ""));
  const bool met = plan.arena_bytes == plan.lower_bound_bytes;
  cells->push_back(met ? "exact" : absl::StrFormat("%.3f %%", 100 * (ratio(plan.lower_bound_bytes) - 1)));
}

// The floors: residual stream, results of all heads but the last, K and V of one head; an int8 each value, but for the
// residual stream of the second, which is int16.
absl::StatusOr<std::string> RowOf(const std::string &model, const Registry &registry) {
  O2M_ASSIGN_OR_RETURN(const Compilation plain, PlanOf(model, "s8", "balanced", registry));
  O2M_ASSIGN_OR_RETURN(const Compilation least, PlanOf(model, "s8", "ram", registry));
  O2M_ASSIGN_OR_RETURN(const Compilation wide, PlanOf(model, "s16", "balanced", registry));
  const VitView vit = ViewAsVit(plain.graph);
  const int64_t x = vit.tokens * vit.dim, head = vit.tokens * vit.head_dim;
  const int64_t floor = vit.found ? 2 * x + head : 0, wide_floor = vit.found ? 3 * x + head : 0;
  std::vector<std::string> cells = {plain.graph.name};
  cells.push_back(vit.found ? absl::StrCat(vit.depth, " × ", vit.tokens, " × ", vit.dim, ", ", vit.heads) : "-");
  cells.push_back(Grouped(GreedyBySize(WholeTensors(plain.graph))));
  cells.push_back(Grouped(WeightsAndLargerSide(plain.graph)));
  cells.push_back(vit.found ? Grouped(floor) : "-");
  AddArena(plain.plan, floor, &cells);
  AddArena(least.plan, floor, &cells);
  cells.push_back(vit.found ? Grouped(wide_floor) : "-");
  AddArena(wide.plan, wide_floor, &cells);
  return absl::StrCat("| ", absl::StrJoin(cells, " | "), " |");
}

int Main(int argc, char **argv) {
  if (argc < 2) return std::fprintf(stderr, "usage: memory_table MODEL.onnx ...\n"), 1;
  Registry registry;
  for (const std::string &folder : DefaultPluginFolders()) registry.LoadFolder(folder);
  std::printf("| %s |\n|%s\n", absl::StrJoin(kColumns, " | ").c_str(),
              absl::StrJoin(std::vector<std::string>(kColumns.size(), "---|"), "").c_str());
  for (int i = 1; i < argc; i++) {
    const auto row = RowOf(argv[i], registry);
    if (!row.ok()) return std::fprintf(stderr, "memory_table: %s\n", std::string(row.status().message()).c_str()), 1;
    std::printf("%s\n", row->c_str());
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace
}  // namespace onnx2mcu

int main(int argc, char **argv) { return onnx2mcu::Main(argc, argv); }
