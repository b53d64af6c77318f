// emit_header.cc - NAME.h: sizes and quantisation as macros, and the functions.
#include <algorithm>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "codegen/emit.h"
#include "codegen/printer.h"
#include "codegen/regions.h"

namespace onnx2mcu {
namespace {

// One macro; all have a comment, and all comments start in one column.
struct Macro {
  std::string name, value, comment;
};

std::string MacroLines(const std::vector<Macro> &macros) {
  size_t column = 0;
  for (const Macro &macro : macros) column = std::max(column, macro.name.size() + macro.value.size() + 9);
  std::string text;
  for (const Macro &macro : macros) {
    const std::string line = absl::StrCat("#define ", macro.name, " ", macro.value);
    absl::StrAppend(&text, line, std::string(column - line.size(), ' '), "  // ", macro.comment, "\n");
  }
  return text;
}

bool IsPixels(const Tensor &tensor) { return tensor.dtype == DType::kU8; }

// In the order of memory.
std::string DtypeAndShape(const Tensor &tensor) {
  const std::vector<int64_t> strides = StridesOf(tensor);
  std::vector<size_t> axes(strides.size());
  std::iota(axes.begin(), axes.end(), 0);
  std::stable_sort(axes.begin(), axes.end(), [&](size_t a, size_t b) { return strides[a] > strides[b]; });
  std::vector<int64_t> dims;
  for (size_t axis : axes) dims.push_back(tensor.dims[axis]);
  return absl::StrCat(DTypeName(tensor.dtype), " ", ShapeText(dims));
}

void AppendQuant(const std::string &prefix, const Tensor &tensor, std::vector<Macro> *macros) {
  if (tensor.quant.scale.size() != 1) return;  // integers that are no quantised reals
  macros->push_back({prefix + "_SCALE", FloatLiteral(tensor.quant.scale[0]), "real value = scale * (q - zero point)"});
  macros->push_back({prefix + "_ZERO_POINT", absl::StrCat(tensor.quant.zero_point[0]), "q of 0.0"});
}

std::string PixelText(const CompileOptions &options) {
  for (const PixelFormat &format : PixelFormats())
    if (format.name == options.pixels.input_format) return absl::StrCat("pixel by pixel: ", format.text);
  return "pixels as they are, 0 to 255";
}

void AppendInput(const Graph &graph, int i, const CompileOptions &options, std::vector<Macro> *macros) {
  const Tensor &tensor = graph.tensors[graph.inputs[i]];
  const std::string prefix = InputMacro(graph, i);
  macros->push_back({prefix + "_BYTES", absl::StrCat(BytesOf(tensor)), DtypeAndShape(tensor)});
  if (IsPixels(tensor)) {
    macros->push_back({prefix + "_DTYPE_U8", "1", i == 0 ? PixelText(options) : "pixels as they are, 0 to 255"});
  } else {
    AppendQuant(prefix, tensor, macros);
  }
}

void AppendOutput(const Graph &graph, int i, std::vector<Macro> *macros) {
  const Tensor &tensor = graph.tensors[graph.outputs[i]];
  const std::string prefix = OutputMacro(graph, i);
  macros->push_back({prefix + "_COUNT", absl::StrCat(ElementCount(tensor.dims)), DtypeAndShape(tensor)});
  AppendQuant(prefix, tensor, macros);
}

std::string OutputParameters(const Graph &graph) {
  std::string text;
  for (size_t i = 0; i < graph.outputs.size(); i++) {
    absl::StrAppend(&text, ", ", CType(graph.tensors[graph.outputs[i]].dtype), " *",
                    OutputName(graph, static_cast<int>(i)));
  }
  return text;
}

// Where the caller writes an input that lies in the arena.
void AppendImageOffset(const Compilation &compilation, std::vector<Macro> *macros) {
  const Graph &graph = compilation.graph;
  const TensorId input = graph.inputs[0];
  if (!graph.tensors[input].in_arena) return;
  const int32_t buffer = compilation.plan.buffer_of[input];
  const ArenaPlace place =
      buffer == kNone ? ArenaPlace{} : PlaceOf(compilation.plan, compilation.plan.buffers[buffer].offset);
  macros->push_back(
      {UpperCase(graph.name) + "_IMAGE_OFFSET", absl::StrCat(place.offset),
       absl::StrCat("where in ", place.arena == 0 ? "the arena" : ArenaName(static_cast<size_t>(place.arena)),
                    " the input is to be written; it is overwritten")});
  if (ArenasOf(compilation.plan).size() > 1)
    macros->push_back(
        {UpperCase(graph.name) + "_IMAGE_ARENA", absl::StrCat(place.arena), "which of the arenas that is"});
}

// What the caller provides, an arena in each region of RAM that is needed.
void AppendArenas(const Compilation &compilation, std::vector<Macro> *macros) {
  const std::vector<Arena> arenas = ArenasOf(compilation.plan);
  for (size_t i = 0; i < arenas.size(); i++) {
    const std::string region = arenas.size() == 1 ? "" : absl::StrCat(", in ", RegionOf(compilation, arenas[i]).name);
    macros->push_back({UpperCase(compilation.graph.name + "_" + ArenaName(i)) + "_BYTES", absl::StrCat(arenas[i].bytes),
                       absl::StrCat("RAM the caller provides, 16-byte aligned", region)});
  }
}

void AppendRows(const Compilation &compilation, std::vector<Macro> *macros) {
  const Stream &stream = compilation.stream;
  if (!stream.possible()) return;
  const std::string prefix = InputMacro(compilation.graph, 0);
  macros->push_back({prefix + "_ROWS", absl::StrCat(stream.image_rows), "of pixels, for the functions that take rows"});
  macros->push_back({prefix + "_ROW_BYTES", absl::StrCat(stream.row_bytes), "one of them"});
}

std::string HookPrototype(const Compilation &compilation, const CompileOptions &options) {
  if (!options.stage_hook) return "";
  return Fill(R"(
// Called before every stage of an inference, 0 to $last$ as in report.json (a stage of a streamed input: once, at begin).
// For a watchdog, a profile or a yield; it must leave the arena alone. Define your own: the one in $name$.c is weak and
// does nothing.
void $name$_on_stage(int stage);
)",
              {{"last", absl::StrCat(compilation.plan.stages.size() - 1)}, {"name", compilation.graph.name}});
}

std::string PrefetchPrototypes(const Compilation &compilation) {
  if (compilation.plan.prefetches.empty()) return "";
  return Fill(R"(
// Weights on their way from slow flash into the arena, while the stage before the one that reads them runs. Start a copy
// of `bytes` bytes (by DMA, or just copy); several may be started. The wait returns when all that were started have
// ended. Define your own: those in $name$.c are weak and copy at once.
void $name$_prefetch(void *to, const void *from, uint32_t bytes);
void $name$_prefetch_wait(void);
)",
              {{"name", compilation.graph.name}});
}

