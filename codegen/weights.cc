#include "codegen/weights.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "codegen/compiler.h"
#include "codegen/engines.h"
#include "codegen/metrics.h"
#include "planner/execute.h"
#include "planner/variants.h"

namespace onnx2mcu {
namespace {

constexpr int64_t kHarmInputs = 8;  // samples that a layer's harm is measured on

// A node that could be smaller with other results.
struct Candidate {
  NodeId node = 0;
  int32_t variant = 0;
  int64_t saved = 0;
  Accuracy accuracy;  // of its output, against that of its exact weights
};

double HarmPerByte(const Candidate &c) {
  return c.accuracy.dd / std::max(c.accuracy.rr, 1e-30) / static_cast<double>(c.saved);
}

// The smallest inexact form of every node that has one smaller than what it has. `name`: of that form, or "auto".
absl::StatusOr<std::vector<Candidate>> CandidatesOf(Graph &graph, const std::string &name, const o2m_target &target,
                                                    Host &host) {
  std::vector<Candidate> candidates;
  for (NodeId id = 0; id < static_cast<NodeId>(graph.nodes.size()); id++) {
    if (!IsExact(graph.nodes[id])) continue;
    O2M_ASSIGN_OR_RETURN(const std::vector<VariantPrice> prices, VariantsOf(graph, id, host, target, 0));
    Candidate best{id, 0, 0, {}};
    for (const VariantPrice &price : prices) {
      const int64_t saved = ConstantBytes(graph.nodes[id]) - price.bytes;
      if (!price.exact && (name == "auto" ? saved > best.saved : price.name == name)) {
        best.variant = price.variant;
        best.saved = saved;
      }
    }
    if (best.variant != 0) candidates.push_back(best);
  }
  return candidates;
}

using Sample = std::vector<std::vector<uint8_t>>;

// The first calibration inputs; noise where there are none.
absl::StatusOr<std::vector<Sample>> HarmInputs(const CompileOptions &options, const Graph &graph) {
  std::vector<Sample> samples;
  if (options.calibrate.empty()) {
    uint64_t seed = 1;
    for (const TensorId id : graph.inputs)
      for (uint8_t &byte :
           (samples.empty() ? samples.emplace_back() : samples[0]).emplace_back(BytesOf(graph.tensors[id])))
        seed = seed * 6364136223846793005u + 1442695040888963407u, byte = static_cast<uint8_t>(seed >> 33);
    return samples;
  }
  O2M_ASSIGN_OR_RETURN(const Preprocessing preprocessing, PreprocessingOf(graph, options.pixels));
  O2M_ASSIGN_OR_RETURN(const std::vector<InputSet> sets,
                       ReadAllInputs(options.calibrate, graph, preprocessing, kHarmInputs));
  for (int64_t n = 0; n < sets[0].count; n++)
    for (size_t i = 0; i < sets.size(); i++)
      (i == 0 ? samples.emplace_back() : samples.back())
          .push_back(QuantizedSample(sets[i], n, graph.tensors[graph.inputs[i]]));
  return samples;
}

// Each candidate by itself, on the inputs that it has where all weights are exact.
absl::Status MeasureHarm(Graph exact, const std::vector<Sample> &samples, const o2m_target &target, Host &host,
                         std::vector<Candidate> &candidates) {
  O2M_RETURN_IF_ERROR(PackAll(exact, host, target));
  Graph coarse = exact;
  for (const Candidate &c : candidates) {
    O2M_RETURN_IF_ERROR(SetVariant(coarse, c.node, c.variant, host, target));
    O2M_RETURN_IF_ERROR(PackNode(coarse, c.node, host, target));
  }
  for (const Sample &sample : samples) {
    std::vector<const void *> inputs;
    for (const auto &bytes : sample) inputs.push_back(bytes.data());
    WholeRun run = RunWhole(exact, target, inputs);
    for (Candidate &c : candidates) {
      const TensorId y = exact.nodes[c.node].outputs[0];
      const std::vector<float> reference = Dequantize(exact, run, y);
      const std::vector<uint8_t> kept = run.memory[BaseOf(exact, y)];
      RunWholeNode(coarse, coarse.nodes[c.node], target, run);
      Accumulate(c.accuracy, reference, Dequantize(exact, run, y));
      run.memory[BaseOf(exact, y)] = kept;
    }
  }
  return absl::OkStatus();
}

// Layer by layer, the least harm per byte first, until the constants fit.
absl::Status Coarsen(const CompileOptions &options, const o2m_target &target, int64_t room, Host &host, Graph &graph) {
  O2M_ASSIGN_OR_RETURN(std::vector<Candidate> candidates, CandidatesOf(graph, "auto", target, host));
  if (!options.shapes_only) {
    O2M_ASSIGN_OR_RETURN(const std::vector<Sample> samples, HarmInputs(options, graph));
    O2M_RETURN_IF_ERROR(MeasureHarm(graph, samples, target, host, candidates));
  }
  std::stable_sort(candidates.begin(), candidates.end(), [](const Candidate &a, const Candidate &b) {
    return std::make_pair(HarmPerByte(a), -a.saved) < std::make_pair(HarmPerByte(b), -b.saved);
  });
  for (const Candidate &c : candidates) {
    if (ConstantBytes(graph) <= room) break;
    O2M_RETURN_IF_ERROR(SetVariant(graph, c.node, c.variant, host, target));
  }
  return absl::OkStatus();
}

absl::Status TakeEverywhere(const CompileOptions &options, const o2m_target &target, Host &host, Graph &graph) {
  O2M_ASSIGN_OR_RETURN(const std::vector<Candidate> candidates, CandidatesOf(graph, options.weights, target, host));
  for (const Candidate &c : candidates) O2M_RETURN_IF_ERROR(SetVariant(graph, c.node, c.variant, host, target));
  if (!candidates.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(graph.file, ": --weights=", options.weights,
                                                 ": no layer of this model can hold its weights so (linear layers with "
                                                 "s8 input can); --weights=s8 compiles it"));
}

// As `coarse`, with the weights that were given.
absl::StatusOr<Compilation> WithExactWeights(const Compilation &coarse, const o2m_target &target, Host &host) {
  Compilation exact;
  exact.graph = coarse.graph, exact.target = coarse.target, exact.board = coarse.board;
  for (NodeId id = 0; id < static_cast<NodeId>(exact.graph.nodes.size()); id++)
    if (!IsExact(exact.graph.nodes[id])) O2M_RETURN_IF_ERROR(SetVariant(exact.graph, id, 0, host, target));
  O2M_RETURN_IF_ERROR(PackAll(exact.graph, host, target));
  O2M_ASSIGN_OR_RETURN(exact.plan, MakePlan(exact.graph, target, {}));
  return exact;
}

}  // namespace

absl::StatusOr<bool> ChooseWeights(const CompileOptions &options, const o2m_target &target, int64_t room, Host &host,
                                   Graph &graph) {
  if (options.weights != "s8" && options.weights != "auto")
    O2M_RETURN_IF_ERROR(TakeEverywhere(options, target, host, graph));
  VariantOptions variants;
  variants.smallest = options.optimize == "flash", variants.rows = options.rows;
  O2M_RETURN_IF_ERROR(ChooseVariants(graph, host, target, variants));
  if (room <= 0 || ConstantBytes(graph) <= room) return true;
  variants.constant_room = room;
  O2M_RETURN_IF_ERROR(ChooseVariants(graph, host, target, variants));
  if (options.weights == "auto" && ConstantBytes(graph) > room)
    O2M_RETURN_IF_ERROR(Coarsen(options, target, room, host, graph));
  return false;
}

absl::StatusOr<bool> CanShrink(const CompileOptions &options, const o2m_target &target, Host &host, Graph &graph) {
  for (NodeId id = 0; id < static_cast<NodeId>(graph.nodes.size()); id++) {
    if (!IsExact(graph.nodes[id])) continue;
    O2M_ASSIGN_OR_RETURN(const std::vector<VariantPrice> prices, VariantsOf(graph, id, host, target, 0));
    for (const VariantPrice &price : prices)
      if (price.bytes < ConstantBytes(graph.nodes[id]) && (price.exact || options.weights == "auto")) return true;
  }
  return false;
}

absl::Status StateCoarseWeights(const CompileOptions &options, Host &host, Compilation *compilation) {
  if (compilation->coarse.nodes > 0) return absl::OkStatus();  // stated already
  Graph &graph = compilation->graph;
  const o2m_target target = compilation->target.abi();
  CoarseWeights coarse;
  std::map<std::string, int64_t> names;
  for (const Node &node : graph.nodes) {
    coarse.of += !VariantName(node).empty();
    if (IsExact(node)) continue;
    coarse.nodes++, names[VariantName(node)]++;
  }
  if (coarse.nodes == 0) return absl::OkStatus();
  O2M_ASSIGN_OR_RETURN(const Compilation exact, WithExactWeights(*compilation, target, host));
  O2M_ASSIGN_OR_RETURN(coarse.change, MeasureRounding(exact, *compilation, options));
  const auto text = [](std::string *out, const auto &entry) {
    absl::StrAppend(out, entry.second, " as ", entry.first);
  };
  graph.warnings.push_back(
      absl::StrCat("--weights=", options.weights, ": of ", coarse.of, " layers hold ", absl::StrJoin(names, ", ", text),
                   ", ", Grouped(ConstantBytes(exact.graph) - ConstantBytes(graph)), " B less, with other results: ",
                   coarse.change ? RoundingText(*coarse.change) : "--calibrate=FILE would show what that costs"));
  compilation->coarse = coarse;
  return absl::OkStatus();
}

std::string WeightsText(const Graph &graph) {
  std::map<std::string, int64_t> names;
  int64_t all = 0;
  for (const Node &node : graph.nodes) {
    all += !VariantName(node).empty();
    if (node.variant != 0) names[VariantName(node)]++;
  }
  if (names.empty()) return "";
  const auto text = [](std::string *out, const auto &entry) { absl::StrAppend(out, entry.second, " ", entry.first); };
  return absl::StrCat("of ", all, " layers ", absl::StrJoin(names, ", ", text));
}

}  // namespace onnx2mcu
