#include "importer/ir/print.h"

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace onnx2mcu {
namespace {

// The shortest decimal that reads back as `value`.
std::string Number(float value) {
  char text[32];
  for (int digits = 6; digits <= 9; digits++) {
    std::snprintf(text, sizeof text, "%.*g", digits, static_cast<double>(value));
    float back = 0;
    if (std::sscanf(text, "%f", &back) == 1 && back == value) break;
  }
  return text;
}

std::string TypeText(const Tensor &tensor) {
  return absl::StrCat(DTypeName(tensor.dtype), "[", absl::StrJoin(tensor.dims, ","), "]");
}

int64_t IntegerAt(const Tensor &tensor, int64_t i) {
  const std::byte *at = tensor.data.data() + i * DTypeBytes(tensor.dtype);
  int64_t value = 0;
  int32_t word = 0;
  int16_t half = 0;
  switch (tensor.dtype) {
    case DType::kS64:
      std::memcpy(&value, at, sizeof value);
      return value;
    case DType::kS32:
      std::memcpy(&word, at, sizeof word);
      return word;
    case DType::kS16:
      std::memcpy(&half, at, sizeof half);
      return half;
    case DType::kS8:
      return static_cast<int8_t>(*at);
    default:
      return static_cast<uint8_t>(*at);
  }
}

// "{1, 2, 3, ...}"
std::string ValuesText(const Tensor &tensor) {
  constexpr int64_t kShown = 4;
  const int64_t count = ElementCount(tensor.dims);
  if (static_cast<int64_t>(tensor.data.size()) < count * DTypeBytes(tensor.dtype)) return "{}";
  std::vector<std::string> shown;
  for (int64_t i = 0; i < std::min(count, kShown); i++)
    shown.push_back(tensor.dtype == DType::kF32 ? Number(FloatData(tensor)[i]) : absl::StrCat(IntegerAt(tensor, i)));
  if (count > kShown) shown.push_back("...");
  return absl::StrCat("{", absl::StrJoin(shown, ", "), "}");
}

std::string QuantText(const QuantParams &quant) {
  if (quant.scale.empty()) return "";
  std::string text = absl::StrCat(" scale ", Number(quant.scale[0]));
  if (!quant.zero_point.empty()) absl::StrAppend(&text, " zero ", quant.zero_point[0]);
  if (quant.scale.size() > 1) absl::StrAppend(&text, " (", quant.scale.size(), " on axis ", quant.axis, ")");
  return text;
}

std::string ViewText(const Graph &graph, const Tensor &tensor) {
  std::string text;
  if (tensor.base != kNone) text = absl::StrCat(" in ", graph.tensors[tensor.base].name, "+", tensor.view_offset);
  if (!tensor.strides.empty()) absl::StrAppend(&text, " strides ", absl::StrJoin(tensor.strides, ","));
  return text;
}

std::string DefinitionText(const Graph &graph, TensorId id) {
  if (id == kNone) return "-";
  const Tensor &tensor = graph.tensors[id];
  return absl::StrCat(tensor.name, ":", TypeText(tensor), QuantText(tensor.quant), ViewText(graph, tensor));
}

std::string UseText(const Graph &graph, TensorId id) {
  if (id == kNone) return "-";
  const Tensor &tensor = graph.tensors[id];
  return tensor.is_constant ? absl::StrCat(tensor.name, ":", TypeText(tensor), ValuesText(tensor)) : tensor.name;
}

struct AttrPrinter {
  std::string operator()(int64_t v) const { return absl::StrCat(v); }
  std::string operator()(float v) const { return Number(v); }
  std::string operator()(const std::string &v) const { return absl::StrCat("\"", v, "\""); }
  template <typename T>
  std::string operator()(const std::vector<T> &v) const {
    std::vector<std::string> parts;
    for (const T &x : v) parts.push_back((*this)(x));
    return absl::StrCat("[", absl::StrJoin(parts, ","), "]");
  }
};

std::string AttrsText(const Graph &graph, const FloatNode &node) {
  std::vector<std::string> parts;
  for (const auto &[key, value] : node.attrs) parts.push_back(absl::StrCat(key, "=", std::visit(AttrPrinter{}, value)));
  for (const auto &[key, id] : node.subgraph_constants)
    if (!node.attrs.count(key)) parts.push_back(absl::StrCat(key, "=", UseText(graph, id)));
  return parts.empty() ? "" : absl::StrCat(" {", absl::StrJoin(parts, ", "), "}");
}

std::string Listed(const Graph &graph, const std::vector<TensorId> &ids, std::string (*text)(const Graph &, TensorId)) {
  std::vector<std::string> parts;
  for (TensorId id : ids) parts.push_back(text(graph, id));
  return absl::StrJoin(parts, ", ");
}

std::string FloatNodeText(const Graph &graph, const FloatNode &node) {
  const std::string domain = node.domain.empty() ? "" : node.domain + ".";
  const std::string source = node.source.empty() ? "" : "  # " + node.source;
  return absl::StrCat("  ", Listed(graph, node.outputs, DefinitionText), " = ", domain, node.op_type, "(",
                      Listed(graph, node.inputs, UseText), ")", AttrsText(graph, node), "  '", node.name, "'", source,
                      "\n");
}

std::string NodeText(const Graph &graph, const Node &node) {
  std::string text = absl::StrCat("  ", Listed(graph, node.outputs, DefinitionText), " = ", node.op ? node.op->id : "?",
                                  "(", Listed(graph, node.inputs, UseText), ")");
  if (node.variant != 0) absl::StrAppend(&text, " variant ", node.variant);
  for (const Constant &c : node.constants)
    absl::StrAppend(&text, " ", c.hint, ":", DTypeName(c.dtype), "[", c.count, "]");
  for (const Epilogue &e : node.epilogue) absl::StrAppend(&text, " then ", e.name);
  return absl::StrCat(text, "  '", node.name, "'\n");
}

}  // namespace

std::string PrintGraph(const Graph &graph) {
  std::string text = absl::StrCat("graph ", graph.name, " opset ", graph.opset, "\n");
  for (TensorId id : graph.inputs) absl::StrAppend(&text, "  input ", DefinitionText(graph, id), "\n");
  for (const FloatNode &node : graph.float_nodes) absl::StrAppend(&text, FloatNodeText(graph, node));
  if (!graph.nodes.empty()) absl::StrAppend(&text, "ops\n");
  for (const Node &node : graph.nodes) absl::StrAppend(&text, NodeText(graph, node));
  for (TensorId id : graph.outputs) absl::StrAppend(&text, "  output ", DefinitionText(graph, id), "\n");
  return text;
}

}  // namespace onnx2mcu
