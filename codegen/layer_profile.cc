#include "codegen/layer_profile.h"

#include <algorithm>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "importer/ir/text.h"
#include "planner/cost.h"

namespace onnx2mcu {
namespace {

LayerCount LayerOf(const Compilation &c, int s, NodeId id, const Profile &profile) {
  const Stage &stage = c.plan.stages[s];
  const Work work = WorkOf(c.graph, c.graph.nodes[id], c.target.abi(), stage.steps, std::max(stage.rows, 1));
  LayerCount layer;
  layer.stage = s;
  layer.kernel = work.kernel.empty() ? c.graph.nodes[id].op->id : work.kernel;
  layer.name = c.graph.nodes[id].name;
  layer.calls = id < static_cast<NodeId>(profile.calls.size()) ? profile.calls[id] : 0;
  layer.macs = work.macs, layer.elements = work.elements, layer.outputs = work.outputs;
  layer.estimate = work.instructions;
  return layer;
}

// "0.912", or "-" of nothing.
std::string Ratio(int64_t value, int64_t per) {
  if (value <= 0 || per <= 0) return "-";
  return absl::StrFormat("%.3f", static_cast<double>(value) / static_cast<double>(per));
}

}  // namespace

std::vector<LayerCount> LayersOf(const Compilation &compilation, const Profile &profile) {
  std::vector<LayerCount> layers;
  std::vector<size_t> layer_of(compilation.graph.nodes.size());
  for (size_t s = 0; s < compilation.plan.stages.size(); s++) {
    for (const NodeId id : compilation.plan.stages[s].nodes) {
      layer_of[id] = layers.size();
      layers.push_back(LayerOf(compilation, static_cast<int>(s), id, profile));
    }
  }
  layers.emplace_back().name = compilation.graph.name + "_run";
  for (const ProfileRow &row : profile.rows) {
    LayerCount &layer = row.node == kNone ? layers.back() : layers[layer_of[row.node]];
    layer.instructions += row.instructions, layer.cycles += row.cycles;
  }
  return layers;
}

absl::StatusOr<std::vector<LayerCount>> ProfileLayers(const Compilation &compilation, CompileOptions options,
                                                      const std::vector<uint8_t> &sample, Host &host) {
  if (compilation.target.emulator.program.empty())
    return absl::InvalidArgumentError(
        absl::StrCat("--profile: '", compilation.target.id, "' is not emulated; choose a core with --target"));
  options.marks = true;
  O2M_ASSIGN_OR_RETURN(const std::vector<GeneratedFile> files, EmitProgram(compilation, options, host));
  EmulatorOptions fast;
  fast.page_guards = true;
  O2M_ASSIGN_OR_RETURN(const EmulatorRun run, RunOnEmulator(compilation, files, {sample}, fast));
  if (run.profile.rows.empty())
    return absl::InternalError("--profile: the emulator's counting plugin, qemu_count.so, is not beside the tool");
  return LayersOf(compilation, run.profile);
}

void PrintLayers(const std::vector<LayerCount> &layers) {
  int64_t all = 0;
  for (const LayerCount &layer : layers) all += layer.instructions;
  std::printf(
      "  layers of one inference (instructions: exact counts; planned: as the schedule was priced; cycles: an "
      "estimate)\n");
  std::printf("  %5s  %-18s%7s%14s%8s%9s%14s%14s  %s\n", "stage", "kernel", "calls", "instructions", "%", "per MAC",
              "planned", "cycles, est.", "name");
  for (const LayerCount &layer : layers) {
    const std::string stage = layer.stage == kNone ? "" : absl::StrCat(layer.stage);
    std::printf("  %5s  %-18s%7lld%14s%8.2f%9s%14s%14s  %s\n", stage.c_str(), layer.kernel.c_str(),
                static_cast<long long>(layer.calls), Grouped(layer.instructions).c_str(),
                all == 0 ? 0.0 : 100.0 * static_cast<double>(layer.instructions) / static_cast<double>(all),
                Ratio(layer.instructions, layer.macs).c_str(),
                layer.estimate > 0 ? Grouped(layer.estimate).c_str() : "-",
                layer.cycles > 0 ? Grouped(layer.cycles).c_str() : "-", layer.name.c_str());
  }
}

}  // namespace onnx2mcu
