// mul.cc - "o2m.mul": the product of two tensors, s8 or s16 in any mix. README.md says more.
#include "elementwise.hpp"
#include "o2m_mul.h"
#include "o2m_sources.h"

namespace {
using namespace o2m;

struct MulParams {
  int32_t multiplier, shift;
  OwnQuant constant, y;  // constant: of operand 1, where that is one
};

bool Is16(const o2m_tensor &t) { return t.dtype == O2M_S16; }

// Operand 1 as the kernel reads it.
o2m_tensor OperandB(const o2m_node *node) {
  const auto &params = ParamsOf<MulParams>(node);
  const o2m_tensor &b = *node->inputs[1];
  return b.is_constant ? Packed(b, O2M_S16, params.constant) : b;
}

Elements Loops(const o2m_node *node) {
  const o2m_tensor b = OperandB(node);
  return ElementsOf({node->outputs[0], node->inputs[0], &b});
}

// Which of the eight kernels: one bit per s16 operand.
int KernelIndex(const o2m_node *node) {
  return Is16(*node->inputs[0]) * 4 + Is16(OperandB(node)) * 2 + Is16(*node->outputs[0]);
}
constexpr const char *kKernels[] = {"o2m_mul_s8",         "o2m_mul_s8_s8_s16", "o2m_mul_s8_s16_s8",
                                    "o2m_mul_s8_s16_s16", "o2m_mul_s16_s8_s8", "o2m_mul_s16_s8_s16",
                                    "o2m_mul_s16_s16_s8", "o2m_mul_s16"};

// The finest shift that keeps the multiplier below 2^30: the product of two 17-bit differences leaves that much room.
o2m_status ChooseFactor(const o2m_host *host, const o2m_node *node, MulParams &params) {
  const o2m_tensor &a = *node->inputs[0], b = OperandB(node), &y = *node->outputs[0];
  const double factor = static_cast<double>(ScaleOf(a)) * ScaleOf(b) / ScaleOf(y);
  params.shift = 60;
  while (params.shift > 0 && std::ldexp(factor, params.shift) >= 1073741823.0) --params.shift;
  if (params.shift < 1)
    return Reject(host, Str("the output's scale, ", ScaleOf(y), ", is too small beside the inputs' ", ScaleOf(a),
                            " and ", ScaleOf(b), "; other calibration inputs would work"));
  params.multiplier = Multiplier(factor, params.shift);
  return O2M_OK;
}

o2m_mul_params KernelParams(const o2m_node *node, const Elements &e) {
  const auto &params = ParamsOf<MulParams>(node);
  const auto &row = e.rows.rows.strides;
  o2m_mul_params p = {};
  p.count = static_cast<int32_t>(e.count);
  p.a_row = static_cast<int32_t>(row[1]);
  p.a_step = static_cast<int32_t>(e.steps[1]);
  p.b_row = static_cast<int32_t>(row[2]);
  p.b_step = static_cast<int32_t>(e.steps[2]);
  p.y_row = static_cast<int32_t>(row[0]);
  p.y_step = static_cast<int32_t>(e.steps[0]);
  p.a_zero = ZeroPointOf(*node->inputs[0]);
  p.b_zero = ZeroPointOf(OperandB(node));
  p.y_zero = ZeroPointOf(*node->outputs[0]);
  p.multiplier = params.multiplier;
  p.shift = params.shift;
  return p;
}

void CallKernel(int kernel, const void *a, const void *b, void *y, int32_t rows, const o2m_mul_params &p) {
  const auto a8 = static_cast<const int8_t *>(a), b8 = static_cast<const int8_t *>(b);
  const auto a16 = static_cast<const int16_t *>(a), b16 = static_cast<const int16_t *>(b);
  const auto y8 = static_cast<int8_t *>(y);
  const auto y16 = static_cast<int16_t *>(y);
  switch (kernel) {
    case 0:
      return O2M_SYM(o2m_mul_s8)(a8, b8, y8, rows, &p);
    case 1:
      return O2M_SYM(o2m_mul_s8_s8_s16)(a8, b8, y16, rows, &p);
    case 2:
      return O2M_SYM(o2m_mul_s8_s16_s8)(a8, b16, y8, rows, &p);
    case 3:
      return O2M_SYM(o2m_mul_s8_s16_s16)(a8, b16, y16, rows, &p);
    case 4:
      return O2M_SYM(o2m_mul_s16_s8_s8)(a16, b8, y8, rows, &p);
    case 5:
      return O2M_SYM(o2m_mul_s16_s8_s16)(a16, b8, y16, rows, &p);
    case 6:
      return O2M_SYM(o2m_mul_s16_s16_s8)(a16, b16, y8, rows, &p);
    default:
      return O2M_SYM(o2m_mul_s16)(a16, b16, y16, rows, &p);
  }
}

std::string ParamsText(const o2m_mul_params &p) {
  return Initializer()
      .Field("count", p.count)
      .Field("a_row", p.a_row)
      .Field("a_step", p.a_step)
      .Field("b_row", p.b_row)
      .Field("b_step", p.b_step)
      .Field("y_row", p.y_row)
      .Field("y_step", p.y_step)
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
    if (a == b || g.IsConstant(a)) return O2M_NO_MATCH;
    if (g.IsConstant(b) && (ElementCount(g.Tensor(b)) == 1 || !Floats(g.Tensor(b)))) return O2M_NO_MATCH;
    return Matched(match, {root}, {a, b});
  }

