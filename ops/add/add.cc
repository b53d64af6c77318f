// add.cc - "o2m.add": the sum or difference of two tensors, s8, s16 or s32 in any mix. README.md says more.
#include "add_wide.hpp"
#include "o2m_add.h"
#include "o2m_sources.h"
#include "weight_grid.hpp"

namespace {
using namespace o2m;

struct AddParams {
  int32_t a_sign, b_sign;  // 1 or -1
  int32_t a_multiplier, b_multiplier, shift;
  int32_t bias;
  o2m_dtype constant_dtype;  // of operand 1, where that is a constant
  OwnQuant constant, y;
  WideFactors wide;  // where one of the three is s32
};

Binary OperandsOf(const o2m_node *node) {
  const auto &params = ParamsOf<AddParams>(node);
  return BinaryOf(node, params.constant_dtype, params.constant);
}

constexpr BinaryKernel<o2m_add_params> kKernels[] = {
    {"o2m_add_s8", Untyped<O2M_SYM(o2m_add_s8)>::Run},
    {"o2m_add_s8_s8_s16", Untyped<O2M_SYM(o2m_add_s8_s8_s16)>::Run},
    {"o2m_add_s8_s16_s8", Untyped<O2M_SYM(o2m_add_s8_s16_s8)>::Run},
    {"o2m_add_s8_s16_s16", Untyped<O2M_SYM(o2m_add_s8_s16_s16)>::Run},
    {"o2m_add_s16_s8_s8", Untyped<O2M_SYM(o2m_add_s16_s8_s8)>::Run},
    {"o2m_add_s16_s8_s16", Untyped<O2M_SYM(o2m_add_s16_s8_s16)>::Run},
    {"o2m_add_s16_s16_s8", Untyped<O2M_SYM(o2m_add_s16_s16_s8)>::Run},
    {"o2m_add_s16", Untyped<O2M_SYM(o2m_add_s16)>::Run},
};

// The largest |q - zero_point| of a tensor.
double Reach(const o2m_tensor &t) {
  return std::fmax(HighOf(t.dtype) - ZeroPointOf(t), ZeroPointOf(t) - LowOf(t.dtype));
}

// A constant has the wider type of the operand and the output, so that its size is known without its data and it is no
// coarser than what it is added to; and a scale of its own: that of a quantised model, where it comes from one.
void ChooseConstant(const o2m_node *node, AddParams &params) {
  const o2m_tensor &b = *node->inputs[1];
  if (!b.is_constant) return;
  if (node->inputs[0]->dtype == O2M_S32 || node->outputs[0]->dtype == O2M_S32) {
    params.constant_dtype = O2M_S32, params.constant = WidestQuant(b, ScaleOf(*node->outputs[0]));
    return;
  }
  params.constant_dtype = node->inputs[0]->dtype == O2M_S16 ? O2M_S16 : node->outputs[0]->dtype;
  const bool s16 = params.constant_dtype == O2M_S16, s8 = !s16 && Floats(b);
  OwnQuant &own = params.constant;
  if (s8 && AsymmetricGrid(Floats(b), ElementCount(b), &own.scale, &own.zero_point)) return;
  const double fallback = ScaleOf(*node->outputs[0]);
  own = s16 ? WideQuant(b, fallback) : OwnQuant{SymmetricScale(b, O2M_S8, fallback), 0};
}

// With a coarser shift the rounding of a multiplier could move the sum by more than half a step of y: that of an s8
// operand has no fraction, that of an s16 one has 16 bits of it. s8 all: what kernels may count on.
int32_t LeastShift(int kernel) { return kernel == 0 ? 10 : kernel < 6 ? 8 : 4; }

// The finest shift with which the sum fits 30 bits.
o2m_status ChooseFactors(const o2m_host *host, const o2m_node *node, AddParams &params) {
  if (IsWide(OperandsOf(node)))
    return ChooseWideFactors(host, OperandsOf(node), params.a_sign, params.b_sign, params.wide);
  const o2m_tensor &a = *node->inputs[0], b = OperandsOf(node).b, &y = *node->outputs[0];
  const double y_scale = ScaleOf(y);
  const double ra = params.a_sign * (ScaleOf(a) / y_scale), rb = params.b_sign * (ScaleOf(b) / y_scale);
  const double reach = std::fabs(ra) * Reach(a) + std::fabs(rb) * Reach(b) + std::abs(ZeroPointOf(y)) + 1;
  params.shift = 30;
  while (params.shift > 0 && std::ldexp(reach, params.shift) > 1073741824.0) --params.shift;
  if (params.shift < LeastShift(KernelIndex(OperandsOf(node))))
    return Reject(host, Str("the output's scale, ", y_scale, ", is too small beside the inputs' ", ScaleOf(a), " and ",
                            ScaleOf(b), "; other calibration inputs would work"));
  const int a_bits = a.dtype == O2M_S16 ? 16 : 0, b_bits = b.dtype == O2M_S16 ? 16 : 0;
  params.a_multiplier = RoundToInt(std::ldexp(ra, params.shift + a_bits));
  params.b_multiplier = RoundToInt(std::ldexp(rb, params.shift + b_bits));
  params.bias = RoundToInt(std::ldexp(ZeroPointOf(y) + 0.5, params.shift) -
                           std::ldexp(ZeroPointOf(a) * static_cast<double>(params.a_multiplier), -a_bits) -
                           std::ldexp(ZeroPointOf(b) * static_cast<double>(params.b_multiplier), -b_bits));
  return O2M_OK;
}

o2m_add_params KernelParams(const o2m_node *node) {
  const auto &params = ParamsOf<AddParams>(node);
  o2m_add_params p = {};
  SetBinarySteps(LoopsOf(OperandsOf(node)), p);
  p.a_multiplier = params.a_multiplier;
  p.b_multiplier = params.b_multiplier;
  p.shift = params.shift;
  p.bias = params.bias;
  return p;
}

std::string ParamsText(const o2m_add_params &p) {
  return BinarySteps(p)
      .Field("a_multiplier", p.a_multiplier)
      .Field("b_multiplier", p.b_multiplier)
      .Field("shift", p.shift)
      .Field("bias", p.bias)
      .text();
}

struct Add {
  static constexpr char kId[] = "o2m.add";
  using Params = AddParams;

