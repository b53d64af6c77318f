// layer_norm.cc - o2m.layer_norm: LayerNormalization and RMSNormalization over the last axis. See README.md.
#include "layer_norm_random.hpp"
#include "layer_norm_s32.hpp"
#include "layer_norm_worst.hpp"
#include "o2m_layer_norm.h"
#include "o2m_sources.h"
#include "row_op.hpp"

namespace {

using namespace o2m;

struct LayerNormParams {
  float epsilon;
  int32_t rms;                      // from match()
  int32_t t_bits, shift, fraction;  // from infer(), as in o2m_layer_norm_params
  WideNorm wide;                    // or as in o2m_layer_norm_s32_params
};

enum Slot { kGain, kOffset };
constexpr int32_t kMostFeatures = kMostNormFeatures;

int32_t Features(const o2m_node *node) { return Dim(*node->inputs[0], 1); }
bool HasBeta(const o2m_node *node) { return node->input_count > 2; }

double LargestMagnitude(const o2m_tensor &t) {
  double largest = 0;
  for (int64_t i = 0; Floats(t) && i < ElementCount(t); ++i) largest = std::fmax(largest, std::fabs(Floats(t)[i]));
  return largest;
}

o2m_status CheckOperands(const o2m_host *host, const o2m_node *node) {
  if (o2m_status s = CheckRowInput(host, node, true)) return s;
  if (o2m_status s = CheckFeatures(host, node, kMostFeatures)) return s;
  for (int32_t i = 1; i < node->input_count; ++i) {
    const o2m_tensor &t = *node->inputs[i];
    if (t.is_constant && t.dtype == O2M_F32 && ElementCount(t) == Features(node)) continue;
    return Reject(host, Str("input ", i, i == 1 ? ", gamma," : ", beta,", " must be a constant f32 of ", Features(node),
                            " values, not ", Shape(t)));
  }
  return O2M_OK;
}

// Epsilon in units of D / 2^fraction: C^2 epsilon / scale_x^2.
double Epsilon(const o2m_node *node) {
  const auto &params = ParamsOf<LayerNormParams>(node);
  const double c = Features(node), scale = ScaleOf(*node->inputs[0]);
  return std::floor(c * c * params.epsilon / scale / scale * std::ldexp(1.0, params.fraction) + 0.5);
}

// gain that makes t * gain / 2^32 equal t's value times gamma / scale_y, in 1 / 2^shift.
double GainUnit(const o2m_node *node) {
  const auto &params = ParamsOf<LayerNormParams>(node);
  return std::ldexp(1.0, params.shift + 32 - params.t_bits) / ScaleOf(*node->outputs[0]);
}

o2m_status ChooseBits(const o2m_host *host, o2m_node *node) {
  auto &params = ParamsOf<LayerNormParams>(node);
  if (IsWideNorm(node)) return ChooseWideBits(host, node, params.epsilon, params.wide);
  const double c = Features(node), range = node->inputs[0]->dtype == O2M_S8 ? 256 : 65536;
  // D <= C^2 range^2, and E must fit 62 bits
  params.fraction = 0;
  while (c * c * range * range * std::ldexp(1.0, params.fraction + 2) < std::ldexp(1.0, 61)) params.fraction += 2;
  if (Epsilon(node) >= std::ldexp(1.0, 61)) {
    return Reject(host, Str("epsilon ", params.epsilon, " is far above input 0's scale, ", ScaleOf(*node->inputs[0])));
  }
  // no normalised value exceeds sqrt(C); 2^-10 covers the roundings
  params.t_bits = 30;
  while ((std::sqrt(c) + 1.0 / 1024) * std::ldexp(1.0, params.t_bits) >= std::ldexp(1.0, 31)) --params.t_bits;
  const double gamma = LargestMagnitude(*node->inputs[1]),
               beta = HasBeta(node) ? LargestMagnitude(*node->inputs[2]) : 0;
  // From s16 to s16 the factor of x needs more bits than t does; those t leaves make room, while gain fits 30 bits.
  const bool wide = node->inputs[0]->dtype == O2M_S16 && node->outputs[0]->dtype == O2M_S16;
  params.shift = O2M_LAYER_NORM_SHIFT - 4;
  for (int32_t spare = wide ? 3 : 0; spare > 0 && 2 * gamma * GainUnit(node) < std::ldexp(1.0, 30); --spare)
    --params.t_bits;
  const double largest = (std::sqrt(c) * gamma + beta) / ScaleOf(*node->outputs[0]) + 65536;
  params.shift = O2M_LAYER_NORM_SHIFT;
  while (params.shift > 0 && (largest * std::ldexp(1.0, params.shift) >= std::ldexp(1.0, 30) ||
                              gamma * GainUnit(node) >= std::ldexp(1.0, 30))) {
    --params.shift;
  }
  if (params.shift >= 4) return O2M_OK;
  return Reject(host, Str("the scale of output 0, ", ScaleOf(*node->outputs[0]), ", is too small for gamma and beta; ",
                          "calibrate with other images"));
}

o2m_layer_norm_params KernelParams(const o2m_node *node) {
  const o2m_tensor &x = *node->inputs[0];
  const auto &params = ParamsOf<LayerNormParams>(node);
  o2m_layer_norm_params p = {};
  p.features = Features(node);
  SetRowStrides(node, p);
  p.rms = params.rms;
  p.x_zero = params.rms ? ZeroPointOf(x) : 0;
  p.fraction = params.fraction;
  p.epsilon = static_cast<int64_t>(Epsilon(node));
  p.t_bits = params.t_bits;
  p.shift = params.shift;
  p.gain = ConstantData<const int32_t>(node, kGain);
  p.offset = ConstantData<const int32_t>(node, kOffset);
  return p;
}

struct LayerNorm {
  static constexpr char kId[] = "o2m.layer_norm";
  using Params = LayerNormParams;

