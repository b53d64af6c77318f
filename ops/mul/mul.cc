// mul.cc - "o2m.mul": the product of two tensors, s8, s16 or s32 in any mix. README.md says more.
#include "mul_wide.hpp"
#include "o2m_mul.h"
#include "o2m_sources.h"

namespace {
using namespace o2m;

struct MulParams {
  int32_t multiplier, shift;
  OwnQuant constant, y;  // constant: of operand 1, where that is one
  WideProduct wide;      // where one of the three is s32
};

o2m_dtype ConstantType(const o2m_node *node) {
  return node->inputs[0]->dtype == O2M_S32 || node->outputs[0]->dtype == O2M_S32 ? O2M_S32 : O2M_S16;
}

Binary OperandsOf(const o2m_node *node) {
  const auto &params = ParamsOf<MulParams>(node);
  return BinaryOf(node, ConstantType(node), params.constant);
}

constexpr BinaryKernel<o2m_mul_params> kKernels[] = {
    {"o2m_mul_s8", Untyped<O2M_SYM(o2m_mul_s8)>::Run},
    {"o2m_mul_s8_s8_s16", Untyped<O2M_SYM(o2m_mul_s8_s8_s16)>::Run},
    {"o2m_mul_s8_s16_s8", Untyped<O2M_SYM(o2m_mul_s8_s16_s8)>::Run},
    {"o2m_mul_s8_s16_s16", Untyped<O2M_SYM(o2m_mul_s8_s16_s16)>::Run},
    {"o2m_mul_s16_s8_s8", Untyped<O2M_SYM(o2m_mul_s16_s8_s8)>::Run},
    {"o2m_mul_s16_s8_s16", Untyped<O2M_SYM(o2m_mul_s16_s8_s16)>::Run},
    {"o2m_mul_s16_s16_s8", Untyped<O2M_SYM(o2m_mul_s16_s16_s8)>::Run},
    {"o2m_mul_s16", Untyped<O2M_SYM(o2m_mul_s16)>::Run},
};

// The finest shift that keeps the multiplier below 2^30: the product of two 17-bit differences leaves that much room.
o2m_status ChooseFactor(const o2m_host *host, const o2m_node *node, MulParams &params) {
  if (IsWide(OperandsOf(node))) return ChooseWideProduct(host, OperandsOf(node), *node->inputs[1], params.wide);
  const o2m_tensor &a = *node->inputs[0], b = OperandsOf(node).b, &y = *node->outputs[0];
  const double factor = static_cast<double>(ScaleOf(a)) * ScaleOf(b) / ScaleOf(y);
  params.shift = 60;
  while (params.shift > 0 && std::ldexp(factor, params.shift) >= 1073741823.0) --params.shift;
  if (params.shift < 1)
    return Reject(host, Str("the output's scale, ", ScaleOf(y), ", is too small beside the inputs' ", ScaleOf(a),
                            " and ", ScaleOf(b), "; other calibration inputs would work"));
  params.multiplier = Multiplier(factor, params.shift);
  return O2M_OK;
}

o2m_mul_params KernelParams(const o2m_node *node) {
  const auto &params = ParamsOf<MulParams>(node);
  o2m_mul_params p = {};
  SetBinarySteps(LoopsOf(OperandsOf(node)), p);
  p.a_zero = ZeroPointOf(*node->inputs[0]);
  p.b_zero = ZeroPointOf(OperandsOf(node).b);
  p.y_zero = ZeroPointOf(*node->outputs[0]);
  p.multiplier = params.multiplier;
  p.shift = params.shift;
  return p;
}

std::string ParamsText(const o2m_mul_params &p) {
  return BinarySteps(p)
      .Field("a_zero", p.a_zero)
      .Field("b_zero", p.b_zero)
      .Field("y_zero", p.y_zero)
      .Field("multiplier", p.multiplier)
      .Field("shift", p.shift)
      .text();
}

struct Mul {
  static constexpr char kId[] = "o2m.mul";
  using Params = MulParams;

  // Mul of two tensors, one of which may be a constant of more than one value (a scalar is o2m.unary's).
  static o2m_status Match(const o2m_host *, const o2m_graph *graph, int32_t root, o2m_match *match) {
    const GraphView g(graph);
    if (!g.Is(root, "Mul")) return O2M_NO_MATCH;
    int32_t a = g.Input(root, 0), b = g.Input(root, 1);
    if (g.IsConstant(a)) std::swap(a, b);
    if (!AreBinaryOperands(g, a, b)) return O2M_NO_MATCH;
    return Matched(match, {root}, {a, b});
  }