  // Add or Sub of two tensors, one of which may be a constant of more than one value (a scalar is o2m.unary's).
  static o2m_status Match(const o2m_host *, const o2m_graph *graph, int32_t root, o2m_match *match) {
    const GraphView g(graph);
    const bool sub = g.Is(root, "Sub");
    if (!sub && !g.Is(root, "Add")) return O2M_NO_MATCH;
    int32_t a = g.Input(root, 0), b = g.Input(root, 1);
    auto &params = *static_cast<Params *>(match->params);
    params.a_sign = 1;
    params.b_sign = sub ? -1 : 1;
    if (g.IsConstant(a)) {
      std::swap(a, b);
      std::swap(params.a_sign, params.b_sign);
    }
    if (!AreBinaryOperands(g, a, b)) return O2M_NO_MATCH;
    return Matched(match, {root}, {a, b});
  }

  static o2m_status Infer(const o2m_host *host, const o2m_target *, o2m_node *node) {
    if (o2m_status s = InferBinaryShape(host, "add", node, kMaskWide)) return s;
    const o2m_tensor &a = *node->inputs[0], &b = *node->inputs[1];
    o2m_tensor &y = *node->outputs[0];
    auto &params = ParamsOf<Params>(node);
    SettleOutput(y, a.dtype, params.y, 2 * ScaleOf(a), ZeroPointOf(a));
    if (o2m_status s = CheckQuantised(host, y, "the output", kMaskWide)) return s;
    ChooseConstant(node, params);
    if (o2m_status s = ChooseFactors(host, node, params)) return s;
    SetConstants(node, {{"addend", params.constant_dtype, b.is_constant ? ElementCount(b) : 0, nullptr}});
    return O2M_OK;
  }

  static void Memory(const o2m_target *, const o2m_node *node, int32_t, o2m_memory *memory) {
    ElementwiseMemory(node, LoopsOf(OperandsOf(node)), memory);
  }

  static o2m_status Pack(const o2m_host *, const o2m_target *, o2m_node *node) {
    PackBinaryConstant(node, OperandsOf(node));
    return O2M_OK;
  }

