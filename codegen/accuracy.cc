#include "codegen/accuracy.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "codegen/engines.h"
#include "codegen/metrics.h"
#include "codegen/raise_search.h"
#include "planner/cost.h"

namespace onnx2mcu {
namespace {

constexpr int32_t kHoldOut = 4;
constexpr int64_t kInputs = 256;  // of the calibration's, half of which it takes itself at most
constexpr int64_t kNoiseInputs = 16;

struct RaiseCandidate {
  std::string name;
  double harm = 0;                      // noise of s8 beside the signal
  int64_t bytes = 0, instructions = 0;  // that s16 takes more
  double share = 1;                     // of the network's bytes and instructions
  double order() const { return harm / share; }
};

// What an s8 loses of a tensor's values, saturation included.
struct Noise {
  double error = 0, signal = 0;
};
void AddNoise(const Tensor &tensor, const std::vector<float> &values, Noise &noise) {
  const double scale = double{tensor.quant.scale[0]}, zero = tensor.quant.zero_point[0];
  for (const float value : values) {
    const double q = std::clamp(std::nearbyint(double{value} / scale) + zero, -128.0, 127.0);
    const double error = (q - zero) * scale - double{value};
    noise.error += error * error, noise.signal += double{value} * double{value};
  }
}

// The graph as it is quantised without the held-out inputs.
absl::StatusOr<Graph> Lowered(CompileOptions options, const Registry &registry, Host &host, Compilation *compilation) {
  options.dump.clear();
  return LowerModel(options, registry, host, compilation);
}

// By node's name: the instructions of an op run whole.
std::map<std::string, int64_t> Prices(const Graph &graph, const o2m_target &target) {
  std::map<std::string, int64_t> prices;
  for (const Node &node : graph.nodes) {
    const int32_t steps = MemoryOf(graph, node, target, 1).steps;
    prices[node.name] += WorkOf(graph, node, target, steps, std::max(steps, 1)).instructions;
  }
  return prices;
}

// The raised tensors of `all` that a node reads or writes, views by what they are views of.
std::set<std::string> RaisedOf(const Graph &all, const Node &node, const std::map<std::string, size_t> &candidates) {
  std::set<std::string> names;
  for (const std::vector<TensorId> *ids : {&node.inputs, &node.outputs})
    for (const TensorId id : *ids)
      if (id != kNone && candidates.count(all.tensors[BaseOf(all, id)].name))
        names.insert(all.tensors[BaseOf(all, id)].name);
  return names;
}

// What each op takes more where all candidates are s16, divided among those that it touches: an estimate that takes no
// plan per tensor.
void AddInstructions(const Graph &graph, const Graph &all, const o2m_target &target,
                     std::vector<RaiseCandidate> &candidates) {
  std::map<std::string, size_t> index;
  for (size_t i = 0; i < candidates.size(); i++) index[candidates[i].name] = i;
  std::map<std::string, int64_t> before = Prices(graph, target), after = Prices(all, target);
  for (const Node &node : all.nodes) {
    const std::set<std::string> raised = RaisedOf(all, node, index);
    const int64_t more = after[node.name] - before[node.name];
    for (const std::string &name : raised)
      candidates[index[name]].instructions += std::max<int64_t>(more, 0) / static_cast<int64_t>(raised.size());
    after[node.name] = before[node.name];  // nodes of one name count once
  }
}

// Tensors that are s8 and could be s16, by the name that `wide` takes.
absl::StatusOr<std::vector<RaiseCandidate>> Raisable(CompileOptions options, const Graph &graph,
                                                     const Registry &registry, Host &host) {
  options.shapes_only = true, options.wide.clear();
  for (const Tensor &tensor : graph.tensors)
    if (!tensor.is_constant && tensor.dtype == DType::kS8) options.wide.push_back(tensor.name);
  Compilation compilation;
  O2M_ASSIGN_OR_RETURN(const Graph all, Lowered(options, registry, host, &compilation));
  std::vector<RaiseCandidate> candidates;
  for (const RaisedTensor &raised : all.raised) candidates.push_back({raised.name});
  AddInstructions(graph, all, compilation.target.abi(), candidates);
  return candidates;
}

// Of the bytes of all candidates and of the instructions of the network, in equal parts.
void SetShares(int64_t instructions, std::vector<RaiseCandidate> &candidates) {
  int64_t bytes = 0;
  for (const RaiseCandidate &candidate : candidates) bytes += candidate.bytes;
  const auto all_bytes = static_cast<double>(std::max<int64_t>(bytes, 1));
  const auto all_instructions = static_cast<double>(std::max<int64_t>(instructions, 1));
  for (RaiseCandidate &c : candidates)
    c.share = static_cast<double>(c.bytes) / all_bytes + static_cast<double>(c.instructions) / all_instructions;
}

int64_t TotalOf(const std::map<std::string, int64_t> &prices) {
  int64_t total = 0;
  for (const auto &[name, price] : prices) total += price;
  return total;
}

// Measures each, most harm for what it takes first; ties as they are written.
absl::Status Order(const Graph &graph, const std::vector<InputSet> &sets, int64_t instructions,
                   std::vector<RaiseCandidate> &candidates) {
  std::map<std::string, Noise> noise;
  std::map<std::string, int64_t> bytes;
  for (const RaiseCandidate &candidate : candidates) noise[candidate.name] = {};
  const auto visit = [&](TensorId id, const Value &value) {
    const Tensor &tensor = graph.tensors[id];
    const auto found = noise.find(tensor.name);
    if (found == noise.end() || !value.is_float() || tensor.quant.scale.size() != 1) return;
    AddNoise(tensor, value.f, found->second);
    bytes[tensor.name] = static_cast<int64_t>(value.f.size());
  };
  const Evaluator evaluator(graph);
  for (int64_t n = 0; n < std::min(sets[0].count, kNoiseInputs); n++)
    O2M_RETURN_IF_ERROR(evaluator.Run(SampleOf(sets, n), visit).status());
  for (RaiseCandidate &candidate : candidates) {
    const Noise &n = noise[candidate.name];
    candidate.harm = n.signal > 0 ? n.error / n.signal : 0;
    candidate.bytes = std::max<int64_t>(bytes[candidate.name], 1);
  }
  SetShares(instructions, candidates);
  std::stable_sort(candidates.begin(), candidates.end(),
                   [](const RaiseCandidate &a, const RaiseCandidate &b) { return a.order() > b.order(); });
  return absl::OkStatus();
}

template <class T>
void KeepRows(std::vector<T> &values, int64_t rows) {
  const auto width = values.size() / static_cast<size_t>(rows);
  std::vector<T> kept;
  for (int64_t n = 0; n < rows; n += kHoldOut)
    kept.insert(kept.end(), values.begin() + n * static_cast<int64_t>(width),
                values.begin() + (n + 1) * static_cast<int64_t>(width));
  values = std::move(kept);
}

// What CompileOptions.hold_out keeps from the calibration.
void KeepHeldOut(std::vector<InputSet> &sets) {
  for (InputSet &set : sets) {
    KeepRows(set.u8, set.count), KeepRows(set.f32, set.count);
    if (!set.labels.empty()) set.labels.resize(static_cast<size_t>(set.count)), KeepRows(set.labels, set.count);
    set.count = (set.count + kHoldOut - 1) / kHoldOut;
  }
}

// Points that `run` is worse than `real`.
double Drop(const EngineRun &real, const EngineRun &run, const std::vector<int64_t> &labels) {
  int64_t lost = 0;
  for (size_t n = 0; n < real.outputs.size(); n++) {
    const int64_t wanted = ArgMax(real.outputs[n][0]), got = ArgMax(run.outputs[n][0]);
    lost += labels.empty() ? wanted != got : (wanted == labels[n]) - (got == labels[n]);
  }
  return 100 * static_cast<double>(lost) / static_cast<double>(real.outputs.size());
}

CompileOptions WithFirst(const CompileOptions &options, const std::vector<RaiseCandidate> &candidates, int64_t count) {
  CompileOptions with = options;
  with.wide_why.resize(with.wide.size(), "asked for");
  for (int64_t i = 0; i < count; i++) {
    with.wide.push_back(candidates[i].name);
    with.wide_why.push_back(
        absl::StrFormat("--accuracy-drop=%g: %.1f dB as s8, number %d by noise per byte and instruction",
                        options.accuracy_drop, -10 * std::log10(std::max(candidates[i].harm, 1e-20)), i + 1));
  }
  return with;
}

absl::Status NotMet(const CompileOptions &options, const RaiseChoice &choice, size_t candidates, bool top1) {
  const std::string best = absl::StrFormat(
      "%s: --accuracy-drop=%g: the best reached is %.2f points of %s, with %d of %d tensors as s16 (%.2f with none)",
      options.model, options.accuracy_drop, choice.drop, top1 ? "top-1" : "changed answers", choice.count, candidates,
      choice.drop_s8);
  if (!choice.refused.ok())
    return absl::ResourceExhaustedError(
        absl::StrCat(best, "; more do not fit: ", choice.refused.message(), "; a larger --ram or --flash would work"));
  return absl::ResourceExhaustedError(
      absl::StrCat(best, "; more would not be less; a larger drop or more calibration inputs would work"));
}

}  // namespace

absl::StatusOr<Raised> RaiseForAccuracy(const CompileOptions &options, const Registry &registry, Host &host) {
  if (options.accuracy_drop < 0 || options.shapes_only) return Raised{options, {}};
  if (options.calibrate.empty())
    return absl::InvalidArgumentError("--accuracy-drop: measured on calibration inputs; give --calibrate=FILE");
  CompileOptions held = options;
  held.hold_out = kHoldOut, held.accuracy_drop = -1;
  Compilation lowered;
  O2M_ASSIGN_OR_RETURN(const Graph graph, Lowered(held, registry, host, &lowered));
  O2M_ASSIGN_OR_RETURN(const Preprocessing preprocessing, PreprocessingOf(graph, options.pixels));
  O2M_ASSIGN_OR_RETURN(std::vector<InputSet> sets, ReadAllInputs(options.calibrate, graph, preprocessing, kInputs));
  if (sets[0].count < 2 * kHoldOut)
    return absl::InvalidArgumentError(absl::StrCat("--accuracy-drop: ", sets[0].count,
                                                   " calibration inputs are too few to hold some out; give ",
                                                   2 * kHoldOut, " or more"));
  O2M_ASSIGN_OR_RETURN(std::vector<RaiseCandidate> candidates, Raisable(held, graph, registry, host));
  const int64_t instructions = TotalOf(Prices(graph, lowered.target.abi()));
  O2M_RETURN_IF_ERROR(Order(graph, sets, instructions, candidates));
  KeepHeldOut(sets);
  O2M_ASSIGN_OR_RETURN(const EngineRun real, RunFloat(graph, sets, sets[0].count));
  const auto drop_of = [&](int64_t count) -> absl::StatusOr<double> {
    O2M_ASSIGN_OR_RETURN(const Compilation compilation, Compile(WithFirst(held, candidates, count), registry, host));
    return Drop(real, RunInteger(compilation, sets, sets[0].count), sets[0].labels);
  };
  const auto size = static_cast<int64_t>(candidates.size());
  O2M_ASSIGN_OR_RETURN(const RaiseChoice choice, SearchRaise(size, options.accuracy_drop, drop_of));
  const bool top1 = !sets[0].labels.empty();
  if (!choice.met) return NotMet(options, choice, candidates.size(), top1);
  return Raised{WithFirst(options, candidates, choice.count),
                {choice.drop, choice.drop_s8, sets[0].count, choice.count, size, top1}};
}

}  // namespace onnx2mcu
