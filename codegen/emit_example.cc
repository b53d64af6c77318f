// emit_example.cc - what --example and --selftest add.
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "codegen/emit.h"
#include "codegen/printer.h"
#include "codegen/regions.h"
#include "planner/execute.h"

namespace onnx2mcu {
namespace {

constexpr int kGoldenCases = 2;

// ---- --example

// Where the example reads an input, and hands it over.
struct ExampleInputs {
  std::string buffers, reads, arguments;
};
ExampleInputs ReadInputs(const Compilation &compilation) {
  const Graph &graph = compilation.graph;
  ExampleInputs text;
  for (size_t i = 0; i < graph.inputs.size(); i++) {
    const Tensor &tensor = graph.tensors[graph.inputs[i]];
    const std::string name = InputName(graph, static_cast<int>(i)), type = CType(tensor.dtype);
    const std::string bytes = InputMacro(graph, static_cast<int>(i)) + "_BYTES";
    const std::string place = tensor.in_arena ? ImagePlace(compilation, "") : name;
    absl::StrAppend(&text.reads, "  if (fread(", place, ", 1, ", bytes, ", stdin) != ", bytes,
                    ") return 1;  // raw bytes\n");
    if (tensor.in_arena) continue;
    absl::StrAppend(&text.buffers, "static ", type, " ", name, "[", bytes, " / sizeof(", type, ")];\n");
    absl::StrAppend(&text.arguments, ", ", name);
  }
  return text;
}

// The same inference with one row of pixels at a time in RAM.
std::string RowsSource(const Compilation &compilation) {
  const Graph &graph = compilation.graph;
  if (!compilation.stream.possible()) return "";
  std::string outputs;
  for (size_t i = 0; i < graph.outputs.size(); i++)
    absl::StrAppend(&outputs, ", ", OutputName(graph, static_cast<int>(i)));
  const std::string macro = InputMacro(graph, 0), type = CType(graph.tensors[graph.inputs[0]].dtype);
  return Fill(R"(
// The input from the top, row by row, the channels of a pixel side by side: only one row is held at a time.
static int run_rows(void) {
  static $type$ row[$macro$_ROW_BYTES / sizeof($type$)];
  $name$_begin($arenas$);
  for (int y = 0; y < $macro$_ROWS; ++y) {
    if (fread(row, 1, sizeof(row), stdin) != sizeof(row)) return 1;
    if ($name$_push_rows($arenas$, row, 1) != 0) return 1;
  }
  return $name$_end($arenas$$outputs$);
}
)",
              {{"name", graph.name},
               {"macro", macro},
               {"type", type},
               {"arenas", ArenaArguments(compilation.plan)},
               {"outputs", outputs}});
}

// What main() does with its arguments: any one asks for rows.
std::string RunText(const Compilation &compilation, const ExampleInputs &inputs, const std::string &outputs) {
  const std::string whole = absl::StrCat(inputs.reads, "  ", compilation.graph.name, "_run(",
                                         ArenaArguments(compilation.plan), inputs.arguments, outputs, ");\n");
  if (!compilation.stream.possible()) return "int main(void) {\n" + whole;
  return absl::StrCat("static int run_whole(void) {\n", whole,
                      "  return 0;\n}\n\nint main(int argc, char **argv) {\n  (void)argv;  // any argument: rows\n",
                      "  if (argc > 1 ? run_rows() : run_whole()) return 1;\n");
}

std::string MainSource(const Compilation &compilation) {
  const Graph &graph = compilation.graph;
  const ExampleInputs inputs = ReadInputs(compilation);
  std::string buffers = inputs.buffers, outputs, prints;
  for (size_t i = 0; i < graph.outputs.size(); i++) {
    const std::string name = OutputName(graph, static_cast<int>(i)), macro = OutputMacro(graph, static_cast<int>(i));
    absl::StrAppend(&buffers, "static ", CType(graph.tensors[graph.outputs[i]].dtype), " ", name, "[", macro,
                    "_COUNT];\n");
    absl::StrAppend(&prints, "  for (int i = 0; i < ", macro, "_COUNT; ++i) printf(\"%ld\\n\", (long)", name,
                    "[i]);\n");
    absl::StrAppend(&outputs, ", ", name);
  }
  return Fill(R"(#include <stdio.h>

#include "$name$.h"

static $section$_Alignas(16) uint8_t arena[$NAME$_ARENA_BYTES];
$more$$buffers$$rows$
$run$$prints$  return 0;
}
)",
              {{"name", graph.name},
               {"NAME", UpperCase(graph.name)},
               {"section", compilation.sections.arena.empty() ? "" : UpperCase(graph.name) + "_ARENA_SECTION "},
               {"more", MoreArenas(compilation)},
               {"buffers", buffers},
               {"rows", RowsSource(compilation)},
               {"run", RunText(compilation, inputs, outputs)},
               {"prints", prints}});
}