  static o2m_status Match(const o2m_host *, const o2m_graph *graph, int32_t root, o2m_match *match) {
    const GraphView g(graph);
    const bool rms = g.Is(root, "RMSNormalization");
    if (!rms && !g.Is(root, "LayerNormalization")) return O2M_NO_MATCH;
    std::vector<int32_t> inputs = {g.Input(root, 0), g.Input(root, 1)};
    if (!rms && g.Input(root, 2) >= 0) inputs.push_back(g.Input(root, 2));
    const o2m_tensor &x = g.Tensor(inputs[0]);
    const int64_t axis = g.Int(root, "axis", -1);
    if (x.rank < 2 || (axis != -1 && axis != x.rank - 1)) return O2M_NO_MATCH;
    for (size_t i = 1; i < inputs.size(); ++i) {
      if (!g.IsConstant(inputs[i]) || ElementCount(g.Tensor(inputs[i])) != Dim(x, 1)) return O2M_NO_MATCH;
    }
    *static_cast<LayerNormParams *>(match->params) = {g.Float(root, "epsilon", 1e-5f), rms, 0, 0, 0, {}};
    return Matched(match, {root}, inputs);
  }

  static o2m_status Infer(const o2m_host *host, const o2m_target *, o2m_node *node) {
    if (o2m_status s = CheckOperands(host, node)) return s;
    if (o2m_status s = SettleRowOutput(host, node, node->inputs[0]->quant, true)) return s;
    if (o2m_status s = ChooseBits(host, node)) return s;
    SetConstants(node, {{"gain", O2M_S32, Features(node), nullptr}, {"offset", O2M_S32, Features(node), nullptr}});
    return O2M_OK;
  }

  static void Memory(const o2m_target *, const o2m_node *node, int32_t, o2m_memory *memory) {
    RowMemory(node, memory);
    // A row is read once for its sums and once more, upward, as it is written.
    memory->in_place_inputs = WritesUpward(node) ? 1 : 0;
  }

  static o2m_status Pack(const o2m_host *, const o2m_target *, o2m_node *node) {
    auto *gain = ConstantData<int32_t>(node, kGain), *offsets = ConstantData<int32_t>(node, kOffset);
    if (IsWideNorm(node)) return PackWideNorm(node, ParamsOf<LayerNormParams>(node).wide, gain, offsets), O2M_OK;
    const o2m_tensor &y = *node->outputs[0];
    const auto &params = ParamsOf<LayerNormParams>(node);
    const float *gamma = Floats(*node->inputs[1]), *beta = HasBeta(node) ? Floats(*node->inputs[2]) : nullptr;
    const double unit = std::ldexp(1.0, params.shift);
    for (int32_t i = 0; i < Features(node); ++i) {
      const double offset = (beta ? beta[i] : 0) / double{ScaleOf(y)} + ZeroPointOf(y) + 0.5;
      gain[i] = RoundToInt(gamma[i] * GainUnit(node));
      offsets[i] = RoundToInt(offset * unit);
    }
    return O2M_OK;
  }

  static o2m_layer_norm_s32_params WideKernelParams(const o2m_node *node) {
    const auto &params = ParamsOf<LayerNormParams>(node);
    return WideNormParams(node, params.wide, params.rms, ConstantData<const int32_t>(node, kGain),
                          ConstantData<const int32_t>(node, kOffset));
  }

