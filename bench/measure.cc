#include "bench/measure.h"

#include <algorithm>
#include <map>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "codegen/emulator.h"
#include "codegen/fit.h"
#include "codegen/layer_profile.h"
#include "planner/execute.h"

namespace onnx2mcu {
namespace {

constexpr int64_t kLeastShare = 40;  // of a function that has a row of its own: a fortieth of its case

// One sample, all inputs' bytes concatenated, as the emulator wants it; and every input by itself, as the host does.
absl::Status CheckBytes(const Compilation &compilation, const std::vector<std::vector<uint8_t>> &inputs,
                        const EmulatorRun &run) {
  Executor executor(compilation.graph, compilation.plan, compilation.target.abi());
  std::vector<const void *> in;
  std::vector<void *> out;
  std::vector<std::vector<uint8_t>> outputs;
  for (const auto &bytes : inputs) in.push_back(bytes.data());
  for (const TensorId id : compilation.graph.outputs) outputs.emplace_back(BytesOf(compilation.graph.tensors[id]));
  for (auto &bytes : outputs) out.push_back(bytes.data());
  executor.Run(in, out);
  size_t at = 0;
  for (size_t i = 0; i < outputs.size(); i++) {
    if (!std::equal(outputs[i].begin(), outputs[i].end(), run.outputs[0].begin() + at))
      return absl::InternalError(
          absl::StrCat(compilation.target.id, ": '", compilation.graph.tensors[compilation.graph.outputs[i]].name,
                       "' differs from the host's bytes; 'onnx2mcu check' of the op's plugin may say why"));
    at += outputs[i].size();
  }
  return absl::OkStatus();
}

absl::StatusOr<EmulatorRun> RunUnchecked(const Compilation &compilation,
                                         const std::vector<std::vector<uint8_t>> &inputs, Host &host) {
  CompileOptions emit;
  emit.marks = true;
  O2M_ASSIGN_OR_RETURN(const std::vector<GeneratedFile> files, EmitProgram(compilation, emit, host));
  std::vector<uint8_t> sample;
  for (const auto &bytes : inputs) sample.insert(sample.end(), bytes.begin(), bytes.end());
  EmulatorOptions options;
  options.page_guards = true;
  O2M_ASSIGN_OR_RETURN(EmulatorRun run, RunOnEmulator(compilation, files, {sample}, options));
  if (run.profile.instructions != run.instructions)
    return absl::InternalError(absl::StrCat(compilation.target.id, ": the profile tells of ", run.profile.instructions,
                                            " instructions, ", run.instructions, " were counted"));
  return run;
}

absl::StatusOr<EmulatorRun> Run(const Compilation &compilation, const std::vector<std::vector<uint8_t>> &inputs,
                                Host &host) {
  O2M_ASSIGN_OR_RETURN(EmulatorRun run, RunUnchecked(compilation, inputs, host));
  O2M_RETURN_IF_ERROR(CheckBytes(compilation, inputs, run));
  return run;
}

// "bench_o2m_linear_s8.constprop.0" -> "o2m_linear_s8"
std::string KernelName(const Graph &graph, const std::string &function) {
  const std::string name = function.substr(0, function.find('.'));
  return std::string(absl::StripPrefix(name, graph.name + "_"));
}

void AddRow(const CountedCase &counted, const Graph &graph, const Profile &profile, std::vector<Row> *rows) {
  Row all;
  all.name = counted.name;
  all.work = counted.macs > 0 ? counted.macs : std::max(counted.elements, counted.outputs);
  all.unit = counted.macs > 0 ? "MAC" : "element";
  for (const Constant &constant : graph.nodes[counted.node].constants)
    if (constant.hint == "weights") all.flash += constant.count * DTypeBytes(constant.dtype);
  std::vector<Row> functions;
  std::map<std::string, size_t> index;
  for (const ProfileRow &row : profile.rows) {
    if (row.node != counted.node) continue;
    const std::string name = absl::StrCat(counted.name, ":", KernelName(graph, row.function));
    const auto [found, is_new] = index.emplace(name, functions.size());
    if (is_new) functions.push_back({name, 0, 0, 0, 0, all.work, all.unit});
    functions[found->second].instructions += row.instructions, functions[found->second].cycles += row.cycles;
    all.instructions += row.instructions, all.cycles += row.cycles;
  }
  rows->push_back(all);
  const auto small = [&](const Row &row) { return row.instructions * kLeastShare < all.instructions; };
  functions.erase(std::remove_if(functions.begin(), functions.end(), small), functions.end());
  if (functions.size() > 1) rows->insert(rows->end(), functions.begin(), functions.end());
}

std::vector<std::vector<uint8_t>> NoiseFor(const Graph &graph) {
  std::vector<std::vector<uint8_t>> inputs;
  uint64_t seed = 1;
  for (const TensorId id : graph.inputs) {
    for (uint8_t &byte : inputs.emplace_back(BytesOf(graph.tensors[id]))) {
      seed = seed * 6364136223846793005u + 1442695040888963407u;
      byte = static_cast<uint8_t>(seed >> 33);
    }
  }
  return inputs;
}

// What the calls of each kernel took, by kernel's name.
std::vector<Row> RowsOfKernels(const std::string &name, const std::vector<LayerCount> &layers) {
  std::map<std::string, Row> rows;
  for (const LayerCount &layer : layers) {
    if (layer.stage == kNone) continue;
    Row &row = rows[layer.kernel];
    row.name = absl::StrCat(name, ":", layer.kernel);
    row.instructions += layer.instructions, row.cycles += layer.cycles, row.estimate += layer.estimate;
    row.work += layer.macs > 0 ? layer.macs : std::max(layer.elements, layer.outputs);
    row.unit = layer.macs > 0 ? "MAC" : "element";
  }
  std::vector<Row> list;
  for (const auto &[kernel, row] : rows) list.push_back(row);
  return list;
}

}  // namespace

absl::StatusOr<std::vector<Row>> MeasureCases(const Registry &registry, const CaseOptions &options) {
  Host host;
  O2M_ASSIGN_OR_RETURN(const CaseNetwork network, NetworkOfCases(registry, options, host));
  std::vector<Row> rows;
  if (network.cases.empty()) return rows;
  O2M_ASSIGN_OR_RETURN(const EmulatorRun run, Run(network.compilation, InputsOf(network), host));
  for (const CountedCase &counted : network.cases) AddRow(counted, network.compilation.graph, run.profile, &rows);
  return rows;
}

absl::StatusOr<std::vector<int64_t>> CountCases(const CaseNetwork &network, Host &host) {
  O2M_ASSIGN_OR_RETURN(const EmulatorRun run, RunUnchecked(network.compilation, InputsOf(network), host));
  std::vector<int64_t> counts(network.cases.size());
  for (const ProfileRow &row : run.profile.rows)
    if (row.node != kNone) counts[row.node] += row.instructions;  // one case per node, in order
  return counts;
}

absl::StatusOr<std::vector<Row>> MeasureNetwork(const Registry &registry, const NetworkCase &network,
                                                const std::string &target) {
  CompileOptions options;
  options.model = network.model;
  options.target = target;
  options.residual = network.residual;
  options.ram = network.ram, options.flash = network.flash;
  Host host;
  host.options = {{"gelu", options.gelu}};
  O2M_ASSIGN_OR_RETURN(Program program, CompileToFit(options, registry, host));
  Compilation &compilation = program.compilation;
  compilation.board.flash.clear();  // what is linked is to be counted, also where it is more than the budget
  O2M_ASSIGN_OR_RETURN(const EmulatorRun run, Run(compilation, NoiseFor(compilation.graph), host));
  Row all{network.name, run.instructions, run.profile.cycles, 0, 0, compilation.graph.macs, "MAC"};
  all.estimate = EstimateInstructions(compilation.graph, compilation.plan, compilation.target.abi());
  all.ram = run.arena + run.data + run.bss + run.stack;
  all.flash = run.weights + run.text + run.rodata;
  std::vector<Row> rows = RowsOfKernels(network.name, LayersOf(compilation, run.profile));
  rows.insert(rows.begin(), all);
  return rows;
}

}  // namespace onnx2mcu
