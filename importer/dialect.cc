// Reads the QuantLib/Deeploy dialect: each of its nodes as one integer node, its attributes as integers.
#include "importer/dialect.h"

#include <cmath>
#include <limits>
#include <map>

#include "absl/strings/str_cat.h"
#include "importer/evaluate.h"

namespace onnx2mcu {
namespace {

// One node being read. The first attribute that is missing or no integer is kept as the error.
struct Reading {
  Graph &graph;
  FloatNode &node;
  absl::Status status;

  bool has(const std::string &key) const { return node.attrs.count(key) > 0; }

  int64_t Int(const std::string &key) {
    const auto it = node.attrs.find(key);
    if (it != node.attrs.end()) {
      if (const auto *i = std::get_if<int64_t>(&it->second)) return *i;
      if (const auto *f = std::get_if<float>(&it->second); f && std::nearbyint(*f) == *f) return std::llround(*f);
    }
    const char *const what = it == node.attrs.end() ? "is missing" : "is no integer";
    Fail(absl::StrCat("attribute '", key, "' ", what, "; the integerised export of quantlib has it"));
    return 1;
  }

  void Fail(const std::string &why) {
    if (status.ok()) status = absl::InvalidArgumentError(absl::StrCat(graph.file, ": ", NodeText(node), ": ", why));
  }

  bool Operands(size_t least, size_t most) {
    if (node.inputs.size() >= least && node.inputs.size() <= most) return true;
    Fail(absl::StrCat("has ", node.inputs.size(), " inputs; ", least, least == most ? "" : " or more", " would work"));
    return false;
  }