  static void Run(const o2m_node *node, const o2m_call *call) {
    if (IsWideNorm(node)) return RunWideNorm(node, call, WideKernelParams(node));
    RunRows(node, call, KernelParams(node), O2M_SYM(o2m_layer_norm_s8), O2M_SYM(o2m_layer_norm_s16));
  }

  static o2m_status Emit(const o2m_host *host, const o2m_target *target, const o2m_node *node, const o2m_emitter *e) {
    if (IsWideNorm(node)) return EmitWide(host, node, e);
    return EmitRows(host, target, node, e, o2m_sources, O2M_SOURCE_COUNT, "o2m_layer_norm", ParamsText(node, e));
  }

  static o2m_status EmitWide(const o2m_host *host, const o2m_node *node, const o2m_emitter *e) {
    const std::string params = WideNormText(WideKernelParams(node), ConstantName(e, kGain), ConstantName(e, kOffset));
    const Rows rows = RowsOf(node);
    LineInLoops(
        e, rows,
        Call("O2M_SYM(o2m_layer_norm_s32)", {RowOperand(e, 0, rows, 0), RowOperand(e, node->input_count, rows, 1),
                                             RowCountText(e, rows), Object(e, "o2m_layer_norm_s32_params", params)}));
    return EmitSources(host, e, o2m_sources, O2M_SOURCE_COUNT,
                       {"o2m_fixedpoint.h", "o2m_layer_norm_s32.h", "o2m_layer_norm_s32.c"});
  }

  static std::string ParamsText(const o2m_node *node, const o2m_emitter *e) {
    const o2m_layer_norm_params p = KernelParams(node);
    return Initializer()
        .Field("features", p.features)
        .Field("x_row", p.x_row)
        .Field("x_column", p.x_column)
        .Field("y_row", p.y_row)
        .Field("y_column", p.y_column)
        .Field("x_zero", p.x_zero)
        .Field("y_bytes", p.y_bytes)
        .Field("rms", p.rms)
        .Field("fraction", p.fraction)
        .Field("t_bits", p.t_bits)
        .Field("shift", p.shift)
        .Field("epsilon", p.epsilon)
        .Field("gain", ConstantName(e, kGain))
        .Field("offset", ConstantName(e, kOffset))
        .text();
  }

  static void Cost(const o2m_target *, const o2m_node *node, int32_t rows, o2m_cost *cost) {
    const Rows r = RowsOf(node);
    const int64_t count = rows * (ElementCount(*node->outputs[0]) / Features(node) / r.steps);
    cost->kernel = node->inputs[0]->dtype == O2M_S8 ? "layer_norm_s8" : "layer_norm_s16";
    cost->outputs = cost->elements = count * Features(node);
    cost->flash_bytes_read = cost->outputs * 8;
    cost->instructions = -1;
    if (IsWideNorm(node)) cost->kernel = "layer_norm_s32", cost->instructions = 160 * cost->outputs;
  }

  static void Terms(const o2m_target *, const o2m_node *node, int32_t rows, TermList &list) {
    if (IsWideNorm(node)) return;  // until they are counted
    const o2m_tensor &x = *node->inputs[0], &y = *node->outputs[0];
    const bool dense = Stride(x, 1) == 1 && Stride(y, 1) == 1 && y.dtype == O2M_S8;
    RowTerms(node, x.dtype == O2M_S8 ? "layer_norm_s8" : "layer_norm_s16", rows, dense, list);
  }

  static void QuantRule(const o2m_node *, o2m_quant_rule *rule) { rule->s16_inputs = rule->s16_outputs = 1; }
  static void WideRule(const o2m_node *, o2m_wide_rule *rule) { rule->s32_inputs = rule->s32_outputs = 1; }

