// emit_header.cc - NAME.h: sizes and quantisation as macros, and the functions.
#include "absl/strings/str_cat.h"
#include "codegen/emit.h"
#include "codegen/printer.h"

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

std::string DtypeAndShape(const Tensor &tensor) {
  return absl::StrCat(DTypeName(tensor.dtype), " ", ShapeText(tensor.dims));
}

void AppendQuant(const std::string &prefix, const Tensor &tensor, std::vector<Macro> *macros) {
  if (tensor.quant.scale.size() != 1) return;  // integers that are no quantised reals
  macros->push_back({prefix + "_SCALE", FloatLiteral(tensor.quant.scale[0]), "real value = scale * (q - zero point)"});
  macros->push_back({prefix + "_ZERO_POINT", absl::StrCat(tensor.quant.zero_point[0]), "q of 0.0"});
}

void AppendInput(const Graph &graph, int i, std::vector<Macro> *macros) {
  const Tensor &tensor = graph.tensors[graph.inputs[i]];
  const std::string prefix = InputMacro(graph, i);
  macros->push_back({prefix + "_BYTES", absl::StrCat(BytesOf(tensor)), DtypeAndShape(tensor)});
  if (IsPixels(tensor)) {
    macros->push_back({prefix + "_DTYPE_U8", "1", "pixels as they are, 0 to 255"});
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

}  // namespace

std::string RunPrototype(const Graph &graph) {
  std::string text = absl::StrCat("void ", graph.name, "_run(void *arena");
  for (size_t i = 0; i < graph.inputs.size(); i++) {
    absl::StrAppend(&text, ", const ", CType(graph.tensors[graph.inputs[i]].dtype), " *",
                    InputName(graph, static_cast<int>(i)));
  }
  for (size_t i = 0; i < graph.outputs.size(); i++) {
    absl::StrAppend(&text, ", ", CType(graph.tensors[graph.outputs[i]].dtype), " *",
                    OutputName(graph, static_cast<int>(i)));
  }
  const std::string line = Statement(text + ")", 0);
  return line.substr(0, line.size() - 1);
}

std::string EmitHeader(const Compilation &compilation, const CompileOptions &options) {
  const Graph &graph = compilation.graph;
  const std::string upper = UpperCase(graph.name);
  std::vector<Macro> macros = {
      {upper + "_ARENA_BYTES", absl::StrCat(compilation.plan.arena_bytes), "RAM the caller provides, 16-byte aligned"}};
  for (size_t i = 0; i < graph.inputs.size(); i++) AppendInput(graph, static_cast<int>(i), &macros);
  for (size_t i = 0; i < graph.outputs.size(); i++) AppendOutput(graph, static_cast<int>(i), &macros);
  std::string selftest;
  if (options.selftest) {
    selftest = absl::StrCat("\n// Checks the weights and two inferences; 0: every byte is as it was on the host.\nint ",
                            graph.name, "_selftest(void *arena);\n");
  }
  return absl::StrCat(
      Banner(compilation, options, graph.name + ".h"),
      Fill(R"(#ifndef $NAME$_H_
#define $NAME$_H_
#include <stdint.h>

$macros$
#ifdef __cplusplus
extern "C" {
#endif

// One inference. Re-entrant: all it writes is the arena, which may hold anything before, and the outputs.
$run$;
$selftest$
#ifdef __cplusplus
}
#endif
#endif
)",
           {{"NAME", upper}, {"macros", MacroLines(macros)}, {"run", RunPrototype(graph)}, {"selftest", selftest}}));
}

}  // namespace onnx2mcu