std::string ExampleCMake(const Graph &graph, const std::vector<GeneratedFile> &files, bool serial) {
  std::vector<std::string> sources;
  for (const GeneratedFile &file : files) {
    if (absl::EndsWith(file.name, ".c")) sources.push_back(file.name);
  }
  return Fill(R"(cmake_minimum_required(VERSION 3.13)
project($name$ C)
set(CMAKE_C_STANDARD 11)
$uart$add_library($name$ STATIC
  $sources$)
target_include_directories($name$ PUBLIC .)
add_executable($name$_example main.c$source$)
target_link_libraries($name$_example $name$)
)",
              {{"name", graph.name},
               {"uart", serial ? "set(UART uart.c CACHE FILEPATH \"uart_getc() and uart_putc() of the board\")\n" : ""},
               {"source", serial ? " ${UART}" : ""},
               {"sources", absl::StrJoin(sources, "\n  ")}});
}

// ---- --selftest

// Noise from a 64-bit linear congruential generator (Knuth's MMIX): any input tells right from wrong bytes.
std::vector<std::byte> GoldenInput(const Tensor &tensor, uint64_t seed) {
  std::vector<std::byte> bytes(static_cast<size_t>(BytesOf(tensor)));
  for (std::byte &byte : bytes) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    byte = static_cast<std::byte>(seed >> 56);
  }
  return bytes;
}

struct GoldenCase {
  std::vector<std::vector<std::byte>> inputs, outputs;
};

std::vector<GoldenCase> RunGoldenCases(const Compilation &compilation) {
  const Graph &graph = compilation.graph;
  const o2m_target target = compilation.target.abi();
  Executor executor(graph, compilation.plan, target);
  std::vector<GoldenCase> cases(kGoldenCases);
  for (size_t c = 0; c < cases.size(); c++) {
    std::vector<const void *> inputs;
    std::vector<void *> outputs;
    for (size_t i = 0; i < graph.inputs.size(); i++) {
      cases[c].inputs.push_back(GoldenInput(graph.tensors[graph.inputs[i]], 100 * c + i));
    }
    for (const TensorId id : graph.outputs) {
      cases[c].outputs.emplace_back(static_cast<size_t>(BytesOf(graph.tensors[id])));
    }
    for (auto &input : cases[c].inputs) inputs.push_back(input.data());
    for (auto &output : cases[c].outputs) outputs.push_back(output.data());
    executor.Run(inputs, outputs);
  }
  return cases;
}

// FNV-1a, 32 bits (Fowler, Noll, Vo), over all arrays in order.
uint32_t WeightsHash(const ProgramText &program) {
  uint32_t hash = 2166136261u;
  for (const WeightArray &array : program.weights) {
    for (const std::byte byte : array.data) hash = (hash ^ static_cast<uint8_t>(byte)) * 16777619u;
  }
  return hash;
}

// The golden arrays of one case, the statement that checks it, and what check() takes.
struct CheckText {
  std::string arrays, calls, inputs;
  std::vector<std::string> parameters, outputs, arguments, compares;
};

CheckText WriteChecks(const Compilation &compilation, const std::vector<GoldenCase> &cases) {
  const Graph &graph = compilation.graph;
  CheckText text;
  text.arguments = {ArenaArguments(compilation.plan)};
  for (size_t i = 0; i < graph.inputs.size(); i++) {
    const std::string name = InputName(graph, static_cast<int>(i));
    text.parameters.push_back(absl::StrCat("const ", CType(graph.tensors[graph.inputs[i]].dtype), " *", name));
    if (graph.tensors[graph.inputs[i]].in_arena)
      absl::StrAppend(&text.inputs, "  memcpy(", ImagePlace(compilation, "(uint8_t *)"), ", ", name, ", ",
                      InputMacro(graph, static_cast<int>(i)), "_BYTES);\n");
    else
      text.arguments.push_back(name);
  }
  for (size_t i = 0; i < graph.outputs.size(); i++) {
    const Tensor &tensor = graph.tensors[graph.outputs[i]];
    const std::string name = OutputName(graph, static_cast<int>(i)), type = CType(tensor.dtype);
    text.parameters.push_back(absl::StrCat("const ", type, " *expected", i));
    text.outputs.push_back(absl::StrCat("  ", type, " ", name, "[", ElementCount(tensor.dims), "];\n"));
    text.arguments.push_back(name);
    text.compares.push_back(absl::StrCat("memcmp(", name, ", expected", i, ", sizeof(", name, ")) == 0"));
  }
  for (size_t c = 0; c < cases.size(); c++) {
    std::vector<std::string> arguments = {ArenaArguments(compilation.plan)};
    const auto add = [&](const std::vector<TensorId> &ids, const auto &data, const char *what) {
      for (size_t i = 0; i < ids.size(); i++) {
        const DType dtype = graph.tensors[ids[i]].dtype;
        const std::string name = absl::StrCat("case", c, "_", what, i);
        const auto count = static_cast<int64_t>(data[i].size()) / DTypeBytes(dtype);
        absl::StrAppend(&text.arrays, ArrayText(absl::StrCat("static const ", CType(dtype), " ", name, "[", count, "]"),
                                                dtype, data[i]));
        arguments.push_back(name);
      }
    };
    add(graph.inputs, cases[c].inputs, "input");
    add(graph.outputs, cases[c].outputs, "output");
    const std::string call = absl::StrCat("const int good", c, " = check(", absl::StrJoin(arguments, ", "), ");");
    absl::StrAppend(&text.calls, Statement(call, 2), "  if (!good", c, ") return ", c + 2, ";\n");
  }
  return text;
}

}  // namespace

