// run: outputs of one engine, the top 5 per input, and an .npz of all of them.
#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "codegen/accuracy.h"
#include "codegen/board_run.h"
#include "codegen/cli.h"
#include "codegen/engines.h"
#include "codegen/fit.h"

namespace onnx2mcu {
namespace {

using Json = nlohmann::ordered_json;

struct Run {
  Graph graph;  // dims, dtype and quant of the outputs
  EngineRun engine;
  int64_t count = 0;
};

// On a core, the program that `compile` writes; the host gives the same bytes by any schedule.
absl::StatusOr<Program> CompileFor(const CommandLine &command, const Registry &registry, Host &host) {
  if (command.engine != "int8") return CompileToFit(command.compile, registry, host);
  Program program;
  O2M_ASSIGN_OR_RETURN(const Raised raised, RaiseForAccuracy(command.compile, registry, host));
  O2M_ASSIGN_OR_RETURN(program.compilation, Compile(raised.options, registry, host));
  return program;
}

absl::StatusOr<Run> RunModel(const CommandLine &command, const Registry &registry) {
  const CompileOptions &options = command.compile;
  Host host;
  host.options = {{"gelu", options.gelu}};
  Run run;
  Program program;
  const Compilation &compilation = program.compilation;
  if (command.engine == "float") {
    O2M_ASSIGN_OR_RETURN(run.graph, ImportFloat(options));
  } else {
    O2M_ASSIGN_OR_RETURN(program, CompileFor(command, registry, host));
    run.graph = compilation.graph;
  }
  O2M_ASSIGN_OR_RETURN(const Preprocessing preprocessing, PreprocessingOf(run.graph, options.pixels));
  O2M_ASSIGN_OR_RETURN(const std::vector<InputSet> sets,
                       ReadAllInputs(command.inputs, run.graph, preprocessing, command.limit));
  run.count = sets[0].count;
  Progress progress("running", run.count, command.quiet);
  if (command.engine == "float") {
    O2M_ASSIGN_OR_RETURN(run.engine, RunFloat(run.graph, sets, run.count, &progress));
  } else if (command.engine == "int8") {
    run.engine = RunInteger(compilation, sets, run.count, &progress);
  } else if (IsPort(command.engine)) {
    const BoardOptions board{command.engine, command.baud, command.timeout};
    O2M_ASSIGN_OR_RETURN(BoardRun raw, RunOnBoard(compilation, board, sets, run.count, nullptr, &progress));
    run.engine = std::move(raw.engine);
  } else {
    O2M_ASSIGN_OR_RETURN(const std::vector<GeneratedFile> files, FilesToEmulate(program, host));
    EmulatorRun raw;
    O2M_ASSIGN_OR_RETURN(run.engine, RunTarget(compilation, files, sets, run.count, raw));
  }
  PrintWarnings(run.graph, command);
  return run;
}

std::vector<size_t> Top(const std::vector<float> &values, size_t count) {
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return values[a] > values[b]; });
  order.resize(std::min(order.size(), count));
  return order;
}

void PrintTop(const Run &run, bool json) {
  Json all = Json::array();
  for (int64_t n = 0; n < run.count; n++) {
    const std::vector<float> &values = run.engine.outputs[n][0];
    Json row = Json::array();
    std::string text;
    for (size_t i : Top(values, 5)) {
      row.push_back({{"class", i}, {"value", values[i]}});
      char item[48];
      std::snprintf(item, sizeof item, "  %zu: %.4f", i, double{values[i]});
      text += item;
    }
    all.push_back(row);
    if (!json) std::printf("%6lld%s\n", static_cast<long long>(n), text.c_str());
  }
  if (json) std::printf("%s\n", all.dump(2).c_str());
}

std::vector<NamedArray> Arrays(const Run &run) {
  std::vector<NamedArray> arrays;
  for (size_t o = 0; o < run.graph.outputs.size(); o++) {
    const Tensor &tensor = run.graph.tensors[run.graph.outputs[o]];
    const std::string name = o == 0 ? "output" : absl::StrCat("output", o);
    std::vector<int64_t> dims = {run.count};
    dims.insert(dims.end(), tensor.dims.begin(), tensor.dims.end());
    NamedArray real{name, dims, {}, {}}, integers{name + "_q", dims, {}, {}};
    for (int64_t n = 0; n < run.count; n++) {
      const std::vector<float> &values = run.engine.outputs[n][o];
      real.f32.insert(real.f32.end(), values.begin(), values.end());
      if (run.engine.bytes.empty()) continue;
      const std::vector<int32_t> q = IntegersOf(tensor, run.engine.bytes[n][o]);
      integers.i32.insert(integers.i32.end(), q.begin(), q.end());
    }
    arrays.push_back(std::move(real));
    if (!run.engine.bytes.empty()) arrays.push_back(std::move(integers));
  }
  return arrays;
}

}  // namespace

absl::Status RunVerb(const CommandLine &command, const Registry &registry) {
  O2M_ASSIGN_OR_RETURN(const Run run, RunModel(command, registry));
  if (!command.compile.output.empty()) O2M_RETURN_IF_ERROR(WriteNpz(command.compile.output, Arrays(run)));
  PrintTop(run, command.json);
  return absl::OkStatus();
}

}  // namespace onnx2mcu
