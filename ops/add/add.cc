// add.cc - "o2m.add": the sum or difference of two tensors, s8 or s16 in any mix. README.md says more.
#include "elementwise.hpp"
#include "o2m_add.h"
#include "o2m_sources.h"

namespace {
using namespace o2m;

struct AddParams {
  int32_t a_sign, b_sign;  // 1 or -1
  int32_t a_multiplier, b_multiplier, shift;
  int64_t bias;
  o2m_dtype constant_dtype;  // of operand 1, where that is a constant
  OwnQuant constant, y;
};

bool Is16(const o2m_tensor &t) { return t.dtype == O2M_S16; }

// Operand 1 as the kernel reads it.
o2m_tensor OperandB(const o2m_node *node) {
  const auto &params = ParamsOf<AddParams>(node);
  const o2m_tensor &b = *node->inputs[1];
  return b.is_constant ? Packed(b, params.constant_dtype, params.constant) : b;
}

Elements Loops(const o2m_node *node) {
  const o2m_tensor b = OperandB(node);
  return ElementsOf({node->outputs[0], node->inputs[0], &b});
}

// Which of the eight kernels: one bit per s16 operand.
int KernelIndex(const o2m_node *node) {
  return Is16(*node->inputs[0]) * 4 + Is16(OperandB(node)) * 2 + Is16(*node->outputs[0]);
}
constexpr const char *kKernels[] = {"o2m_add_s8",         "o2m_add_s8_s8_s16", "o2m_add_s8_s16_s8",
                                    "o2m_add_s8_s16_s16", "o2m_add_s16_s8_s8", "o2m_add_s16_s8_s16",
                                    "o2m_add_s16_s16_s8", "o2m_add_s16"};

// The largest |q - zero_point| of a tensor.
double Reach(const o2m_tensor &t) {
  return std::fmax(HighOf(t.dtype) - ZeroPointOf(t), ZeroPointOf(t) - LowOf(t.dtype));
}

// A constant has the output's type, so that its size is known without its data, and a scale of its own.
void ChooseConstant(const o2m_node *node, AddParams &params) {
  const o2m_tensor &b = *node->inputs[1];
  if (!b.is_constant) return;
  params.constant_dtype = node->outputs[0]->dtype;
  params.constant = {SymmetricScale(b, params.constant_dtype, ScaleOf(*node->outputs[0])), 0};
}

// The finest shift with which the sum fits: 30 bits for s8, multipliers of 31 bits else.
o2m_status ChooseFactors(const o2m_host *host, const o2m_node *node, AddParams &params) {
  const o2m_tensor &a = *node->inputs[0], b = OperandB(node), &y = *node->outputs[0];
  const double y_scale = ScaleOf(y);
  const double ra = params.a_sign * (ScaleOf(a) / y_scale), rb = params.b_sign * (ScaleOf(b) / y_scale);
  const bool narrow = KernelIndex(node) == 0;
  const double reach = std::fabs(ra) * Reach(a) + std::fabs(rb) * Reach(b) + std::abs(ZeroPointOf(y)) + 1;
  const double largest = narrow ? reach : std::fmax(std::fabs(ra), std::fabs(rb));
  params.shift = 40;
  while (params.shift > 0 && std::ldexp(largest, params.shift) > 1073741824.0) --params.shift;
  if (params.shift < 10)
    return Reject(host, Str("the output's scale, ", y_scale, ", is too small beside the inputs' ", ScaleOf(a), " and ",
                            ScaleOf(b), "; other calibration inputs would work"));
  params.a_multiplier = RoundToInt(std::ldexp(ra, params.shift));
  params.b_multiplier = RoundToInt(std::ldexp(rb, params.shift));
  params.bias = int64_t{ZeroPointOf(y)} * (int64_t{1} << params.shift) + (int64_t{1} << (params.shift - 1)) -
                int64_t{ZeroPointOf(a)} * params.a_multiplier - int64_t{ZeroPointOf(b)} * params.b_multiplier;
  return O2M_OK;
}

o2m_add_params KernelParams(const o2m_node *node, const Elements &e) {
  const auto &params = ParamsOf<AddParams>(node);
  const auto &row = e.rows.rows.strides;
  o2m_add_params p = {};
  p.count = static_cast<int32_t>(e.count);
  p.a_row = static_cast<int32_t>(row[1]);
  p.a_step = static_cast<int32_t>(e.steps[1]);
  p.b_row = static_cast<int32_t>(row[2]);
  p.b_step = static_cast<int32_t>(e.steps[2]);
  p.y_row = static_cast<int32_t>(row[0]);
  p.y_step = static_cast<int32_t>(e.steps[0]);
  p.a_multiplier = params.a_multiplier;
  p.b_multiplier = params.b_multiplier;
  p.shift = params.shift;
  p.bias = params.bias;
  return p;
}

void CallKernel(int kernel, const void *a, const void *b, void *y, int32_t rows, const o2m_add_params &p) {
  const auto a8 = static_cast<const int8_t *>(a), b8 = static_cast<const int8_t *>(b);
  const auto a16 = static_cast<const int16_t *>(a), b16 = static_cast<const int16_t *>(b);
  const auto y8 = static_cast<int8_t *>(y);
  const auto y16 = static_cast<int16_t *>(y);
  switch (kernel) {
    case 0:
      return O2M_SYM(o2m_add_s8)(a8, b8, y8, rows, &p);
    case 1:
      return O2M_SYM(o2m_add_s8_s8_s16)(a8, b8, y16, rows, &p);
    case 2:
      return O2M_SYM(o2m_add_s8_s16_s8)(a8, b16, y8, rows, &p);
    case 3:
      return O2M_SYM(o2m_add_s8_s16_s16)(a8, b16, y16, rows, &p);
    case 4:
      return O2M_SYM(o2m_add_s16_s8_s8)(a16, b8, y8, rows, &p);
    case 5:
      return O2M_SYM(o2m_add_s16_s8_s16)(a16, b8, y16, rows, &p);
    case 6:
      return O2M_SYM(o2m_add_s16_s16_s8)(a16, b16, y8, rows, &p);
    default:
      return O2M_SYM(o2m_add_s16)(a16, b16, y16, rows, &p);
  }
}

std::string ParamsText(const o2m_add_params &p) {
  return Initializer()
      .Field("count", p.count)
      .Field("a_row", p.a_row)
      .Field("a_step", p.a_step)
      .Field("b_row", p.b_row)
      .Field("b_step", p.b_step)
      .Field("y_row", p.y_row)
      .Field("y_step", p.y_step)
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
    if (a == b || g.IsConstant(a)) return O2M_NO_MATCH;
    if (g.IsConstant(b) && (ElementCount(g.Tensor(b)) == 1 || !Floats(g.Tensor(b)))) return O2M_NO_MATCH;
    return Matched(match, {root}, {a, b});
  }