  static o2m_status Infer(const o2m_host *host, const o2m_target *, o2m_node *node) {
    if (o2m_status s = InferBinaryShape(host, "mul", node, kMaskWide)) return s;
    const o2m_tensor &a = *node->inputs[0], &b = *node->inputs[1];
    o2m_tensor &y = *node->outputs[0];
    auto &params = ParamsOf<Params>(node);
    SettleOutput(y, a.dtype, params.y, ScaleOf(a), ZeroPointOf(a));
    if (o2m_status s = CheckQuantised(host, y, "the output", kMaskWide)) return s;
    const double fallback = ScaleOf(y) / ScaleOf(a);
    if (b.is_constant)
      params.constant = ConstantType(node) == O2M_S32 ? WidestQuant(b, fallback) : WideQuant(b, fallback);
    if (o2m_status s = ChooseFactor(host, node, params)) return s;
    SetConstants(node, {{"factors", ConstantType(node), b.is_constant ? ElementCount(b) : 0, nullptr}});
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
    static constexpr BinaryKernel<o2m_mul_wide_params> kWide = {"o2m_mul_wide", O2M_SYM(o2m_mul_wide)};
    if (IsWide(operands))
      return RunBinary(node, call, operands, kWide, WideParams(operands, ParamsOf<Params>(node).wide));
    RunBinary(node, call, operands, kKernels[KernelIndex(operands)], KernelParams(node));
  }

  static o2m_status Emit(const o2m_host *host, const o2m_target *, const o2m_node *node, const o2m_emitter *e) {
    const Binary operands = OperandsOf(node);
    if (IsWide(operands)) {
      EmitBinaryCall(e, operands, "o2m_mul_wide", "o2m_mul_wide_params",
                     WideParamsText(WideParams(operands, ParamsOf<Params>(node).wide)));
      return EmitSources(host, e, o2m_sources, O2M_SOURCE_COUNT,
                         {"o2m_fixedpoint.h", "o2m_wide.h", "o2m_mul_wide.h", "o2m_mul_wide.c"});
    }
    const int kernel = KernelIndex(operands);
    EmitBinaryCall(e, operands, kKernels[kernel].name, "o2m_mul_params", ParamsText(KernelParams(node)));
    return EmitSources(host, e, o2m_sources, O2M_SOURCE_COUNT,
                       {"o2m_fixedpoint.h", "o2m_mul.h", kernel == 0 ? "o2m_mul_s8.c" : "o2m_mul_s16.c"});
  }

