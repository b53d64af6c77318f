// Post-training quantisation (QUANTIZATION: s8 per tensor, s16 residual stream). One scale per storage: every view of
// a base, and every tensor an op keeps at its input's scale, belongs to one group.
#include "importer/quant/quantize.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <optional>
#include <random>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "importer/coarse.h"
#include "importer/quant/exact.h"
#include "importer/quant/given.h"
#include "importer/quant/histogram.h"
#include "importer/quant/integer_types.h"
#include "importer/quant/residual_stream.h"
#include "importer/quant/rule.h"

namespace onnx2mcu {
namespace {

struct Groups {
  std::vector<int32_t> parent;  // by TensorId; union-find over bases
  int32_t Find(int32_t id) {
    while (parent[id] != id) id = parent[id] = parent[parent[id]];
    return id;
  }
  void Join(int32_t a, int32_t b) { parent[Find(a)] = Find(b); }
};

// A node of one output that keeps input 0's scale.
bool Copies(const Graph &graph, const Node &node, const o2m_quant_rule &rule) {
  return node.outputs.size() == 1 && (rule.same_as_input0 & 1) && node.inputs[0] != kNone &&
         !graph.tensors[node.inputs[0]].is_constant && !Rounds(graph, node);
}

Groups GroupTensors(const Graph &graph, const std::vector<o2m_quant_rule> &rules) {
  Groups groups;
  groups.parent.resize(graph.tensors.size());
  std::iota(groups.parent.begin(), groups.parent.end(), 0);
  for (size_t id = 0; id < graph.tensors.size(); id++)
    groups.Join(static_cast<int32_t>(id), BaseOf(graph, static_cast<TensorId>(id)));
  const GroupOf group_of = [&groups](TensorId id) { return groups.Find(id); };
  GivenGrids given = GivenOf(graph, group_of);
  std::vector<bool> copies;
  for (size_t n = 0; n < graph.nodes.size(); n++) copies.push_back(Copies(graph, graph.nodes[n], rules[n]));
  GiveToCopies(graph, group_of, copies, given);
  for (size_t n = 0; n < graph.nodes.size(); n++)
    for (size_t o = 0; o < graph.nodes[n].outputs.size(); o++) {
      const TensorId from = graph.nodes[n].inputs.empty() ? kNone : graph.nodes[n].inputs[0];
      const TensorId to = graph.nodes[n].outputs[o];
      const bool same = rules[n].same_as_input0 >> o & 1;
      if (!same || from == kNone || graph.tensors[from].is_constant || Rounds(graph, graph.nodes[n])) continue;
      if (!MayShare(graph, group_of, given, from, to)) continue;
      const std::optional<Grid> grid = given[groups.Find(to)] ? given[groups.Find(to)] : given[groups.Find(from)];
      groups.Join(to, from);
      given[groups.Find(to)] = grid;
    }
  return groups;
}

// The float tensor whose values an op's output holds: itself, or through copies what was copied.
std::vector<TensorId> FloatSources(const Graph &graph) {
  const std::vector<NodeId> producers = Producers(graph);
  std::vector<TensorId> source(graph.tensors.size());
  std::iota(source.begin(), source.end(), 0);
  for (const Node &node : graph.nodes)
    for (TensorId out : node.outputs)
      if (producers[out] == kNone && !node.inputs.empty()) source[out] = source[node.inputs[0]];
  return source;
}

uint64_t Next(uint64_t &state) { return state = state * 6364136223846793005ull + 1442695040888963407ull; }

// Without images: half white noise, half smooth ramps with noise; pixels span 0..255, other inputs about N(0, 1).
std::vector<std::vector<Value>> SyntheticSamples(const Graph &graph, bool pixels) {
  std::vector<std::vector<Value>> samples(4);
  uint64_t state = 1;
  for (size_t s = 0; s < samples.size(); s++)
    for (TensorId id : graph.inputs) {
      Value value{DType::kF32, graph.tensors[id].dims, std::vector<float>(ElementCount(graph.tensors[id].dims)), {}};
      const auto n = static_cast<float>(value.f.size());
      for (size_t i = 0; i < value.f.size(); i++) {
        float sum = 0;
        for (int k = 0; k < 4; k++) sum += static_cast<float>(Next(state) >> 40) / 16777216.0f - 0.5f;
        const float ramp = 2 * static_cast<float>(i) / n - 1, unit = s % 2 ? ramp + 0.3f * sum : sum * 1.7f;
        value.f[i] = pixels ? std::clamp(127.5f + 64 * unit, 0.0f, 255.0f) : unit;
      }
      samples[s].push_back(std::move(value));
    }
  return samples;
}

absl::StatusOr<std::vector<Histogram>> Calibrate(const Graph &graph, Groups &groups,
                                                 const std::vector<std::vector<Value>> &samples) {
  std::vector<Histogram> histograms(graph.tensors.size());
  const std::vector<TensorId> source = FloatSources(graph);
  std::vector<std::vector<int32_t>> groups_of(
      graph.tensors.size());  // by float tensor: the groups that hold its values
  for (TensorId id : graph.inputs) groups_of[id].push_back(groups.Find(id));
  for (const Node &node : graph.nodes)
    for (TensorId out : node.outputs) {
      const TensorId from = source[out];
      if (graph.tensors[from].is_constant)
        AddValues(histograms[groups.Find(out)], FloatData(graph.tensors[from]), ElementCount(graph.tensors[from].dims));
      else
        groups_of[from].push_back(groups.Find(out));
    }
  const Evaluator evaluator(graph);
  for (size_t n = 0; n < samples.size(); n++) {
    const auto visit = [&](TensorId id, const Value &value) {
      if (!value.is_float()) return;
      for (int32_t group : groups_of[id])
        AddSample(histograms[group], static_cast<int64_t>(n), value.f.data(), static_cast<int64_t>(value.f.size()));
    };
    O2M_RETURN_IF_ERROR(evaluator.Run(samples[n], visit).status());
  }
  return histograms;
}

// Groups that some op does not take as s16.
std::vector<bool> RefusedGroups(const Graph &graph, Groups &groups, const std::vector<o2m_quant_rule> &rules) {
  std::vector<bool> refused(graph.tensors.size());
  for (size_t n = 0; n < graph.nodes.size(); n++) {
    const Node &node = graph.nodes[n];
    for (size_t i = 0; i < node.inputs.size(); i++)
      if (IsActivation(graph, node.inputs[i]) && !(rules[n].s16_inputs >> i & 1))
        refused[groups.Find(node.inputs[i])] = true;
    for (size_t o = 0; o < node.outputs.size(); o++)
      if (!(rules[n].s16_outputs >> o & 1)) refused[groups.Find(node.outputs[o])] = true;
  }
  return refused;
}

// Groups that may be s32: in a model with scales of its own, what it leaves in float, where all ops that touch it take
// that. The model rounds next on a grid of its own, and whether a value lies above or below a tie there decides what
// all that follow are; 16 bits move one in some hundreds to the other side. What s16 holds exactly stays s16, and so
// does what is bytes as soon as a scale is found for it.
std::vector<bool> WidestGroups(const Graph &graph, Groups &groups, const std::vector<bool> &stream,
                               const std::vector<double> &steps, const std::vector<bool> &bytes,
                               const QuantOptions &options) {
  std::vector<bool> widest(graph.tensors.size());
  const bool dynamic = std::find(bytes.begin(), bytes.end(), true) != bytes.end();
  if (!AnyGiven(graph) || dynamic || options.residual != "auto") return widest;
  for (size_t id = 0; id < widest.size(); id++) widest[id] = stream[id] && steps[id] <= 0;
  for (const Node &node : graph.nodes) {
    const o2m_wide_rule rule = WideRuleOf(graph, node);
    for (size_t i = 0; i < node.inputs.size(); i++)
      if (IsActivation(graph, node.inputs[i]) && !(rule.s32_inputs >> i & 1))
        widest[groups.Find(node.inputs[i])] = false;
    for (size_t o = 0; o < node.outputs.size(); o++)
      if (!(rule.s32_outputs >> o & 1)) widest[groups.Find(node.outputs[o])] = false;
  }
  return widest;
}

constexpr double kWidestSpread = 2.5;  // the middle input keeps 6.7 of 8 bits

// Beside the stream: what is asked for, and where one s8 step would be too coarse for most of the inputs since others
// are so much larger, or what lies between such tensors. Each is told of in graph.raised, by the tensor that is written
// first; in coarse->read, where an op takes bytes only (`refused`). narrow: what stays as it is.
std::vector<bool> RaisedGroups(Graph &graph, Groups &groups, const std::vector<bool> &refused,
                               const std::vector<bool> &narrow, const std::vector<bool> &stream,
                               const std::vector<Histogram> &histograms, const QuantOptions &options,
                               CoarseTensors *coarse) {
  std::vector<bool> asked(graph.tensors.size()), apart(graph.tensors.size()), raised(graph.tensors.size());
  for (const TensorId id : options.wide) asked[groups.Find(id)] = true;
  for (const TensorId id : coarse->inside) apart[groups.Find(id)] = true;
  coarse->read.clear();
  for (TensorId id : graph.inputs) raised[groups.Find(id)] = true;  // stay bytes
  const std::vector<bool> inputs = raised;
  // What noise makes of the network says nothing of how inputs differ beyond those.
  const auto samples = options.samples.empty() ? kEnoughSamples : static_cast<int64_t>(options.samples.size());
  for (const Node &node : graph.nodes)
    for (TensorId id : node.outputs) {
      const int32_t group = groups.Find(id);
      const double spread = Spread(histograms[group], samples);
      const bool uneven = options.residual != "s8" && spread > kWidestSpread;
      if (refused[group] && uneven) coarse->read.push_back(id);
      if (narrow[group] || stream[group] || raised[group]) continue;
      if (!asked[group] && !uneven && !apart[group]) continue;
      raised[group] = true;
      graph.raised.push_back(
          {graph.tensors[id].name, asked[group] ? "asked for"
                                   : uneven ? absl::StrFormat("largest values differ %.0f-fold between inputs", spread)
                                            : "between tensors whose largest values differ"});
    }
  for (size_t id = 0; id < raised.size(); id++) raised[id] = raised[id] && !inputs[id];
  return raised;
}

// By group: the node that alone reads it, as a function of one value; kNone where there are other readers.
std::vector<NodeId> UnaryReaders(const Graph &graph, Groups &groups) {
  std::vector<NodeId> reader(graph.tensors.size(), kNone);
  std::vector<int> readers(graph.tensors.size());
  for (TensorId id : graph.outputs) readers[groups.Find(id)] += 2;
  for (size_t n = 0; n < graph.nodes.size(); n++)
    for (TensorId id : graph.nodes[n].inputs) {
      if (!IsActivation(graph, id)) continue;
      readers[groups.Find(id)]++;
      if (ExtensionOf(graph.nodes[n].op, "o2m.unary_table/1")) reader[groups.Find(id)] = static_cast<NodeId>(n);
    }
  for (size_t id = 0; id < reader.size(); id++)
    if (readers[id] != 1) reader[id] = kNone;
  return reader;
}

// The node's function at `x`; empty where its float nodes are no chain that takes values one by one.
std::vector<float> FunctionAt(const Graph &graph, const Node &node, const std::vector<float> &x) {
  std::map<TensorId, Value> values;
  values[node.inputs[0]] = {DType::kF32, {static_cast<int64_t>(x.size())}, x, {}};
  for (const NodeId id : node.float_nodes) {
    const FloatNode &f = graph.float_nodes[id];
    std::vector<const Value *> inputs;
    for (const TensorId operand : OperandsOf(f)) {
      if (operand != kNone && graph.tensors[operand].is_constant)
        values.emplace(operand, ValueOf(graph.tensors[operand]));
      if (operand != kNone && !values.count(operand)) return {};
      inputs.push_back(operand == kNone ? nullptr : &values[operand]);
    }
    const auto results = EvaluateNode(f, inputs);
    if (!results.ok()) return {};
    for (size_t o = 0; o < f.outputs.size(); o++) values[f.outputs[o]] = (*results)[o];
  }
  const auto result = values.find(node.outputs[0]);
  if (result == values.end() || result->second.f.size() != x.size()) return {};
  return result->second.f;
}

struct Choice {
  DType dtype = DType::kS8;
  QuantParams quant;
};

// What an op fixes, 256 times as fine where `wide`.
Choice Fixed(const o2m_quant_rule &rule, bool wide) {
  if (wide) return {DType::kS16, {{rule.fixed_scale / 256}, {256 * rule.fixed_zero_point}, kNone}};
  return {rule.fixed_dtype == O2M_ANY ? DType::kS8 : static_cast<DType>(rule.fixed_dtype),
          {{rule.fixed_scale}, {rule.fixed_zero_point}, kNone}};
}

std::vector<Choice> ChooseQuant(Graph &graph, Groups &groups, const std::vector<o2m_quant_rule> &rules,
                                const std::vector<Histogram> &histograms, const QuantOptions &options,
                                const GivenGrids &given, CoarseTensors *coarse, std::vector<Choice> *widened) {
  std::vector<Choice> choices(graph.tensors.size());
  const std::vector<bool> refused = RefusedGroups(graph, groups, rules);
  const std::vector<bool> bytes = CalibratedBytes(graph, [&groups](TensorId id) { return groups.Find(id); });
  std::vector<bool> narrow = bytes;
  for (size_t id = 0; id < narrow.size(); id++) narrow[id] = narrow[id] || refused[id];
  const std::vector<bool> stream =
      options.residual == "s8"
          ? std::vector<bool>(graph.tensors.size())
          : ResidualStream(
                graph, [&groups](TensorId id) { return groups.Find(id); }, narrow, AnyGiven(graph));
  for (size_t id = 0; id < narrow.size(); id++) narrow[id] = narrow[id] || given[id].has_value();
  for (size_t n = 0; n < graph.nodes.size(); n++) {
    const TensorId out = graph.nodes[n].outputs[0];
    const bool apart = std::find(coarse->inside.begin(), coarse->inside.end(), out) != coarse->inside.end();
    if (rules[n].fixed_scale > 0 && !apart) narrow[groups.Find(out)] = true;
  }
  const std::vector<bool> raised = RaisedGroups(graph, groups, refused, narrow, stream, histograms, options, coarse);
  const auto samples = static_cast<int64_t>(options.shapes_only ? kEnoughSamples : options.samples.size());
  const std::vector<NodeId> unary = UnaryReaders(graph, groups);
  const bool rounds = AnyGiven(graph);
  const std::vector<double> steps = ExactSteps(
      graph, [&groups](TensorId id) { return groups.Find(id); }, given);
  const std::vector<bool> widest = WidestGroups(graph, groups, stream, steps, bytes, options);
  for (size_t id = 0; id < choices.size(); id++) {
    if (groups.Find(static_cast<int32_t>(id)) != static_cast<int32_t>(id)) continue;
    const Histogram &h = histograms[id];
    if (stream[id] || raised[id])
      choices[id] = {DType::kS16, rounds ? RangeFine(h, steps[id], samples) : RangeS16(h, samples)};
    else if (unary[id] == kNone)
      choices[id] = {DType::kS8, RangeS8(h, samples)};
    else
      choices[id] = {DType::kS8, RangeThrough(h, FunctionAt(graph, graph.nodes[unary[id]], CentersOf(h)), samples)};
  }
  for (size_t n = 0; n < graph.nodes.size(); n++) {
    if (rules[n].fixed_scale <= 0) continue;
    const int32_t group = groups.Find(graph.nodes[n].outputs[0]);
    choices[group] = Fixed(rules[n], stream[group] || raised[group]);
  }
  for (size_t id = 0; id < choices.size(); id++) {
    if (!given[id]) continue;
    const Grid held = HeldAs(*given[id], !refused[id]);
    choices[id] = {DTypeOf(held), QuantOf(held)};
  }
  if (options.pixels) choices[groups.Find(graph.inputs[0])] = {DType::kU8, {{1.0f}, {0}, kNone}};
  *widened = choices;
  for (size_t id = 0; id < choices.size(); id++)
    if (widest[id] && choices[id].dtype == DType::kS16)
      (*widened)[id] = {DType::kS32, RangeS32(histograms[id], samples)};
  return choices;
}

void Apply(Graph &graph, Groups &groups, const std::vector<Choice> &choices) {
  std::vector<bool> touched(graph.tensors.size());
  for (TensorId id : graph.inputs) touched[id] = true;
  for (TensorId id : graph.outputs) touched[id] = true;
  for (const Node &node : graph.nodes) {
    for (TensorId id : node.inputs) touched[id] = touched[id] || IsActivation(graph, id);
    for (TensorId id : node.outputs) touched[id] = true;
  }
  for (size_t id = 0; id < touched.size(); id++)
    if (touched[id]) touched[BaseOf(graph, static_cast<TensorId>(id))] = true;
  for (size_t id = 0; id < touched.size(); id++) {
    if (!touched[id]) continue;
    const Choice &choice = choices[groups.Find(static_cast<int32_t>(id))];
    graph.tensors[id].dtype = choice.dtype, graph.tensors[id].quant = choice.quant;
  }
}

// s32 is still finer than s16 then. Others as far as needed: what is nothing beside the step of what it is summed from
// is 0.
int MostDoublings(DType dtype) { return dtype == DType::kS32 ? 10 : 60; }

bool IsOffCentre(const Choice &choice) { return choice.dtype == DType::kS16 && choice.quant.zero_point[0] != 0; }

// Where a node does not take the zero point of an s16, 0 takes its place.
void CentreRefused(Graph &graph, Groups &groups, std::vector<Choice> &choices, Host &host, const o2m_target &target) {
  for (size_t n = 0; n < graph.nodes.size(); n++) {
    std::vector<int32_t> off;
    for (const std::vector<TensorId> *ids : {&graph.nodes[n].inputs, &graph.nodes[n].outputs})
      for (TensorId id : *ids)
        if (IsActivation(graph, id) && IsOffCentre(choices[groups.Find(id)])) off.push_back(groups.Find(id));
    if (off.empty() || InferNode(graph, static_cast<NodeId>(n), host, target).ok()) continue;
    for (int32_t group : off) choices[group].quant = Centred(choices[group].quant);
    Apply(graph, groups, choices);
  }
}

// Where an op refuses s32 in the mix it would get, s16 takes its place in all operands of the node.
void NarrowRefused(Graph &graph, Groups &groups, const std::vector<Choice> &narrow, std::vector<Choice> &choices,
                   Host &host, const o2m_target &target) {
  for (size_t n = 0; n < graph.nodes.size(); n++) {
    std::vector<int32_t> widest;
    for (const std::vector<TensorId> *ids : {&graph.nodes[n].inputs, &graph.nodes[n].outputs})
      for (TensorId id : *ids)
        if (IsActivation(graph, id) && choices[groups.Find(id)].dtype == DType::kS32) widest.push_back(groups.Find(id));
    if (widest.empty() || InferNode(graph, static_cast<NodeId>(n), host, target).ok()) continue;
    for (int32_t group : widest) choices[group] = narrow[group];
    Apply(graph, groups, choices);
    n = static_cast<size_t>(-1);  // others may refuse the new mix
  }
}

// Where calibration has seen zeros alone, as of a branch whose gain is zero, any step is as good: that of what is
// computed from the tensor, so that it is neither too fine nor too coarse beside what it is summed with.
void FollowReaders(const Graph &graph, Groups &groups, const std::vector<bool> &fixed,
                   const std::vector<Histogram> &histograms, std::vector<Choice> &choices) {
  const auto zeros = [&](int32_t group) {
    const Histogram &h = histograms[group];
    return h.count > 0 && h.min == 0 && h.max == 0;
  };
  for (size_t n = graph.nodes.size(); n-- > 0;) {
    const int32_t out = groups.Find(graph.nodes[n].outputs[0]);
    for (const TensorId id : graph.nodes[n].inputs) {
      const int32_t group = IsActivation(graph, id) ? groups.Find(id) : out;
      if (group == out || fixed[group] || choices[group].dtype == DType::kU8 || !zeros(group)) continue;
      const int finer = 8 * static_cast<int>(DTypeBytes(choices[out].dtype) - DTypeBytes(choices[group].dtype));
      choices[group].quant.scale[0] = std::ldexp(choices[out].quant.scale[0], finer);
    }
  }
}

// Where an op refuses a step that calibration found (finer than what it sums in), the least power of two times as much
// that it takes.
void CoarsenRefused(Graph &graph, Groups &groups, const std::vector<bool> &fixed, std::vector<Choice> &choices,
                    Host &host, const o2m_target &target) {
  for (size_t n = 0; n < graph.nodes.size(); n++) {
    const int32_t group = groups.Find(graph.nodes[n].outputs[0]);
    if (fixed[group] || choices[group].dtype == DType::kU8) continue;
    const float scale = choices[group].quant.scale[0];
    bool taken = InferNode(graph, static_cast<NodeId>(n), host, target).ok();
    for (int doubled = 1; !taken && doubled <= MostDoublings(choices[group].dtype); doubled++) {
      choices[group].quant.scale[0] = std::ldexp(scale, doubled);
      Apply(graph, groups, choices);
      taken = InferNode(graph, static_cast<NodeId>(n), host, target).ok();
    }
    if (taken) continue;
    choices[group].quant.scale[0] = scale;
    Apply(graph, groups, choices);
  }
}

// What a calibration would give for values of about N(0, 1); the sizes that planning needs do not depend on them.
std::vector<Histogram> UnitHistograms(const Graph &graph) {
  Histogram unit;
  const float ends[] = {-4.0f, 4.0f};
  AddValues(unit, ends, 2);
  return std::vector<Histogram>(graph.tensors.size(), unit);
}

// What is given, or fixed by an op.
std::vector<bool> FixedGroups(const Graph &graph, Groups &groups, const std::vector<o2m_quant_rule> &rules,
                              const GivenGrids &given) {
  std::vector<bool> fixed(graph.tensors.size());
  for (size_t id = 0; id < fixed.size(); id++) fixed[id] = given[id].has_value();
  for (size_t n = 0; n < graph.nodes.size(); n++)
    if (rules[n].fixed_scale > 0) fixed[groups.Find(graph.nodes[n].outputs[0])] = true;
  return fixed;
}

// Every other tensor has a range to be found.
bool NeedsRanges(const Graph &graph, Groups &groups, const std::vector<o2m_quant_rule> &rules,
                 const GivenGrids &given) {
  const std::vector<bool> known = FixedGroups(graph, groups, rules, given);
  const auto unknown = [&](TensorId id) { return IsActivation(graph, id) && !known[groups.Find(id)]; };
  if (std::any_of(graph.inputs.begin(), graph.inputs.end(), unknown)) return true;
  return std::any_of(graph.nodes.begin(), graph.nodes.end(),
                     [&](const Node &node) { return std::any_of(node.outputs.begin(), node.outputs.end(), unknown); });
}

absl::StatusOr<std::vector<Histogram>> Ranges(Graph &graph, Groups &groups, const QuantOptions &options, bool needed) {
  if (options.shapes_only || !needed) return UnitHistograms(graph);
  if (!options.samples.empty()) return Calibrate(graph, groups, options.samples);
  graph.warnings.push_back(
      "no calibration inputs: ranges come from synthetic noise and accuracy will suffer; give --calibrate=FILE with 32 "
      "to 128 inputs");
  return Calibrate(graph, groups, SyntheticSamples(graph, options.pixels));
}

// An integerised model brings its integers: scale 1, zero point 0, types that hold them.
absl::Status ApplyIntegers(Graph &graph, Groups &groups, const QuantOptions &options) {
  std::vector<int32_t> group_of(graph.tensors.size());
  for (size_t id = 0; id < group_of.size(); id++) group_of[id] = groups.Find(static_cast<int32_t>(id));
  O2M_ASSIGN_OR_RETURN(const std::vector<DType> types, IntegerTypes(graph, options, group_of, FloatSources(graph)));
  std::vector<Choice> choices;
  for (DType type : types) choices.push_back({type, {{1.0f}, {0}, kNone}});
  Apply(graph, groups, choices);
  return absl::OkStatus();
}

}  // namespace

absl::Status Quantize(Graph &graph, const QuantOptions &options, Host &host, const o2m_target &target) {
  CoarseTensors coarse;
  return Quantize(graph, options, host, target, &coarse);
}

absl::Status Quantize(Graph &graph, const QuantOptions &options, Host &host, const o2m_target &target,
                      CoarseTensors *coarse) {
  std::vector<o2m_quant_rule> rules;
  for (const Node &node : graph.nodes) rules.push_back(RuleOf(graph, node));
  Groups groups = GroupTensors(graph, rules);
  if (graph.integerised) {
    O2M_RETURN_IF_ERROR(ApplyIntegers(graph, groups, options));
    return InferAll(graph, host, target);
  }
  const GivenGrids given = GivenOf(graph, [&groups](TensorId id) { return groups.Find(id); });
  const bool needed = NeedsRanges(graph, groups, rules, given);
  O2M_ASSIGN_OR_RETURN(const std::vector<Histogram> histograms, Ranges(graph, groups, options, needed));
  std::vector<Choice> choices;
  std::vector<Choice> narrow = ChooseQuant(graph, groups, rules, histograms, options, given, coarse, &choices);
  const std::vector<bool> fixed = FixedGroups(graph, groups, rules, given);
  for (std::vector<Choice> *all : {&narrow, &choices}) FollowReaders(graph, groups, fixed, histograms, *all);
  Apply(graph, groups, choices);
  CoarsenRefused(graph, groups, fixed, choices, host, target);
  NarrowRefused(graph, groups, narrow, choices, host, target);
  CentreRefused(graph, groups, choices, host, target);
  CoarsenRefused(graph, groups, fixed, choices, host, target);
  return InferAll(graph, host, target);
}

}  // namespace onnx2mcu
