// softmax.cc - o2m.softmax: Softmax over the last axis, on its own (inside attention it is part of o2m.attention).
#include "o2m_softmax.h"
#include "o2m_sources.h"
#include "row_op.hpp"
#include "softmax_random.hpp"
#include "softmax_s32.hpp"
#include "softmax_worst.hpp"

namespace {

using namespace o2m;

struct SoftmaxParams {
  float factor;                                 // of the result; 0: none
  int32_t multiplier, shift;                    // factor / scale_y; set by infer()
  int32_t exponent_multiplier, exponent_shift;  // of an s32 input
};

enum Slot { kLow, kHigh };
constexpr float kScale = 1.0f / 256;
constexpr int32_t kZeroPoint = -128;
constexpr int32_t kMostFeatures = kMostSoftmaxFeatures;

int32_t Features(const o2m_node *node) { return Dim(*node->inputs[0], 1); }

// exp(-d * scale_x) with `bits` fraction bits.
int32_t Exponential(const o2m_node *node, int32_t d, int32_t bits) {
  return RoundToInt(std::exp(-double{ScaleOf(*node->inputs[0])} * d) * std::ldexp(1.0, bits));
}

double FactorOf(const o2m_node *node) {
  const float factor = ParamsOf<SoftmaxParams>(node).factor;
  return factor > 0 ? factor : 1;
}

o2m_softmax_params KernelParams(const o2m_node *node) {
  const o2m_tensor &x = *node->inputs[0], &y = *node->outputs[0];
  o2m_softmax_params p = {};
  p.features = Features(node);
  SetRowStrides(node, p);
  p.y_zero = ZeroPointOf(y);
  p.multiplier = ParamsOf<SoftmaxParams>(node).multiplier;
  p.shift = ParamsOf<SoftmaxParams>(node).shift;
  // The largest v with y_zero + floor(2^23 v / 2^36 + 1/2) <= y's end, where a row's sum lies no more than an LSB above
  // that end.
  const int32_t reach = HighOf(y.dtype) - ZeroPointOf(y);
  p.saturates = FactorOf(node) / double{ScaleOf(y)} > reach + 1;
  p.most = p.saturates ? INT32_MAX : 8192 * reach + 4095;
  p.low = ConstantData<const int32_t>(node, kLow);
  p.high = x.dtype == O2M_S16 ? ConstantData<const int32_t>(node, kHigh) : nullptr;
  return p;
}

struct Softmax {
  static constexpr char kId[] = "o2m.softmax";
  using Params = SoftmaxParams;

  static o2m_status Match(const o2m_host *, const o2m_graph *graph, int32_t root, o2m_match *match) {
    const GraphView g(graph);
    const int32_t softmax = g.Is(root, "Mul") ? g.ProducerOf(root, 0, "Softmax") : root;
    if (!g.Is(softmax, "Softmax")) return O2M_NO_MATCH;
    const o2m_tensor &x = g.Tensor(g.Input(softmax, 0));
    const int64_t axis = g.Int(softmax, "axis", -1);
    if (x.rank < 2 || x.is_constant || (axis != -1 && axis != x.rank - 1)) return O2M_NO_MATCH;
    if (softmax == root) return Matched(match, {root}, {g.Input(root, 0)});
    float &factor = static_cast<SoftmaxParams *>(match->params)->factor;
    if (!g.IsScalar(g.Input(root, 1), &factor) || !(factor > 0.5f && factor <= 1)) return O2M_NO_MATCH;
    return Matched(match, {softmax, root}, {g.Input(softmax, 0)});
  }

  static o2m_status Infer(const o2m_host *host, const o2m_target *, o2m_node *node) {
    if (o2m_status s = CheckRowInput(host, node, true)) return s;
    if (o2m_status s = CheckFeatures(host, node, kMostFeatures)) return s;
    if (o2m_status s = SettleRowOutput(host, node, PerTensor(&kScale, &kZeroPoint))) return s;
    auto &params = ParamsOf<SoftmaxParams>(node);
    const double scale = ScaleOf(*node->outputs[0]);
    int exponent = 0;
    const double fraction = std::frexp(FactorOf(node) / scale, &exponent);
    params.multiplier = RoundToInt(std::ldexp(fraction, 31), 1073741824.0);
    params.shift = 31 - exponent;
    if (params.shift < 14 || params.shift > 30) {
      return Reject(host, Str("output 0 has scale ", scale, "; one from 2^-16 to 1, such as 1/256, would work"));
    }
    const bool s16 = node->inputs[0]->dtype == O2M_S16;
    if (IsWideSoftmax(node)) {
      SetConstants(node, {{"powers", O2M_S32, 256, nullptr}, {"small powers", O2M_S32, 256, nullptr}});
      return ChooseExponent(host, node, &params.exponent_multiplier, &params.exponent_shift);
    }
    SetConstants(node, {{"low", O2M_S32, 256, nullptr}, {"high", O2M_S32, s16 ? 256 : 0, nullptr}});
    return O2M_OK;
  }

