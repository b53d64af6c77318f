// compile: the model into a folder of C, and the table firmware people know.
#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "codegen/cli.h"
#include "codegen/emitter.h"
#include "codegen/fit.h"
#include "codegen/names.h"
#include "codegen/pareto.h"
#include "codegen/recompute.h"
#include "codegen/regions.h"
#include "codegen/report_html.h"

namespace onnx2mcu {

std::string Kib(int64_t bytes) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", static_cast<double>(bytes) / 1024);
  return absl::StrCat(Grouped(bytes), " B (", text, " KiB)");
}

void PrintWarnings(const Graph &graph, const CommandLine &command) {
  if (command.quiet) return;
  for (const std::string &warning : graph.warnings)
    std::fprintf(stderr, "onnx2mcu: warning: %s: %s\n", graph.file.c_str(), warning.c_str());
}

namespace {

void Row(const char *name, int64_t bytes, const std::string &note = "") {
  std::printf("  %-12s %12s B %10.1f KiB  %s\n", name, Grouped(bytes).c_str(), static_cast<double>(bytes) / 1024,
              note.c_str());
}

std::string Share(int64_t bytes, int64_t limit) {
  if (limit <= 0) return "";
  char text[64];
  std::snprintf(text, sizeof text, "%.1f %% of %s KiB", 100.0 * static_cast<double>(bytes) / static_cast<double>(limit),
                Grouped(limit / 1024).c_str());
  return text;
}

int64_t IoBytes(const Graph &graph, const std::vector<TensorId> &ids) {
  int64_t bytes = 0;
  for (TensorId id : ids) bytes += BytesOf(graph.tensors[id]);
  return bytes;
}

// How good the placement is, whatever the schedule.
std::string BoundText(const Plan &plan) {
  const std::string bound = absl::StrCat("lower bound ", Grouped(plan.lower_bound_bytes), " B");
  const int64_t arena = ArenaRam(plan);
  if (arena == plan.lower_bound_bytes) return bound + ", met";
  if (plan.arena_optimal && ArenasOf(plan).size() == 1) return bound + ", not to be met: proven the least";
  const double over = 100.0 * static_cast<double>(arena - plan.lower_bound_bytes) /
                      static_cast<double>(std::max<int64_t>(plan.lower_bound_bytes, 1));
  return absl::StrCat(bound, absl::StrFormat(", %.2f %% above it", over));
}

// Where there are several: each, and its region.
void PrintArenas(const Compilation &c) {
  const std::vector<Arena> arenas = ArenasOf(c.plan);
  for (size_t i = 0; i < arenas.size() && arenas.size() > 1; i++) {
    const Region region = RegionOf(c, arenas[i]);
    Row(("  " + ArenaName(i)).c_str(), arenas[i].bytes,
        absl::StrCat("in ", region.name, ", ", Share(arenas[i].bytes, region.bytes)));
  }
}

void PrintSummary(const Compilation &c, const CompileOptions &options, const Sizes &sizes) {
  const Budget budget = BudgetOf(c, options);
  Row("text", sizes.text), Row("rodata", sizes.rodata), Row("data", sizes.data), Row("bss", sizes.bss),
      Row("weights", sizes.weights, WeightsText(c.graph));
  Row("activations", ArenaRam(c.plan), absl::StrCat("arena; ", BoundText(c.plan)));
  PrintArenas(c);
  Row("input", IoBytes(c.graph, c.graph.inputs),
      c.graph.tensors[c.graph.inputs[0]].in_arena ? "in the arena" : "the caller's");
  Row("output", IoBytes(c.graph, c.graph.outputs), "the caller's");
  const int64_t other = sizes.text + sizes.rodata + sizes.data,
                ram = ArenaRam(c.plan) + sizes.data + sizes.bss + sizes.stack;
  const std::optional<Region> weights = FlashForWeights(c.board, sizes.weights, other);
  const bool external = weights && weights->name != MainFlash(c.board).name;
  Row("TOTAL flash", other + (external ? 0 : sizes.weights),
      Share(other + (external ? 0 : sizes.weights), budget.flash));
  if (external) Row(weights->name.c_str(), sizes.weights, Share(sizes.weights, weights->bytes) + " (the weights)");
  Row("TOTAL RAM", ram,
      absl::StrCat(Share(ram, budget.ram), sizes.stack ? absl::StrCat(" (stack ", sizes.stack, " B included)") : ""));
  const int64_t instructions = EstimateInstructions(c.graph, c.plan, c.target.abi());
  std::printf("  %s MAC, about %s instructions per inference", Grouped(c.graph.macs).c_str(),
              Grouped(instructions).c_str());
  if (c.board.clock_hz > 0)
    std::printf("; %.1f ms at %lld MHz if every instruction took one cycle (an estimate)",
                1e3 * static_cast<double>(instructions) / static_cast<double>(c.board.clock_hz),
                static_cast<long long>(c.board.clock_hz / 1000000));
  std::printf("\n");
}

// What --accuracy-drop came to, and which tensors are s16 where s8 is the rule.
void PrintRaised(const Compilation &c, bool names) {
  if (const auto &a = c.accuracy)
    std::printf(
        "  accuracy: %.2f points of %s lost on %lld held-out inputs (%.2f with s8); %lld of %lld tensors raised\n",
        a->drop, a->top1 ? "top-1" : "changed answers", static_cast<long long>(a->held_out), a->drop_s8,
        static_cast<long long>(a->raised), static_cast<long long>(a->of));
  if (!c.graph.raised.empty()) std::printf("  s16 where s8 is the rule: %zu tensors\n", c.graph.raised.size());
  for (const RaisedTensor &raised : c.graph.raised)
    if (names) std::printf("    %s: %s\n", raised.name.c_str(), raised.why.c_str());
}

void PrintStream(const Compilation &c) {
  const Stream &stream = c.stream;
  if (!stream.possible()) return void(std::printf("  input in rows: no: %s\n", stream.why.c_str()));
  std::printf("  input in rows: %lld of %s B; a band of %lld rows in the arena, %s B\n",
              static_cast<long long>(stream.image_rows), Grouped(stream.row_bytes).c_str(),
              static_cast<long long>(stream.band_rows), Grouped(c.plan.buffers[stream.band].bytes).c_str());
}

// What only a compiler of the target knows: code and stack. Without one the report keeps null.
void PutSizes(const Sizes &sizes, std::vector<GeneratedFile> &files) {
  if (!sizes.measured) return;
  for (GeneratedFile &file : files) {
    if (file.name != "report.json") continue;
    nlohmann::ordered_json report = nlohmann::ordered_json::parse(file.text);
    report["ram"]["stack"] = sizes.stack;
    report["ram"]["data"] = sizes.data, report["ram"]["bss"] = sizes.bss;
    report["flash"] = {{"weights", sizes.weights}, {"code", sizes.text}, {"constants", sizes.rodata}};
    file.text = report.dump(2) + "\n";
  }
}

}  // namespace

