// random_cases: random cases of every op on one core, built and run in networks of some hundred, byte for byte against
// the host, every scratch between guards. Exit 1 at the first difference. tests/bench and tests/sweep start it.
// --worst: the worst cases of every op instead, with each way to set their inputs to their ends.
// --plant FILE --old TEXT --new TEXT puts an error into a generated file before it is built: exit 1 where it is found,
// 2 where nothing ran: FILE does not hold TEXT exactly once, or does not build any more.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "bench/case_network.h"
#include "codegen/emulator.h"
#include "ops/op_cases.hpp"

namespace onnx2mcu {
namespace {

struct Options {
  std::string target = "cortex-m4", plugins;
  std::vector<std::string> ops;
  std::string file, old_text, new_text;  // of an error to plant
  int32_t first = 0, count = 100, batch = 250, variant = kNone;
  bool worst = false;
};

constexpr int32_t kMostWorstCases = 1024, kWorstBatch = 32;  // of all ops

absl::Status Plant(const Options &options, std::vector<GeneratedFile> *files) {
  if (options.file.empty()) return absl::OkStatus();
  const auto found = std::find_if(files->begin(), files->end(), [&](const auto &f) { return f.name == options.file; });
  if (found == files->end()) return absl::NotFoundError(options.file + " is not in the program");
  const size_t at = found->text.find(options.old_text);
  if (at == std::string::npos || found->text.find(options.old_text, at + 1) != std::string::npos)
    return absl::NotFoundError(options.file + " does not hold exactly once: " + options.old_text);
  found->text.replace(at, options.old_text.size(), options.new_text);
  return absl::OkStatus();
}

using Inputs = std::vector<std::vector<uint8_t>>;

std::vector<Inputs> RunsOf(const CaseNetwork &network, bool worst) {
  if (!worst) return {InputsOf(network)};
  std::vector<Inputs> runs;
  for (int32_t run = 0; run < o2m::kEndRuns; run++) runs.push_back(EndInputsOf(network, run));
  return runs;
}

// Where the emulator's bytes are not the host's in one of the runs; empty: nowhere.
std::string DifferenceIn(const CaseNetwork &network, const std::vector<Inputs> &runs, const EmulatorRun &run) {
  for (size_t r = 0; r < runs.size(); r++) {
    const std::string difference = FirstDifference(network.compilation.graph, HostBytes(network.compilation, runs[r]),
                                                   run.outputs[r], static_cast<uint8_t>(0xa5 + r));
    if (!difference.empty()) return runs.size() == 1 ? difference : absl::StrCat("run ", r, ": ", difference);
  }
  return "";
}

// Of `count` seeds from `first` on; how many cases it were.
absl::StatusOr<size_t> CheckBatch(const Registry &registry, const Options &options, int32_t first, int32_t count) {
  CaseOptions cases;
  cases.target = options.target, cases.ops = options.ops;
  cases.random_first = first, cases.random_count = count, cases.variant = options.variant;
  cases.worst = options.worst;
  Host host;
  O2M_ASSIGN_OR_RETURN(const CaseNetwork network, NetworkOfCases(registry, cases, host));
  if (network.cases.empty() && options.worst) return 0;
  if (network.cases.empty()) return absl::NotFoundError("no op with random cases");
  const Compilation &compilation = network.compilation;
  O2M_ASSIGN_OR_RETURN(std::vector<GeneratedFile> files, EmitProgram(compilation, {}, host));
  O2M_RETURN_IF_ERROR(Plant(options, &files));
  const std::vector<Inputs> runs = RunsOf(network, options.worst);
  std::vector<std::vector<uint8_t>> samples;
  for (const Inputs &inputs : runs) {
    std::vector<uint8_t> &sample = samples.emplace_back();
    for (const auto &bytes : inputs) sample.insert(sample.end(), bytes.begin(), bytes.end());
  }
  EmulatorOptions emulator;
  emulator.page_guards = emulator.quick_build = true, emulator.count = false;
  O2M_ASSIGN_OR_RETURN(const EmulatorRun run, RunOnEmulator(compilation, files, samples, emulator));
  const std::string difference = DifferenceIn(network, runs, run);
  if (difference.empty()) return network.cases.size();
  return absl::InternalError(absl::StrCat(options.target, " differs from the host: ", difference));
}

// A batch that the core's board has no memory for is halved.
absl::StatusOr<size_t> CheckSeeds(const Registry &registry, const Options &options, int32_t first, int32_t count) {
  const absl::StatusOr<size_t> checked = CheckBatch(registry, options, first, count);
  if (absl::IsResourceExhausted(checked.status()) && count > 1) {
    O2M_ASSIGN_OR_RETURN(const size_t before, CheckSeeds(registry, options, first, count / 2));
    O2M_ASSIGN_OR_RETURN(const size_t after, CheckSeeds(registry, options, first + count / 2, count - count / 2));
    return before + after;
  }
  if (!checked.ok())
    std::printf("%s %d .. %d: %s\n", options.worst ? "worst cases" : "seeds", first, first + count - 1,
                std::string(checked.status().message()).c_str());
  return checked;
}

int Run(const Options &options) {
  Registry registry;
  registry.LoadFolder(options.plugins);
  size_t cases = 0;
  for (int32_t first = options.first; first < options.first + options.count; first += options.batch) {
    const int32_t count = std::min(options.batch, options.first + options.count - first);
    const auto checked = CheckSeeds(registry, options, first, count);
    if (!checked.ok()) {
      const bool ran =
          absl::IsInternal(checked.status()) && !absl::StrContains(checked.status().message(), "does not build");
      return ran ? 1 : 2;
    }
    cases += *checked;
  }
  if (cases == 0) std::printf("no op with %s cases\n", options.worst ? "worst" : "random");
  if (cases == 0) return 2;
  std::printf("%s: %zu %s cases, 0 bytes differ from the host, no scratch exceeded\n", options.target.c_str(), cases,
              options.worst ? "worst" : "random");
  return 0;
}

}  // namespace
}  // namespace onnx2mcu

int main(int argc, char **argv) {
  onnx2mcu::Options options;
  CLI::App app{"random cases of ops on an emulated core, against the host"};
  app.add_option("--plugins", options.plugins, "folder of the ops")->required();
  app.add_option("--target", options.target, "core");
  app.add_option("--op", options.ops, "name of an op, repeatable; all ops");
  app.add_option("--first", options.first, "first seed");
  app.add_option("--count", options.count, "seeds per op");
  app.add_option("--batch", options.batch, "seeds per network, fewer where its board has no memory for as many");
  app.add_option("--variant", options.variant, "of every node whose op takes it; the quickest exact one");
  app.add_flag("--worst", options.worst, "the worst cases instead, all of them");
  app.add_option("--plant", options.file, "generated file to plant an error in");
  app.add_option("--old", options.old_text, "text in it");
  app.add_option("--new", options.new_text, "what takes its place");
  CLI11_PARSE(app, argc, argv);
  if (options.worst)
    options.first = 0, options.count = onnx2mcu::kMostWorstCases, options.batch = onnx2mcu::kWorstBatch;
  return onnx2mcu::Run(options);
}