  // Replaces the node's type and attributes, keeping operands.
  void Become(const char *op_type, std::map<std::string, Attr> attrs) {
    node.domain = kIntegerDomain, node.op_type = op_type, node.opset = 1;
    node.attrs = std::move(attrs);
    node.subgraph_constants.clear();
  }
};

constexpr int64_t kLowest = std::numeric_limits<int32_t>::min(), kHighest = std::numeric_limits<int32_t>::max();

// The ends of n levels.
void SetLevels(std::map<std::string, Attr> &attrs, int64_t n, bool is_signed) {
  attrs["low"] = is_signed ? -(n / 2) : int64_t{0};
  attrs["high"] = is_signed ? n - n / 2 - 1 : n - 1;
}

std::map<std::string, Attr> RequantAttrs(Reading &r, int64_t div) {
  std::map<std::string, Attr> attrs = {{"requant", int64_t{1}}, {"div", div}, {"round", int64_t{1}}};
  SetLevels(attrs, r.Int(r.has("n_levels_out") ? "n_levels_out" : "n_levels"), r.Int("signed") != 0);
  if (div < 1) r.Fail(absl::StrCat("div is ", div, "; a positive one would work"));
  return attrs;
}

void RequantShift(Reading &r) {
  if (!r.Operands(3, 3)) return;
  auto attrs = RequantAttrs(r, r.Int("div"));
  attrs["kind"] = std::string("identity");
  r.Become("IntegerElementwise", std::move(attrs));
}

// Deeploy's fused forms: the rounding half is in `add`. Conv: x, w, mul, add; Gemm: a, b, add, mul.
void Requantized(Reading &r, const char *op_type, bool mul_first) {
  if (!r.Operands(4, 4)) return;
  auto attrs = RequantAttrs(r, r.has("div") ? r.Int("div") : int64_t{1} << (r.Int("shift") & 31));
  attrs["round"] = int64_t{0};
  attrs["bias"] = int64_t{0};
  for (const char *key : {"strides", "pads", "dilations", "group", "kernel_shape", "auto_pad", "transA", "transB"})
    if (r.has(key)) attrs[key] = r.node.attrs[key];
  if (!mul_first) std::swap(r.node.inputs[2], r.node.inputs[3]);
  r.Become(op_type, std::move(attrs));
}
void RequantizedConv(Reading &r) { Requantized(r, "IntegerConv", true); }
void RequantizedGemm(Reading &r) { Requantized(r, "IntegerMatMul", false); }

void Softmax(Reading &r) {
  if (!r.Operands(1, 1)) return;
  r.Become("IntegerSoftmax", {{"kind", std::string("i_softmax")},
                              {"n", r.Int("n_levels")},
                              {"a", r.Int("coeffA")},
                              {"b", r.Int("coeffB")},
                              {"c", r.Int("coeffC")},
                              {"log2", r.Int("log2")}});
}
void ItaMax(Reading &r) {
  if (!r.Operands(1, 1)) return;
  r.Become("IntegerSoftmax", {{"kind", std::string("ita_max")}, {"n", r.Int("n_levels")}});
}
void ItaPartialMax(Reading &r) {
  if (!r.Operands(1, 1)) return;
  r.Become("IntegerSoftmax",
           {{"kind", std::string("ita_partial_max")}, {"n", r.Int("n_levels")}, {"group", r.Int("group_width")}});
}

void Gelu(Reading &r) {
  if (!r.Operands(1, 1)) return;
  r.Become("IntegerElementwise", {{"kind", std::string("gelu")}, {"b", r.Int("b")}, {"one", r.Int("one")}});
}
void HardSwish(Reading &r) {
  if (!r.Operands(1, 1)) return;
  r.Become("IntegerElementwise", {{"kind", std::string("hard_swish")},
                                  {"three", r.Int("three")},
                                  {"six", r.Int("six")},
                                  {"one_over_six", r.Int("one_over_six")}});
}
void Div(Reading &r) {
  if (!r.Operands(2, 2)) return;
  r.Become("IntegerElementwise", {{"kind", std::string("div")},
                                  {"binary", int64_t{1}},
                                  {"delta", r.Int("Delta")},
                                  {"eps", r.Int("eps")},
                                  {"eta", r.Int("eta")}});
}

void Norm(Reading &r, const char *kind, size_t operands) {
  if (!r.Operands(operands, operands)) return;
  std::map<std::string, Attr> attrs = {{"kind", std::string(kind)}, {"div", r.Int("D")}};
  SetLevels(attrs, r.Int("n_levels"), true);
  r.Become("IntegerNorm", std::move(attrs));
}
void LayerNorm(Reading &r) { Norm(r, "layer", 3); }
void RmsNorm(Reading &r) { Norm(r, "rms", 2); }

// clip(floor((x w + b) mul / D)): what normalisation is where the statistics are constants.
void NoNorm(Reading &r) {
  if (!r.Operands(3, 3)) return;
  const int64_t mul = r.Int("mul");
  std::map<std::string, Attr> attrs = {
      {"kind", std::string("identity")}, {"requant", int64_t{1}}, {"div", r.Int("D")}, {"round", int64_t{0}}};
  SetLevels(attrs, r.Int("n_levels"), true);
  for (size_t i = 1; i < 3; i++) {
    const Tensor &factor = r.graph.tensors[r.node.inputs[i]];
    if (!factor.is_constant || factor.dtype != DType::kF32) return r.Fail("its weights are no constants");
    std::vector<float> values(FloatData(factor), FloatData(factor) + ElementCount(factor.dims));
    for (float &v : values) v *= static_cast<float>(mul);
    std::vector<int64_t> dims = factor.dims;
    if (dims.size() == 1) dims.insert(dims.begin(), 1);  // along the last axis, as broadcasting has it
    r.node.inputs[i] = AddFloats(r.graph, factor.name, dims, values);
  }
  r.Become("IntegerElementwise", std::move(attrs));
}

void Mean(Reading &r) {
  if (!r.Operands(1, 1)) return;
  const auto axes = r.node.attrs.find("axes");
  std::map<std::string, Attr> attrs = {{"kind", std::string("mean")}, {"keepdims", AttrInt(r.node, "keepdims", 1)}};
  if (axes != r.node.attrs.end()) attrs["axes"] = axes->second;
  r.Become("IntegerReduce", std::move(attrs));
}

const std::map<std::string, void (*)(Reading &)> &Readers() {
  static const std::map<std::string, void (*)(Reading &)> readers = {{"RequantShift", RequantShift},
                                                                     {"RequantizedConv", RequantizedConv},
                                                                     {"RequantizedGemm", RequantizedGemm},
                                                                     {"iSoftmax", Softmax},
                                                                     {"ITAMax", ItaMax},
                                                                     {"ITAPartialMax", ItaPartialMax},
                                                                     {"iGELU", Gelu},
                                                                     {"iHardswish", HardSwish},
                                                                     {"IntegerDiv", Div},
                                                                     {"iLayerNorm", LayerNorm},
                                                                     {"iRMSNorm", RmsNorm},
                                                                     {"iNoNorm", NoNorm},
                                                                     {"IntegerMean", Mean}};
  return readers;
}

}  // namespace

bool IsDialectOp(const std::string &op_type) { return Readers().count(op_type) > 0; }

std::vector<std::string> DialectOps() {
  std::vector<std::string> names;
  for (const auto &[name, reader] : Readers()) names.push_back(name);
  return names;
}

absl::Status ReadDialect(Graph &graph) {
  for (FloatNode &node : graph.float_nodes) {
    if (node.domain != kDialectDomain || !IsDialectOp(node.op_type)) continue;
    graph.integerised = true;
    Reading reading{graph, node, {}};
    Readers().at(node.op_type)(reading);
    O2M_RETURN_IF_ERROR(reading.status);
  }
  if (!graph.integerised) return absl::OkStatus();
  for (TensorId id : graph.inputs) {  // whatever they are declared as, samples come as numbers
    const IntegerRange declared = graph.tensors[id].dtype == DType::kS8   ? IntegerRange{-128, 127}
                                  : graph.tensors[id].dtype == DType::kU8 ? IntegerRange{0, 255}
                                                                          : IntegerRange{};
    graph.declared_inputs.push_back({declared.low, declared.high});
    graph.tensors[id].dtype = DType::kF32;
  }
  return absl::OkStatus();
}

}  // namespace onnx2mcu
