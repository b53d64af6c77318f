// ops, check and targets: what is there, without compiling anything.
#include <algorithm>
#include <cstdio>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "codegen/cli.h"
#include "importer/coverage.h"
#include "importer/dialect.h"
#include "plugins/check.h"

namespace onnx2mcu {
namespace {

using Json = nlohmann::ordered_json;

std::string FileOf(const std::string &path) { return path.substr(path.rfind('/') + 1); }

std::string LoweredText(const Coverage &coverage) {
  return coverage.ops.empty() ? "a view, or nothing" : absl::StrJoin(coverage.ops, ", ");
}

void PrintOnnxCoverage(const CommandLine &command, const Registry &registry) {
  if (command.json) {
    std::vector<std::string> ops = EvaluableOps();
    for (const std::string &op : DialectOps()) ops.push_back(absl::StrCat(kDialectDomain, ".", op));
    std::printf("%s\n", Json(ops).dump(2).c_str());
    return;
  }
  const std::vector<Coverage> all = TryCoverage(registry);
  const auto lowered = std::count_if(all.begin(), all.end(), [](const Coverage &c) { return c.lowered; });
  std::printf("%zu ONNX op types are evaluated in float:\n", all.size());
  for (const Coverage &c : all) std::printf("  %s\n", c.op_type.c_str());
  std::printf("%td of them, tried alone on values of the input, become integer code:\n", lowered);
  for (const Coverage &c : all)
    if (c.lowered) std::printf("  %-40s -> %s\n", c.op_type.c_str(), LoweredText(c).c_str());
  std::printf("%zu op types of integerised models run as exported:\n", DialectOps().size());
  for (const std::string &op : DialectOps()) std::printf("  %s.%s\n", kDialectDomain, op.c_str());
}

Json RegionsJson(const std::vector<Region> &regions) {
  Json json = Json::array();
  for (const Region &region : regions) {
    json.push_back({{"name", region.name}, {"base", region.base}, {"bytes", region.bytes}});
    if (region.bytes_per_second > 0) json.back()["bytes_per_second"] = region.bytes_per_second;
  }
  return json;
}

std::string NamedRegionsText(const std::vector<Region> &regions) {
  std::string text;
  for (const Region &region : regions)
    absl::StrAppend(&text, text.empty() ? "" : " + ", region.name, " ", region.bytes / 1024, " KiB");
  return text;
}

}  // namespace

absl::Status OpsVerb(const CommandLine &command, const Registry &registry) {
  if (command.onnx_coverage) return PrintOnnxCoverage(command, registry), absl::OkStatus();
  Json json = {{"ops", Json::array()}, {"refused", Json::array()}};
  for (const LoadedPlugin &loaded : registry.plugins())
    for (int32_t i = 0; i < loaded.plugin->op_count; i++) {
      const char *id = loaded.plugin->ops[i]->id;
      json["ops"].push_back({{"id", id},
                             {"plugin", loaded.plugin->name},
                             {"version", loaded.plugin->version},
                             {"file", FileOf(loaded.path)}});
      if (!command.json)
        std::printf("%-28s %-20s %-8s %s\n", id, loaded.plugin->name, loaded.plugin->version, loaded.path.c_str());
    }
  for (const RefusedPlugin &refused : registry.refused()) {
    json["refused"].push_back({{"file", FileOf(refused.path)}, {"reason", refused.reason}});
    if (!command.json) std::printf("refused: %s: %s\n", refused.path.c_str(), refused.reason.c_str());
  }
  if (command.json) std::printf("%s\n", json.dump(2).c_str());
  return absl::OkStatus();
}

absl::Status CheckVerb(const CommandLine &command) {
  Registry registry;
  for (const std::string &folder : DefaultPluginFolders()) registry.LoadFolder(folder);
  CheckOptions options;
  options.loaded = &registry;
  O2M_ASSIGN_OR_RETURN(const CheckReport report, CheckPlugin(command.plugin_to_check, options));
  PrintReport(report, std::cout);
  if (report.ok()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(command.plugin_to_check, ": breaks the contract in ",
                                                 report.violations.size(),
                                                 " place(s), listed above; each line names op, case and clause"));
}

absl::Status TargetsVerb(const CommandLine &command) {
  Json json = {{"targets", Json::array()}, {"boards", Json::array()}};
  if (!command.json) std::printf("cores:\n");
  for (const Target &target : Targets()) {
    json["targets"].push_back({{"id", target.id},
                               {"compiler", target.compiler},
                               {"emulator", target.emulator.machine},
                               {"features", target.features}});
    if (!command.json)
      std::printf("  %-12s %-28s %s %s\n", target.id.c_str(), target.compiler.c_str(), target.emulator.program.c_str(),
                  target.emulator.machine.c_str());
  }
  if (!command.json) std::printf("boards:\n");
  for (const Board &board : Boards()) {
    json["boards"].push_back({{"id", board.id},
                              {"target", board.target},
                              {"ram", RegionsJson(board.ram)},
                              {"flash", MainFlash(board).bytes},
                              {"flash_regions", RegionsJson(board.flash)},
                              {"clock_hz", board.clock_hz}});
    if (!command.json)
      std::printf("  %-12s %-12s %4lld MHz  %-32s  RAM %s  (%s)\n", board.id.c_str(), board.target.c_str(),
                  static_cast<long long>(board.clock_hz / 1000000), NamedRegionsText(board.flash).c_str(),
                  NamedRegionsText(board.ram).c_str(), board.description.c_str());
  }
  if (command.json) std::printf("%s\n", json.dump(2).c_str());
  return absl::OkStatus();
}

}  // namespace onnx2mcu