  static void Cost(const o2m_target *, const o2m_node *node, int32_t rows, o2m_cost *cost) {
    const Binary operands = OperandsOf(node);
    *cost = BinaryCost(operands, rows, KernelIndex(operands) == 0 ? "mul_s8" : "mul_s16");
    if (IsWide(operands)) cost->kernel = "mul_wide", cost->instructions = 75 * cost->outputs;
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
    RandomBinaryCase(list, random, Params{}, [](double a, double b) { return 2 * a * b; });
  }
  static void WorstCases(CaseList &list);
  static void Cases(CaseList &list);
  static void CostCases(CaseList &list);  // all that have terms
};

void Mul::WorstCases(CaseList &list) {
  using Scales = std::array<double, 3>;
  const auto fits = [](double a, double b, double y) { return Scales{1 / a, 1 / b, 2 / y}; };
  const auto finest = [](double, double, double) { return Scales{1, 1, std::ldexp(1.00001, -29)}; };
  const auto coarsest = [](double a, double b, double) { return Scales{1 / a, 1 / b, 1e9}; };
  AddWorstBinaries(list, "product", Params{}, false, fits);
  AddWorstBinaries(list, "negative", Params{}, true, fits);
  AddWorstBinaries(list, "finest", Params{}, true, finest);
  AddWorstBinaries(list, "coarsest", Params{}, false, coarsest);
}

void Mul::CostCases(CaseList &list) {
  const Params none = {};
  const CaseOperand s8 = {O2M_S8, {1, 50, 64}, 0.05f, 3}, s16 = {O2M_S16, {1, 50, 64}, 0.0003f, 0};
  const CaseOperand a = {O2M_S8, {1, 7, 9}, 0.05f, 3}, y = {O2M_S8, {1, 7, 9}, 0.06f, 5};
  list.Add("gate", {s8, {O2M_S8, {1, 50, 64}, 0.031f, -20}}, {{O2M_S8, {1, 50, 64}, 0.06f, 5}}, none);
  list.Add("s16 by s8", {s16, s8}, {{O2M_S16, {1, 50, 64}, 0.001f, 7}}, none);
  list.Add("s8 by s16", {s8, s16}, {{O2M_S16, {1, 50, 64}, 0.001f, 0}}, none);
  list.Add("s16 by s8 to s8", {s16, s8}, {{O2M_S8, {1, 50, 64}, 0.3f, -1}}, none);
  list.Add("s8 by s16 to s8", {s8, s16}, {{O2M_S8, {1, 50, 64}, 0.3f, -1}}, none);
  list.Add("s8 widens", {s8, s8}, {{O2M_S16, {1, 50, 64}, 0.002f, 100}}, none);
  list.Add("s16 all", {s16, {O2M_S16, {1, 50, 64}, 0.0002f, -300}}, {{O2M_S16, {1, 50, 64}, 0.002f, 0}}, none);
  list.Add("s16 narrows", {s16, s16}, {{O2M_S8, {1, 50, 64}, 0.5f, 0}}, none);
  list.Add("s16 at its ends", {{O2M_S16, {5, 3}, 0.001f, -32768}, {O2M_S16, {5, 3}, 0.001f, 32767}},
           {{O2M_S16, {5, 3}, 0.07f, 0}}, none);
  list.Add("layer scale", {s8, CaseConstant({64}, 1)}, {{O2M_S8, {1, 50, 64}, 0.05f, 0}}, none);
  list.Add("layer scale of s16", {s16, CaseConstant({64}, 2)}, {{O2M_S16, {1, 50, 64}, 0.0004f, 0}}, none);
  list.Add("constant of every token", {a, CaseConstant({1, 7, 9}, 3)}, {y}, none);
  list.Add("constant column", {a, CaseConstant({7, 1}, 4)}, {y}, none);
  list.Add("repeated token", {a, {O2M_S8, {1, 1, 9}, 0.04f, -30}}, {y}, none);
  list.Add("outer product", {{O2M_S8, {7, 1}, 0.05f, 3}, {O2M_S8, {1, 9}, 0.04f, 0}}, {{O2M_S8, {7, 9}, 0.06f, 5}},
           none);
  list.Add("squeeze and excite", {{O2M_S8, {1, 5, 4, 3}, 0.05f, 3}, {O2M_S8, {1, 5, 1, 1}, 0.004f, -128}},
           {{O2M_S8, {1, 5, 4, 3}, 0.03f, 5}}, none);
  list.Add("channels last", {{O2M_S8, {1, 5, 4, 3}, 0.05f, 3, {}, {60, 1, 15, 5}}, {O2M_S8, {1, 5, 4, 3}, 0.04f, 0}},
           {{O2M_S8, {1, 5, 4, 3}, 0.06f, 5, {}, {60, 1, 15, 5}}}, none);
  list.Add("rows with gaps", {{O2M_S16, {6, 10}, 0.0003f, 0, {}, {16, 1}}, {O2M_S8, {6, 10}, 0.05f, 3, {}, {10, 1}}},
           {{O2M_S16, {6, 10}, 0.001f, 7, {}, {12, 1}}}, none);
  list.Add("zero points -128 and 127", {{O2M_S8, {5, 3}, 0.05f, -128}, {O2M_S8, {5, 3}, 0.05f, 127}},
           {{O2M_S8, {5, 3}, 0.5f, 127}}, none);
  list.Add("own output quant", {a, a}, {{O2M_ANY, {1, 7, 9}}}, none);
}

void Mul::Cases(CaseList &list) {
  CostCases(list);
  const Params none = {};
  const CaseOperand a = {O2M_S8, {1, 7, 9}, 0.05f, 3}, y = {O2M_S8, {1, 7, 9}, 0.06f, 5};
  const CaseOperand s32 = {O2M_S32, {1, 7, 9}, 0x1p-27f, 0};
  list.Add("s8 by constants to s32", {a, CaseConstant({9}, 5)}, {{O2M_S32, {1, 7, 9}, 0x1p-14f, 0}}, none);
  list.Add("s32 by constants to s8", {s32, CaseConstant({7, 1}, 6)}, {y}, none);
  list.Add("s32 by s8 to s16", {s32, a}, {{O2M_S16, {1, 7, 9}, 0.002f, 100}}, none);
  list.Add("s16 by s32 to s8", {{O2M_S16, {1, 7, 9}, 0.0003f, 5}, s32}, {y}, none);
  list.Add("s32 all", {s32, s32}, {{O2M_S32, {1, 7, 9}, 0x1p-13f, 0}}, none);
}

}  // namespace

O2M_PLUGIN("mul", "1.0", Mul)
