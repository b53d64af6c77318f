// emit_serial.cc - what --example=serial adds: main.c, which serves inferences over a serial port.
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "codegen/emit.h"
#include "codegen/printer.h"
#include "codegen/probes.h"
#include "codegen/runtime.h"
#include "codegen/serial_link.h"
#include "o2m_version.h"

namespace onnx2mcu {
namespace {

struct WrittenOperands {
  std::string buffers, input = "input", arguments, sends;
  int64_t input_bytes = 0, output_bytes = 0;
};

// All inputs are one block, as they come; an input of the arena's is received there.
WrittenOperands WriteOperands(const Compilation &compilation) {
  const Graph &graph = compilation.graph;
  WrittenOperands text;
  for (size_t i = 0; i < graph.inputs.size(); i++) {
    const Tensor &tensor = graph.tensors[graph.inputs[i]];
    const int64_t at = AlignedTo16(text.input_bytes);
    text.input_bytes = at + BytesOf(tensor);
    if (tensor.in_arena)
      text.input = absl::StrCat("(", ImagePlace(compilation, ""), ")");
    else if (CType(tensor.dtype) == "uint8_t")
      absl::StrAppend(&text.arguments, ", input + ", at);
    else
      absl::StrAppend(&text.arguments, ", (const ", CType(tensor.dtype), " *)(input + ", at, ")");
  }
  if (text.input == "input") text.buffers = "static _Alignas(16) uint8_t input[INPUT_BYTES];\n";
  for (size_t i = 0; i < graph.outputs.size(); i++) {
    const Tensor &tensor = graph.tensors[graph.outputs[i]];
    const std::string name = OutputName(graph, static_cast<int>(i));
    text.output_bytes += BytesOf(tensor);
    absl::StrAppend(&text.arguments, ", ", name);
    absl::StrAppend(&text.buffers, "static ", CType(tensor.dtype), " ", name, "[",
                    OutputMacro(graph, static_cast<int>(i)), "_COUNT];\n");
    absl::StrAppend(&text.sends, "  send(", name, ", sizeof(", name, "));\n");
  }
  return text;
}

struct ProbeText {
  std::string rows;
  size_t probes = 0, runs = 0;
};

ProbeText WriteProbes(const Compilation &compilation) {
  const std::vector<Probe> probes = ProbesOf(compilation.graph, compilation.plan);
  ProbeText text;
  text.probes = probes.size();
  for (size_t p = 0; p < probes.size(); p++) {
    for (const ProbeRun &run : probes[p].runs) {
      absl::StrAppend(&text.rows, "    {", probes[p].stage, ", ", p, ", ", run.offset, ", ", run.bytes, ", ", run.count,
                      ", ", run.stride, "},\n");
      text.runs++;
    }
  }
  return text;
}

// "0x12, 0x34, ...", sixteen a line.
std::string ShaBytes(const std::string &hex) {
  std::string text;
  for (size_t i = 0; i + 2 <= hex.size(); i += 2)
    absl::StrAppend(&text, i == 0 ? "" : i % 32 == 0 ? ",\n    " : ", ", "0x", hex.substr(i, 2));
  return text;
}

// How main.c finds a byte of the plan's line of offsets.
struct ArenaText {
  std::string definitions, at;
};

ArenaText WriteArenas(const Compilation &compilation) {
  const std::vector<Arena> arenas = ArenasOf(compilation.plan);
  if (arenas.size() == 1) return {"", "arena + runs[next_run].offset"};
  std::string choices;
  for (size_t i = arenas.size(); i-- > 1;)
    absl::StrAppend(&choices, "  if (offset >= ", arenas[i].begin, "u) return ", ArenaName(i), " + (offset - ",
                    arenas[i].begin, "u);\n");
  return {absl::StrCat(MoreArenas(compilation), "// Offsets of all arenas are on one line.\n",
                       "static const uint8_t *arena_at(uint32_t offset) {\n", choices, "  return arena + offset;\n}\n"),
          "arena_at(runs[next_run].offset)"};
}

std::string SerialSource(const Compilation &compilation, const CompileOptions &options) {
  const Graph &graph = compilation.graph;
  const WrittenOperands operands = WriteOperands(compilation);
  const ArenaText arenas = WriteArenas(compilation);
  const ProbeText probes = WriteProbes(compilation);
  const std::string upper = UpperCase(graph.name);
  const std::string call =
      Statement(absl::StrCat(graph.name, "_run(", ArenaArguments(compilation.plan), operands.arguments, ");"), 2);
  return Fill(RuntimeFile("serial_main.c.in"),
              {{"name", graph.name},
               {"NAME", upper},
               {"program", absl::StrCat("0x", absl::Hex(ProgramId(graph, compilation.plan), absl::kZeroPad8))},
               {"input_bytes", absl::StrCat(operands.input_bytes)},
               {"output_bytes", absl::StrCat(operands.output_bytes)},
               {"section", options.sections.arena.empty() ? "" : upper + "_ARENA_SECTION "},
               {"buffers", arenas.definitions + operands.buffers},
               {"at", arenas.at},
               {"sha256", ShaBytes(graph.sha256)},
               {"probes", absl::StrCat(probes.probes)},
               {"runs", absl::StrCat(probes.runs)},
               {"rows", probes.rows},
               {"input", operands.input},
               {"weights", options.weights_at > 0 ? graph.name + "_check_weights() == 0" : "1"},
               {"version", O2M_VERSION},
               {"call", call.substr(2, call.size() - 3)},
               {"sends", operands.sends}});
}

}  // namespace

std::vector<GeneratedFile> EmitSerialMain(const Compilation &compilation, const CompileOptions &options) {
  std::vector<GeneratedFile> files = {
      {"main.c", Banner(compilation, options, "main.c") + "//\n" + SerialSource(compilation, options)},
      {"uart.c", RuntimeFile("serial_uart.c")}};
  for (GeneratedFile &file : files) file.example = true;
  return files;
}

}  // namespace onnx2mcu
