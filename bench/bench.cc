// bench_counts: prints instructions and estimated cycles per core and compares them with those in the tree. bench/run
// starts it; see bench/README.md.
#include <CLI/CLI.hpp>
#include <cstdio>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "bench/expected.h"
#include "bench/measure.h"
#include "importer/ir/text.h"

namespace onnx2mcu {
namespace {

struct Options {
  std::vector<std::string> targets, select, networks, plugins;
  std::string folder;  // of expected/ and limits.csv
  int32_t rows = 0, variant = kNone;
  bool update = false, cases = true;
};

const std::vector<std::string> kTargets = {"cortex-m0",  "cortex-m3",  "cortex-m4", "cortex-m7",
                                           "cortex-m33", "cortex-m55", "rv32imc"};

std::string PerUnit(int64_t value, const Row &row) {
  char text[32] = "-";
  if (value > 0 && row.work > 0)
    std::snprintf(text, sizeof text, "%.3f", static_cast<double>(value) / static_cast<double>(row.work));
  return text;
}

void PrintTable(const std::string &target, const std::vector<Row> &rows) {
  std::printf("\n%s%*s%14s%10s%16s%10s\n", target.c_str(), static_cast<int>(60 - target.size()), "", "instructions",
              "per unit", "cycles, est.", "per unit");
  for (const Row &row : rows) {
    const bool part = row.name.find(':') != std::string::npos;
    const std::string name = part ? "  " + row.name.substr(row.name.find(':') + 1) : row.name;
    std::printf("  %-58s%14s%10s%16s%10s  %s", name.c_str(), Grouped(row.instructions).c_str(),
                PerUnit(row.instructions, row).c_str(), row.cycles > 0 ? Grouped(row.cycles).c_str() : "-",
                PerUnit(row.cycles, row).c_str(), row.unit.c_str());
    if (row.flash > 0 && row.ram == 0) std::printf("  weights %s B", Grouped(row.flash).c_str());
    if (row.ram > 0) std::printf("  RAM %s, flash %s", Grouped(row.ram).c_str(), Grouped(row.flash).c_str());
    std::printf("\n");
  }
}

// "NAME=FILE", then ":s16", ":ram=14000" or ":flash=170000", each or none.
absl::StatusOr<NetworkCase> NetworkOf(const std::string &text) {
  NetworkCase network;
  const size_t equals = text.find('=');
  const std::vector<std::string> parts = absl::StrSplit(text.substr(equals + 1), ':');
  network.name = text.substr(0, equals), network.model = parts[0];
  for (size_t i = 1; i < parts.size(); i++) {
    const std::pair<std::string, std::string> option = absl::StrSplit(parts[i], absl::MaxSplits('=', 1));
    int64_t bytes = 0;
    if (option.second.empty()) {
      network.residual = option.first;
    } else if (!absl::SimpleAtoi(option.second, &bytes) || (option.first != "ram" && option.first != "flash")) {
      return absl::InvalidArgumentError(absl::StrCat("--network: '", parts[i], "'; s8, s16, ram=BYTES, flash=BYTES"));
    } else {
      (option.first == "ram" ? network.ram : network.flash) = bytes;
    }
  }
  return network;
}

bool IsSelected(const Options &options, const std::string &name) {
  if (options.select.empty()) return true;
  for (const std::string &part : options.select)
    if (absl::StrContains(name, part)) return true;
  return false;
}

absl::StatusOr<std::vector<Row>> Measure(const Options &options, const std::string &target, const Registry &registry) {
  std::vector<Row> rows;
  if (options.cases) {
    CaseOptions cases;
    cases.target = target, cases.select = options.select, cases.rows = options.rows, cases.variant = options.variant;
    O2M_ASSIGN_OR_RETURN(rows, MeasureCases(registry, cases));
  }
  for (const std::string &text : options.networks) {
    O2M_ASSIGN_OR_RETURN(const NetworkCase network, NetworkOf(text));
    if (!IsSelected(options, network.name)) continue;
    O2M_ASSIGN_OR_RETURN(const std::vector<Row> more, MeasureNetwork(registry, network, target));
    rows.insert(rows.end(), more.begin(), more.end());
  }
  return rows;
}

// True if nothing differs, or if what differs was written down.
absl::StatusOr<bool> Compare(const Options &options, const std::string &target, const std::vector<Row> &rows) {
  if (options.rows > 0 || options.variant != kNone) return true;  // other calls than those in the tree
  const std::string path = absl::StrCat(options.folder, "/expected/", target, ".csv");
  O2M_ASSIGN_OR_RETURN(const Counts expected, ReadCounts(path));
  const bool all_cases = options.cases && options.select.empty();
  const std::vector<std::string> changes = Changes(expected, rows, all_cases);
  for (const std::string &line : changes) std::printf("%s %s\n", target.c_str(), line.c_str());
  if (!options.update) return changes.empty();
  O2M_RETURN_IF_ERROR(WriteCounts(path, Updated(expected, rows, all_cases)));
  return true;
}

absl::StatusOr<bool> BenchAll(const Options &options) {
  Registry registry;
  for (const std::string &folder : DefaultPluginFolders()) registry.LoadFolder(folder);
  for (const std::string &plugin : options.plugins) O2M_RETURN_IF_ERROR(registry.Load(plugin));
  O2M_ASSIGN_OR_RETURN(const std::vector<Limit> limits, ReadLimits(options.folder + "/limits.csv"));
  bool same = true;
  for (const std::string &target : options.targets.empty() ? kTargets : options.targets) {
    O2M_ASSIGN_OR_RETURN(const std::vector<Row> rows, Measure(options, target, registry));
    PrintTable(target, rows);
    for (const std::string &line : AgainstLimits(limits, target, rows)) std::printf("%s\n", line.c_str());
    O2M_ASSIGN_OR_RETURN(const bool as_expected, Compare(options, target, rows));
    same &= as_expected;
    std::fflush(stdout);
  }
  return same;
}

int Main(int argc, char **argv) {
  Options options;
  CLI::App app("instructions (exact counts) and cycles (an estimate) per core, against those in the tree");
  app.add_option("--target", options.targets, "this core only (repeatable)")->expected(-1)->allow_extra_args(false);
  app.add_option("--case", options.select, "cases and networks whose name has this in it")->allow_extra_args(false);
  app.add_option("--network", options.networks, "NAME=MODEL.onnx[:s16][:ram=N][:flash=N]")->allow_extra_args(false);
  app.add_option("--plugin", options.plugins, "an operator plugin whose cases count too")->allow_extra_args(false);
  app.add_option("--rows", options.rows, "steps per call; nothing is compared then");
  app.add_option("--variant", options.variant, "number of the way to hold weights, where an op has it; likewise");
  app.add_option("--folder", options.folder, "where expected/ and limits.csv are")->required();
  app.add_flag("--update", options.update, "write what was counted to expected/");
  app.add_flag("!--no-cases", options.cases, "networks only");
  CLI11_PARSE(app, argc, argv);
  const absl::StatusOr<bool> same = BenchAll(options);
  if (!same.ok()) return std::fprintf(stderr, "bench: %s\n", std::string(same.status().message()).c_str()), 1;
  if (!*same) std::fprintf(stderr, "bench: counts differ from bench/expected; 'bench/run --update' accepts them\n");
  return *same ? 0 : 1;
}

}  // namespace
}  // namespace onnx2mcu

int main(int argc, char **argv) { return onnx2mcu::Main(argc, argv); }