  static void Run(const o2m_node *node, const o2m_call *call) {
    const Binary operands = OperandsOf(node);
    static constexpr BinaryKernel<o2m_add_wide_params> kWide = {"o2m_add_wide", O2M_SYM(o2m_add_wide)};
    if (IsWide(operands))
      return RunBinary(node, call, operands, kWide, WideParams(operands, ParamsOf<Params>(node).wide));
    RunBinary(node, call, operands, kKernels[KernelIndex(operands)], KernelParams(node));
  }

  static o2m_status Emit(const o2m_host *host, const o2m_target *target, const o2m_node *node, const o2m_emitter *e) {
    const Binary operands = OperandsOf(node);
    if (IsWide(operands)) {
      EmitBinaryCall(e, operands, "o2m_add_wide", "o2m_add_wide_params",
                     WideParamsText(WideParams(operands, ParamsOf<Params>(node).wide)));
      return EmitSources(host, e, o2m_sources, O2M_SOURCE_COUNT,
                         {"o2m_fixedpoint.h", "o2m_wide.h", "o2m_add_wide.h", "o2m_add_wide.c"});
    }
    const int kernel = KernelIndex(operands);
    const std::string file = kernel == 0 ? "o2m_add_s8" : "o2m_add_s16";
    const std::string suffix = IsaSuffix(o2m_sources, O2M_SOURCE_COUNT, file, target);
    const std::string header = "o2m_add" + suffix + ".h";
    const std::string source = (suffix.empty() ? kKernels[kernel].name : file + suffix) + ".c";
    EmitBinaryCall(e, operands, (kKernels[kernel].name + suffix).c_str(), "o2m_add_params",
                   ParamsText(KernelParams(node)));
    return EmitSources(host, e, o2m_sources, O2M_SOURCE_COUNT,
                       {"o2m_fixedpoint.h", "o2m_add.h", "o2m_add_loops.h", header.c_str(), source.c_str()});
  }

  static void Cost(const o2m_target *, const o2m_node *node, int32_t rows, o2m_cost *cost) {
    const Binary operands = OperandsOf(node);
    *cost = BinaryCost(operands, rows, KernelIndex(operands) == 0 ? "add_s8" : "add_s16");
    if (IsWide(operands)) cost->kernel = "add_wide", cost->instructions = 70 * cost->outputs;
  }

  static void Terms(const o2m_target *, const o2m_node *node, int32_t rows, TermList &list) {
    const Binary operands = OperandsOf(node);
    if (IsWide(operands)) return;  // until they are counted
    ElementTerms(LoopsOf(operands), 3, kKernels[KernelIndex(operands)].name, rows, list);
  }

  static void QuantRule(const o2m_node *, o2m_quant_rule *rule) {
    rule->s16_inputs = 3;
    rule->s16_outputs = 1;
  }
  static void WideRule(const o2m_node *, o2m_wide_rule *rule) {
    rule->s32_inputs = 3;
    rule->s32_outputs = 1;
  }

