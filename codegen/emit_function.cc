// emit_function.cc - one function of NAME.c: its stages as loops and calls, the pointers it declares, what it is given.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "codegen/emit.h"
#include "codegen/printer.h"

namespace onnx2mcu {

std::string StateClear(const ProgramText &program, const Stage &stage, FunctionText &function) {
  std::string text;
  for (const NodeId id : stage.nodes) {
    if (program.plan->state_of[id] == kNone) continue;
    const Buffer &state = program.plan->buffers[program.plan->state_of[id]];
    absl::StrAppend(&text, "  memset(", ArenaByte(program, function, state.offset), ", 0, ", state.bytes, ");\n");
  }
  return text;
}

// Between stages the arena is at rest: the caller may look after a watchdog, count, or yield.
std::string StageHook(const ProgramText &program, int32_t stage, const CompileOptions &options) {
  return options.stage_hook ? absl::StrCat("  ", program.graph->name, "_on_stage(", stage, ");\n") : "";
}

namespace {

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
    absl::StrAppend(&calls, "  ", program.graph->name, "_prefetch(", ArenaByte(program, function, buffer.offset), ", ",
                    Placeholder(i), ", ", buffer.bytes, ");\n");
  }
  return wait + calls;
}

// The call of one node. Parameters of its own are in a block with it: calls that follow each other share the stack.
std::string CallOf(const CallText &call, size_t indent) {
  const std::string margin(indent, ' ');
  std::string text;
  for (const std::string &object : call.objects) absl::StrAppend(&text, margin, object, "\n");
  for (const std::string &line : call.lines) absl::StrAppend(&text, Statement(line, indent));
  return call.objects.empty() ? text : absl::StrCat(margin, "{\n", text, margin, "}\n");
}

absl::StatusOr<std::string> StageBody(ProgramText &program, FunctionText &function, const Stage &stage, bool marks,
                                      Host &host) {
  const bool loop = stage.steps > stage.rows;
  const bool whole_tiles = loop && stage.steps % stage.rows == 0;
  const size_t indent = loop ? 4 : 2;
  bool uses_rows = false;
  std::string calls;
  for (const NodeId id : stage.nodes) {
    std::string rows = "rows";
    if (whole_tiles) rows = absl::StrCat(stage.rows);
    if (!loop) rows = absl::StrCat(std::max(stage.steps, 1));  // one call does all
    O2M_ASSIGN_OR_RETURN(const CallText call, EmitNode(program, function, stage, id, loop, rows, host));
    if (marks) absl::StrAppend(&calls, Statement(absl::StrCat("O2M_MARK(", id, ");"), indent));
    absl::StrAppend(&calls, CallOf(call, indent));
    uses_rows |= call.uses_rows;
  }
  std::string text = StateClear(program, stage, function);
  if (!loop) return text + calls;
  if (whole_tiles || !uses_rows) {
    const std::string advance = stage.rows == 1 ? "++t" : absl::StrCat("t += ", stage.rows);
    absl::StrAppend(&text, "  for (int32_t t = 0; t < ", stage.steps, "; ", advance, ") {\n");
  } else {
    // A minimum: compilers that see a condition write the last round apart, as a second copy of the loop. And by rows:
    // GCC writes two steps one after the other where it can tell that there are two.
    absl::StrAppend(&text, "  for (int32_t t = 0, rows; t < ", stage.steps, "; t += rows) {\n    rows = ", stage.steps,
                    " - t < ", stage.rows, " ? ", stage.steps, " - t : ", stage.rows, ";\n");
  }
  return absl::StrCat(text, calls, "  }\n");
}

std::string OnnxRange(const ProgramText &program, const Group &group) {
  const std::vector<Stage> &stages = program.plan->stages;
  const auto name = [&](NodeId id) { return program.graph->nodes[id].name; };
  const std::string first = name(stages[group.begin].nodes.front()), last = name(stages[group.end - 1].nodes.back());
  return first == last ? absl::StrCat("ONNX: ", first) : absl::StrCat("ONNX: ", first, " .. ", last);
}

// What NAME_run and its functions hand on: "uint8_t *a, const uint8_t *image", or the bare names.
std::string Parameters(const Graph &graph, const FunctionText &function, bool with_types) {
  std::vector<std::string> list;
  for (size_t i = 0; i < function.uses_arena.size(); i++)
    if (function.uses_arena[i]) list.push_back(absl::StrCat(with_types ? "uint8_t *" : "", ArenaPointerName(i)));
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

}  // namespace

std::string WithArrayNames(const ProgramText &program, std::string text) {
  for (const auto &[prefetch, array] : program.prefetched)
    text = absl::StrReplaceAll(text, {{Placeholder(static_cast<size_t>(prefetch)), array}});
  return text;
}

std::string ArenaPointers(const std::vector<bool> &used) {
  std::string text;
  for (size_t i = 0; i < used.size(); i++)
    absl::StrAppend(&text,
                    used[i] ? absl::StrCat("  uint8_t *const ", ArenaPointerName(i), " = (uint8_t *)") : "  (void)",
                    ArenaName(i), ";\n");
  return text;
}

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
  // parameters of prefetched weights are on the stack: of one function at a time, which inlining would add up
  const char *const apart = program.plan->prefetches.empty() ? "" : "__attribute__((noinline)) ";
  written.text = absl::StrCat(Comment(comment + OnnxRange(program, group)), "static ", apart, "void ", group.name, "(",
                              Parameters(graph, function, true), ") {\n");
  const std::string declarations = Declarations(function);
  absl::StrAppend(&written.text, declarations, declarations.empty() ? "" : "\n", absl::StrJoin(bodies, "\n"), "}\n");
  written.uses_arena = function.uses_arena;
  written.call = Statement(absl::StrCat(group.name, "(", Parameters(graph, function, false), ");"), 2);
  return written;
}

FunctionText NewFunction(const ProgramText &program, const std::string &name) {
  const Graph &graph = *program.graph;
  FunctionText function;
  function.name = name;
  function.names = program.names;
  for (const char *reserved : {"t", "rows"}) function.names.Reserve(reserved);
  function.uses_arena.resize(ArenasOf(*program.plan).size());
  for (size_t i = 0; i < function.uses_arena.size(); i++) {
    function.names.Reserve(ArenaPointerName(i));
    function.names.Reserve(ArenaName(i));
  }
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

}  // namespace onnx2mcu
