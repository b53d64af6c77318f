// The standard operators of an integerised model as integer nodes; then fusion: a bias and a requantisation into the
// sums they follow, and every function of one byte into a table. Exact throughout.
#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "importer/dialect.h"
#include "importer/evaluate.h"
#include "importer/layout.h"
#include "importer/passes.h"

namespace onnx2mcu {
namespace {

using Dims = std::vector<int64_t>;
using Ints = std::vector<int64_t>;

struct Integeriser {
  Graph &graph;
  std::vector<FloatNode> nodes;      // the float half anew
  std::vector<std::string> refused;  // "node 'x' (Softmax, opset 13): why"
};

bool IsConstant(const Graph &graph, TensorId id) { return graph.tensors[id].is_constant; }

TensorId NewConstant(Graph &graph, const std::string &name, Dims dims, const Ints &values) {
  Tensor tensor;
  tensor.name = name;
  SetConstant(tensor, {DType::kS64, std::move(dims), {}, values});
  return AddTensor(graph, std::move(tensor));
}

// ---- Constants ----

std::optional<Ints> ExactIntegers(const Tensor &tensor) {
  const Value value = ValueOf(tensor);
  if (!value.is_float()) return value.i;
  Ints out;
  for (float v : value.f) {
    if (!(std::abs(v) < 9e15f) || std::nearbyint(v) != v) return std::nullopt;
    out.push_back(std::llround(v));
  }
  return out;
}

void Refuse(Integeriser &it, const FloatNode &node, const std::string &why) {
  it.refused.push_back(absl::StrCat(NodeText(node), ": ", why));
}

// Constant operands become integers; false, with a reason, where one holds fractions.
bool IntegerOperands(Integeriser &it, FloatNode &node) {
  for (TensorId &id : node.inputs) {
    if (id == kNone || !IsConstant(it.graph, id) || it.graph.tensors[id].dtype == DType::kS64) continue;
    const Tensor &tensor = it.graph.tensors[id];
    const std::optional<Ints> values = ExactIntegers(tensor);
    if (!values) return Refuse(it, node, absl::StrCat("'", tensor.name, "' holds numbers that are no integers")), false;
    id = NewConstant(it.graph, tensor.name, tensor.dims, *values);
  }
  return true;
}

Ints ValuesOf(const Graph &graph, TensorId id) { return ValueOf(graph.tensors[id]).i; }

// ---- One node at a time ----

void Become(FloatNode &node, const char *op_type) {
  node.domain = kIntegerDomain, node.op_type = op_type, node.opset = 1;
}

TensorId NewTensor(Graph &graph, const std::string &name, Dims dims) {
  Tensor tensor;
  tensor.name = name;
  tensor.dims = std::move(dims);
  return AddTensor(graph, std::move(tensor));
}

// A standard node before or after `origin`.
FloatNode Standard(const Graph &graph, const FloatNode &origin, const char *op_type, std::vector<TensorId> inputs,
                   TensorId output) {
  FloatNode node;
  node.name = absl::StrCat(origin.name, "/", op_type);
  node.op_type = op_type, node.opset = std::max(graph.opset, 13), node.source = origin.source;
  node.inputs = std::move(inputs), node.outputs = {output};
  return node;
}

TensorId EmitTranspose(Integeriser &it, const FloatNode &origin, TensorId x) {
  Dims perm(DimsOf(it.graph, x).size()), dims = DimsOf(it.graph, x);
  std::iota(perm.begin(), perm.end(), 0);
  std::swap(perm[perm.size() - 1], perm[perm.size() - 2]);
  std::swap(dims[dims.size() - 1], dims[dims.size() - 2]);
  const TensorId y = NewTensor(it.graph, it.graph.tensors[x].name + "_transposed", dims);
  if (IsConstant(it.graph, x)) {
    const Ints from = ValuesOf(it.graph, x);
    const int64_t columns = dims.back(), rows = dims[dims.size() - 2], size = rows * columns;
    Ints to(from.size());
    for (size_t i = 0; i < from.size(); i++) {
      const int64_t at = static_cast<int64_t>(i) % size;
      to[i] = from[static_cast<int64_t>(i) - at + at % columns * rows + at / columns];
    }
    SetConstant(it.graph.tensors[y], {DType::kS64, dims, {}, to});
    return y;
  }
  FloatNode node = Standard(it.graph, origin, "Transpose", {x}, y);
  node.attrs["perm"] = perm;
  it.nodes.push_back(std::move(node));
  return y;
}

TensorId EmitReshape(Integeriser &it, const FloatNode &origin, TensorId x, const Dims &dims) {
  const TensorId y = NewTensor(it.graph, it.graph.tensors[x].name + "_reshaped", dims);
  const TensorId shape =
      NewConstant(it.graph, it.graph.tensors[y].name + "_shape", {static_cast<int64_t>(dims.size())}, dims);
  it.nodes.push_back(Standard(it.graph, origin, "Reshape", {x, shape}, y));
  return y;
}

void ScaleConstant(Graph &graph, TensorId &id, int64_t factor) {
  if (factor == 1) return;
  Ints values = ValuesOf(graph, id);
  for (int64_t &v : values) v *= factor;
  id = NewConstant(graph, graph.tensors[id].name, DimsOf(graph, id), values);
}

FloatNode ElementwiseNode(const FloatNode &origin, const char *kind, std::vector<TensorId> inputs, TensorId output) {
  FloatNode node;
  node.name = origin.name, node.source = origin.source;
  Become(node, "IntegerElementwise");
  node.attrs = {{"kind", std::string(kind)}, {"binary", int64_t{1}}};
  node.inputs = std::move(inputs), node.outputs = {output};
  return node;
}

// Transposed operands, alpha and beta taken apart. C of any shape is an addition, which fusion makes a bias.
void ConvertMatMul(Integeriser &it, FloatNode node) {
  const float alpha = AttrFloat(node, "alpha", 1), beta = AttrFloat(node, "beta", 1);
  if (std::nearbyint(alpha) != alpha || std::nearbyint(beta) != beta)
    return Refuse(it, node, "alpha or beta is no integer");
  if (AttrInt(node, "transA", 0)) node.inputs[0] = EmitTranspose(it, node, node.inputs[0]);
  if (AttrInt(node, "transB", 0)) node.inputs[1] = EmitTranspose(it, node, node.inputs[1]);
  if (alpha != 1) {
    if (!IsConstant(it.graph, node.inputs[1])) return Refuse(it, node, "alpha is not 1");
    ScaleConstant(it.graph, node.inputs[1], std::llround(alpha));
  }
  const bool requant = AttrInt(node, "requant", 0) != 0;
  const TensorId c = !requant && node.inputs.size() > 2 ? node.inputs[2] : kNone, out = node.outputs[0];
  Become(node, "IntegerMatMul");
  for (const char *key : {"transA", "transB", "alpha", "beta"}) node.attrs.erase(key);
  if (c == kNone) return it.nodes.push_back(std::move(node));
  TensorId added = c;
  if (beta != 1 && !IsConstant(it.graph, c)) return Refuse(it, node, "beta is not 1");
  if (beta != 1) ScaleConstant(it.graph, added, std::llround(beta));
  node.inputs.resize(2);
  node.outputs = {NewTensor(it.graph, it.graph.tensors[out].name + "_product", DimsOf(it.graph, out))};
  FloatNode sum = ElementwiseNode(node, "add", {node.outputs[0], added}, out);
  it.nodes.push_back(std::move(node));
  it.nodes.push_back(std::move(sum));
}

// Padding on both sides of each axis as numbers, whichever way it is written; nothing where it is not known.
std::optional<Dims> ConvPads(const Graph &graph, const FloatNode &node, size_t axes, const Dims &kernel) {
  const std::string mode = AttrString(node, "auto_pad", "NOTSET");
  if (mode == "NOTSET" || mode.empty()) return AttrInts(node, "pads", Dims(2 * axes, 0));
  if (mode == "VALID") return Dims(2 * axes, 0);
  if (mode != "SAME_UPPER" && mode != "SAME_LOWER") return std::nullopt;
  const Dims strides = AttrInts(node, "strides", Dims(axes, 1)), dilations = AttrInts(node, "dilations", Dims(axes, 1));
  Dims pads(2 * axes, 0);
  for (size_t i = 0; i < axes; i++) {
    const int64_t in = DimsOf(graph, node.inputs[0])[2 + i], out = DimsOf(graph, node.outputs[0])[2 + i];
    const int64_t all = std::max<int64_t>((out - 1) * strides[i] + dilations[i] * (kernel[i] - 1) + 1 - in, 0);
    pads[i] = mode == "SAME_UPPER" ? all / 2 : all - all / 2;
    pads[axes + i] = all - pads[i];
  }
  return pads;
}

// [.., x, ..] with an axis of one before it, as the second but last.
Dims Widened(Dims dims) {
  dims.insert(dims.end() - 1, 1);
  return dims;
}

// Convolutions and pools over one axis become such over an image of one row.
void PushImageNode(Integeriser &it, FloatNode node, const Dims &pads, const Dims &kernel) {
  const size_t axes = kernel.size();
  Dims strides = AttrInts(node, "strides", Dims(axes, 1)), dilations = AttrInts(node, "dilations", Dims(axes, 1));
  node.attrs.erase("auto_pad");
  node.attrs["pads"] = pads, node.attrs["kernel_shape"] = kernel;
  node.attrs["strides"] = strides, node.attrs["dilations"] = dilations;
  if (axes == 2) return it.nodes.push_back(std::move(node));
  if (axes != 1) return Refuse(it, node, "it has more than two axes; one or two would work");
  node.attrs["pads"] = Dims{0, pads[0], 0, pads[1]}, node.attrs["kernel_shape"] = Dims{1, kernel[0]};
  node.attrs["strides"] = Dims{1, strides[0]}, node.attrs["dilations"] = Dims{1, dilations[0]};
  const TensorId out = node.outputs[0];
  node.inputs[0] = EmitReshape(it, node, node.inputs[0], Widened(DimsOf(it.graph, node.inputs[0])));
  if (node.op_type == "IntegerConv") {
    const TensorId w = node.inputs[1];
    node.inputs[1] =
        NewConstant(it.graph, it.graph.tensors[w].name, Widened(DimsOf(it.graph, w)), ValuesOf(it.graph, w));
  }
  node.outputs = {NewTensor(it.graph, it.graph.tensors[out].name + "_image", Widened(DimsOf(it.graph, out)))};
  const TensorId shape = NewConstant(it.graph, it.graph.tensors[out].name + "_shape",
                                     {static_cast<int64_t>(DimsOf(it.graph, out).size())}, DimsOf(it.graph, out));
  FloatNode back = Standard(it.graph, node, "Reshape", {node.outputs[0], shape}, out);
  it.nodes.push_back(std::move(node));
  it.nodes.push_back(std::move(back));
}

void ConvertConv(Integeriser &it, FloatNode node) {
  if (!IsConstant(it.graph, node.inputs[1])) return Refuse(it, node, "its weights are no constants");
  const Dims w = DimsOf(it.graph, node.inputs[1]), kernel(w.begin() + 2, w.end());
  const std::optional<Dims> pads = ConvPads(it.graph, node, kernel.size(), kernel);
  if (!pads) return Refuse(it, node, "auto_pad is not known");
  if (AttrInt(node, "requant", 0) == 0) {
    const bool bias = node.inputs.size() > 2 && node.inputs[2] != kNone;
    node.attrs["bias"] = int64_t{bias};
  }
  Become(node, "IntegerConv");
  PushImageNode(it, std::move(node), *pads, kernel);
}

void ConvertMaxPool(Integeriser &it, FloatNode node) {
  const Dims kernel = AttrInts(node, "kernel_shape");
  const std::optional<Dims> pads = ConvPads(it.graph, node, kernel.size(), kernel);
  if (!pads || node.outputs.size() > 1) return Refuse(it, node, "auto_pad or a second output is not supported");
  Become(node, "IntegerMaxPool");
  PushImageNode(it, std::move(node), *pads, kernel);
}

void ConvertBinary(Integeriser &it, FloatNode node, const char *kind) {
  if (IsConstant(it.graph, node.inputs[0]) && std::string(kind) != "sub") std::swap(node.inputs[0], node.inputs[1]);
  FloatNode made = ElementwiseNode(node, kind, node.inputs, node.outputs[0]);
  it.nodes.push_back(std::move(made));
}

// x clipped to [low, high]: a requantisation by one.
void PushClip(Integeriser &it, FloatNode node, int64_t low, int64_t high) {
  Become(node, "IntegerElementwise");
  node.attrs = {{"kind", std::string("identity")},
                {"requant", int64_t{1}},
                {"div", int64_t{1}},
                {"round", int64_t{0}},
                {"low", low},
                {"high", high}};
  const std::string name = it.graph.tensors[node.outputs[0]].name;
  node.inputs = {node.inputs[0], NewConstant(it.graph, name + "_mul", {}, {1}),
                 NewConstant(it.graph, name + "_add", {}, {0})};
  it.nodes.push_back(std::move(node));
}

void ConvertClip(Integeriser &it, const FloatNode &node) {
  std::array<int64_t, 2> ends = {INT32_MIN, INT32_MAX};
  const char *const keys[] = {"min", "max"};
  for (size_t i = 0; i < 2; i++) {
    const TensorId id = node.inputs.size() > i + 1 ? node.inputs[i + 1] : kNone;
    if (id != kNone && !IsConstant(it.graph, id)) return Refuse(it, node, "its ends are no constants");
    if (id != kNone) ends[i] = ValuesOf(it.graph, id)[0];
    if (node.attrs.count(keys[i])) ends[i] = std::llround(AttrFloat(node, keys[i], 0));
  }
  PushClip(it, node, ends[0], ends[1]);
}

void ConvertReduce(Integeriser &it, FloatNode node, const char *kind) {
  if (node.op_type.rfind("Global", 0) == 0) {
    Dims axes(DimsOf(it.graph, node.inputs[0]).size() - 2);
    std::iota(axes.begin(), axes.end(), 2);
    node.attrs["axes"] = axes, node.attrs["keepdims"] = int64_t{1};
  }
  if (node.inputs.size() > 1 && node.inputs[1] != kNone) node.attrs["axes"] = ValuesOf(it.graph, node.inputs[1]);
  node.inputs.resize(1);
  if (std::string(kind) == "mean")
    it.graph.warnings.push_back(
        absl::StrCat(NodeText(node), ": its mean is rounded to the nearest integer, as IntegerMean's is"));
  Become(node, "IntegerReduce");
  node.attrs = {
      {"kind", std::string(kind)}, {"keepdims", AttrInt(node, "keepdims", 1)}, {"axes", AttrInts(node, "axes")}};
  it.nodes.push_back(std::move(node));
}

// Constants before and after, axis by axis. In front of a convolution it becomes the convolution's own padding.
void ConvertPad(Integeriser &it, const FloatNode &node) {
  Dims pads = AttrInts(node, "pads"), dims = DimsOf(it.graph, node.inputs[0]);
  if (node.inputs.size() > 1) pads = ValuesOf(it.graph, node.inputs[1]);
  float value = AttrFloat(node, "value", 0);
  if (node.inputs.size() > 2 && node.inputs[2] != kNone)
    value = static_cast<float>(ValuesOf(it.graph, node.inputs[2])[0]);
  const bool plain = AttrString(node, "mode", "constant") == "constant" && pads.size() == 2 * dims.size() &&
                     std::all_of(pads.begin(), pads.end(), [](int64_t p) { return p >= 0; });
  if (!plain || (node.inputs.size() > 3 && node.inputs[3] != kNone))
    return Refuse(it, node, "only padding with a constant is supported");
  TensorId at = node.inputs[0];
  for (size_t axis = 0; axis < dims.size(); axis++) {
    std::vector<TensorId> parts;
    for (size_t side = 0; side < 2; side++) {
      const int64_t size = pads[axis + side * dims.size()];
      Dims part = dims;
      part[axis] = size;
      if (side == 1) parts.push_back(at);
      if (size == 0) continue;
      parts.push_back(AddFloats(it.graph, node.name + "_pad", part, std::vector<float>(ElementCount(part), value)));
    }
    if (parts.size() == 1) continue;
    dims[axis] += pads[axis] + pads[axis + dims.size()];
    const bool last = dims == DimsOf(it.graph, node.outputs[0]);
    const TensorId out = last ? node.outputs[0] : NewTensor(it.graph, node.name + "_padded", dims);
    FloatNode concat = Standard(it.graph, node, "Concat", parts, out);
    concat.attrs["axis"] = static_cast<int64_t>(axis);
    it.nodes.push_back(std::move(concat));
    at = out;
  }
}

bool IsMoving(const FloatNode &node) {
  static const char *const kTypes[] = {"Reshape", "Transpose", "Flatten", "Squeeze",      "Unsqueeze",
                                       "Slice",   "Split",     "Concat",  "Expand",       "Identity",
                                       "Gather",  "Tile",      "Dropout", "DepthToSpace", "SpaceToDepth"};
  return node.domain.empty() && std::find(std::begin(kTypes), std::end(kTypes), node.op_type) != std::end(kTypes);
}

// Where a node's factors do not broadcast by themselves, their shape says how.
void AlignFactors(Integeriser &it, FloatNode &node) {
  for (size_t i = 1; i < node.inputs.size(); i++) {
    const bool factor =
        node.op_type == "IntegerElementwise" && AttrInt(node, "requant", 0) && i + 2 >= node.inputs.size();
    if (!factor) continue;
    if (!IsConstant(it.graph, node.inputs[i])) return Refuse(it, node, "mul and add are no constants");
    const Tensor tensor = it.graph.tensors[node.inputs[i]];
    const auto dims = FactorDims(tensor.dims, DimsOf(it.graph, node.outputs[0]));
    if (!dims.ok()) return Refuse(it, node, std::string(dims.status().message()));
    node.inputs[i] = NewConstant(it.graph, tensor.name, *dims, ValueOf(tensor).i);
  }
}

void Convert(Integeriser &it, FloatNode node) {
  const std::string type = node.op_type;
  if (IsMoving(node)) return it.nodes.push_back(std::move(node));
  if (!node.domain.empty() && node.domain != kIntegerDomain) return Refuse(it, node, "it is of another domain");
  if (!IntegerOperands(it, node)) return;
  if (type == "MatMul" || type == "Gemm" || type == "IntegerMatMul") return ConvertMatMul(it, std::move(node));
  if (type == "Conv" || type == "IntegerConv") return ConvertConv(it, std::move(node));
  if (type == "MaxPool") return ConvertMaxPool(it, std::move(node));
  if (type == "Add") return ConvertBinary(it, std::move(node), "add");
  if (type == "Sub") return ConvertBinary(it, std::move(node), "sub");
  if (type == "Mul") return ConvertBinary(it, std::move(node), "mul");
  if (type == "Relu") return PushClip(it, std::move(node), 0, INT32_MAX);
  if (type == "Clip") return ConvertClip(it, node);
  if (type == "ReduceSum") return ConvertReduce(it, std::move(node), "sum");
  if (type == "ReduceMax" || type == "GlobalMaxPool") return ConvertReduce(it, std::move(node), "max");
  if (type == "ReduceMean" || type == "GlobalAveragePool") return ConvertReduce(it, std::move(node), "mean");
  if (type == "Pad") return ConvertPad(it, node);
  if (node.domain != kIntegerDomain) return Refuse(it, node, "it has no integer meaning in an integerised model");
  AlignFactors(it, node);
  it.nodes.push_back(std::move(node));
}

}  // namespace

absl::Status Integerise(Graph &graph) {
  if (!graph.integerised) return absl::OkStatus();
  Integeriser it{graph, {}, {}};
  for (FloatNode &node : graph.float_nodes) Convert(it, std::move(node));
  if (!it.refused.empty())
    return absl::UnimplementedError(absl::StrCat(graph.file, ": an integerised model (QuantLib/Deeploy dialect), but ",
                                                 absl::StrJoin(it.refused, "; "),
                                                 "; integerise the whole network, or export it in float"));
  graph.float_nodes = std::move(it.nodes);
  FuseIntegers(graph);
  RemoveDeadFloatNodes(graph);
  O2M_RETURN_IF_ERROR(TabulateIntegers(graph));
  RemoveDeadFloatNodes(graph);
  graph.warnings.push_back("integerised model (QuantLib/Deeploy dialect): run as exported, nothing is calibrated");
  return absl::OkStatus();
}

}  // namespace onnx2mcu
