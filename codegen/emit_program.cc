// emit_program.cc - NAME.c: the schedule as functions, one per block of the network, and the list of all files.
#include <algorithm>
#include <map>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "codegen/emit.h"
#include "codegen/printer.h"
#include "codegen/runtime.h"
#include "o2m_version.h"

namespace onnx2mcu {
namespace {

// Stages [begin, end) become one function.
struct Group {
  std::string name;
  int begin = 0, end = 0;
};

// ---- Which stages form a function

// The one value of `field` over all nodes of a stage; "" where they differ.
std::string Common(const ProgramText &program, const Stage &stage, std::string NodeLabel::*field) {
  const std::string &first = program.labels[stage.nodes[0]].*field;
  for (const NodeId id : stage.nodes) {
    if (program.labels[id].*field != first) return "";
  }
  return first;
}

// A stage that reaches over several blocks belongs to the one with most of its nodes, the later one on a tie.
std::string BlockOf(const ProgramText &program, const Stage &stage) {
  std::map<std::string, int> nodes;
  std::string most;
  for (const NodeId id : stage.nodes) {
    const std::string &block = program.labels[id].block;
    if (++nodes[block] >= nodes[most]) most = block;
  }
  return most;
}

// Cuts a run of stages of one block by part ("attn", "mlp") if no stage mixes parts and each part is one run.
std::vector<Group> CutByPart(const ProgramText &program, const Group &block) {
  const std::vector<Stage> &stages = program.plan->stages;
  std::vector<Group> parts;
  for (int s = block.begin; s < block.end; s++) {
    const std::string part = Common(program, stages[s], &NodeLabel::part);
    if (part.empty()) return {block};
    if (parts.empty() || parts.back().name != part) parts.push_back({part, s, s});
    parts.back().end = s + 1;
  }
  std::set<std::string> seen;
  for (Group &group : parts) {
    if (!seen.insert(group.name).second) return {block};
    group.name = absl::StrCat(block.name, "_", group.name);
  }
  return parts;
}

// The loop that reads the input is a function of its own where rows may be pushed into it.
std::vector<Group> CutAtStream(const ProgramText &program, const Group &group) {
  if (program.stream == nullptr || !program.stream->possible()) return {group};
  const int loop = program.stream->stage;
  if (loop < group.begin || loop >= group.end) return {group};
  const bool more = group.end > loop + 1;
  std::vector<Group> parts = {{more ? group.name + "_rows" : group.name, loop, loop + 1}};
  if (group.begin < loop) parts.insert(parts.begin(), {group.name + "_begin", group.begin, loop});
  if (more) parts.push_back({group.name, loop + 1, group.end});
  return parts;
}

std::vector<Group> GroupStages(ProgramText &program) {
  const std::vector<Stage> &stages = program.plan->stages;
  std::vector<Group> blocks, groups;
  for (int s = 0; s < static_cast<int>(stages.size()); s++) {
    const std::string block = BlockOf(program, stages[s]);
    if (block.empty() || blocks.empty() || blocks.back().name != block) {
      blocks.push_back({block.empty() ? absl::StrCat("stage", s) : block, s, s});
    }
    blocks.back().end = s + 1;
  }
  for (const Group &block : blocks) {
    for (const Group &part : CutByPart(program, block)) {
      for (Group &group : CutAtStream(program, part)) {
        group.name = program.names.Unique(CIdentifier(group.name));
        groups.push_back(group);
      }
    }
  }
  return groups;
}

// ---- One stage

std::string StateClear(const ProgramText &program, const Stage &stage, FunctionText &function) {
  std::string text;
  for (const NodeId id : stage.nodes) {
    if (program.plan->state_of[id] == kNone) continue;
    const Buffer &state = program.plan->buffers[program.plan->state_of[id]];
    function.uses_arena = true;
    absl::StrAppend(&text, "  memset(a + ", state.offset, ", 0, ", state.bytes, ");\n");
  }
  return text;
}

// Between stages the arena is at rest: the caller may look after a watchdog, count, or yield.
std::string StageHook(const ProgramText &program, int32_t stage, const CompileOptions &options) {
  return options.stage_hook ? absl::StrCat("  ", program.graph->name, "_on_stage(", stage, ");\n") : "";
}

// Stands for the names of arrays that are known when their readers are written: PrefetchCalls().
std::string Placeholder(size_t prefetch) { return absl::StrCat("@prefetched ", prefetch, "@"); }

// What the stage reads has come, what the next one reads is on its way.
std::string PrefetchLines(const ProgramText &program, int32_t stage, FunctionText &function) {
  std::string wait, calls;
  const Plan &plan = *program.plan;
  for (size_t i = 0; i < plan.prefetches.size(); i++) {
    const Buffer &buffer = plan.buffers[plan.prefetches[i].buffer];
    if (plan.prefetches[i].stage == stage) wait = absl::StrCat("  ", program.graph->name, "_prefetch_wait();\n");
    if (plan.prefetches[i].stage != stage + 1) continue;
    absl::StrAppend(&calls, "  ", program.graph->name, "_prefetch(a + ", buffer.offset, ", ", Placeholder(i), ", ",
                    buffer.bytes, ");\n");
    function.uses_arena = true;
  }
  return wait + calls;
}

std::string WithArrayNames(const ProgramText &program, std::string text) {
  for (const auto &[prefetch, array] : program.prefetched)
    text = absl::StrReplaceAll(text, {{Placeholder(static_cast<size_t>(prefetch)), array}});
  return text;
}

absl::StatusOr<std::string> StageBody(ProgramText &program, FunctionText &function, const Stage &stage, bool marks,
                                      Host &host) {
  const bool loop = stage.steps > stage.rows;
  const bool whole_tiles = loop && stage.steps % stage.rows == 0;
  bool uses_rows = false;
  std::string calls, objects;
  for (const NodeId id : stage.nodes) {
    std::string rows = "rows";
    if (whole_tiles) rows = absl::StrCat(stage.rows);
    if (!loop) rows = absl::StrCat(std::max(stage.steps, 1));  // one call does all
    O2M_ASSIGN_OR_RETURN(const CallText call, EmitNode(program, function, stage, id, loop, rows, host));
    if (marks) absl::StrAppend(&calls, Statement(absl::StrCat("O2M_MARK(", id, ");"), loop ? 4 : 2));
    for (const std::string &line : call.lines) absl::StrAppend(&calls, Statement(line, loop ? 4 : 2));
    for (const std::string &object : call.objects) absl::StrAppend(&objects, "  ", object, "\n");
    uses_rows |= call.uses_rows;
  }
  // a block of their own: stages that follow each other share the stack
  if (!objects.empty()) objects = "  {\n" + objects;
  const char *const close = objects.empty() ? "" : "  }\n";
  std::string text = StateClear(program, stage, function) + objects;
  if (!loop) return text + calls + close;
  const std::string advance = stage.rows == 1 ? "++t" : absl::StrCat("t += ", stage.rows);
  absl::StrAppend(&text, "  for (int32_t t = 0; t < ", stage.steps, "; ", advance, ") {\n");
  if (!whole_tiles && uses_rows) {
    // a minimum: compilers that see a condition write the last round apart, as a second copy of the loop
    absl::StrAppend(&text, "    const int32_t rows = ", stage.steps, " - t < ", stage.rows, " ? ", stage.steps,
                    " - t : ", stage.rows, ";\n");
  }
  return absl::StrCat(text, calls, "  }\n", close);
}

// ---- One function

std::string OnnxRange(const ProgramText &program, const Group &group) {
  const std::vector<Stage> &stages = program.plan->stages;
  const auto name = [&](NodeId id) { return program.graph->nodes[id].name; };
  const std::string first = name(stages[group.begin].nodes.front()), last = name(stages[group.end - 1].nodes.back());
  return first == last ? absl::StrCat("ONNX: ", first) : absl::StrCat("ONNX: ", first, " .. ", last);
}

// What NAME_run and its functions hand on: "uint8_t *a, const uint8_t *image", or the bare names.
std::string Parameters(const Graph &graph, const FunctionText &function, bool with_types) {
  std::vector<std::string> list;
  if (function.uses_arena) list.push_back(with_types ? "uint8_t *a" : "a");
  for (size_t i = 0; i < graph.inputs.size(); i++) {
    if (!function.uses_input[i]) continue;
    const std::string type = absl::StrCat("const ", CType(graph.tensors[graph.inputs[i]].dtype), " *");
    list.push_back(absl::StrCat(with_types ? type : "", InputName(graph, static_cast<int>(i))));
  }
  for (size_t i = 0; i < graph.outputs.size(); i++) {
    if (!function.uses_output[i]) continue;
    const std::string type = absl::StrCat(CType(graph.tensors[graph.outputs[i]].dtype), " *");
    list.push_back(absl::StrCat(with_types ? type : "", OutputName(graph, static_cast<int>(i))));
  }
  if (list.empty() && with_types) return "void";
  return absl::StrJoin(list, ", ");
}

// The pointers that are its parameters.
void ReserveOperands(const Graph &graph, FunctionText *function) {
  for (size_t i = 0; i < graph.inputs.size(); i++)
    if (!graph.tensors[graph.inputs[i]].in_arena) function->names.Reserve(InputName(graph, static_cast<int>(i)));
  for (size_t i = 0; i < graph.outputs.size(); i++) function->names.Reserve(OutputName(graph, static_cast<int>(i)));
}

struct WrittenFunction {
  std::string text, call;
};

absl::StatusOr<WrittenFunction> WriteFunction(ProgramText &program, const Group &group,
                                              const std::vector<std::string> &formulas, const CompileOptions &options,
                                              Host &host) {
  FunctionText function = NewFunction(program, group.name);
  ReserveOperands(*program.graph, &function);
  std::vector<std::string> bodies;
  std::string comment;
  for (int s = group.begin; s < group.end; s++) {
    O2M_ASSIGN_OR_RETURN(std::string body, StageBody(program, function, program.plan->stages[s], options.marks, host));
    bodies.push_back(StageHook(program, s, options) + PrefetchLines(program, s, function) + body);
    absl::StrAppend(&comment, formulas[s], "\n");
  }
  const Graph &graph = *program.graph;
  WrittenFunction written;
  written.text = absl::StrCat(Comment(comment + OnnxRange(program, group)), "static void ", group.name, "(",
                              Parameters(graph, function, true), ") {\n");
  const std::string declarations = Declarations(function);
  absl::StrAppend(&written.text, declarations, declarations.empty() ? "" : "\n", absl::StrJoin(bodies, "\n"), "}\n");
  written.call = Statement(absl::StrCat(group.name, "(", Parameters(graph, function, false), ");"), 2);
  return written;
}

// ---- The file

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
  bool uses_arena = false;
  const int32_t loop = compilation.stream.stage;
  for (const Group &group : GroupStages(program)) {
    O2M_ASSIGN_OR_RETURN(const WrittenFunction written, WriteFunction(program, group, formulas, options, host));
    absl::StrAppend(&functions, written.text, "\n");
    absl::StrAppend(&run, written.call);
    if (group.end <= loop) absl::StrAppend(&around.begin, written.call);
    if (group.begin > loop) absl::StrAppend(&around.end, written.call);
    uses_arena |= absl::StrContains(written.call, "(a)") || absl::StrContains(written.call, "(a,");
  }
  const std::string arena = uses_arena ? "  uint8_t *const a = (uint8_t *)arena;\n\n" : "  (void)arena;\n\n";
  const std::string map = Comment(MemoryMap(graph, compilation.plan));
  if (compilation.stream.possible()) {
    FunctionText begin = NewFunction(program, "begin");
    around.clear = StageHook(program, loop, options) + StateClear(program, compilation.plan.stages[loop], begin);
  }
  O2M_ASSIGN_OR_RETURN(const std::string stream, EmitStream(program, around, host));
  return absl::StrCat(Banner(compilation, options, graph.name + ".c"), "//\n", map, "\n",
                      Includes(graph, functions + stream + PrefetchDefault(program)), HookDefault(graph, options),
                      PrefetchDefault(program), WithArrayNames(program, functions), RunPrototype(graph), " {\n", arena,
                      run, "}\n", stream);
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

FunctionText NewFunction(const ProgramText &program, const std::string &name) {
  const Graph &graph = *program.graph;
  FunctionText function;
  function.name = name;
  function.names = program.names;
  for (const char *reserved : {"a", "t", "rows", "arena"}) function.names.Reserve(reserved);
  for (int i = 0; i < 10; i++) function.names.Reserve(absl::StrCat("i", i));  // loops that ops write
  function.uses_input.resize(graph.inputs.size());
  function.uses_output.resize(graph.outputs.size());
  return function;
}

// Comments behind declarations stand in one column, as clang-format puts them.
std::string Declarations(const FunctionText &function) {
  size_t column = 0;
  for (const std::string &key : function.order) {
    column = std::max(column, function.locals.at(key).declaration.find(";  //") + 1);
  }
  std::string text;
  for (const std::string &key : function.order) {
    const std::string &line = function.locals.at(key).declaration;
    const size_t end = line.find(";  //") + 1;
    absl::StrAppend(&text, "  ", line.substr(0, end), std::string(column - end, ' '), line.substr(end), "\n");
  }
  return text;
}

std::string Banner(const Compilation &compilation, const CompileOptions &options, const std::string &file) {
  const Graph &graph = compilation.graph;
  std::string flags = absl::StrCat("--optimize=", options.optimize);
  if (options.rows > 0) absl::StrAppend(&flags, " --rows=", options.rows);
  if (!compilation.board.id.empty()) absl::StrAppend(&flags, " --board=", compilation.board.id);
  if (options.stream != "auto") absl::StrAppend(&flags, " --stream=", options.stream);
  if (options.layout != "chw") absl::StrAppend(&flags, " --layout=", options.layout);
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
