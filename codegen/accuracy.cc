#include "codegen/accuracy.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "codegen/engines.h"
#include "codegen/metrics.h"
#include "codegen/raise_search.h"

namespace onnx2mcu {
namespace {

constexpr int32_t kHoldOut = 4;
constexpr int64_t kInputs = 256;  // of the calibration's, half of which it takes itself at most
constexpr int64_t kNoiseInputs = 16;

struct RaiseCandidate {
  std::string name;
  double harm = 0;  // noise of s8 beside the signal
  int64_t bytes = 0;
  double order() const { return harm / static_cast<double>(bytes); }
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
absl::StatusOr<Graph> Lowered(CompileOptions options, const Registry &registry, Host &host) {
  Compilation compilation;
  options.dump.clear();
  return LowerModel(options, registry, host, &compilation);
}

// Tensors that are s8 and could be s16, by the name that `wide` takes.
absl::StatusOr<std::vector<RaiseCandidate>> Raisable(CompileOptions options, const Graph &graph,
                                                     const Registry &registry, Host &host) {
  options.shapes_only = true, options.wide.clear();
  for (const Tensor &tensor : graph.tensors)
    if (!tensor.is_constant && tensor.dtype == DType::kS8) options.wide.push_back(tensor.name);
  O2M_ASSIGN_OR_RETURN(const Graph all, Lowered(options, registry, host));
  std::vector<RaiseCandidate> candidates;
  for (const RaisedTensor &raised : all.raised) candidates.push_back({raised.name});
  return candidates;
}

// Measures each, most harm per byte first; ties as they are written.
absl::Status Order(const Graph &graph, const std::vector<InputSet> &sets, std::vector<RaiseCandidate> &candidates) {
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
    with.wide_why.push_back(absl::StrFormat("--accuracy-drop=%g: %.1f dB as s8, number %d by noise per byte",
                                            options.accuracy_drop,
                                            -10 * std::log10(std::max(candidates[i].harm, 1e-20)), i + 1));
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
  O2M_ASSIGN_OR_RETURN(const Graph graph, Lowered(held, registry, host));
  O2M_ASSIGN_OR_RETURN(const Preprocessing preprocessing, PreprocessingOf(graph, options.pixels));
  O2M_ASSIGN_OR_RETURN(std::vector<InputSet> sets, ReadAllInputs(options.calibrate, graph, preprocessing, kInputs));
  if (sets[0].count < 2 * kHoldOut)
    return absl::InvalidArgumentError(absl::StrCat("--accuracy-drop: ", sets[0].count,
                                                   " calibration inputs are too few to hold some out; give ",
                                                   2 * kHoldOut, " or more"));
  O2M_ASSIGN_OR_RETURN(std::vector<RaiseCandidate> candidates, Raisable(held, graph, registry, host));
  O2M_RETURN_IF_ERROR(Order(graph, sets, candidates));
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