  static void RandomCase(CaseList &list, Random &random) { RandomLayerNormCase<Params>(list, random); }
  static void WorstCases(CaseList &list) { WorstLayerNormCases<Params>(list); }
  static void Cases(CaseList &list);
  static void CostCases(CaseList &list);
};

void AddCase(CaseList &list, const std::string &name, const CaseOperand &x, CaseOperand y, bool rms = false,
             float epsilon = 1e-5f) {
  const int32_t c = x.dims.back();
  std::vector<float> gamma = RandomFloats(c, 3, 0.5f);
  for (float &g : gamma) g += 1;
  std::vector<CaseOperand> inputs = {x, {O2M_F32, {c}, 0, 0, gamma}};
  if (!rms) inputs.push_back({O2M_F32, {c}, 0, 0, RandomFloats(c, 4, 0.5f)});
  y.dims = x.dims;
  list.Add(name, inputs, {y}, LayerNormParams{epsilon, rms, 0, 0, 0, {}});
}

void LayerNorm::Cases(CaseList &list) {
  const auto s8 = [](std::vector<int32_t> dims, int32_t zero = 5, std::vector<int64_t> strides = {}) {
    return CaseOperand{O2M_S8, std::move(dims), 0.03f, zero, {}, std::move(strides)};
  };
  const auto s16 = [](std::vector<int32_t> dims) { return CaseOperand{O2M_S16, std::move(dims), 0.0004f, 0}; };
  AddCase(list, "tokens", s8({1, 9, 64}), s8({}));
  AddCase(list, "one_row", s8({1, 192}), s8({}));
  AddCase(list, "odd_size", s8({7, 13}), s8({}));
  AddCase(list, "two_features", s8({5, 2}), s8({}));
  AddCase(list, "one_feature", s8({5, 1}), s8({}));
  AddCase(list, "features_256", s8({3, 256}), s8({}));
  AddCase(list, "features_4096", s8({3, 4096}), s8({}));
  AddCase(list, "s16_4096", s16({3, 4096}), s8({}));
  AddCase(list, "s16_to_s8", s16({1, 6, 48}), s8({}));
  AddCase(list, "s16_to_s16", s16({1, 6, 48}), s16({}));
  AddCase(list, "s8_to_s16", s8({1, 6, 48}), s16({}));
  AddCase(list, "large_epsilon", s8({6, 32}), s8({}), false, 0.5f);
  AddCase(list, "no_epsilon", s8({6, 32}), s8({}), false, 0.0f);
  AddCase(list, "zero_points_low", s8({6, 24}, -128), s8({}, -128));
  AddCase(list, "zero_points_high", s8({6, 24}, 127), s8({}, 127));
  AddCase(list, "rms", s8({1, 6, 32}, -20), s8({}), true);
  AddCase(list, "rms_zero_point_low", s8({6, 256}, -128), s8({}), true);
  AddCase(list, "rms_s16", s16({6, 31}), s8({}), true);
  const auto s32 = [](std::vector<int32_t> dims) { return CaseOperand{O2M_S32, std::move(dims), 0x1p-28f, 0}; };
  AddCase(list, "s32_to_s8", s32({1, 6, 48}), s8({}));
  AddCase(list, "s32_to_s16", s32({1, 6, 48}), s16({}));
  AddCase(list, "s32_4096", s32({3, 4096}), s8({}));
  AddCase(list, "s32_large_epsilon", s32({6, 32}), s8({}), false, 0.5f);
  AddCase(list, "s32_no_epsilon", s32({6, 32}), s8({}), false, 0.0f);
  AddCase(list, "s32_one_feature", s32({5, 1}), s8({}));
  AddCase(list, "s32_rms", s32({6, 31}), s8({}), true);
  AddCase(list, "bench_32x192", s8({32, 192}), s8({}));
  AddCase(list, "bench_32x192_s16", s16({32, 192}), s8({}));
  AddCase(list, "bench_32x64", s8({32, 64}), s8({}));
  AddCase(list, "wide_rows", s8({1, 6, 20}, 5, {0, 64, 1}), s8({}, 5, {0, 40, 1}));
  AddCase(list, "transposed_input", s8({1, 6, 20}, 5, {0, 1, 6}), s8({}));
  AddCase(list, "transposed_output", s8({1, 6, 20}), s8({}, 5, {0, 1, 6}));
  AddCase(list, "two_leading_dims", s8({2, 3, 16}), s8({}));
  AddCase(list, "windows", s8({2, 3, 16}, 5, {80, 17, 1}), s8({}));
}

void LayerNorm::CostCases(CaseList &list) {
  const auto s8 = [](std::vector<int32_t> dims) { return CaseOperand{O2M_S8, std::move(dims), 0.03f, 5}; };
  const auto s16 = [](std::vector<int32_t> dims) { return CaseOperand{O2M_S16, std::move(dims), 0.0004f, 0}; };
  for (const int32_t features : {16, 33, 64, 130, 192, 255}) {
    AddCase(list, Str("s8_", features), s8({1, 17, features}), s8({}));
    AddCase(list, Str("s16_", features), s16({1, 17, features}), s8({}));
  }
  for (const int32_t features : {33, 128}) {
    AddCase(list, Str("s16_to_s16_", features), s16({1, 17, features}), s16({}));
    AddCase(list, Str("s8_to_s16_", features), s8({1, 17, features}), s16({}));
    CaseOperand windows = s8({1, 6, 4, features}), windows16 = s16({1, 6, 4, features});
    windows.strides = windows16.strides = {0, 9 * features, features, 1};
    AddCase(list, Str("windows_s8_", features), windows, s8({}));
    AddCase(list, Str("windows_s16_", features), windows16, s8({}));
  }
}

}  // namespace

O2M_PLUGIN("layer_norm", "0.1.0", LayerNorm)
