// planning_time [MODEL.onnx...] - processor time of planning, from shapes alone: all rewrites, cuts and placements.
// The least of several rounds, since another program's work must not count. With models: ChooseSchedule() of each, the
// first time. Then transformers of DeiT-Tiny's size whose blocks differ, as a search over architectures meets them.
#include <algorithm>
#include <cstdio>
#include <ctime>
#include <limits>
#include <random>

#include "codegen/compiler.h"
#include "importer/copies.h"
#include "nas/lowered_vit.h"
#include "planner/price.h"

namespace onnx2mcu {
namespace {

constexpr int kRounds = 5, kNetworks = 20;

double Milliseconds(std::clock_t since) { return 1e3 * static_cast<double>(std::clock() - since) / CLOCKS_PER_SEC; }

template <class Run>
double Least(int rounds, const Run &run) {
  double least = std::numeric_limits<double>::max();
  for (int round = 0; round < rounds; round++) {
    const std::clock_t start = std::clock();
    run();
    least = std::min(least, Milliseconds(start));
  }
  return least;
}

absl::Status Measure(const std::string &model, const Registry &registry) {
  CompileOptions options;
  options.model = model, options.residual = "s8", options.shapes_only = true;
  Host host;
  Compilation compilation;
  O2M_ASSIGN_OR_RETURN(const Graph graph, LowerModel(options, registry, host, &compilation));
  PlanOptions plan;
  O2M_ASSIGN_OR_RETURN(plan.copy, FindCopy(registry, graph));
  absl::StatusOr<std::vector<Alternative>> chosen;
  const double time = Least(kRounds, [&] { chosen = ChooseSchedule(graph, host, compilation.target.abi(), plan); });
  O2M_RETURN_IF_ERROR(chosen.status());
  std::printf("%s: %.1f ms, %zu nodes scheduled, %zu schedules on the frontier\n", model.c_str(), time,
              (*chosen)[0].graph.nodes.size(), chosen->size());
  return absl::OkStatus();
}

// Twelve blocks of a few kinds, in any order.
VitConfig RandomNet(std::mt19937 &random) {
  static const BlockConfig kKinds[] = {
      {3, 64, 768, {}}, {3, 64, 576, {}}, {3, 64, 384, {}}, {2, 64, 768, {}}, {2, 64, 512, {}}};
  VitConfig net{224, 3, 16, 192, 1000, Pool::kClassToken, {}};
  for (int i = 0; i < 12; i++) net.blocks.push_back(kKinds[random() % std::size(kKinds)]);
  return net;
}

struct Times {
  double first = 0, again = 0, fresh = 0, price = 0, lowering = 0;  // milliseconds
};

// Networks of blocks that were all met in others before; none of these rows of blocks was.
absl::StatusOr<Times> MeasureSearch(const Registry &registry) {
  Host host;
  O2M_ASSIGN_OR_RETURN(const Target core, FindTarget("cortex-m4"));
  const o2m_target target = core.abi();
  std::mt19937 random(1);
  std::vector<Graph> graphs;
  Times times;
  times.lowering = std::numeric_limits<double>::max();
  for (int i = 0; i < kNetworks; i++) {
    const std::clock_t start = std::clock();
    O2M_ASSIGN_OR_RETURN(Graph graph, LoweredVit(RandomNet(random), {.residual = "s8"}, registry, host, target));
    times.lowering = std::min(times.lowering, Milliseconds(start));
    graphs.push_back(std::move(graph));
  }
  PlanOptions options;
  O2M_ASSIGN_OR_RETURN(options.copy, FindCopy(registry, graphs[0]));
  PlanCache cache;
  std::vector<SegmentId> kinds;
  std::vector<PricedSchedule> schedules;
  absl::Status status;
  const auto plan = [&](PlanCache &known, const Graph &graph) {
    absl::StatusOr<std::vector<SegmentId>> found = KindsOf(known, graph, host, target, options);
    status.Update(found.status());
    if (found.ok()) kinds = *std::move(found), schedules = PriceSchedules(known, kinds, options);
  };
  times.first = Least(1, [&] { plan(cache, graphs[0]); });
  times.again = Least(20, [&] { plan(cache, graphs[0]); });
  const Picks picks = schedules[schedules.size() / 2].picks;
  times.price = Least(20,
                      [&] {
                        for (int i = 0; i < 100; i++) PriceOf(cache, kinds, picks);
                      }) /
                100;
  for (int i = 1; i + 1 < kNetworks; i++) plan(cache, graphs[i]);
  times.fresh = std::numeric_limits<double>::max();
  const PlanCache warm = cache;
  for (int round = 0; round < 5; round++) {
    PlanCache copy = warm;
    times.fresh = std::min(times.fresh, Least(1, [&] { plan(copy, graphs.back()); }));
  }
  O2M_RETURN_IF_ERROR(status);
  return times;
}

absl::Status Report(const Registry &registry) {
  O2M_ASSIGN_OR_RETURN(const Times times, MeasureSearch(registry));
  std::printf(
      "a transformer of 12 blocks, 197 tokens of 192, as a lowered graph: all schedules priced\n"
      "  the first              %9.3f ms\n"
      "  the same again         %9.3f ms\n"
      "  its blocks rearranged  %9.3f ms\n"
      "  one schedule's price   %9.3f ms\n"
      "  (lowering it           %9.3f ms)\n",
      times.first, times.again, times.fresh, times.price, times.lowering);
  return absl::OkStatus();
}

}  // namespace
}  // namespace onnx2mcu

int main(int argc, char **argv) {
  onnx2mcu::Registry registry;
  for (const std::string &folder : onnx2mcu::DefaultPluginFolders()) registry.LoadFolder(folder);
  for (int i = 1; i <= argc; i++) {
    const absl::Status status = i < argc ? onnx2mcu::Measure(argv[i], registry) : onnx2mcu::Report(registry);
    if (!status.ok()) return std::fprintf(stderr, "%s\n", std::string(status.message()).c_str()), 1;
  }
  return 0;
}
