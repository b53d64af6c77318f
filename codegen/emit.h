// codegen/emit.h - the files of a generated program; EmitProgram() of compiler.h puts them together.
#pragma once
#include <string>
#include <vector>

#include "codegen/compiler.h"
#include "codegen/emitter.h"

namespace onnx2mcu {

// The comment that opens every file: tool version, target, options, model; no date, no path.
std::string Banner(const Compilation &compilation, const CompileOptions &options, const std::string &file);

// emit_formula.cc: what the stages compute, one line each: "x = add(x, fc2(fc1(norm2(x))))".
std::vector<std::string> StageFormulas(const ProgramText &program);

// emit_groups.cc: stages [begin, end) become one function.
struct Group {
  std::string name;
  int begin = 0, end = 0;
};
std::vector<Group> GroupStages(ProgramText &program);

// emit_function.cc: a function of NAME.c under construction, and finished.
FunctionText NewFunction(const ProgramText &program, const std::string &name);
std::string Declarations(const FunctionText &function);
struct WrittenFunction {
  std::string text, call;
  std::vector<bool> uses_arena;
};
absl::StatusOr<WrittenFunction> WriteFunction(ProgramText &program, const Group &group,
                                              const std::vector<std::string> &formulas, const CompileOptions &options,
                                              Host &host);
// The arenas of a function of NAME.h, as its statements know them; (void) of those that they do not need.
std::string ArenaPointers(const std::vector<bool> &used);
// Statements at the start of a stage: its state is cleared; the caller's hook is called.
std::string StateClear(const ProgramText &program, const Stage &stage, FunctionText &function);
std::string StageHook(const ProgramText &program, int32_t stage, const CompileOptions &options);
// The text of functions with the names of prefetched arrays, which are known when all are written.
std::string WithArrayNames(const ProgramText &program, std::string text);

// emit_stream.cc: NAME_begin, NAME_push_rows and NAME_end; nothing where the input cannot be streamed.
struct StreamText {
  std::string begin, clear, end;  // statements: what runs before the loop that reads the input, its state, what follows
  std::vector<bool> begin_arenas, end_arenas;  // that begin and clear, and end, use
};
absl::StatusOr<std::string> EmitStream(ProgramText &program, const StreamText &around, Host &host);

// emit_header.cc: NAME.h, and the prototypes that it and NAME.c share, without the semicolon.
std::string RunPrototype(const Graph &graph, const Plan &plan);
std::string BeginPrototype(const Graph &graph, const Plan &plan);
std::string PushPrototype(const Graph &graph, const Plan &plan);
std::string EndPrototype(const Graph &graph, const Plan &plan);
// "void *arena, void *arena1" and "arena, arena1".
std::string ArenaParameters(const Plan &plan);
std::string ArenaArguments(const Plan &plan);
std::string EmitHeader(const Compilation &compilation, const CompileOptions &options);

// emit_weights.cc: NAME_weights.h and NAME_weights.c; with --weights-at NAME_weights.bin, and what tells that it is
// there.
std::string ArrayText(const std::string &head, DType dtype, const std::vector<std::byte> &data);
std::vector<GeneratedFile> EmitWeights(const ProgramText &program, const Compilation &compilation,
                                       const CompileOptions &options);

// emit_example.cc: main.c and CMakeLists.txt; NAME_selftest.c.
std::vector<GeneratedFile> EmitExample(const Compilation &compilation, const CompileOptions &options,
                                       const std::vector<GeneratedFile> &files);
// "arena + VIT_IMAGE_OFFSET": where an input of the arena's is to be written.
std::string ImagePlace(const Compilation &compilation, const std::string &cast);
std::string MoreArenas(const Compilation &compilation);  // definitions of all arenas but the first
// emit_serial.cc: the main.c of --example=serial, and the uart.c that it stands on.
std::vector<GeneratedFile> EmitSerialMain(const Compilation &compilation, const CompileOptions &options);
GeneratedFile EmitSelftest(const ProgramText &program, const Compilation &compilation, const CompileOptions &options);

// emit_report.cc: report.json.
std::string EmitReport(const ProgramText &program, const Compilation &compilation, const CompileOptions &options);

}  // namespace onnx2mcu