  static void RandomCase(CaseList &list, Random &random) {
    Params params = {};
    params.a_sign = random.OneIn(4) ? -1 : 1;
    params.b_sign = params.a_sign > 0 && random.OneIn(4) ? -1 : 1;
    RandomBinaryCase(list, random, params, [](double a, double b) { return 2 * (a + b); });
  }
  static void WorstCases(CaseList &list);
  static void Cases(CaseList &list);
  static void CostCases(CaseList &list);  // all that have terms
};

// Operands at their ends that add up to the range of y; and, in steps of y as large as infer() admits, cancel out, with
// the multiplier of an s8 operand half a unit off.
void Add::WorstCases(CaseList &list) {
  using Scales = std::array<double, 3>;
  Params sum = {}, difference = {};
  sum.a_sign = sum.b_sign = difference.a_sign = 1;
  difference.b_sign = -1;
  const auto fits = [](double a, double b, double y) { return Scales{1 / a, 1 / b, 2 / y}; };
  const auto finest = [](double a, double b, double y) {
    const int32_t shift = LeastShift((a > 255 ? 4 : 0) + (b > 255 ? 2 : 0) + (y > 255));
    const double reach = std::ldexp(0.99999, 29 - shift) - 1;
    const auto scale = [&](double levels) {
      return (std::floor(std::ldexp(reach / levels, shift)) - 0.501) / std::ldexp(1.0, shift);
    };
    const double a_scale = a > 255 && b < 256 ? scale(b) * b / a : scale(a);
    return Scales{a_scale, a_scale * a / b, 1};
  };
  const auto coarsest = [](double a, double b, double) { return Scales{1 / a, 1 / b, 1e6}; };
  AddWorstBinaries(list, "sum", sum, false, fits);
  AddWorstBinaries(list, "difference", difference, false, fits);
  AddWorstBinaries(list, "finest", sum, true, finest);
  AddWorstBinaries(list, "finest_difference", difference, false, finest);
  AddWorstBinaries(list, "coarsest", sum, true, coarsest);
}

// The residual stream and what joins it.
void TokenCases(CaseList &list, const AddParams &add) {
  const CaseOperand s8 = {O2M_S8, {1, 50, 64}, 0.05f, 3}, s16 = {O2M_S16, {1, 50, 64}, 0.0003f, 0};
  list.Add("s8 tokens", {s8, {O2M_S8, {1, 50, 64}, 0.031f, -20}}, {{O2M_S8, {1, 50, 64}, 0.06f, 5}}, add);
  list.Add("s16 residual, s8 branch", {s16, s8}, {{O2M_S16, {1, 50, 64}, 0.00035f, 7}}, add);
  list.Add("s8 first", {s8, s16}, {{O2M_S16, {1, 50, 64}, 0.00035f, 0}}, add);
  list.Add("s16 ends in s8", {s16, s8}, {{O2M_S8, {1, 50, 64}, 0.09f, -1}}, add);
  list.Add("s8 + s16 to s8", {s8, s16}, {{O2M_S8, {1, 50, 64}, 0.09f, -1}}, add);
  list.Add("s8 widens", {s8, s8}, {{O2M_S16, {1, 50, 64}, 0.0004f, 100}}, add);
  list.Add("s16 all", {s16, {O2M_S16, {1, 50, 64}, 0.0002f, -300}}, {{O2M_S16, {1, 50, 64}, 0.0005f, 0}}, add);
  list.Add("s16 narrows", {s16, s16}, {{O2M_S8, {1, 50, 64}, 0.15f, 0}}, add);
  list.Add("s16 with gaps", {{O2M_S16, {6, 10}, 0.0003f, 0, {}, {16, 1}}, {O2M_S8, {6, 10}, 0.05f, 3, {}, {10, 1}}},
           {{O2M_S16, {6, 10}, 0.00035f, 7, {}, {12, 1}}}, add);
  list.Add("position embedding", {s16, CaseConstant({1, 50, 64}, 1)}, {{O2M_S16, {1, 50, 64}, 0.0004f, 0}}, add);
  list.Add("bench_50x64", {s8, {O2M_S8, {1, 50, 64}, 0.031f, -20}}, {{O2M_S8, {1, 50, 64}, 0.06f, 5}}, add);
  list.Add("bench_50x64_s16", {s16, s8}, {{O2M_S16, {1, 50, 64}, 0.00035f, 7}}, add);
  list.Add("position embedding, s8", {s8, CaseConstant({50, 64}, 2)}, {{O2M_S8, {1, 50, 64}, 0.05f, 0}}, add);
}

// What a model adds up in float between its own roundings.
void WideCases(CaseList &list, const AddParams &add, const AddParams &sub) {
  const CaseOperand s8 = {O2M_S8, {1, 6, 20}, 0.05f, 3}, s16 = {O2M_S16, {1, 6, 20}, 0.0003f, 9};
  const CaseOperand s32 = {O2M_S32, {1, 6, 20}, 0x1p-27f, 0};
  list.Add("s32 residual, s8 branch", {s32, s8}, {s32}, add);
  list.Add("s32 residual, s16 branch", {s16, s32}, {s32}, sub);
  list.Add("s32 all", {s32, {O2M_S32, {1, 6, 20}, 0x1p-29f, 0}}, {{O2M_S32, {1, 6, 20}, 0x1p-26f, 0}}, add);
  list.Add("s8 to s32", {s8, s8}, {s32}, add);
  list.Add("s32 ends in s8", {s32, s8}, {{O2M_S8, {1, 6, 20}, 0.09f, -1}}, sub);
  list.Add("s32 ends in s16", {{O2M_S32, {1, 6, 20}, 1e-6f, 0}, s16}, {{O2M_S16, {1, 6, 20}, 0.0009f, -1}}, add);
  list.Add("position embedding, s32", {s32, CaseConstant({6, 20}, 7)}, {s32}, add);
  list.Add("s32 with gaps", {{O2M_S32, {6, 10}, 0x1p-27f, 0, {}, {16, 1}}, {O2M_S8, {6, 10}, 0.05f, 3, {}, {10, 1}}},
           {{O2M_S32, {6, 10}, 0x1p-27f, 0, {}, {12, 1}}}, add);
}

void ShapeCases(CaseList &list, const AddParams &add, const AddParams &sub, const AddParams &reverse) {
  const CaseOperand a = {O2M_S8, {1, 7, 9}, 0.05f, 3}, y = {O2M_S8, {1, 7, 9}, 0.06f, 5};
  list.Add("constant vector", {a, CaseConstant({9}, 3)}, {y}, add);
  list.Add("constant column", {a, CaseConstant({7, 1}, 4)}, {y}, add);
  list.Add("difference", {a, {O2M_S8, {1, 7, 9}, 0.04f, -30}}, {y}, sub);
  list.Add("constant minus tensor", {a, CaseConstant({9}, 5)}, {y}, reverse);
  list.Add("repeated token", {a, {O2M_S8, {1, 1, 9}, 0.04f, -30}}, {y}, add);
  list.Add("repeated column, lower rank", {a, {O2M_S8, {7, 1}, 0.04f, -30}}, {y}, add);
  list.Add("outer sum", {{O2M_S8, {7, 1}, 0.05f, 3}, {O2M_S8, {1, 9}, 0.04f, 0}}, {{O2M_S8, {7, 9}, 0.06f, 5}}, add);
  list.Add("one value", {{O2M_S8, {1, 1}, 0.05f, 3}, {O2M_S8, {1, 1}, 0.04f, 0}}, {{O2M_S8, {1, 1}, 0.06f, 5}}, add);
  list.Add("channels with a map", {{O2M_S8, {1, 5, 4, 3}, 0.05f, 3}, {O2M_S8, {1, 5, 1, 1}, 0.04f, 0}},
           {{O2M_S8, {1, 5, 4, 3}, 0.06f, 5}}, add);
  list.Add("channels last", {{O2M_S8, {1, 5, 4, 3}, 0.05f, 3, {}, {60, 1, 15, 5}}, {O2M_S8, {1, 5, 4, 3}, 0.04f, 0}},
           {{O2M_S8, {1, 5, 4, 3}, 0.06f, 5, {}, {60, 1, 15, 5}}}, add);
  list.Add("transposed operand", {a, {O2M_S8, {1, 7, 9}, 0.04f, -30, {}, {63, 1, 7}}}, {y}, add);
  list.Add("zero points -128 and 127", {{O2M_S8, {5, 3}, 0.05f, -128}, {O2M_S8, {5, 3}, 0.05f, 127}},
           {{O2M_S8, {5, 3}, 0.05f, -128}}, add);
  list.Add("scales 400 apart", {{O2M_S8, {5, 3}, 0.02f, -128}, {O2M_S8, {5, 3}, 8.0f, 127}},
           {{O2M_S8, {5, 3}, 0.5f, 0}}, add);
  list.Add("own output quant", {a, a}, {{O2M_ANY, {1, 7, 9}}}, add);
}

void Add::CostCases(CaseList &list) {
  Params add = {}, sub = {}, reverse = {};
  add.a_sign = add.b_sign = sub.a_sign = reverse.b_sign = 1;
  sub.b_sign = reverse.a_sign = -1;
  TokenCases(list, add);
  ShapeCases(list, add, sub, reverse);
}

void Add::Cases(CaseList &list) {
  CostCases(list);
  Params add = {}, sub = {};
  add.a_sign = add.b_sign = sub.a_sign = 1;
  sub.b_sign = -1;
  WideCases(list, add, sub);
}

}  // namespace

O2M_PLUGIN("add", "1.0", Add)
