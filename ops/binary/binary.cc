// binary.cc - "o2m.binary": Max, Min and Div of two tensors, s8 or s16 in any mix. README.md says more.
#include "binary_op.hpp"
#include "o2m_binary.h"
#include "o2m_sources.h"

namespace {
using namespace o2m;

struct BinaryParams {
  int32_t kind;
  int32_t a_multiplier, b_multiplier, shift;
  OwnQuant constant, y;  // constant: of operand 1, where that is one
};

Binary OperandsOf(const o2m_node *node) {
  const auto &params = ParamsOf<BinaryParams>(node);
  return BinaryOf(node, O2M_S16, params.constant);
}

// The finest shift of at most `most` bits that keeps the factors below 2^30; below 0 where there is none.
int32_t ShiftFor(double factor, int32_t most) {
  int32_t shift = most;
  while (shift >= 0 && std::ldexp(factor, shift) >= 1073741823.0) --shift;
  return shift;
}

o2m_status ChooseFactors(const o2m_host *host, const o2m_node *node, BinaryParams &params) {
  const o2m_tensor &a = *node->inputs[0], b = OperandsOf(node).b, &y = *node->outputs[0];
  const double sa = ScaleOf(a), sb = ScaleOf(b), sy = ScaleOf(y);
  const bool div = params.kind == O2M_BINARY_DIV;
  const double left = div ? sa / sb / sy : sa / sy, right = div ? 0 : sb / sy;
  params.shift = ShiftFor(std::fmax(left, right), div ? 40 : 45);  // a difference has 17 bits more
  if (params.shift < (div ? 0 : 1))
    return Reject(host, Str("the output's scale, ", sy, ", is too small beside the inputs' ", sa, " and ", sb,
                            "; other calibration inputs would work"));
  params.a_multiplier = RoundToInt(std::ldexp(left, params.shift));
  params.b_multiplier = RoundToInt(std::ldexp(right, params.shift));
  return O2M_OK;
}

o2m_binary_params KernelParams(const o2m_node *node) {
  const auto &params = ParamsOf<BinaryParams>(node);
  const Binary operands = OperandsOf(node);
  o2m_binary_params p = {};
  SetBinarySteps(LoopsOf(operands), p);
  p.a_zero = ZeroPointOf(*operands.a);
  p.b_zero = ZeroPointOf(operands.b);
  p.y_zero = ZeroPointOf(*operands.y);
  p.a_multiplier = params.a_multiplier;
  p.b_multiplier = params.b_multiplier;
  p.shift = params.shift;
  p.kind = params.kind;
  p.a_bytes = static_cast<int32_t>(BytesOf(operands.a->dtype));
  p.b_bytes = static_cast<int32_t>(BytesOf(operands.b.dtype));
  p.y_bytes = static_cast<int32_t>(BytesOf(operands.y->dtype));
  return p;
}

std::string ParamsText(const o2m_binary_params &p) {
  return BinarySteps(p)
      .Field("a_zero", p.a_zero)
      .Field("b_zero", p.b_zero)
      .Field("y_zero", p.y_zero)
      .Field("a_multiplier", p.a_multiplier)
      .Field("b_multiplier", p.b_multiplier)
      .Field("shift", p.shift)
      .Field("kind", p.kind)
      .Field("a_bytes", p.a_bytes)
      .Field("b_bytes", p.b_bytes)
      .Field("y_bytes", p.y_bytes)
      .text();
}

constexpr BinaryKernel<o2m_binary_params> Kernel() { return {"o2m_binary", O2M_SYM(o2m_binary)}; }
constexpr BinaryKernel<o2m_binary_params> kKernels[] = {Kernel(), Kernel(), Kernel(), Kernel(),
                                                        Kernel(), Kernel(), Kernel(), Kernel()};

struct BinaryOp {
  static constexpr char kId[] = "o2m.binary";
  using Params = BinaryParams;

  // The second operand may be a constant of more than one value (a scalar is o2m.unary's).
  static o2m_status Match(const o2m_host *, const o2m_graph *graph, int32_t root, o2m_match *match) {
    const GraphView g(graph);
    const bool div = g.Is(root, "Div"), max = g.Is(root, "Max");
    if ((!div && !max && !g.Is(root, "Min")) || g.Inputs(root) != 2) return O2M_NO_MATCH;
    int32_t a = g.Input(root, 0), b = g.Input(root, 1);
    if (!div && g.IsConstant(a)) std::swap(a, b);
    if (!AreBinaryOperands(g, a, b)) return O2M_NO_MATCH;
    static_cast<Params *>(match->params)->kind = div ? O2M_BINARY_DIV : max ? O2M_BINARY_MAX : O2M_BINARY_MIN;
    return Matched(match, {root}, {a, b});
  }

  static o2m_status Infer(const o2m_host *host, const o2m_target *, o2m_node *node) {
    auto &params = ParamsOf<Params>(node);
    if (params.kind < O2M_BINARY_MAX || params.kind > O2M_BINARY_DIV) return Reject(host, "the params name no kind");
    if (o2m_status s = InferBinaryShape(host, "binary", node)) return s;
    const o2m_tensor &a = *node->inputs[0], &b = *node->inputs[1];
    o2m_tensor &y = *node->outputs[0];
    SettleOutput(y, a.dtype, params.y, ScaleOf(a), ZeroPointOf(a));
    if (o2m_status s = CheckQuantised(host, y, "the output", kMaskS8S16)) return s;
    if (b.is_constant) params.constant = WideQuant(b, ScaleOf(a));
    if (o2m_status s = ChooseFactors(host, node, params)) return s;
    SetConstants(node, {{"operand", O2M_S16, b.is_constant ? ElementCount(b) : 0, nullptr}});
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
    RunBinary(node, call, operands, kKernels[KernelIndex(operands)], KernelParams(node));
  }