std::string WeightsPrototype(const Compilation &compilation, const CompileOptions &options) {
  if (options.weights_at == 0) return "";
  return Fill(R"(
// The weights are not linked: $name$_weights.bin is to be written to address 0x$at$ (another one: define
// $NAME$_WEIGHTS_ADDRESS for all files). 0: it is there, by its CRC-32; 1: it is not, and $name$_run must not be called.
int $name$_check_weights(void);
)",
              {{"name", compilation.graph.name},
               {"NAME", UpperCase(compilation.graph.name)},
               {"at", absl::StrCat(absl::Hex(options.weights_at))}});
}

std::string StreamPrototypes(const Compilation &compilation) {
  const Graph &graph = compilation.graph;
  if (!compilation.stream.possible()) return "";
  return Fill(R"(
// The same for an input that comes in rows of pixels, such as a camera's, and is never whole in RAM: begin, then all
// rows from the top, any number at a time, then end. The channels of a pixel lie side by side (HWC). Rows are copied;
// the arena must be left alone in between. 0: done. 1: nothing done, since there would be more rows than the input
// has, or at the end there are fewer.
$begin$;
$push$;
$end$;
)",
              {{"begin", BeginPrototype(graph, compilation.plan)},
               {"push", PushPrototype(graph, compilation.plan)},
               {"end", EndPrototype(graph, compilation.plan)}});
}

}  // namespace