  static o2m_status Infer(const o2m_host *host, const o2m_target *, o2m_node *node) {
    if (node->input_count != 2 || node->output_count != 1) return Reject(host, "add has two inputs and one output");
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
    SettleOutput(y, Is16(a) ? O2M_S16 : O2M_S8, params.y, 2 * ScaleOf(a), ZeroPointOf(a));
    if (o2m_status s = CheckQuantised(host, y, "the output", kMaskS8S16)) return s;
    ChooseConstant(node, params);
    if (o2m_status s = ChooseFactors(host, node, params)) return s;
    SetConstants(node, {{"addend", params.constant_dtype, b.is_constant ? ElementCount(b) : 0, nullptr}});
    return O2M_OK;
  }

  static void Memory(const o2m_target *, const o2m_node *node, int32_t, o2m_memory *memory) {
    ElementwiseMemory(node, Loops(node), memory);
  }

  static o2m_status Pack(const o2m_host *, const o2m_target *, o2m_node *node) {
    const o2m_tensor &b = *node->inputs[1];
    const auto &params = ParamsOf<Params>(node);
    if (b.is_constant)
      QuantiseAs(params.constant_dtype, Floats(b), ElementCount(b), params.constant.scale, 0, node->constants[0].data);
    return O2M_OK;
  }

  static void Run(const o2m_node *node, const o2m_call *call) {
    const Elements e = Loops(node);
    const o2m_add_params p = KernelParams(node, e);
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
                      Object(e, "o2m_add_params", ParamsText(KernelParams(node, loops)))}));
    return EmitSources(host, e, o2m_sources, O2M_SOURCE_COUNT,
                       {"o2m_fixedpoint.h", "o2m_add.h", kernel == 0 ? "o2m_add_s8.c" : "o2m_add_s16.c"});
  }

  static void Cost(const o2m_target *, const o2m_node *node, int32_t rows, o2m_cost *cost) {
    const int64_t values = ElementCount(*node->outputs[0]) / Loops(node).rows.steps * rows;
    *cost = {KernelIndex(node) == 0 ? "add_s8" : "add_s16", 0, values, values, 0, -1};
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
  list.Add("position embedding", {s16, Constant({1, 50, 64}, 1)}, {{O2M_S16, {1, 50, 64}, 0.0004f, 0}}, add);
  list.Add("position embedding, s8", {s8, Constant({50, 64}, 2)}, {{O2M_S8, {1, 50, 64}, 0.05f, 0}}, add);
}

void ShapeCases(CaseList &list, const AddParams &add, const AddParams &sub, const AddParams &reverse) {
  const CaseOperand a = {O2M_S8, {1, 7, 9}, 0.05f, 3}, y = {O2M_S8, {1, 7, 9}, 0.06f, 5};
  list.Add("constant vector", {a, Constant({9}, 3)}, {y}, add);
  list.Add("constant column", {a, Constant({7, 1}, 4)}, {y}, add);
  list.Add("difference", {a, {O2M_S8, {1, 7, 9}, 0.04f, -30}}, {y}, sub);
  list.Add("constant minus tensor", {a, Constant({9}, 5)}, {y}, reverse);
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

void Add::Cases(CaseList &list) {
  Params add = {}, sub = {}, reverse = {};
  add.a_sign = add.b_sign = sub.a_sign = reverse.b_sign = 1;
  sub.b_sign = reverse.a_sign = -1;
  TokenCases(list, add);
  ShapeCases(list, add, sub, reverse);
}

}  // namespace

O2M_PLUGIN("add", "1.0", Add)
