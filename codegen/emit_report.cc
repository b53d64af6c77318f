// emit_report.cc - report.json, with INTERFACE.md's keys.
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "codegen/emit.h"
#include "codegen/pareto.h"
#include "codegen/regions.h"
#include "o2m_version.h"
#include "planner/cost.h"
#include "planner/prefetch.h"
#include "planner/variants.h"

namespace onnx2mcu {
namespace {

using Json = nlohmann::ordered_json;

Json TensorJson(const Tensor &tensor) {
  Json json = {
      {"name", tensor.name}, {"shape", tensor.dims}, {"dtype", DTypeName(tensor.dtype)}, {"bytes", BytesOf(tensor)}};
  if (tensor.quant.scale.size() == 1) {
    json["scale"] = tensor.quant.scale[0];
    json["zero_point"] = tensor.quant.zero_point[0];
  }
  return json;
}

Json Schedule(const ProgramText &program) {
  Json rows = Json::array();
  const Plan &plan = *program.plan;
  for (size_t s = 0; s < plan.stages.size(); s++) {
    const Stage &stage = plan.stages[s];
    for (const NodeId id : stage.nodes) {
      const Node &node = program.graph->nodes[id];
      const Work work = WorkOf(*program.graph, node, program.target, stage.steps, stage.rows);
      rows.push_back({{"stage", s},
                      {"block", program.labels[id].block},
                      {"name", node.name},
                      {"kernel", work.kernel.empty() ? node.op->id : work.kernel},
                      {"variant", VariantName(node)},
                      {"rows", stage.steps > 0 ? stage.rows : 0},
                      {"macs", work.macs},
                      {"instructions", work.instructions},
                      {"flash_bytes_read", work.flash_bytes_read},
                      {"live_bytes", LiveBytes(plan, static_cast<int32_t>(s))}});
    }
  }
  return rows;
}

Json Tensors(const ProgramText &program) {
  Json list = Json::array();
  for (const Buffer &buffer : program.plan->buffers) {
    Json json;
    if (buffer.kind == BufferKind::kTensor) {
      json = TensorJson(program.graph->tensors[buffer.id]);
    } else {
      json = {{"name", program.graph->nodes[buffer.id].name}, {"shape", Json::array({buffer.bytes})}};
      json["dtype"] = buffer.kind == BufferKind::kScratch ? "scratch"
                      : buffer.kind == BufferKind::kState ? "state"
                                                          : "prefetch";
    }
    const ArenaPlace place = PlaceOf(*program.plan, buffer.offset);
    json["arena"] = place.arena;
    json["offset"] = place.offset;
    json["bytes"] = buffer.bytes;
    json["first_stage"] = buffer.first_stage;
    json["last_stage"] = buffer.last_stage;
    list.push_back(json);
  }
  return list;
}

// By argument of NAME_run.
Json Arenas(const Compilation &compilation) {
  Json list = Json::array();
  for (const Arena &arena : ArenasOf(compilation.plan)) {
    const Region region = RegionOf(compilation, arena);
    list.push_back({{"name", ArenaName(list.size())},
                    {"region", region.bytes > 0 ? Json(region.name) : Json(nullptr)},
                    {"region_bytes", region.bytes > 0 ? Json(region.bytes) : Json(nullptr)},
                    {"bytes", arena.bytes}});
  }
  return list;
}

int64_t WeightBytes(const ProgramText &program) {
  int64_t bytes = 0;
  for (const WeightArray &array : program.weights) bytes += static_cast<int64_t>(array.data.size());
  return bytes;
}

Json Streaming(const Compilation &compilation) {
  const Stream &stream = compilation.stream;
  if (!stream.possible()) return {{"possible", false}, {"why_not", stream.why}};
  return {{"possible", true},
          {"rows", stream.image_rows},
          {"row_bytes", stream.row_bytes},
          {"band_rows", stream.band_rows},
          {"band_bytes", compilation.plan.buffers[stream.band].bytes}};
}

Json Prefetched(const Compilation &compilation) {
  int64_t bytes = 0;
  for (const Prefetch &prefetch : compilation.plan.prefetches) bytes += compilation.plan.buffers[prefetch.buffer].bytes;
  const ReadInPlace left = LeftInPlace(compilation.graph, compilation.plan);
  return {{"arrays", compilation.plan.prefetches.size()}, {"bytes", bytes}, {"bytes_in_place", left.bytes}};
}

Json AccuracyJson(const AccuracyReached &accuracy, const CompileOptions &options) {
  return {{"asked", options.accuracy_drop}, {"reached", accuracy.drop},
          {"without", accuracy.drop_s8},    {"of", accuracy.top1 ? "top-1" : "changed answers"},
          {"inputs", accuracy.held_out},    {"raised", accuracy.raised},
          {"raisable", accuracy.of}};
}

Json RaisedJson(const Graph &graph) {
  Json list = Json::array();
  for (const RaisedTensor &raised : graph.raised) list.push_back({{"name", raised.name}, {"why", raised.why}});
  return list;
}

Json Named(const std::string &name) { return name.empty() ? Json(nullptr) : Json(name); }

// How many layers hold weights that give other results, and what the integers are from the float model with them and
// without.
Json Weights(const Compilation &compilation, const CompileOptions &options) {
  const CoarseWeights &coarse = compilation.coarse;
  Json json = {{"option", options.weights}, {"inexact_layers", coarse.nodes}, {"of", coarse.of}};
  if (!coarse.change) return json;
  const Fidelity &exact = coarse.change->exact, &taken = coarse.change->numeric;
  json["inputs"] = exact.inputs;
  json["sqnr_db"] = taken.sqnr_db, json["sqnr_db_exact"] = exact.sqnr_db;
  json["agreement"] = taken.agreement, json["agreement_exact"] = exact.agreement;
  return json;
}

}  // namespace

std::string EmitReport(const ProgramText &program, const Compilation &compilation, const CompileOptions &options) {
  const Graph &graph = compilation.graph;
  const Plan &plan = compilation.plan;
  Json report = {{"schema_version", 1},           {"model", graph.name},
                 {"model_sha256", graph.sha256},  {"target", compilation.target.id},
                 {"board", compilation.board.id}, {"onnx2mcu_version", O2M_VERSION}};
  report["input"] = TensorJson(graph.tensors[graph.inputs[0]]);
  const std::string &format = options.pixels.input_format;
  report["input"]["layout"] = format.empty() ? options.layout : "hwc";
  if (!format.empty()) report["input"]["format"] = format;
  report["inputs"] = Json::array();
  report["outputs"] = Json::array();
  for (const TensorId id : graph.inputs) report["inputs"].push_back(TensorJson(graph.tensors[id]));
  for (const TensorId id : graph.outputs) report["outputs"].push_back(TensorJson(graph.tensors[id]));
  report["macs"] = graph.macs;
  report["arena_bytes"] = ArenaRam(plan);
  report["arenas"] = Arenas(compilation);
  report["arena_lower_bound_bytes"] = plan.lower_bound_bytes;
  report["arena_optimal"] = plan.arena_optimal;
  report["ram"] = {{"arena", ArenaRam(plan)}, {"data", 0}, {"bss", 0}, {"stack", kStackAllowance}};
  // Code and the parameter structs are known once compiled: `validate` measures them.
  report["flash"] = {{"weights", WeightBytes(program)}, {"code", nullptr}, {"constants", nullptr}};
  report["instructions_estimate"] = EstimateInstructions(graph, plan, program.target);
  report["schedule"] = Schedule(program);
  report["tensors"] = Tensors(program);
  report["quantization"] = {{"method", graph.integerised ? "as exported" : "ptq_mse"},
                            {"inputs", compilation.calibration_inputs},
                            {"residual", options.residual},
                            {"raised_to_s16", RaisedJson(graph)}};
  if (compilation.accuracy) report["quantization"]["accuracy_drop"] = AccuracyJson(*compilation.accuracy, options);
  report["prefetch"] = Prefetched(compilation);
  const Sections &sections = compilation.sections;
  report["sections"] = {
      {"weights", Named(sections.weights)}, {"code", Named(sections.code)}, {"arena", Named(sections.arena)}};
  report["weights"] = Weights(compilation, options);
  report["streaming"] = Streaming(compilation);
  report["alternatives"] = Json::parse(FrontierJson(compilation));
  report["warnings"] = graph.warnings;
  return report.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace onnx2mcu