  static o2m_status Emit(const o2m_host *host, const o2m_target *, const o2m_node *node, const o2m_emitter *e) {
    EmitBinaryCall(e, OperandsOf(node), "o2m_binary", "o2m_binary_params", ParamsText(KernelParams(node)));
    return EmitSources(host, e, o2m_sources, O2M_SOURCE_COUNT, {"o2m_fixedpoint.h", "o2m_binary.h", "o2m_binary.c"});
  }

  static void Cost(const o2m_target *, const o2m_node *node, int32_t rows, o2m_cost *cost) {
    *cost = BinaryCost(OperandsOf(node), rows, "binary");
  }

  static void Terms(const o2m_target *, const o2m_node *node, int32_t steps, TermList &list) {
    const Elements e = LoopsOf(OperandsOf(node));
    const int64_t count = e.rows.steps == 1 ? 1 : steps, calls = KernelCalls(e.rows, count);
    const int64_t rows = calls * e.rows.RowCount(count);
    const bool div = ParamsOf<Params>(node).kind == O2M_BINARY_DIV;
    list.Add("binary", "kernel calls", calls - 1);
    list.Add("binary", "rows", rows);
    list.Add("binary", div ? "quotients" : "values", rows * e.count);
  }

  static void QuantRule(const o2m_node *, o2m_quant_rule *rule) {
    rule->s16_inputs = 3;
    rule->s16_outputs = 1;
  }

  static void RandomCase(CaseList &list, Random &random) {
    Params params = {};
    params.kind = random.Below(3);
    const bool div = params.kind == O2M_BINARY_DIV;
    RandomBinaryCase(list, random, params, [div](double a, double b) { return div ? 4 * a / b : 2 * std::fmax(a, b); });
  }
  static void Cases(CaseList &list);
};

void BinaryOp::Cases(CaseList &list) {
  const auto kind = [](int32_t k) { return Params{k, 0, 0, 0, {}, {}}; };
  const Params max = kind(O2M_BINARY_MAX), min = kind(O2M_BINARY_MIN), div = kind(O2M_BINARY_DIV);
  const CaseOperand s8 = {O2M_S8, {1, 50, 64}, 0.05f, 3}, s16 = {O2M_S16, {1, 50, 64}, 0.0003f, 0};
  const CaseOperand a = {O2M_S8, {1, 7, 9}, 0.05f, 3}, y = {O2M_S8, {1, 7, 9}, 0.06f, 5};
  list.Add("maximum", {s8, {O2M_S8, {1, 50, 64}, 0.031f, -20}}, {{O2M_S8, {1, 50, 64}, 0.06f, 5}}, max);
  list.Add("minimum", {s8, {O2M_S8, {1, 50, 64}, 0.031f, -20}}, {{O2M_S8, {1, 50, 64}, 0.06f, 5}}, min);
  list.Add("quotient of tokens", {s8, {O2M_S8, {1, 50, 1}, 0.031f, -128}}, {{O2M_S8, {1, 50, 64}, 0.02f, 5}}, div);
  list.Add("quotient of any sign", {a, {O2M_S8, {1, 7, 9}, 0.04f, 1}}, {{O2M_S8, {1, 7, 9}, 0.1f, -3}}, div);
  list.Add("quotient of s16", {s16, {O2M_S16, {1, 50, 64}, 0.0002f, -32768}}, {{O2M_S16, {1, 50, 64}, 0.0001f, 0}},
           div);
  list.Add("quotient by a constant", {a, CaseConstant({9}, 3)}, {{O2M_S8, {1, 7, 9}, 0.2f, 5}}, div);
  list.Add("s16 by s8 to s8", {s16, s8}, {{O2M_S8, {1, 50, 64}, 0.09f, -1}}, max);
  list.Add("s8 by s16 widens", {s8, s16}, {{O2M_S16, {1, 50, 64}, 0.0004f, 100}}, min);
  list.Add("lower bound by feature", {a, CaseConstant({9}, 4)}, {y}, max);
  list.Add("upper bound by channel", {{O2M_S8, {1, 5, 4, 3}, 0.05f, 3}, CaseConstant({5, 1, 1}, 5)},
           {{O2M_S8, {1, 5, 4, 3}, 0.05f, 3}}, min);
  list.Add("channels last", {{O2M_S8, {1, 5, 4, 3}, 0.05f, 3, {}, {60, 1, 15, 5}}, {O2M_S8, {1, 5, 4, 3}, 0.04f, 0}},
           {{O2M_S8, {1, 5, 4, 3}, 0.06f, 5, {}, {60, 1, 15, 5}}}, max);
  list.Add("outer maximum", {{O2M_S8, {7, 1}, 0.05f, 3}, {O2M_S8, {1, 9}, 0.04f, 0}}, {{O2M_S8, {7, 9}, 0.06f, 5}},
           max);
  list.Add("rows with gaps", {{O2M_S16, {6, 10}, 0.0003f, 0, {}, {16, 1}}, {O2M_S8, {6, 10}, 0.05f, 3, {}, {10, 1}}},
           {{O2M_S16, {6, 10}, 0.001f, 7, {}, {12, 1}}}, max);
  list.Add("zero points -128 and 127", {{O2M_S8, {5, 3}, 0.05f, -128}, {O2M_S8, {5, 3}, 0.05f, 127}},
           {{O2M_S8, {5, 3}, 0.5f, 127}}, div);
  list.Add("own output quant", {a, a}, {{O2M_ANY, {1, 7, 9}}}, max);
}

}  // namespace

O2M_PLUGIN("binary", "1.0", BinaryOp)
