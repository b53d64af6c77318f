// planning_time MODEL.onnx... - processor milliseconds of ChooseSchedule(), from shapes alone: all rewrites, cuts and
// placements. The least of five rounds, since another program's work must not count.
#include <cstdio>
#include <ctime>
#include <limits>

#include "codegen/compiler.h"
#include "importer/copies.h"

namespace onnx2mcu {
namespace {

constexpr int kRounds = 5;

double Milliseconds(std::clock_t since) { return 1e3 * static_cast<double>(std::clock() - since) / CLOCKS_PER_SEC; }

absl::Status Measure(const std::string &model, const Registry &registry) {
  CompileOptions options;
  options.model = model, options.residual = "s8", options.shapes_only = true;
  Host host;
  Compilation compilation;
  O2M_ASSIGN_OR_RETURN(const Graph graph, LowerModel(options, registry, host, &compilation));
  PlanOptions plan;
  O2M_ASSIGN_OR_RETURN(plan.copy, FindCopy(registry, graph));
  double least = std::numeric_limits<double>::max();
  size_t nodes = 0, alternatives = 0;
  for (int round = 0; round < kRounds; round++) {
    const std::clock_t start = std::clock();
    O2M_ASSIGN_OR_RETURN(const auto chosen, ChooseSchedule(graph, host, compilation.target.abi(), plan));
    least = std::min(least, Milliseconds(start));
    nodes = chosen[0].graph.nodes.size(), alternatives = chosen.size();
  }
  std::printf("%s: %.1f ms, %zu nodes scheduled, %zu schedules on the frontier\n", model.c_str(), least, nodes,
              alternatives);
  return absl::OkStatus();
}

}  // namespace
}  // namespace onnx2mcu

int main(int argc, char **argv) {
  onnx2mcu::Registry registry;
  for (const std::string &folder : onnx2mcu::DefaultPluginFolders()) registry.LoadFolder(folder);
  for (int i = 1; i < argc; i++) {
    const absl::Status status = onnx2mcu::Measure(argv[i], registry);
    if (!status.ok()) return std::fprintf(stderr, "%s\n", std::string(status.message()).c_str()), 1;
  }
  return 0;
}