  static void Memory(const o2m_target *, const o2m_node *node, int32_t, o2m_memory *memory) {
    RowMemory(node, memory);
    memory->in_place_inputs = WritesUpward(node) ? 1 : 0;
  }

  static o2m_status Pack(const o2m_host *, const o2m_target *, o2m_node *node) {
    const bool s16 = node->inputs[0]->dtype == O2M_S16;
    if (IsWideSoftmax(node))
      return PackPowers(ConstantData<int32_t>(node, kLow), ConstantData<int32_t>(node, kHigh)), O2M_OK;
    for (int32_t d = 0; d < 256; ++d) {
      ConstantData<int32_t>(node, kLow)[s16 ? d : 255 - d] = Exponential(node, d, s16 ? 30 : 23);
      if (s16) ConstantData<int32_t>(node, kHigh)[d] = Exponential(node, 256 * d, 25);
    }
    return O2M_OK;
  }

  static o2m_softmax_s32_params WideParams(const o2m_node *node) {
    const auto &params = ParamsOf<SoftmaxParams>(node);
    o2m_softmax_s32_params p = {};
    p.features = Features(node);
    SetRowStrides(node, p);
    p.y_zero = ZeroPointOf(*node->outputs[0]);
    p.multiplier = params.exponent_multiplier, p.shift = params.exponent_shift;
    p.y_multiplier = params.multiplier, p.y_shift = params.shift + 30;
    p.high = ConstantData<const int32_t>(node, kLow), p.low = ConstantData<const int32_t>(node, kHigh);
    return p;
  }

  static void Run(const o2m_node *node, const o2m_call *call) {
    if (IsWideSoftmax(node)) return RunWideSoftmax(node, call, WideParams(node));
    RunRows(node, call, KernelParams(node), O2M_SYM(o2m_softmax_s8), O2M_SYM(o2m_softmax_s16));
  }

  static o2m_status Emit(const o2m_host *host, const o2m_target *target, const o2m_node *node, const o2m_emitter *e) {
    if (IsWideSoftmax(node)) return EmitWide(host, node, e);
    return EmitRows(host, target, node, e, o2m_sources, O2M_SOURCE_COUNT, "o2m_softmax", ParamsText(node, e));
  }

  static o2m_status EmitWide(const o2m_host *host, const o2m_node *node, const o2m_emitter *e) {
    const std::string params = WideSoftmaxText(WideParams(node), ConstantName(e, kLow), ConstantName(e, kHigh));
    const Rows rows = RowsOf(node);
    LineInLoops(e, rows,
                Call("O2M_SYM(o2m_softmax_s32)", {RowOperand(e, 0, rows, 0), RowOperand(e, 1, rows, 1),
                                                  RowCountText(e, rows), Object(e, "o2m_softmax_s32_params", params)}));
    return EmitSources(host, e, o2m_sources, O2M_SOURCE_COUNT,
                       {"o2m_fixedpoint.h", "o2m_softmax_s32.h", "o2m_softmax_s32.c"});
  }

  static std::string ParamsText(const o2m_node *node, const o2m_emitter *e) {
    const o2m_softmax_params p = KernelParams(node);
    return Initializer()
        .Field("features", p.features)
        .Field("x_row", p.x_row)
        .Field("x_column", p.x_column)
        .Field("y_row", p.y_row)
        .Field("y_column", p.y_column)
        .Field("y_bytes", p.y_bytes)
        .Field("y_zero", p.y_zero)
        .Field("multiplier", p.multiplier)
        .Field("shift", p.shift)
        .Field("most", p.most)
        .Field("saturates", p.saturates)
        .Field("low", ConstantName(e, kLow))
        .Field("high", p.high ? ConstantName(e, kHigh) : "0")
        .text();
  }

  static void Cost(const o2m_target *, const o2m_node *node, int32_t rows, o2m_cost *cost) {
    const Rows r = RowsOf(node);
    const int64_t count = rows * (ElementCount(*node->outputs[0]) / Features(node) / r.steps);
    cost->kernel = node->inputs[0]->dtype == O2M_S8 ? "softmax_s8" : "softmax_s16";
    cost->outputs = cost->elements = count * Features(node);
    cost->instructions = -1;
    if (IsWideSoftmax(node)) cost->kernel = "softmax_s32", cost->instructions = 150 * cost->outputs;
  }

  static void Terms(const o2m_target *, const o2m_node *node, int32_t rows, TermList &list) {
    if (IsWideSoftmax(node)) return;  // until they are counted
    const o2m_tensor &x = *node->inputs[0], &y = *node->outputs[0];
    const bool dense = Stride(x, 1) == 1 && Stride(y, 1) == 1 && y.dtype == O2M_S8 && x.dtype == O2M_S8;
    RowTerms(node, x.dtype == O2M_S8 ? "softmax_s8" : "softmax_s16", rows, dense, list);
  }

