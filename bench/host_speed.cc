// host_speed MODEL.onnx[:s16] [...] - images a second that one core validates: the integer engine, one thread, by
// processor time. The best of several rounds, since another program's work must not count.
#include <algorithm>
#include <cstdio>
#include <ctime>

#include "absl/strings/strip.h"
#include "codegen/compiler.h"
#include "planner/execute.h"

namespace onnx2mcu {
namespace {

constexpr int kRounds = 7;
constexpr double kSecondsPerRound = 0.5;

double Seconds(std::clock_t since) { return static_cast<double>(std::clock() - since) / CLOCKS_PER_SEC; }

std::vector<std::vector<uint8_t>> NoiseFor(const Graph &graph, const std::vector<TensorId> &ids) {
  std::vector<std::vector<uint8_t>> all;
  uint64_t seed = 1;
  for (const TensorId id : ids) {
    for (uint8_t &byte : all.emplace_back(BytesOf(graph.tensors[id]))) {
      seed = seed * 6364136223846793005u + 1442695040888963407u;
      byte = static_cast<uint8_t>(seed >> 33);
    }
  }
  return all;
}

double ImagesPerSecond(const Compilation &compilation) {
  const Graph &graph = compilation.graph;
  Executor executor(graph, compilation.plan, compilation.target.abi());
  std::vector<std::vector<uint8_t>> inputs = NoiseFor(graph, graph.inputs), outputs = NoiseFor(graph, graph.outputs);
  std::vector<const void *> in;
  std::vector<void *> out;
  for (const auto &bytes : inputs) in.push_back(bytes.data());
  for (auto &bytes : outputs) out.push_back(bytes.data());
  double best = 0;
  for (int round = 0; round < kRounds; round++) {
    const std::clock_t start = std::clock();
    int images = 0;
    do {
      executor.Run(in, out);
      images++;
    } while (Seconds(start) < kSecondsPerRound);
    best = std::max(best, images / Seconds(start));
  }
  return best;
}

absl::Status Report(const std::string &model, const Registry &registry) {
  CompileOptions options;
  options.model = std::string(absl::StripSuffix(model, ":s16"));
  options.residual = options.model == model ? "s8" : "s16";
  Host host;
  host.options = {{"gelu", options.gelu}};
  O2M_ASSIGN_OR_RETURN(const Compilation compilation, Compile(options, registry, host));
  std::printf("%s, residual %s, planned for %s: %.1f images/s on one core\n", options.model.c_str(),
              options.residual.c_str(), compilation.target.id.c_str(), ImagesPerSecond(compilation));
  return absl::OkStatus();
}

}  // namespace
}  // namespace onnx2mcu

int main(int argc, char **argv) {
  onnx2mcu::Registry registry;
  for (const std::string &folder : onnx2mcu::DefaultPluginFolders()) registry.LoadFolder(folder);
  for (int i = 1; i < argc; i++) {
    const absl::Status status = onnx2mcu::Report(argv[i], registry);
    if (!status.ok()) return std::fprintf(stderr, "%s\n", std::string(status.message()).c_str()), 1;
  }
  return 0;
}