absl::Status CompileVerb(const CommandLine &command, const Registry &registry) {
  Host host;
  host.options = {{"gelu", command.compile.gelu}};
  O2M_ASSIGN_OR_RETURN(Program program, CompileToFit(command.compile, registry, host));
  const CompileOptions &options = program.options;
  Compilation &compilation = program.compilation;
  std::vector<GeneratedFile> &files = program.files;
  const Sizes &sizes = program.sizes;
  O2M_RETURN_IF_ERROR(CheckBudget(compilation, sizes));
  if (command.pareto) {
    O2M_RETURN_IF_ERROR(AddNumericAlternatives(options, registry, host, &compilation));
    O2M_ASSIGN_OR_RETURN(files, EmitProgram(compilation, options, host));
  }
  PutSizes(sizes, files);
  files.push_back({"report.html", ReportHtml(compilation, sizes, BudgetOf(compilation, options))});
  const std::string folder =
      options.output.empty() ? absl::StrCat(compilation.graph.name, "_", compilation.target.id) : options.output;
  O2M_RETURN_IF_ERROR(WriteFolder(folder, files));
  PrintWarnings(compilation.graph, command);
  if (command.json) {
    for (const GeneratedFile &file : files)
      if (file.name == "report.json") std::fputs(file.text.c_str(), stdout);
    return absl::OkStatus();
  }
  std::printf("%s: %s for %s%s%s\n", folder.c_str(), compilation.graph.file.c_str(), compilation.target.id.c_str(),
              compilation.board.id.empty() ? "" : " on ", compilation.board.id.c_str());
  PrintSummary(compilation, options, sizes);
  PrintRaised(compilation, command.verbose);
  if (command.verbose) PrintStream(compilation);
  if (command.pareto) std::fputs(FrontierTable(compilation).c_str(), stdout);
  if (command.verbose) std::fputs(MemoryMap(compilation.graph, compilation.plan).c_str(), stdout);
  return absl::OkStatus();
}

}  // namespace onnx2mcu
