#include "codegen/emulator_sources.h"

#include <algorithm>
#include <filesystem>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "codegen/names.h"
#include "codegen/process.h"
#include "codegen/runtime.h"
#include "importer/data/files.h"

namespace onnx2mcu {
namespace {

std::string HexLiteral(uint64_t value) { return absl::StrCat("0x", absl::Hex(value), "u"); }

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
    absl::StrAppend(&rows, "{", HexLiteral(base), ", ", HexLiteral(attributes), "}, ");
  return absl::StrCat("static const uint32_t ", name, "[16][2] = {", rows.empty() ? "{0, 0}" : rows, "};\n");
}

std::string Guards(const EmulatorLayout &layout) {
  std::string painted;
  for (const AddressSpan &span : layout.painted)
    absl::StrAppend(&painted, "{(void *)", HexLiteral(span.base), ", ", span.bytes, "}, ");
  return Array("harness_block", "painted", painted + "{0, 0}") + Table("guards", layout.guards) +
         Table("page_guards", layout.page_guards);
}

// The arenas, each in its region.
std::string Arenas(const EmulatorLayout &layout) {
  std::string text, list;
  for (size_t i = 0; i < layout.arenas.size(); i++) {
    const ArenaSlot &arena = layout.arenas[i];
    const std::string number = i == 0 ? "" : absl::StrCat(i);
    std::string unused;
    for (const ArenaGap &gap : arena.unused) absl::StrAppend(&unused, "{", gap.offset, ", ", gap.bytes, "}, ");
    absl::StrAppend(&text, "static uint8_t slot", number, "[", std::max<int64_t>(arena.bytes, 1),
                    "] HARNESS_IN(\".arena", number, "\");\n",
                    Array("harness_gap", "unused" + number, unused + "{0, 0}"));
    absl::StrAppend(&list, "{slot", number, ", ", arena.bytes, ", ", arena.span.bytes, ", unused", number, "}, ");
  }
  return absl::StrCat(text, Array("harness_arena", "arenas", list),
                      "uint8_t *harness_at[HARNESS_ARENAS] HARNESS_CALL_DATA = {slot};\n");
}

// "harness_at[1]", of the arena that `run` is not given.
std::string MoreArenas(const EmulatorLayout &layout) {
  std::string text;
  for (size_t i = 1; i < layout.arenas.size(); i++) absl::StrAppend(&text, ", harness_at[", i, "]");
  return text;
}

// An input that the caller leaves in the arena.
std::string InputsIntoArena(const Compilation &compilation, const EmulatorLayout &layout) {
  const Graph &graph = compilation.graph;
  std::string text;
  for (size_t i = 0; i < graph.inputs.size(); i++) {
    const Tensor &tensor = graph.tensors[graph.inputs[i]];
    if (!tensor.in_arena) continue;
    const int32_t buffer = compilation.plan.buffer_of[graph.inputs[i]];
    const int32_t in = buffer == kNone ? 0 : PlaceOf(compilation.plan, compilation.plan.buffers[buffer].offset).arena;
    absl::StrAppend(&text,
                    "  uint8_t *const image = ", in == 0 ? "(uint8_t *)arena" : absl::StrCat("harness_at[", in, "]"),
                    " + ", UpperCase(graph.name), "_IMAGE_OFFSET;\n  for (uint32_t i = 0; i < ", BytesOf(tensor),
                    "u; i++) image[i] = harness_inputs[", layout.input_offsets[i], " + i];\n");
  }
  return text;
}

std::string HarnessModel(const Compilation &compilation, const EmulatorLayout &layout, bool selftest) {
  const Graph &graph = compilation.graph;
  std::string arguments = "arena" + MoreArenas(layout);
  std::string text = absl::StrCat("#include \"", graph.name, ".h\"\n#include \"harness.h\"\n");
  text += Arenas(layout);
  text += Operands(graph, graph.inputs, layout.input_offsets, layout.inputs.bytes, "inputs", &arguments);
  text += Operands(graph, graph.outputs, layout.output_offsets, layout.outputs.bytes, "outputs", &arguments);
  text += Guards(layout);
  absl::StrAppend(&text, "HARNESS_CALL static int32_t run(void *arena) {\n", InputsIntoArena(compilation, layout),
                  "  HARNESS_BEGIN();\n  ", graph.name, "_run(", arguments, ");\n  HARNESS_END();\n  return 0;\n}\n");
  if (selftest)
    absl::StrAppend(&text, "HARNESS_CALL static int32_t selftest(void *arena) { return ", graph.name, "_selftest(arena",
                    MoreArenas(layout), "); }\n");
  absl::StrAppend(&text, "const harness_model harness_network = {arenas, ", layout.arenas.size(),
                  ", inputs, outputs, painted, guards, page_guards, ", layout.guards.size(), ", run, ",
                  selftest ? "selftest" : "0", "};\n");
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
      WriteFileBytes(folder + "/boot/harness_model.c", HarnessModel(compilation, layout, has_selftest)));
  for (const char *name : {"stdint.h", "string.h", "libc.c"}) {
    O2M_RETURN_IF_ERROR(WriteFileBytes(absl::StrCat(folder, "/libc/", name), RuntimeFile(name)));
  }
  for (const auto &sample : samples) in.append(reinterpret_cast<const char *>(sample.data()), sample.size());
  return WriteFileBytes(folder + "/in.bin", in);
}

}  // namespace onnx2mcu
