// Pixels as input: the normalisation becomes two float nodes, which Canonicalize() folds into the first layer.
#include <cmath>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "importer/quant/quantize.h"

namespace onnx2mcu {
namespace {

absl::StatusOr<std::vector<float>> ParseFloats(const std::string &text, const std::string &what) {
  std::vector<float> values;
  if (text.empty()) return values;
  for (absl::string_view part : absl::StrSplit(text, ',')) {
    float value = 0;
    if (!absl::SimpleAtof(part, &value) || !std::isfinite(value))
      return absl::InvalidArgumentError(
          absl::StrCat(what, ": '", part, "' is not a number; give one per channel, as in --mean=0.485,0.456,0.406"));
    values.push_back(value);
  }
  return values;
}

std::string Metadata(const Graph &graph, const std::string &key) {
  const auto it = graph.metadata.find(key);
  return it == graph.metadata.end() ? "" : it->second;
}

FloatNode Elementwise(const std::string &name, const std::string &type, TensorId x, TensorId constant, TensorId y,
                      int32_t opset) {
  FloatNode node;
  node.name = name, node.op_type = type, node.opset = opset;
  node.inputs = {x, constant}, node.outputs = {y};
  return node;
}

}  // namespace

absl::StatusOr<Preprocessing> PreprocessingOf(const Graph &graph, const std::string &mean, const std::string &std) {
  Preprocessing p;
  O2M_ASSIGN_OR_RETURN(p.mean, ParseFloats(mean.empty() ? Metadata(graph, "onnx2mcu.mean") : mean, "--mean"));
  O2M_ASSIGN_OR_RETURN(p.std, ParseFloats(std.empty() ? Metadata(graph, "onnx2mcu.std") : std, "--std"));
  if (p.mean.empty() && !p.std.empty()) p.mean.assign(p.std.size(), 0.0f);
  if (p.std.empty() && !p.mean.empty()) p.std.assign(p.mean.size(), 1.0f);
  if (p.mean.size() != p.std.size())
    return absl::InvalidArgumentError(absl::StrCat("--mean has ", p.mean.size(), " values and --std ", p.std.size(),
                                                   "; give one of each per channel"));
  for (float s : p.std)
    if (s <= 0) return absl::InvalidArgumentError("--std: a value is not positive; it divides the pixels");
  return p;
}

absl::Status ApplyPreprocessing(Graph &graph, const Preprocessing &p) {
  if (!p.known()) return absl::OkStatus();
  const TensorId old = graph.inputs[0];
  const std::vector<int64_t> dims = graph.tensors[old].dims;
  const auto n = static_cast<int64_t>(p.std.size());
  if (dims.size() < 3 || (n != 1 && dims[dims.size() - 3] != n))
    return absl::InvalidArgumentError(
        absl::StrCat(graph.file, ": input '", graph.tensors[old].name, "' has no ", n,
                     " channels for --mean/--std; they need an image input [1, C, H, W]"));
  std::vector<float> factor, offset;
  for (int64_t c = 0; c < n; c++) {
    factor.push_back(1 / (255 * p.std[c]));
    offset.push_back(-p.mean[c] / p.std[c]);
  }
  const std::vector<int64_t> shape = n == 1 ? std::vector<int64_t>{} : std::vector<int64_t>{n, 1, 1};
  Tensor pixels = graph.tensors[old];
  const std::string name = pixels.name;
  graph.tensors[old].name = name + "_normalized";
  const TensorId input = AddTensor(graph, pixels);
  Tensor scaled = graph.tensors[old];
  scaled.name = name + "_scaled";
  const TensorId middle = AddTensor(graph, scaled);
  const TensorId f = AddFloats(graph, name + "_factor", shape, factor),
                 o = AddFloats(graph, name + "_offset", shape, offset);
  const FloatNode nodes[] = {Elementwise(name + "_scale", "Mul", input, f, middle, graph.opset),
                             Elementwise(name + "_shift", "Add", middle, o, old, graph.opset)};
  graph.float_nodes.insert(graph.float_nodes.begin(), std::begin(nodes), std::end(nodes));
  graph.inputs[0] = input;
  return absl::OkStatus();
}

}  // namespace onnx2mcu
