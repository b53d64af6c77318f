// validate: float against host integer against the generated C on the target.
#include <algorithm>
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "codegen/board_run.h"
#include "codegen/cli.h"
#include "codegen/engines.h"
#include "codegen/fit.h"
#include "codegen/layer_profile.h"
#include "codegen/metrics.h"
#include "planner/execute.h"
#include "planner/plan_cache.h"

namespace onnx2mcu {
namespace {

using Json = nlohmann::ordered_json;

constexpr int64_t kTensorSamples = 16;     // inputs that the per-tensor table is made from
constexpr double kDivergingCosine = 0.98;  // the first tensor below this is where to look

constexpr size_t kRaisedTensors = 4;  // the worst ones, of which is said what s16 would take

struct TensorRow {
  std::string name;
  Accuracy accuracy;
  bool raised = false;  // what the tensor would take as s16, where all ops around it allow that
  int64_t more_arena = 0, more_instructions = 0;
};

struct Validation {
  int64_t inputs = 0;
  EngineRun real, integer, target;
  EmulatorRun emulator;
  std::optional<BoardRun> board;  // instead of the emulator
  std::vector<int64_t> labels;
  std::vector<TensorRow> tensors;  // in execution order
  std::vector<LayerCount> layers;  // of --profile; of the first input
  int64_t diff_bytes = 0;
  Accuracy output;
};

// Every tensor that an op writes and the float half knows, on the first samples.
absl::StatusOr<std::vector<TensorRow>> CompareTensors(const Compilation &c, const std::vector<InputSet> &sets,
                                                      int64_t count) {
  const Graph &graph = c.graph;
  std::vector<TensorRow> rows;
  std::map<TensorId, size_t> row_of;
  const std::vector<NodeId> producers = Producers(graph);
  for (const Node &node : graph.nodes)
    for (TensorId out : node.outputs)
      if (producers[out] != kNone && row_of.emplace(out, rows.size()).second)
        rows.emplace_back().name = graph.tensors[out].name;
  const Evaluator evaluator(graph);
  for (int64_t n = 0; n < std::min(count, kTensorSamples); n++) {
    std::vector<std::vector<uint8_t>> bytes;
    std::vector<const void *> inputs;
    for (size_t i = 0; i < sets.size(); i++)
      bytes.push_back(QuantizedSample(sets[i], n, graph.tensors[graph.inputs[i]]));
    for (const auto &b : bytes) inputs.push_back(b.data());
    const WholeRun run = RunWhole(graph, c.target.abi(), inputs);
    const auto visit = [&](TensorId id, const Value &value) {
      const auto row = row_of.find(id);
      if (row != row_of.end() && value.is_float())
        Accumulate(rows[row->second].accuracy, value.f, Dequantize(graph, run, id));
    };
    O2M_RETURN_IF_ERROR(evaluator.Run(SampleOf(sets, n), visit).status());
  }
  return rows;
}

std::vector<TensorRow *> WorstFirst(std::vector<TensorRow> &rows) {
  std::vector<TensorRow *> worst;
  for (TensorRow &row : rows) worst.push_back(&row);
  std::stable_sort(worst.begin(), worst.end(),
                   [](const TensorRow *a, const TensorRow *b) { return SqnrDb(a->accuracy) < SqnrDb(b->accuracy); });
  return worst;
}

// Plans of the same model, made-up scales: what is compared differs in one tensor's type alone.
absl::StatusOr<Compilation> PlanWith(CompileOptions options, const std::string &wide, const Registry &registry,
                                     Host &host, PlanCache &plans) {
  options.shapes_only = true, options.dump.clear();
  if (!wide.empty()) options.wide.push_back(wide);
  auto compilation = Compile(options, registry, host, &plans);
  if (!absl::IsFailedPrecondition(compilation.status())) return compilation;
  return Compile(options, registry, host);  // weights of another size, in flash of other wait states
}

// What the worst tensors would take as s16. A plan that fails, for a budget say, says nothing of its tensor.
void RaiseWorst(const CompileOptions &options, const Registry &registry, Host &host, Validation &v) {
  PlanCache plans;
  const auto before = PlanWith(options, "", registry, host, plans);
  if (!before.ok()) return;
  const std::vector<TensorRow *> worst = WorstFirst(v.tensors);
  for (size_t i = 0; i < std::min(kRaisedTensors, worst.size()); i++) {
    TensorRow &row = *worst[i];
    const auto after = PlanWith(options, row.name, registry, host, plans);
    if (!after.ok()) continue;
    const auto wide = [&](const Tensor &t) { return t.name == row.name && t.dtype == DType::kS16; };
    const auto any = [&](const Graph &g) { return std::any_of(g.tensors.begin(), g.tensors.end(), wide); };
    row.raised = any(after->graph) && !any(before->graph);
    row.more_arena = after->plan.arena_bytes - before->plan.arena_bytes;
    row.more_instructions = after->alternatives[0].instructions - before->alternatives[0].instructions;
  }
}

int64_t DifferingBytes(const EngineRun &a, const EngineRun &b) {
  int64_t count = 0;
  for (size_t n = 0; n < a.bytes.size(); n++)
    for (size_t o = 0; o < a.bytes[n].size(); o++)
      for (size_t i = 0; i < a.bytes[n][o].size(); i++) count += a.bytes[n][o][i] != b.bytes[n][o][i];
  return count;
}

// The generated C, emulated or on a board.
absl::Status RunOnEngine(const CommandLine &command, const Program &program, const std::vector<InputSet> &sets,
                         Host &host, Validation &v) {
  const Compilation &c = program.compilation;
  if (IsPort(command.engine)) {
    Progress progress("on the board", v.inputs, command.quiet);
    const BoardOptions options{command.engine, command.baud, command.timeout};
    O2M_ASSIGN_OR_RETURN(v.board, RunOnBoard(c, options, sets, v.inputs, &v.integer, &progress));
    v.target = v.board->engine;
    return absl::OkStatus();
  }
  O2M_ASSIGN_OR_RETURN(const std::vector<GeneratedFile> files, FilesToEmulate(program, host));
  O2M_ASSIGN_OR_RETURN(v.target, RunTarget(c, files, sets, v.inputs, v.emulator));
  return absl::OkStatus();
}

absl::StatusOr<Validation> Validate(const CommandLine &command, const Program &program, Host &host) {
  const CompileOptions &options = command.compile;
  const Compilation &c = program.compilation;
  O2M_ASSIGN_OR_RETURN(const Preprocessing preprocessing, PreprocessingOf(c.graph, options.pixels));
  O2M_ASSIGN_OR_RETURN(const std::vector<InputSet> sets,
                       ReadAllInputs(command.inputs, c.graph, preprocessing, command.limit));
  Validation v;
  v.inputs = sets[0].count;
  v.labels = sets[0].labels;
  if (!command.labels.empty()) {
    const std::vector<int64_t> &dims = c.graph.tensors[c.graph.outputs[0]].dims;
    O2M_ASSIGN_OR_RETURN(v.labels, ReadLabels(command.labels, sets[0].total, dims.empty() ? 1 : dims.back()));
  }
  v.labels.resize(std::min<size_t>(v.labels.size(), static_cast<size_t>(v.inputs)));
  {
    Progress progress("float and integers", 2 * v.inputs, command.quiet);
    O2M_ASSIGN_OR_RETURN(v.real, RunFloat(c.graph, sets, v.inputs, &progress));
    v.integer = RunInteger(c, sets, v.inputs, &progress);
  }
  O2M_ASSIGN_OR_RETURN(v.tensors, CompareTensors(c, sets, v.inputs));
  O2M_RETURN_IF_ERROR(RunOnEngine(command, program, sets, host, v));
  v.diff_bytes = DifferingBytes(v.integer, v.target);
  if (command.profile) {
    O2M_ASSIGN_OR_RETURN(v.layers, ProfileLayers(c, options, SampleBytes(c.graph, sets, 0), host));
  }
  for (int64_t n = 0; n < v.inputs; n++)
    for (size_t o = 0; o < v.real.outputs[n].size(); o++)
      Accumulate(v.output, v.real.outputs[n][o], v.integer.outputs[n][o]);
  return v;
}

// Share of samples whose top class is the label's, or, without labels, null.
Json Top1(const EngineRun &run, const std::vector<int64_t> &labels) {
  if (labels.empty()) return nullptr;
  int64_t hits = 0;
  for (size_t n = 0; n < labels.size(); n++) hits += ArgMax(run.outputs[n][0]) == labels[n];
  return static_cast<double>(hits) / static_cast<double>(labels.size());
}

Json FirstDiverging(const std::vector<TensorRow> &rows) {
  for (const TensorRow &row : rows)
    if (Cosine(row.accuracy) < kDivergingCosine) return row.name;
  return nullptr;
}

Json ProfileJson(const std::vector<LayerCount> &layers) {
  Json rows = Json::array();
  for (const LayerCount &layer : layers)
    rows.push_back({{"stage", layer.stage == kNone ? Json(nullptr) : Json(layer.stage)},
                    {"kernel", layer.kernel},
                    {"name", layer.name},
                    {"calls", layer.calls},
                    {"instructions", layer.instructions},
                    {"instructions_estimate", layer.estimate},
                    {"cycles_estimate", layer.cycles > 0 ? Json(layer.cycles) : Json(nullptr)},
                    {"macs", layer.macs}});
  return rows;
}

// What a board does not tell is null.
void PutBoard(const BoardRun &board, Json &json) {
  for (const char *unknown :
       {"target_instructions", "target_cycles_estimate", "ram_measured", "guard_regions", "flash_measured"})
    json[unknown] = nullptr;
  json["target_cycles"] = board.cycles > 0 ? Json(board.cycles) : Json(nullptr);
  json["target_first_diverging"] = nullptr;
  if (!board.divergence) return;
  const Divergence &d = *board.divergence;
  json["target_first_diverging"] = {{"input", d.input},
                                    {"stage", d.stage == kNone ? Json(nullptr) : Json(d.stage)},
                                    {"layer", d.layer},
                                    {"stage_layers", d.inside}};
}

Json ToJson(Validation &v) {
  Json tensors = Json::array();
  for (const TensorRow *row : WorstFirst(v.tensors)) {
    tensors.push_back({{"name", row->name}, {"sqnr_db", SqnrDb(row->accuracy)}, {"cosine", Cosine(row->accuracy)}});
    if (!row->raised) continue;
    tensors.back()["s16_arena_bytes"] = row->more_arena;
    tensors.back()["s16_instructions"] = row->more_instructions;
  }
  const EmulatorRun &e = v.emulator;
  Json json = {{"inputs", v.inputs},
               {"float_top1", Top1(v.real, v.labels)},
               {"int8_top1", Top1(v.integer, v.labels)},
               {"target_top1", Top1(v.target, v.labels)},
               {"agreement", Agreement(v.real, v.integer)},
               {"host_target_diff_bytes", v.diff_bytes},
               {"output_cosine", Cosine(v.output)},
               {"output_sqnr_db", SqnrDb(v.output)},
               {"cos", Cosine(v.output)},
               {"rmse", Rmse(v.output)},
               {"mae", Mae(v.output)},
               {"l2r", L2r(v.output)},
               {"nse", Nse(v.output)},
               {"tensors", tensors},
               {"first_diverging", FirstDiverging(v.tensors)},
               {"target_instructions", e.instructions},
               {"target_cycles_estimate", e.profile.cycles > 0 ? Json(e.profile.cycles) : Json(nullptr)},
               {"ram_measured",
                {{"arena", e.arena},
                 {"data", e.data},
                 {"bss", e.bss},
                 {"stack", e.stack},
                 {"total", e.arena + e.data + e.bss + e.stack}}},
               {"guard_regions", e.guards},
               {"flash_measured", {{"weights", e.weights}, {"code", e.text}, {"constants", e.rodata}}}};
  if (!v.layers.empty()) json["profile"] = ProfileJson(v.layers);
  if (v.board) PutBoard(*v.board, json);
  return json;
}

void PrintLine(const char *name, const Json &fraction) {
  if (!fraction.is_null()) std::printf("  %-26s %8.2f %%\n", name, 100 * fraction.get<double>());
}

void PrintEmulator(const EmulatorRun &e) {
  if (e.instructions > 0) std::printf("  %-26s %12s\n", "instructions per inference", Grouped(e.instructions).c_str());
  if (e.profile.cycles > 0) std::printf("  %-26s %12s (an estimate)\n", "cycles", Grouped(e.profile.cycles).c_str());
  const int64_t ram = e.arena + e.data + e.bss + e.stack, flash = e.weights + e.text + e.rodata;
  std::printf("  RAM measured   %s: arena %s, data %s, bss %s, stack %s\n", Kib(ram).c_str(), Grouped(e.arena).c_str(),
              Grouped(e.data).c_str(), Grouped(e.bss).c_str(), Grouped(e.stack).c_str());
  if (e.guards > 0)
    std::printf(
        "  memory protection: %d regions; nothing outside arena, stack, operands, weights and code was touched\n",
        e.guards);
  std::printf("  flash measured %s: weights %s, code %s, constants %s\n", Kib(flash).c_str(),
              Grouped(e.weights).c_str(), Grouped(e.text).c_str(), Grouped(e.rodata).c_str());
}

// Where the first byte differs: seen from the checksums, so a layer inside of a stage may be the one before.
void PrintBoard(const BoardRun &board) {
  if (board.cycles > 0) std::printf("  %-26s %12s\n", "cycles, by the board", Grouped(board.cycles).c_str());
  if (!board.divergence) return void(std::printf("  every layer's checksum is the host's\n"));
  const Divergence &d = *board.divergence;
  std::printf("  input %lld: the board first leaves other bytes ", static_cast<long long>(d.input));
  if (d.stage == kNone)
    std::printf("in the outputs, which '%s' writes\n", d.layer.c_str());
  else
    std::printf("in stage %d, at layer '%s'\n", d.stage, d.layer.c_str());
  if (d.inside.size() > 1) std::printf("    computed there: %s\n", absl::StrJoin(d.inside, ", ").c_str());
}

std::string RaisedText(const TensorRow &row) {
  if (!row.raised) return "";
  return absl::StrFormat("  (as s16: %+d B of arena, about %+d instructions)", row.more_arena, row.more_instructions);
}

void PrintText(Validation &v, const Json &json, const Compilation &c) {
  std::printf("%s on %s%s, %lld input(s)\n", c.graph.file.c_str(), c.target.id.c_str(), v.board ? ", a board" : "",
              static_cast<long long>(v.inputs));
  PrintLine("float top-1", json["float_top1"]), PrintLine("host integer top-1", json["int8_top1"]),
      PrintLine("target top-1", json["target_top1"]);
  PrintLine("agreement float/integer", json["agreement"]);
  std::printf("  %-26s %8lld\n", "differing bytes host/target", static_cast<long long>(v.diff_bytes));
  std::printf("  cos %.6f  rmse %.5f  mae %.5f  l2r %.5f  nse %.5f  sqnr %.1f dB\n", Cosine(v.output), Rmse(v.output),
              Mae(v.output), L2r(v.output), Nse(v.output), SqnrDb(v.output));
  v.board ? PrintBoard(*v.board) : PrintEmulator(v.emulator);
  for (const RaisedTensor &raised : c.graph.raised)
    std::printf("  s16: %s: %s\n", raised.name.c_str(), raised.why.c_str());
  std::printf("  worst tensors (SQNR, cosine):\n");
  const std::vector<TensorRow *> worst = WorstFirst(v.tensors);
  for (size_t i = 0; i < std::min<size_t>(8, worst.size()); i++)
    std::printf("    %6.1f dB  %.5f  %s%s\n", SqnrDb(worst[i]->accuracy), Cosine(worst[i]->accuracy),
                worst[i]->name.c_str(), RaisedText(*worst[i]).c_str());
  if (json["first_diverging"].is_null())
    std::printf("  no tensor diverges (cosine below %.2f)\n", kDivergingCosine);
  else
    std::printf("  first diverging layer: %s\n", json["first_diverging"].get<std::string>().c_str());
  if (!v.layers.empty()) PrintLayers(v.layers);
}

}  // namespace

absl::Status ValidateVerb(const CommandLine &command, const Registry &registry) {
  Host host;
  host.options = {{"gelu", command.compile.gelu}};
  // the program that `compile` writes, with the schedule that the flash asks for
  O2M_ASSIGN_OR_RETURN(const Program program, CompileToFit(command.compile, registry, host));
  const Compilation &compilation = program.compilation;
  O2M_ASSIGN_OR_RETURN(Validation validation, Validate(command, program, host));
  RaiseWorst(program.options, registry, host, validation);
  PrintWarnings(compilation.graph, command);
  const Json json = ToJson(validation);
  if (command.json)
    std::printf("%s\n", json.dump(2).c_str());
  else
    PrintText(validation, json, compilation);
  return absl::OkStatus();
}

}  // namespace onnx2mcu
