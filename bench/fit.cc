// bench_fit: fits the cost model to counts of cases and holds it against whole networks. bench/fit starts it; see
// bench/README.md.
#include <CLI/CLI.hpp>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "bench/cost_fit.h"
#include "importer/ir/text.h"

namespace onnx2mcu {
namespace {

struct Options {
  std::vector<std::string> targets, networks;
  std::string folder, table;
  double most = 0;  // per cent
  bool measure = false, check = false, list = false, fit = true;
};

constexpr double kSameWithin = 0.01;  // of what two tables predict for a case

double ErrorOf(const Coefficients &coefficients, const Sample &sample) {
  return Predict(coefficients, sample) / sample.instructions - 1;
}

struct Errors {
  int count = 0;
  double sum = 0, most = 0;
  std::string worst;
  void Add(double error, const std::string &name) {
    count++, sum += std::fabs(error);
    if (std::fabs(error) < std::fabs(most)) return;
    most = error, worst = name;
  }
};

void PrintErrors(const std::string &target, const Coefficients &coefficients, const std::vector<Sample> &samples,
                 bool list) {
  std::map<std::string, Errors> kernels;
  for (const Sample &sample : samples) {
    const double error = ErrorOf(coefficients, sample);
    kernels[sample.terms[0].kernel].Add(error, sample.name);
    if (list) std::printf("  %8.2f %%  %-18s %s\n", 100 * error, sample.terms[0].kernel.c_str(), sample.name.c_str());
  }
  std::printf("\n%-20s%8s%12s%12s\n", target.c_str(), "cases", "mean error", "largest");
  for (const auto &[kernel, errors] : kernels)
    std::printf("  %-18s%8d%10.2f %%%10.2f %%  %s\n", kernel.c_str(), errors.count, 100 * errors.sum / errors.count,
                100 * errors.most, errors.worst.c_str());
}

// True if the compiler's table says what a fresh one does.
bool IsAsBuilt(const std::string &target, const Coefficients &fresh, const std::vector<Sample> &samples) {
  const Coefficients built = BuiltCoefficients(CostCoreOf(target), fresh);
  bool same = true;
  for (const Sample &sample : samples) {
    const double was = Predict(built, sample), is = Predict(fresh, sample);
    if (std::fabs(was - is) <= kSameWithin * is + 1) continue;
    if (same)
      std::printf("%s: %s: the table says %.0f instructions, the counts in the tree %.0f\n", target.c_str(),
                  sample.name.c_str(), was, is);
    same = false;
  }
  return same;
}

// "NAME=FILE" or "NAME=FILE:s16"
NetworkCase NetworkOf(const std::string &text) {
  NetworkCase network;
  const size_t equals = text.find('='), colon = text.rfind(':');
  network.name = text.substr(0, equals);
  network.model = text.substr(equals + 1, colon == std::string::npos ? colon : colon - equals - 1);
  if (colon != std::string::npos) network.residual = text.substr(colon + 1);
  return network;
}

// True if the estimate of the whole network is as near as --most asks for.
bool PrintNetwork(const Options &options, const std::string &target, const std::vector<Row> &rows) {
  bool near = true;
  for (const Row &row : rows) {
    const bool part = absl::StrContains(row.name, ":");
    const double error = 100 * (static_cast<double>(row.estimate) / static_cast<double>(row.instructions) - 1);
    if (part && !options.list) continue;
    if (!part && options.most > 0 && std::fabs(error) > options.most) near = false;
    std::printf("  %-12s %-40s%16s%16s%9.2f %%\n", target.c_str(), row.name.c_str(), Grouped(row.estimate).c_str(),
                Grouped(row.instructions).c_str(), error);
  }
  std::fflush(stdout);
  return near;
}

absl::StatusOr<bool> CompareNetworks(const Options &options, const std::string &target, const Registry &registry) {
  bool near = true;
  for (const std::string &text : options.networks) {
    const absl::StatusOr<std::vector<Row>> rows = MeasureNetwork(registry, NetworkOf(text), target);
    if (!rows.ok()) return absl::Status(rows.status().code(), absl::StrCat(text, ": ", rows.status().message()));
    near &= PrintNetwork(options, target, *rows);
  }
  return near;
}

struct Fit {
  std::vector<Coefficients> by_core;
  bool as_built = true;
};

absl::Status FitCore(const Options &options, const std::string &target, const Registry &registry, Fit *fit) {
  const std::string path = absl::StrCat(options.folder, "/fit_data/", target, ".csv");
  FitData data;
  if (options.measure) {
    O2M_ASSIGN_OR_RETURN(data, MeasureFitData(registry, target));
    O2M_RETURN_IF_ERROR(WriteFitData(path, data));
  } else {
    O2M_ASSIGN_OR_RETURN(data, ReadFitData(path));
  }
  O2M_ASSIGN_OR_RETURN(const std::vector<Sample> samples, SamplesOf(registry, target, data));
  fit->by_core.push_back(FitSamples(samples));
  PrintErrors(target, fit->by_core.back(), samples, options.list);
  if (options.check) fit->as_built &= IsAsBuilt(target, fit->by_core.back(), samples);
  std::fflush(stdout);
  return absl::OkStatus();
}

absl::StatusOr<bool> FitAll(const Options &options) {
  Registry registry;
  for (const std::string &folder : DefaultPluginFolders()) registry.LoadFolder(folder);
  std::vector<std::string> targets = options.targets;
  if (targets.empty()) targets.assign(std::begin(kCostCores), std::end(kCostCores));
  Fit fit;
  for (const std::string &target : targets)
    if (options.fit) O2M_RETURN_IF_ERROR(FitCore(options, target, registry, &fit));
  if (options.fit && !options.check && options.targets.empty()) {
    std::ofstream file(options.table);
    file << CostTableText(fit.by_core);
    if (!file.flush()) return absl::PermissionDeniedError(absl::StrCat(options.table, ": cannot be written"));
  }
  bool near = true;
  if (!options.networks.empty())
    std::printf("\n  %-12s %-40s%16s%16s%11s\n", "core", "network", "estimate", "instructions", "error");
  for (const std::string &target : targets) {
    O2M_ASSIGN_OR_RETURN(const bool all, CompareNetworks(options, target, registry));
    near &= all;
  }
  if (!fit.as_built) std::fprintf(stderr, "bench: planner/cost_table.inc is not what 'bench/fit' makes; run it\n");
  if (!near)
    std::fprintf(stderr, "bench: a network's instructions are not within %g %% of the estimate\n", options.most);
  return near && fit.as_built;
}

int Main(int argc, char **argv) {
  Options options;
  CLI::App app("the cost model's table, from counts of cases on the emulator, and how far it is from whole networks");
  app.add_option("--target", options.targets, "this core only (repeatable); the table is left as it is");
  app.add_option("--folder", options.folder, "where fit_data/ is")->required();
  app.add_option("--table", options.table, "the table to write")->required();
  app.add_flag("--measure", options.measure, "count every case again, into fit_data/");
  app.add_flag("--check", options.check, "write nothing; fail if the table is not what the counts give");
  app.add_flag("--list", options.list, "every case, and every kernel of a network");
  app.add_flag("!--no-fit", options.fit, "networks only");
  app.add_option("--network", options.networks, "NAME=MODEL.onnx[:s16]: estimate against instructions")
      ->allow_extra_args(false);
  app.add_option("--most", options.most, "fail if a network's error is larger, in per cent");
  CLI11_PARSE(app, argc, argv);
  const absl::StatusOr<bool> done = FitAll(options);
  if (!done.ok()) return std::fprintf(stderr, "bench: %s\n", std::string(done.status().message()).c_str()), 1;
  return *done ? 0 : 1;
}

}  // namespace
}  // namespace onnx2mcu

int main(int argc, char **argv) { return onnx2mcu::Main(argc, argv); }
