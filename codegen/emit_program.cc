// emit_program.cc - NAME.c, put together from its functions, and the list of all files.
#include <algorithm>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "codegen/emit.h"
#include "codegen/printer.h"
#include "codegen/runtime.h"
#include "o2m_version.h"

namespace onnx2mcu {
namespace {

// Headers that no other header brings along.
std::vector<std::string> KernelHeaders(const ProgramText &program) {
  std::vector<std::string> headers;
  for (const auto &[name, unused] : program.files) {
    bool included = !absl::EndsWith(name, ".h");
    for (const auto &[other, source] : program.files) {
      included |= absl::EndsWith(other, ".h") && absl::StrContains(source, absl::StrCat("#include \"", name, "\""));
    }
    if (!included) headers.push_back(name);
  }
  return headers;
}

// NAME_params.h: the parameters of every kernel call, apart so that NAME.c is the network alone.
std::string EmitParams(const ProgramText &program, const Compilation &compilation, const CompileOptions &options) {
  const std::string file = program.graph->name + "_params.h";
  std::vector<std::string> includes;
  for (std::string &name : KernelHeaders(program)) includes.push_back(std::move(name));
  if (!program.weights.empty()) includes.push_back(program.graph->name + "_weights.h");
  std::sort(includes.begin(), includes.end());  // as clang-format wants them
  std::string lines;
  for (const std::string &name : includes) absl::StrAppend(&lines, "#include \"", name, "\"\n");
  return Banner(compilation, options, file) +
         Fill(R"(#ifndef $NAME$_PARAMS_H_
#define $NAME$_PARAMS_H_
$includes$
$objects$#endif
)",
              {{"NAME", UpperCase(program.graph->name)}, {"includes", lines}, {"objects", program.objects}});
}

// memset: of the program's own text; kernels include what they need themselves.
std::string Includes(const Graph &graph, const std::string &body) {
  const bool system = absl::StrContains(body, "memset(") || absl::StrContains(body, "memcpy(");
  return absl::StrCat("#include \"", graph.name, ".h\"\n\n", system ? "#include <string.h>\n\n" : "", "#include \"",
                      graph.name, "_params.h\"\n\n");
}

// A network whose caller wants no hook links all the same.
std::string HookDefault(const Graph &graph, const CompileOptions &options) {
  if (!options.stage_hook) return "";
  return absl::StrCat("__attribute__((weak)) void ", graph.name, "_on_stage(int stage) { (void)stage; }\n\n");
}

// Without a transfer in the background: a copy.
std::string PrefetchDefault(const ProgramText &program) {
  if (program.plan->prefetches.empty()) return "";
  return Fill(
      R"(__attribute__((weak)) void $name$_prefetch(void *to, const void *from, uint32_t bytes) { memcpy(to, from, bytes); }

__attribute__((weak)) void $name$_prefetch_wait(void) {}

)",
      {{"name", program.graph->name}});
}

absl::StatusOr<std::string> EmitSource(ProgramText &program, const Compilation &compilation,
                                       const CompileOptions &options, Host &host) {
  const Graph &graph = *program.graph;
  const std::vector<std::string> formulas = StageFormulas(program);
  std::string functions, run;
  StreamText around;
  std::vector<bool> uses_arena(ArenasOf(compilation.plan).size());
  around.begin_arenas = around.end_arenas = uses_arena;
  const auto add = [](const std::vector<bool> &used, std::vector<bool> &all) {
    for (size_t i = 0; i < all.size(); i++) all[i] = all[i] || used[i];
  };
  const int32_t loop = compilation.stream.stage;
  for (const Group &group : GroupStages(program)) {
    O2M_ASSIGN_OR_RETURN(const WrittenFunction written, WriteFunction(program, group, formulas, options, host));
    absl::StrAppend(&functions, written.text, "\n");
    absl::StrAppend(&run, written.call);
    add(written.uses_arena, uses_arena);
    if (group.end <= loop) absl::StrAppend(&around.begin, written.call), add(written.uses_arena, around.begin_arenas);
    if (group.begin > loop) absl::StrAppend(&around.end, written.call), add(written.uses_arena, around.end_arenas);
  }
  const std::string map = Comment(MemoryMap(graph, compilation.plan));
  if (compilation.stream.possible()) {
    FunctionText begin = NewFunction(program, "begin");
    around.clear = StageHook(program, loop, options) + StateClear(program, compilation.plan.stages[loop], begin);
    add(begin.uses_arena, around.begin_arenas);
  }
  O2M_ASSIGN_OR_RETURN(const std::string stream, EmitStream(program, around, host));
  return absl::StrCat(Banner(compilation, options, graph.name + ".c"), "//\n", map, "\n",
                      Includes(graph, functions + stream + PrefetchDefault(program)), HookDefault(graph, options),
                      PrefetchDefault(program), WithArrayNames(program, functions),
                      RunPrototype(graph, compilation.plan), " {\n", ArenaPointers(uses_arena), "\n", run, "}\n",
                      stream);
}