  static void QuantRule(const o2m_node *, o2m_quant_rule *rule) {
    rule->s16_inputs = rule->s16_outputs = 1;
    rule->fixed_scale = kScale;
    rule->fixed_zero_point = kZeroPoint;
    rule->fixed_dtype = O2M_S8;
  }
  static void WideRule(const o2m_node *, o2m_wide_rule *rule) { rule->s32_inputs = 1; }

  static void RandomCase(CaseList &list, Random &random) { RandomSoftmaxCase<Params>(list, random); }
  static void WorstCases(CaseList &list) { WorstSoftmaxCases<Params>(list); }

  static void CostCases(CaseList &list) {
    const auto add = [&list](const std::string &name, o2m_dtype x, o2m_dtype y, int32_t features) {
      const CaseOperand to = y == O2M_S8 ? CaseOperand{y, {1, 17, features}, kScale, kZeroPoint}
                                         : CaseOperand{y, {1, 17, features}, 1.0f / 32768, 0};
      list.Add(Str(name, features), {{x, {1, 17, features}, x == O2M_S8 ? 0.05f : 0.0005f, 0}}, {to}, SoftmaxParams{});
    };
    for (const o2m_dtype type : {O2M_S8, O2M_S16}) {
      const CaseOperand to = {O2M_S8, {1, 6, 4, 20}, kScale, kZeroPoint};
      list.Add(type == O2M_S8 ? "windows_s8" : "windows_s16",
               {{type, {1, 6, 4, 20}, type == O2M_S8 ? 0.05f : 0.0005f, 0, {}, {0, 180, 20, 1}}}, {to},
               SoftmaxParams{});
    }
    for (const int32_t features : {10, 17, 50, 64, 197}) {
      add("s8_", O2M_S8, O2M_S8, features);
      add("s16_", O2M_S16, O2M_S8, features);
      add("s8_to_s16_", O2M_S8, O2M_S16, features);
    }
  }

  static void Cases(CaseList &list) {
    const auto add = [&list](const std::string &name, const CaseOperand &x, CaseOperand y) {
      y.dims = x.dims;
      list.Add(name, {x}, {y}, SoftmaxParams{});
    };
    const auto s8 = [](std::vector<int32_t> dims, std::vector<int64_t> strides = {}, int32_t zero = 3) {
      return CaseOperand{O2M_S8, std::move(dims), 0.05f, zero, {}, std::move(strides)};
    };
    const auto s16 = [](std::vector<int32_t> dims) { return CaseOperand{O2M_S16, std::move(dims), 0.0005f, 0}; };
    const auto y8 = [](std::vector<int64_t> strides = {}) {
      return CaseOperand{O2M_S8, {}, kScale, kZeroPoint, {}, std::move(strides)};
    };
    const CaseOperand y16 = {O2M_S16, {}, 1.0f / 32768, 0};
    add("rows", s8({1, 9, 10}), y8());
    add("one_row", s8({1, 10}), y8());
    add("one_feature", s8({5, 1}), y8());
    add("long_rows", s8({3, 197}), y8());
    add("rows_4096", s8({2, 4096}), y8());
    add("heads", s8({1, 3, 5, 7}), y8());
    add("s16", s16({6, 50}), y8());
    add("s16_to_s16", s16({6, 50}), y16);
    add("s8_to_s16", s8({6, 50}), y16);
    add("s32", {O2M_S32, {6, 50}, 0x1p-28f, 0}, y8());
    add("s32_to_s16", {O2M_S32, {6, 50}, 0x1p-27f, 0}, y16);
    add("s32_4096", {O2M_S32, {2, 4096}, 0x1p-29f, 0}, y8());
    add("s32_one_feature", {O2M_S32, {5, 1}, 0x1p-28f, 0}, y8());
    add("other_scale", s8({6, 12}), {O2M_S8, {}, 1.0f / 127, 0});
    add("flat", {O2M_S8, {4, 33}, 0.0001f, 0}, y8());
    add("sharp", {O2M_S8, {4, 33}, 3.0f, 0}, y8());
    add("zero_points_low", s8({4, 16}, {}, -128), y8());
    add("zero_points_high", s8({4, 16}, {}, 127), {O2M_S8, {}, kScale, 127});
    add("bench_32x197", s8({32, 197}), y8());
    add("bench_32x50", s8({32, 50}), y8());
    add("wide_rows", s8({1, 6, 20}, {0, 64, 1}), y8({0, 40, 1}));
    add("transposed_input", s8({1, 6, 20}, {0, 1, 6}), y8());
    add("transposed_output", s8({1, 6, 20}), y8({0, 1, 6}));
    add("windows", s8({2, 3, 16}, {80, 17, 1}), y8());
  }
};

}  // namespace

O2M_PLUGIN("softmax", "0.1.0", Softmax)
