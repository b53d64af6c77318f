#include "codegen/emulator_sources.h"

#include <algorithm>
#include <filesystem>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "codegen/names.h"
#include "codegen/process.h"
#include "codegen/runtime.h"

namespace onnx2mcu {
namespace {

std::string HexNumber(uint64_t value) { return absl::StrCat("0x", absl::Hex(value), "u"); }

std::string Array(const std::string &type, const std::string &name, const std::string &elements) {
  return absl::StrCat("static const ", type, " ", name, "[] = {", elements, "};\n");
}

// One operand list of the harness: a window of memory, the blocks in it, and the casts that the call takes.
std::string Operands(const Graph &graph, const std::vector<TensorId> &tensors, const std::vector<int64_t> &offsets,
                     int64_t window, const std::string &name, std::string *arguments) {
  std::string list;
  for (size_t i = 0; i < tensors.size(); i++) {
    const Tensor &tensor = graph.tensors[tensors[i]];
    const std::string block = absl::StrCat("harness_", name, " + ", offsets[i]);
    absl::StrAppend(&list, "{", block, ", ", BytesOf(tensor), "}, ");
    if (tensor.in_arena) continue;
    absl::StrAppend(arguments, ", (", CType(tensor.dtype), " *)(void *)(", block, ")");
  }
  return absl::StrCat("static uint8_t harness_", name, "[", std::max<int64_t>(window, 1), "] HARNESS_IN(\".", name,
                      "\");\n", Array("harness_block", name, list + "{0, 0}"));
}

std::string Table(const std::string &name, const std::vector<GuardRegisters> &guards) {
  std::string rows;
  for (const auto &[base, attributes] : guards)
    absl::StrAppend(&rows, "{", HexNumber(base), ", ", HexNumber(attributes), "}, ");
  return absl::StrCat("static const uint32_t ", name, "[16][2] = {", rows.empty() ? "{0, 0}" : rows, "};\n");
}

std::string Guards(const EmulatorLayout &layout) {
  std::string painted;
  for (const Span &span : layout.painted)
    absl::StrAppend(&painted, "{(void *)", HexNumber(span.base), ", ", span.bytes, "}, ");
  std::string unused;
  for (const ArenaGap &gap : layout.unused) absl::StrAppend(&unused, "{", gap.offset, ", ", gap.bytes, "}, ");
  return Array("harness_gap", "unused", unused + "{0, 0}") + Array("harness_block", "painted", painted + "{0, 0}") +
         Table("guards", layout.guards) + Table("page_guards", layout.page_guards);
}

// An input that the caller leaves in the arena.
std::string InputsIntoArena(const Graph &graph, const EmulatorLayout &layout) {
  std::string text;
  for (size_t i = 0; i < graph.inputs.size(); i++) {
    const Tensor &tensor = graph.tensors[graph.inputs[i]];
    if (!tensor.in_arena) continue;
    absl::StrAppend(&text, "  uint8_t *const image = (uint8_t *)arena + ", UpperCase(graph.name),
                    "_IMAGE_OFFSET;\n  for (uint32_t i = 0; i < ", BytesOf(tensor),
                    "u; i++) image[i] = harness_inputs[", layout.input_offsets[i], " + i];\n");
  }
  return text;
}

std::string HarnessModel(const Graph &graph, const EmulatorLayout &layout, bool selftest) {
  std::string arguments = "arena";
  std::string text = absl::StrCat("#include \"", graph.name, ".h\"\n#include \"harness.h\"\n");
  absl::StrAppend(&text, "static uint8_t harness_arena[", std::max<int64_t>(layout.arena_bytes, 1),
                  "] HARNESS_IN(\".arena\");\n");
  text += Operands(graph, graph.inputs, layout.input_offsets, layout.inputs.bytes, "inputs", &arguments);
  text += Operands(graph, graph.outputs, layout.output_offsets, layout.outputs.bytes, "outputs", &arguments);
  text += Guards(layout);
  absl::StrAppend(&text, "HARNESS_CALL static int32_t run(void *arena) {\n", InputsIntoArena(graph, layout),
                  "  HARNESS_BEGIN();\n  ", graph.name, "_run(", arguments, ");\n  HARNESS_END();\n  return 0;\n}\n");
  if (selftest)
    absl::StrAppend(&text, "HARNESS_CALL static int32_t selftest(void *arena) { return ", graph.name,
                    "_selftest(arena); }\n");
  absl::StrAppend(&text, "const harness_model harness_network = {harness_arena, ", layout.arena_bytes, ", ",
                  layout.arena.bytes, ", inputs, outputs, painted, unused, guards, page_guards, ", layout.guards.size(),
                  ", run, ", selftest ? "selftest" : "0", "};\n");
  return text;
}

}  // namespace

absl::Status WriteEmulatorSources(const Compilation &compilation, const EmulatorLayout &layout,
                                  const std::vector<GeneratedFile> &files,
                                  const std::vector<std::vector<uint8_t>> &samples, const std::string &folder) {
  std::error_code error;
  std::filesystem::create_directories(folder + "/boot", error);
  std::filesystem::create_directories(folder + "/libc", error);
  const std::string selftest = absl::StrCat(compilation.graph.name, "_selftest(");
  std::string in;
  bool has_selftest = false;
  for (const GeneratedFile &file : files) {
    O2M_RETURN_IF_ERROR(WriteFileBytes(absl::StrCat(folder, "/", file.name), file.text));
    if (file.name == compilation.graph.name + ".h") has_selftest = absl::StrContains(file.text, selftest);
  }
  for (const char *name : {"harness.h", "harness_mark.h", "harness_main.c", "harness_host.c", "harness_start_arm.c",
                           "harness_start_riscv.S"}) {
    O2M_RETURN_IF_ERROR(WriteFileBytes(absl::StrCat(folder, "/boot/", name), RuntimeFile(name)));
  }
  O2M_RETURN_IF_ERROR(
      WriteFileBytes(folder + "/boot/harness_model.c", HarnessModel(compilation.graph, layout, has_selftest)));
  for (const char *name : {"stdint.h", "string.h", "libc.c"}) {
    O2M_RETURN_IF_ERROR(WriteFileBytes(absl::StrCat(folder, "/libc/", name), RuntimeFile(name)));
  }
  for (const auto &sample : samples) in.append(reinterpret_cast<const char *>(sample.data()), sample.size());
  return WriteFileBytes(folder + "/in.bin", in);
}

}  // namespace onnx2mcu
