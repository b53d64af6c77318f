// inspect: what was recognised, what it costs, where it fits; no calibration.
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "codegen/cli.h"
#include "codegen/pareto.h"
#include "codegen/recompute.h"
#include "importer/ir/vit_view.h"

namespace onnx2mcu {
namespace {

using Json = nlohmann::ordered_json;

struct OpUse {
  int nodes = 0;
  std::string file;
};
std::map<std::string, OpUse> OpUses(const std::vector<const o2m_op *> &ops, const Registry &registry) {
  std::map<std::string, OpUse> uses;
  for (const o2m_op *op : ops) {
    OpUse &use = uses[op->id];
    const std::string &path = registry.PathOf(op);
    use.nodes++, use.file = path.substr(path.rfind('/') + 1);
  }
  return uses;
}

std::vector<std::string> FittingBoards(int64_t arena, int64_t weights) {
  std::vector<std::string> fitting;
  for (const Board &board : Boards())
    if (arena <= MainRam(board).bytes && FlashForWeights(board, weights, 0)) fitting.push_back(board.id);
  return fitting;
}

Json ShapesOf(const Graph &graph, const std::vector<TensorId> &ids) {
  Json shapes = Json::array();
  for (TensorId id : ids)
    shapes.push_back({{"name", graph.tensors[id].name},
                      {"shape", graph.tensors[id].dims},
                      {"dtype", DTypeName(graph.tensors[id].dtype)}});
  return shapes;
}

Json StructureJson(const Graph &graph) {
  Json structure = Json::object();
  for (const auto &[name, value] : StructureOf(graph)) structure[name] = value;
  return structure;
}

Json Describe(const Compilation &c, const Registry &registry) {
  Json ops = Json::array();
  for (const auto &[id, use] : OpUses(c.recognised, registry))
    ops.push_back({{"id", id}, {"nodes", use.nodes}, {"plugin", use.file}});
  const int64_t weights = ConstantBytes(c.graph);
  return {{"model", c.graph.file},
          {"opset", c.graph.opset},
          {"inputs", ShapesOf(c.graph, c.graph.inputs)},
          {"outputs", ShapesOf(c.graph, c.graph.outputs)},
          {"structure", StructureJson(c.graph)},
          {"ops", ops},
          {"macs", c.graph.macs},
          {"weights_bytes", weights},
          {"arena_bytes", ArenaRam(c.plan)},
          {"arena_lower_bound_bytes", c.plan.lower_bound_bytes},
          {"boards", FittingBoards(ArenaRam(c.plan), weights)}};
}

void PrintText(const Json &j) {
  std::printf("%s (opset %d)\n", j["model"].get<std::string>().c_str(), j["opset"].get<int>());
  for (const char *side : {"inputs", "outputs"})
    for (const Json &t : j[side])
      std::printf("  %-8s %s %s %s\n", side, t["name"].get<std::string>().c_str(), t["shape"].dump().c_str(),
                  t["dtype"].get<std::string>().c_str());
  if (j["structure"].empty()) std::printf("  no transformer blocks recognised\n");
  for (const auto &[name, value] : j["structure"].items())
    std::printf("  %-8s %lld\n", name.c_str(), value.get<long long>());
  std::printf("  ops:\n");
  for (const Json &op : j["ops"])
    std::printf("    %4d x %-24s %s\n", op["nodes"].get<int>(), op["id"].get<std::string>().c_str(),
                op["plugin"].get<std::string>().c_str());
  std::printf("  MACs     %s\n", Grouped(j["macs"].get<int64_t>()).c_str());
  std::printf("  weights  %s\n", Kib(j["weights_bytes"].get<int64_t>()).c_str());
  std::printf("  arena    %s, lower bound of this schedule %s B\n", Kib(j["arena_bytes"].get<int64_t>()).c_str(),
              Grouped(j["arena_lower_bound_bytes"].get<int64_t>()).c_str());
  std::string boards;
  for (const Json &board : j["boards"]) absl::StrAppend(&boards, " ", board.get<std::string>());
  std::printf("  fits    %s\n", boards.empty() ? " none of the known boards" : boards.c_str());
}

}  // namespace

absl::Status InspectVerb(const CommandLine &command, const Registry &registry) {
  CompileOptions options = command.compile;
  options.shapes_only = true;
  Host host;
  host.options = {{"gelu", options.gelu}};
  O2M_ASSIGN_OR_RETURN(Compilation compilation, Compile(options, registry, host));
  if (command.pareto) O2M_RETURN_IF_ERROR(AddNumericAlternatives(options, registry, host, &compilation));
  PrintWarnings(compilation.graph, command);
  Json json = Describe(compilation, registry);
  if (command.pareto) json["alternatives"] = Json::parse(FrontierJson(compilation));
  if (command.json) {
    std::printf("%s\n", json.dump(2).c_str());
    return absl::OkStatus();
  }
  PrintText(json);
  if (command.pareto) std::fputs(FrontierTable(compilation).c_str(), stdout);
  return absl::OkStatus();
}

}  // namespace onnx2mcu
