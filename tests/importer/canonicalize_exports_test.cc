// Canonicalize on the exported models beside the repository, where present: the function stays, the forms that ops rely
// on come out, and how a file was written does not matter.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "net.h"

namespace onnx2mcu {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> Exports() {
  const fs::path folder = fs::path(O2M_SOURCE_DIR) / ".." / "shared" / "models" / "exports";
  std::vector<fs::path> models;
  if (!fs::exists(folder)) return models;
  for (const auto &entry : fs::directory_iterator(folder))
    if (entry.path().extension() == ".onnx") models.push_back(entry.path());
  std::sort(models.begin(), models.end());
  return models;
}

double RelativeError(const Value &want, const Value &got) {
  if (want.dims != got.dims || want.i != got.i) return INFINITY;
  double largest = 0, error = 0;
  for (size_t i = 0; i < want.f.size(); i++) {
    largest = std::max(largest, std::fabs(double{want.f[i]}));
    error = std::max(error, std::fabs(double{want.f[i]} - got.f[i]));
  }
  return largest > 0 ? error / largest : error;
}

bool Contains(const std::string &name, const char *part) { return name.find(part) != std::string::npos; }

// A softmax between bytes becomes that of ONNX Runtime's kernel, dynamic scales become static: that changes values on
// purpose, by steps of 8 bits. Of those graphs the integers are compared with ONNX Runtime, by
// tests/sweep/quantised.sh.
bool ComputesAnother(const Graph &graph) {
  bool softmax = false, rounds = false;
  for (const FloatNode &node : graph.float_nodes) {
    if (node.op_type == "DynamicQuantizeLinear") return true;
    softmax = softmax || node.op_type == "Softmax";
    rounds = rounds || node.op_type == "QuantizeLinear";
  }
  return softmax && rounds;
}

// Halves have a 1/sqrt(2) of 11 bits.
double ToleranceOf(const std::string &name, const Graph &before) {
  if (ComputesAnother(before)) return 0.06;
  return Contains(name, "_half") ? 1e-4 : 1e-5;
}

TEST(CanonicalizeExports, ComputeTheSame) {
  const std::vector<fs::path> models = Exports();
  if (models.empty()) GTEST_SKIP() << "no exported models beside the repository";
  for (const fs::path &model : models) {
    auto graph = ReadOnnx(model);
    ASSERT_TRUE(graph.ok()) << graph.status();
    ASSERT_TRUE(FoldConstants(*graph).ok());
    const Graph before = *graph;
    const absl::Status status = Canonicalize(*graph);
    ASSERT_TRUE(status.ok()) << model << status;
    std::vector<Value> inputs;
    for (TensorId id : before.inputs) inputs.push_back(RandomValue(before.tensors[id].dims, 5));
    const auto want = Evaluate(before, inputs), got = Evaluate(*graph, inputs);
    ASSERT_TRUE(want.ok() && got.ok()) << model << want.status() << got.status();
    for (size_t o = 0; o < want->size(); o++)
      EXPECT_LE(RelativeError((*want)[o], (*got)[o]), ToleranceOf(model.stem(), before)) << model;
  }
}

// What is left of the operators of an exported model that is neither quantised nor hybrid.
bool Known(const FloatNode &node) {
  static const std::set<std::string> known = {
      "Add",     "Mul",       "MatMul", "Conv",   "LayerNormalization", "RMSNormalization", "Gelu",
      "Softmax", "Transpose", "Slice",  "Concat", "ReduceMean",         "Reshape",          "Relu",
      "Sigmoid", "HardSwish", "Mish",   "Clip"};
  return node.domain.empty() && known.count(node.op_type) > 0;
}

// The guarantees that ops rely on, as text where one is broken.
std::string Broken(const Graph &g, const FloatNode &node) {
  const auto in = [&](size_t i) -> const Tensor & { return g.tensors[node.inputs[i]]; };
  if (!Known(node)) return "is left";
  if ((node.op_type == "Add" || node.op_type == "Mul") && in(0).is_constant) return "has its constant first";
  if (node.op_type == "MatMul" && in(0).is_constant) return "has its weight first";
  if (node.op_type == "MatMul" && in(1).is_constant && in(1).dims.size() != 2) return "has a weight of another rank";
  if (node.op_type == "Softmax" && AttrInt(node, "axis", 0) != -1) return "is not on axis -1";
  if (node.op_type == "LayerNormalization" &&
      (node.inputs.size() != 3 || AttrInt(node, "axis", 0) != -1 || in(1).dims.size() != 1))
    return "is not in normal form";
  if (node.op_type == "Conv" &&
      (node.inputs.size() != 3 || in(0).dims.size() != 4 || AttrInts(node, "pads").size() != 4))
    return "is not in normal form";
  if (node.op_type == "ReduceMean" && node.inputs.size() != 1) return "has its axes as an input";
  for (TensorId id : node.outputs)
    if (ElementCount(g.tensors[id].dims) == 0 || g.tensors[id].is_constant) return "has an output without dims";
  return "";
}

// Q and K^T of MatMul(Softmax(chain(MatMul(Q, K^T))), V) come from linear layers of their own.
std::string BrokenAttention(const Graph &g, const FloatNode &softmax) {
  const std::vector<NodeId> producers = Producers(g);
  TensorId id = softmax.inputs[0];
  while (producers[id] != kNone) {
    const FloatNode &node = g.float_nodes[producers[id]];
    if (node.op_type == "MatMul") return "";
    const Tensor &constant = g.tensors[node.inputs.back()];
    if ((node.op_type != "Mul" && node.op_type != "Add") || !constant.is_constant)
      return "has scores of another form: " + node.op_type;
    id = node.inputs[0];
  }
  return "has no scores";
}

TEST(CanonicalizeExports, HaveTheFormsThatOpsMatch) {
  const std::vector<fs::path> models = Exports();
  if (models.empty()) GTEST_SKIP() << "no exported models beside the repository";
  const std::vector<std::string> stems = {
      "plain",      "tv_vit",       "timm_vit",          "hf_vit",      "hf_deit",
      "mha",        "nnencoder_",   "attn_sdpa",         "attn_divide", "attn_index",
      "attn_chunk", "norm_hand",    "act_hand",          "act_gelu",    "act_quick",
      "lowrank",    "patch_linear", "patch_plainlinear", "patch_split", "patch_unfold"};
  int checked = 0;
  for (const fs::path &model : models) {
    const std::string name = model.stem();
    const bool wanted =
        std::any_of(stems.begin(), stems.end(), [&](const std::string &stem) { return absl::StartsWith(name, stem); });
    if (!wanted || Contains(name, "_q") || Contains(name, "_pt2e") || Contains(name, "dynamicq")) {
      if (!absl::StartsWith(name, "act_quick")) continue;
    }
    auto graph = ReadOnnx(model);
    ASSERT_TRUE(graph.ok() && FoldConstants(*graph).ok() && Canonicalize(*graph).ok()) << name;
    for (const FloatNode &node : graph->float_nodes) {
      EXPECT_EQ(Broken(*graph, node), "") << name << " " << node.op_type << " '" << node.name << "'";
      const std::string where = absl::StrCat(name, " '", node.name, "'");
      if (node.op_type == "Softmax") {
        EXPECT_EQ(BrokenAttention(*graph, node), "") << where;
      }
      if (node.op_type == "Slice" && graph->tensors[node.inputs[0]].dims.size() == 3) {  // q, k and v are cut apart
        EXPECT_LT(Int64Data(graph->tensors[node.inputs[3]])[0] + 1, int64_t(graph->tensors[node.inputs[0]].dims.size()))
            << where;
      }
    }
    checked++;
  }
  EXPECT_GT(checked, 80);
}

// The graph without names: ids, dims, attributes and constants.
std::string Nameless(Graph graph) {
  for (size_t i = 0; i < graph.tensors.size(); i++) graph.tensors[i].name = absl::StrCat("t", i);
  for (FloatNode &node : graph.float_nodes) node.name = node.source = "";
  std::string text = PrintGraph(graph);
  for (const Tensor &tensor : graph.tensors)
    text.append(reinterpret_cast<const char *>(tensor.data.data()), tensor.data.size());
  return text;
}

// The same graph written otherwise: nodes in another topological order, other names, Add's operands swapped,
// Identities.
void Disguise(Graph &graph, uint32_t seed) {
  std::mt19937 random(seed);
  for (FloatNode &node : graph.float_nodes) {
    if (node.domain.empty() && node.op_type == "Add" && random() % 2) std::swap(node.inputs[0], node.inputs[1]);
    node.name = absl::StrCat("n", random());
  }
  const size_t count = graph.float_nodes.size();
  for (size_t i = 0; i < count; i += 3) {
    Tensor tensor = graph.tensors[graph.float_nodes[i].outputs[0]];
    if (std::count(graph.outputs.begin(), graph.outputs.end(), graph.float_nodes[i].outputs[0])) continue;
    FloatNode identity;
    identity.op_type = "Identity";
    identity.opset = graph.opset;
    identity.outputs = {graph.float_nodes[i].outputs[0]};
    graph.tensors.push_back(tensor);
    graph.float_nodes[i].outputs[0] = static_cast<TensorId>(graph.tensors.size()) - 1;
    identity.inputs = {graph.float_nodes[i].outputs[0]};
    graph.float_nodes.push_back(identity);
  }
  for (size_t i = 0; i < graph.tensors.size(); i++) graph.tensors[i].name = absl::StrCat("v", random() % 1000, "_", i);
  std::vector<bool> ready(graph.tensors.size());
  for (size_t i = 0; i < ready.size(); i++) ready[i] = graph.tensors[i].is_constant;
  for (TensorId id : graph.inputs) ready[id] = true;
  std::vector<FloatNode> left = std::move(graph.float_nodes), order;
  while (!left.empty()) {
    const size_t i = random() % left.size();
    if (!std::all_of(left[i].inputs.begin(), left[i].inputs.end(),
                     [&](TensorId id) { return id == kNone || ready[id]; }))
      continue;
    for (TensorId id : left[i].outputs)
      if (id != kNone) ready[id] = true;
    order.push_back(left[i]);
    left.erase(left.begin() + i);
  }
  graph.float_nodes = order;
}

TEST(CanonicalizeExports, DoNotDependOnHowTheyAreWritten) {
  const std::vector<fs::path> models = Exports();
  if (models.empty()) GTEST_SKIP() << "no exported models beside the repository";
  for (const fs::path &model : models) {
    auto graph = ReadOnnx(model);
    ASSERT_TRUE(graph.ok() && FoldConstants(*graph).ok()) << model;
    Graph disguised = *graph;
    Disguise(disguised, 7);
    ASSERT_TRUE(Canonicalize(*graph).ok() && Canonicalize(disguised).ok()) << model;
    EXPECT_TRUE(Nameless(*graph) == Nameless(disguised)) << model;
  }
}

}  // namespace
}  // namespace onnx2mcu