std::string MoreArenas(const Compilation &compilation) {
  std::string text;
  for (size_t i = 1; i < ArenasOf(compilation.plan).size(); i++)
    absl::StrAppend(&text, "static _Alignas(16) uint8_t ", ArenaName(i), "[",
                    UpperCase(compilation.graph.name + "_" + ArenaName(i)), "_BYTES];  // to lie in ",
                    RegionOf(compilation, ArenasOf(compilation.plan)[i]).name, "\n");
  return text;
}

std::string ImagePlace(const Compilation &compilation, const std::string &cast) {
  const int32_t buffer = compilation.plan.buffer_of[compilation.graph.inputs[0]];
  const int32_t arena = buffer == kNone ? 0 : PlaceOf(compilation.plan, compilation.plan.buffers[buffer].offset).arena;
  return absl::StrCat(cast, ArenaName(static_cast<size_t>(arena)), " + ", UpperCase(compilation.graph.name),
                      "_IMAGE_OFFSET");
}

std::vector<GeneratedFile> EmitExample(const Compilation &compilation, const CompileOptions &options,
                                       const std::vector<GeneratedFile> &files) {
  const bool serial = options.example == "serial";
  std::vector<GeneratedFile> added;
  if (serial) added = EmitSerialMain(compilation, options);
  if (!serial) added = {{"main.c", Banner(compilation, options, "main.c") + MainSource(compilation), 0, true}};
  added.push_back({"CMakeLists.txt", ExampleCMake(compilation.graph, files, serial)});
  return added;
}

GeneratedFile EmitSelftest(const ProgramText &program, const Compilation &compilation, const CompileOptions &options) {
  const Graph &graph = compilation.graph;
  const std::string file = graph.name + "_selftest.c";
  const CheckText text = WriteChecks(compilation, RunGoldenCases(compilation));
  std::string hashes;
  for (const WeightArray &array : program.weights) {
    const std::string name = program.weights_in + array.name;
    absl::StrAppend(&hashes, "    {", name, ", (uint32_t)sizeof(", name, ")},\n");
  }
  const std::string body = Fill(
      R"(#include <stddef.h>
#include <string.h>

#include "$name$.h"
$weights$
// clang-format off
$arrays$
static const struct {
  const void *data;
  uint32_t bytes;
} weights[] = {
$hashes$};
// clang-format on

// FNV-1a
static uint32_t add_bytes(uint32_t hash, const void *data, uint32_t bytes) {
  const uint8_t *byte = (const uint8_t *)data;
  for (uint32_t i = 0; i < bytes; ++i) hash = (hash ^ byte[i]) * 16777619u;
  return hash;
}

static uint32_t weights_hash(void) {
  uint32_t hash = 2166136261u;
  for (size_t i = 0; i < sizeof(weights) / sizeof(weights[0]); ++i) {
    hash = add_bytes(hash, weights[i].data, weights[i].bytes);
  }
  return hash;
}

$check$ {
$outputs$
$inputs$  $name$_run($arguments$);
  return $compares$;
}

// 0: all is well; 1: a weight byte differs; 2, 3: the outputs of case 0 or 1 differ.
int $name$_selftest($arenas$) {
  if (weights_hash() != $hash$u) return 1;
$calls$  return 0;
}
)",
      {{"name", graph.name},
       {"weights", program.weights.empty() ? "" : absl::StrCat("#include \"", graph.name, "_weights.h\"\n")},
       {"arrays", text.arrays},
       {"hashes", hashes},
       {"arenas", ArenaParameters(compilation.plan)},
       {"check", StatementWithoutEnd(absl::StrCat("static int check(", ArenaParameters(compilation.plan), ", ",
                                                  absl::StrJoin(text.parameters, ", "), ")"))},
       {"outputs", absl::StrJoin(text.outputs, "")},
       {"inputs", text.inputs},
       {"arguments", absl::StrJoin(text.arguments, ", ")},
       {"compares", absl::StrJoin(text.compares, " && ")},
       {"hash", absl::StrCat(WeightsHash(program))},
       {"calls", text.calls}});
  return {file, Banner(compilation, options, file) + body};
}

}  // namespace onnx2mcu