  static o2m_status Infer(const o2m_host *host, const o2m_target *, o2m_node *node) {
    if (node->input_count != 2 || node->output_count != 1) return Reject(host, "mul has two inputs and one output");
    const o2m_tensor &a = *node->inputs[0], &b = *node->inputs[1];
    o2m_tensor &y = *node->outputs[0];
    auto &params = ParamsOf<Params>(node);
    if (o2m_status s = CheckQuantised(host, a, "input 0", kMaskS8S16)) return s;
    if (b.is_constant && b.dtype != O2M_F32) return Reject(host, "input 1 is a constant that is not f32");
    if (!b.is_constant) {
      if (o2m_status s = CheckQuantised(host, b, "input 1", kMaskS8S16)) return s;
    }
    if (!SetBroadcastShape(y, a, b))
      return Reject(host, Str("the inputs ", Shape(a), " and ", Shape(b), " do not broadcast into one shape"));
    SettleOutput(y, Is16(a) ? O2M_S16 : O2M_S8, params.y, ScaleOf(a), ZeroPointOf(a));
    if (o2m_status s = CheckQuantised(host, y, "the output", kMaskS8S16)) return s;
    if (b.is_constant) params.constant = {SymmetricScale(b, O2M_S16, ScaleOf(y) / ScaleOf(a)), 0};
    if (o2m_status s = ChooseFactor(host, node, params)) return s;
    SetConstants(node, {{"factors", O2M_S16, b.is_constant ? ElementCount(b) : 0, nullptr}});
    return O2M_OK;
  }

  static void Memory(const o2m_target *, const o2m_node *node, int32_t, o2m_memory *memory) {
    ElementwiseMemory(node, Loops(node), memory);
  }

  static o2m_status Pack(const o2m_host *, const o2m_target *, o2m_node *node) {
    const o2m_tensor &b = *node->inputs[1];
    const auto &params = ParamsOf<Params>(node);
    if (b.is_constant)
      QuantiseAs(O2M_S16, Floats(b), ElementCount(b), params.constant.scale, 0, node->constants[0].data);
    return O2M_OK;
  }

  static void Run(const o2m_node *node, const o2m_call *call) {
    const Elements e = Loops(node);
    const o2m_mul_params p = KernelParams(node, e);
    const o2m_tensor &a = *node->inputs[0], b = OperandB(node), &y = *node->outputs[0];
    const int32_t steps = StepCount(call, e.rows);
    const void *b_start = call->inputs[1];
    if (b.is_constant) b_start = At(node->constants[0].data, call->first * StepStride(e.rows, 2), b.dtype);
    ForEachRowBlock(e.rows, steps, [&](const int64_t *at) {
      CallKernel(KernelIndex(node), At(call->inputs[0], at[1], a.dtype), At(b_start, at[2], b.dtype),
                 At(call->outputs[0], at[0], y.dtype), static_cast<int32_t>(e.rows.RowCount(steps)), p);
    });
  }

  static o2m_status Emit(const o2m_host *host, const o2m_target *, const o2m_node *node, const o2m_emitter *e) {
    const Elements loops = Loops(node);
    const int kernel = KernelIndex(node);
    const bool constant = node->inputs[1]->is_constant;
    LineInLoops(e, loops.rows,
                Call(Str("O2M_SYM(", kKernels[kernel], ")"),
                     {RowOperand(e, 0, loops.rows, 1),
                      constant ? ConstantOperand(e, 0, loops.rows, 2) : RowOperand(e, 1, loops.rows, 2),
                      RowOperand(e, 2, loops.rows, 0), RowCountText(e, loops.rows),
                      Object(e, "o2m_mul_params", ParamsText(KernelParams(node, loops)))}));
    return EmitSources(host, e, o2m_sources, O2M_SOURCE_COUNT,
                       {"o2m_fixedpoint.h", "o2m_mul.h", kernel == 0 ? "o2m_mul_s8.c" : "o2m_mul_s16.c"});
  }

  static void Cost(const o2m_target *, const o2m_node *node, int32_t rows, o2m_cost *cost) {
    const int64_t values = ElementCount(*node->outputs[0]) / Loops(node).rows.steps * rows;
    *cost = {KernelIndex(node) == 0 ? "mul_s8" : "mul_s16", 0, values, values, 0, -1};
    if (node->inputs[1]->is_constant) cost->flash_bytes_read = values * BytesOf(OperandB(node).dtype);
  }

  static void QuantRule(const o2m_node *, o2m_quant_rule *rule) {
    rule->s16_inputs = 3;
    rule->s16_outputs = 1;
  }

  static void Cases(CaseList &list);
};

CaseOperand Constant(const std::vector<int32_t> &dims, uint64_t seed) {
  int64_t count = 1;
  for (int32_t d : dims) count *= d;
  return {O2M_F32, dims, 0, 0, RandomFloats(count, seed, 1.5f)};
}

void Mul::Cases(CaseList &list) {
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
  list.Add("layer scale", {s8, Constant({64}, 1)}, {{O2M_S8, {1, 50, 64}, 0.05f, 0}}, none);
  list.Add("layer scale of s16", {s16, Constant({64}, 2)}, {{O2M_S16, {1, 50, 64}, 0.0004f, 0}}, none);
  list.Add("constant of every token", {a, Constant({1, 7, 9}, 3)}, {y}, none);
  list.Add("constant column", {a, Constant({7, 1}, 4)}, {y}, none);
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

}  // namespace

O2M_PLUGIN("mul", "1.0", Mul)