std::string ArenaParameters(const Plan &plan) {
  std::string text = "void *arena";
  for (size_t i = 1; i < ArenasOf(plan).size(); i++) absl::StrAppend(&text, ", void *", ArenaName(i));
  return text;
}

std::string ArenaArguments(const Plan &plan) {
  std::string text = "arena";
  for (size_t i = 1; i < ArenasOf(plan).size(); i++) absl::StrAppend(&text, ", ", ArenaName(i));
  return text;
}

std::string RunPrototype(const Graph &graph, const Plan &plan) {
  std::string inputs;
  for (size_t i = 0; i < graph.inputs.size(); i++) {
    if (graph.tensors[graph.inputs[i]].in_arena) continue;
    absl::StrAppend(&inputs, ", const ", CType(graph.tensors[graph.inputs[i]].dtype), " *",
                    InputName(graph, static_cast<int>(i)));
  }
  return StatementWithoutEnd(
      absl::StrCat("void ", graph.name, "_run(", ArenaParameters(plan), inputs, OutputParameters(graph), ")"));
}

std::string BeginPrototype(const Graph &graph, const Plan &plan) {
  return absl::StrCat("void ", graph.name, "_begin(", ArenaParameters(plan), ")");
}

std::string PushPrototype(const Graph &graph, const Plan &plan) {
  const std::string type = CType(graph.tensors[graph.inputs[0]].dtype);
  return StatementWithoutEnd(
      absl::StrCat("int ", graph.name, "_push_rows(", ArenaParameters(plan), ", const ", type, " *rows, int count)"));
}

std::string EndPrototype(const Graph &graph, const Plan &plan) {
  return StatementWithoutEnd(
      absl::StrCat("int ", graph.name, "_end(", ArenaParameters(plan), OutputParameters(graph), ")"));
}

std::string EmitHeader(const Compilation &compilation, const CompileOptions &options) {
  const Graph &graph = compilation.graph;
  const std::string upper = UpperCase(graph.name);
  const bool several = ArenasOf(compilation.plan).size() > 1;
  std::vector<Macro> macros;
  AppendArenas(compilation, &macros);
  if (!options.sections.arena.empty())
    macros.push_back(
        {upper + "_ARENA_SECTION", SectionAttribute(options.sections.arena), "for the arena's definition"});
  for (size_t i = 0; i < graph.inputs.size(); i++) AppendInput(graph, static_cast<int>(i), options, &macros);
  AppendRows(compilation, &macros);
  AppendImageOffset(compilation, &macros);
  for (size_t i = 0; i < graph.outputs.size(); i++) AppendOutput(graph, static_cast<int>(i), &macros);
  std::string selftest;
  if (options.selftest) {
    selftest = absl::StrCat("\n// Checks the weights and two inferences; 0: every byte is as it was on the host.\nint ",
                            graph.name, "_selftest(", ArenaParameters(compilation.plan), ");\n");
  }
  return absl::StrCat(Banner(compilation, options, graph.name + ".h"),
                      Fill(R"(#ifndef $NAME$_H_
#define $NAME$_H_
#include <stdint.h>

$macros$
#ifdef __cplusplus
extern "C" {
#endif

// One inference. Re-entrant: all it writes is the arena$s$, which may hold anything before, and the outputs.
$where$$run$;
$stream$$weights$$prefetch$$hook$$selftest$
#ifdef __cplusplus
}
#endif
#endif
)",
                           {{"NAME", upper},
                            {"macros", MacroLines(macros)},
                            {"run", RunPrototype(graph, compilation.plan)},
                            {"s", several ? "s" : ""},
                            {"where", several ? "// Each arena lies in a region of RAM of its own.\n" : ""},
                            {"stream", StreamPrototypes(compilation)},
                            {"weights", WeightsPrototype(compilation, options)},
                            {"prefetch", PrefetchPrototypes(compilation)},
                            {"hook", HookPrototype(compilation, options)},
                            {"selftest", selftest}}));
}

}  // namespace onnx2mcu