std::string SymbolHeader(const Graph &graph) {
  return Fill(R"(/* o2m_sym.h - gives the external names of the kernels this model's prefix, so that two models link. */
#ifndef O2M_SYM_H_
#define O2M_SYM_H_
#define O2M_SYM(name) $name$_##name
#endif
)",
              {{"name", graph.name}});
}

}  // namespace

std::string Banner(const Compilation &compilation, const CompileOptions &options, const std::string &file) {
  const Graph &graph = compilation.graph;
  std::string flags = absl::StrCat("--optimize=", options.optimize);
  if (options.rows > 0) absl::StrAppend(&flags, " --rows=", options.rows);
  if (!compilation.board.id.empty()) absl::StrAppend(&flags, " --board=", compilation.board.id);
  if (options.stream != "auto") absl::StrAppend(&flags, " --stream=", options.stream);
  if (options.layout != "chw") absl::StrAppend(&flags, " --layout=", options.layout);
  const PixelOptions &pixels = options.pixels;
  const std::pair<const char *, std::string> of_pixels[] = {{"channels", pixels.channels},
                                                            {"input-format", pixels.input_format},
                                                            {"input-size", pixels.input_size},
                                                            {"crop", pixels.crop},
                                                            {"resize", pixels.resize}};
  for (const auto &[option, value] : of_pixels)
    if (!value.empty()) absl::StrAppend(&flags, " --", option, "=", value);
  if (options.image_in_arena) absl::StrAppend(&flags, " --image-in-arena");
  if (options.weights_at > 0) absl::StrAppend(&flags, " --weights-at=0x", absl::Hex(options.weights_at));
  if (options.stage_hook) absl::StrAppend(&flags, " --stage-hook");
  if (options.prefetch > 0) absl::StrAppend(&flags, " --prefetch=", options.prefetch);
  const Sections &sections = options.sections;
  if (!sections.weights.empty()) absl::StrAppend(&flags, " --section-weights=", sections.weights);
  if (!sections.code.empty()) absl::StrAppend(&flags, " --section-code=", sections.code);
  if (!sections.arena.empty()) absl::StrAppend(&flags, " --section-arena=", sections.arena);
  if (compilation.numeric) absl::StrAppend(&flags, " --recompute");
  std::string text = absl::StrCat(file, " - generated by onnx2mcu ", O2M_VERSION, " for ", compilation.target.id, " (",
                                  flags, "). Do not edit.\n");
  absl::StrAppend(&text, "model ", graph.name, ".onnx (sha256 ", graph.sha256.substr(0, 16), "), opset ", graph.opset,
                  "\n");
  absl::StrAppend(&text,
                  "The generated code is yours; the kernels it calls (o2m_*) are under the Apache License 2.0.\n");
  return Comment(text);
}

absl::StatusOr<std::vector<GeneratedFile>> EmitProgram(const Compilation &compilation, const CompileOptions &options,
                                                       Host &host) {
  const Graph &graph = compilation.graph;
  ProgramText program;
  program.graph = &graph;
  program.plan = &compilation.plan;
  program.stream = &compilation.stream;
  program.target = compilation.target.abi();
  program.labels = LabelNodes(graph);
  if (options.weights_at > 0) program.weights_in = UpperCase(graph.name) + "_WEIGHTS->";
  for (const char *suffix : {"_run", "_selftest", "_begin", "_push_rows", "_end", "_weights", "_check_weights",
                             "_on_stage", "_prefetch", "_prefetch_wait"}) {
    program.names.Reserve(graph.name + suffix);
  }
  O2M_ASSIGN_OR_RETURN(const std::string source, EmitSource(program, compilation, options, host));

  std::vector<GeneratedFile> files = {{graph.name + ".h", EmitHeader(compilation, options)},
                                      {graph.name + ".c", WithCodeIn(options.sections.code, source)},
                                      {graph.name + "_params.h", EmitParams(program, compilation, options)}};
  for (GeneratedFile &file : EmitWeights(program, compilation, options)) files.push_back(std::move(file));
  program.files["o2m_sym.h"] = SymbolHeader(graph);
  for (const auto &[name, text] : program.files) files.push_back({name, WithCodeIn(options.sections.code, text)});
  if (options.selftest) files.push_back(EmitSelftest(program, compilation, options));
  if (!options.example.empty()) {
    for (GeneratedFile &file : EmitExample(compilation, options, files)) files.push_back(std::move(file));
  }
  files.push_back({"report.json", EmitReport(program, compilation, options)});
  files.push_back({"plan.csv", PlanCsv(graph, compilation.plan)});
  files.push_back({".clang-format", RuntimeFile("clang-format")});
  std::set<std::string> names;
  for (const GeneratedFile &file : files) {
    if (names.insert(file.name).second) continue;
    return absl::InvalidArgumentError(absl::StrCat(graph.file, ": an op ships a file called '", file.name,
                                                   "', as the model's own; rename the model"));
  }
  return files;
}

}  // namespace onnx2mcu
