#include "importer/coverage.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "absl/strings/str_cat.h"
#include "importer/evaluate.h"
#include "importer/passes.h"

namespace onnx2mcu {
namespace {

using Dims = std::vector<int64_t>;
constexpr int32_t kOpset = 24;
const Dims kShapes[] = {{1, 4, 8, 6}, {1, 8, 4}, {1, 6}};

// What an operand may be: a value computed from the input, or a constant.
struct Guess {
  bool computed = false;
  Dims dims;
  std::vector<int64_t> ints;  // of an integer constant
};

std::vector<Guess> FloatGuesses(const Dims &x, bool first) {
  const int64_t channels = x[1], last = x.back();
  if (first) return {{true, x, {}}};
  return {{true, x, {}},   {false, {last}, {}},        {false, {channels}, {}},          {false, {last, last}, {}},
          {false, {}, {}}, {false, {4, channels}, {}}, {false, {channels, 4, 2, 2}, {}}, {false, {2 * last}, {}},
          {false, {2}, {}}};
}

std::vector<Guess> IntGuesses(const Dims &x) {
  Dims ones(x.size(), 1), twice = x, pads(2 * x.size(), 1);
  twice.back() *= 2;
  const auto vector = [](const Dims &values) { return Guess{false, {static_cast<int64_t>(values.size())}, values}; };
  return {vector({1}),      vector(x),
          vector(twice),    vector({1, ElementCount(x)}),
          vector(pads),     vector(ones),
          {false, {}, {1}}, vector({0, 0}),
          vector({3, 5}),   {false, x, Dims(ElementCount(x), 1)},
          vector({2, 2}),   {false, {1, 2}, {0, 1}}};
}

// Attributes that operators cannot do without; the others do not look at them.
std::map<std::string, Attr> Attributes(const std::string &type) {
  std::map<std::string, Attr> attrs = {{"blocksize", int64_t{2}}, {"num_groups", int64_t{2}}, {"to", int64_t{1}}};
  attrs["equation"] = std::string(type == "Einsum" ? "abc,adc->abd" : "");
  if (type.find("Pool") != std::string::npos) attrs["kernel_shape"] = Dims{2, 2};
  if (type == "Split") attrs["num_outputs"] = int64_t{1};
  if (type == "com.microsoft.Attention" || type == "com.microsoft.MultiHeadAttention") attrs["num_heads"] = int64_t{2};
  return attrs;
}

// Letters of a signature, what repeats twice.
std::string LettersOf(const std::string &signature, bool optional) {
  std::string letters;
  for (size_t i = 0; i < signature.size(); i++) {
    const char mark = i + 1 < signature.size() ? signature[i + 1] : ' ';
    if (mark != '?' || optional) letters.push_back(signature[i]);
    if (mark == '+') letters.push_back(signature[i]);
    if (mark == '?' || mark == '+') i++;
  }
  return letters;
}

// Sigmoid of an input each -> the node, whose operands are `guesses`.
Graph GraphOf(const std::string &op, const Dims &x, const std::vector<Guess> &guesses) {
  Graph graph;
  graph.file = op, graph.name = "coverage", graph.opset = kOpset;
  const auto add = [&graph](const char *name, Tensor tensor) {
    tensor.name = name;
    return AddTensor(graph, std::move(tensor));
  };
  Tensor like;
  like.dims = x;
  FloatNode node;
  const size_t dot = op.rfind('.');
  node.domain = dot == std::string::npos ? "" : op.substr(0, dot);
  node.op_type = dot == std::string::npos ? op : op.substr(dot + 1);
  node.name = node.op_type, node.opset = node.domain.empty() ? kOpset : 1, node.attrs = Attributes(op);
  for (const Guess &guess : guesses) {
    if (!guess.computed && guess.ints.empty()) {
      std::vector<float> values(ElementCount(guess.dims));
      for (size_t i = 0; i < values.size(); i++) values[i] = 0.5f + 0.01f * static_cast<float>(i % 7);
      node.inputs.push_back(AddFloats(graph, "c", guess.dims, values));
    } else if (!guess.computed) {
      Value value{DType::kS64, guess.dims, {}, guess.ints};
      Tensor constant;
      SetConstant(constant, value);
      node.inputs.push_back(add("i", constant));
    } else {
      FloatNode before;
      before.op_type = "Sigmoid", before.name = "before", before.opset = kOpset;
      graph.inputs.push_back(add("x", like));
      before.inputs = {graph.inputs.back()}, before.outputs = {add("v", like)};
      node.inputs.push_back(before.outputs[0]);
      graph.float_nodes.push_back(std::move(before));
    }
  }
  node.outputs = {add("y", Tensor{})};
  if (op == "TopK") node.outputs.push_back(add("indices", Tensor{}));
  graph.outputs = node.outputs;
  graph.float_nodes.push_back(std::move(node));
  return graph;
}

// A truth value leaves as a number.
void CastTruth(Graph &graph) {
  if (graph.tensors[graph.outputs[0]].dtype != DType::kBool) return;
  FloatNode cast;
  cast.op_type = cast.name = "Cast", cast.opset = kOpset, cast.attrs = {{"to", int64_t{1}}};
  cast.inputs = {graph.outputs[0]};
  Tensor number;
  number.name = "number", number.dims = graph.tensors[graph.outputs[0]].dims;
  cast.outputs = {AddTensor(graph, std::move(number))};
  graph.outputs[0] = cast.outputs[0];
  graph.float_nodes.push_back(std::move(cast));
}

// The ops that a graph becomes, without those of the values before the node; nothing where it is refused.
std::optional<std::vector<std::string>> LoweredOps(Graph graph, const Registry &registry) {
  if (!FoldConstants(graph).ok() || graph.tensors[graph.outputs[0]].is_constant) return std::nullopt;
  CastTruth(graph);
  if (!Canonicalize(graph).ok() || !LowerToOps(graph, registry).ok() || !ResolveViews(graph, registry).ok())
    return std::nullopt;
  std::set<std::string> ids;
  for (const Node &node : graph.nodes)
    if (node.name != "before") ids.insert(node.op->id);
  return std::vector<std::string>(ids.begin(), ids.end());
}

// Tries all guesses for the operands from `position` on.
bool Try(const std::string &op, const std::string &letters, const Dims &x, std::vector<Guess> &guesses,
         const Registry &registry, int &budget, Coverage &coverage) {
  if (budget <= 0) return false;
  if (guesses.size() == letters.size()) {
    budget--;
    const auto ops = LoweredOps(GraphOf(op, x, guesses), registry);
    if (ops) coverage.lowered = true, coverage.ops = *ops;
    return ops.has_value();
  }
  const bool integer = letters[guesses.size()] == 'i';
  for (const Guess &guess : integer ? IntGuesses(x) : FloatGuesses(x, guesses.empty())) {
    guesses.push_back(guess);
    if (Try(op, letters, x, guesses, registry, budget, coverage)) return true;
    guesses.pop_back();
  }
  return false;
}

}  // namespace

std::vector<Coverage> TryCoverage(const Registry &registry) {
  std::vector<Coverage> all;
  for (const std::string &op : EvaluableOps()) {
    Coverage coverage{op, {}, false};
    const std::string signature = EvaluableOperands(op);
    int budget = 4000;
    for (bool optional : {false, true})
      for (const Dims &x : kShapes) {
        std::vector<Guess> guesses;
        if (!coverage.lowered) Try(op, LettersOf(signature, optional), x, guesses, registry, budget, coverage);
      }
    all.push_back(std::move(coverage));
  }
  return all;
}

}  // namespace onnx2mcu
