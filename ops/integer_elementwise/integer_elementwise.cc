// integer_elementwise.cc - "o2m.integer_elementwise": sums, products, quotients, activations and requantisations of
// integerised models, value by value. README.md says more.
#include "binary_op.hpp"
#include "integer_op.hpp"
#include "o2m_integer_elementwise.h"
#include "o2m_sources.h"

namespace {
using namespace o2m;

constexpr const char *kKinds[] = {"identity", "add", "sub", "mul", "div", "gelu", "hard_swish"};

struct ElementwiseParams {
  RequantParams requant;
  int32_t kind, binary;
  int32_t delta, eps, eta, bound, one, three, six, one_over_six;
  o2m_dtype constant;  // the type that holds operand 1, where that is one
  OwnQuant y;
};

const ElementwiseParams &Of(const o2m_node *node) { return ParamsOf<ElementwiseParams>(node); }
bool HasConstant(const o2m_node *node) { return Of(node).binary && node->inputs[1]->is_constant; }
int32_t FactorOperand(const o2m_node *node) { return Of(node).binary ? 2 : 1; }

o2m_tensor PlainConstant(const o2m_tensor &constant, o2m_dtype dtype) {
  o2m_tensor t = constant;
  t.dtype = dtype;
  SetDenseStrides(t);
  return t;
}

// Operand 1 as the kernel reads it; a scalar where there is none.
o2m_tensor Second(const o2m_node *node) {
  if (!Of(node).binary) return o2m_tensor{};
  return HasConstant(node) ? PlainConstant(*node->inputs[1], Of(node).constant) : *node->inputs[1];
}

// The shape that mul and add have in common.
o2m_tensor Factors(const o2m_node *node) {
  o2m_tensor t = {};
  if (!Of(node).requant.on) return t;
  const int32_t at = FactorOperand(node);
  SetBroadcastShape(t, *node->inputs[at], *node->inputs[at + 1]);
  SetDenseStrides(t);
  return t;
}

struct Slots {
  int32_t constant = -1, mul = -1, add = -1;
};
Slots SlotsOf(const o2m_node *node) {
  Slots slots;
  int32_t next = 0;
  if (HasConstant(node)) slots.constant = next++;
  if (Of(node).requant.on) slots.mul = next++, slots.add = next++;
  return slots;
}

Elements LoopsOf(const o2m_node *node) {
  const o2m_tensor b = Second(node), factors = Factors(node);
  return ElementsOf({node->outputs[0], node->inputs[0], &b, &factors});
}

o2m_integer_elementwise_params KernelParams(const o2m_node *node) {
  const ElementwiseParams &params = Of(node);
  const Elements e = LoopsOf(node);
  const auto &row = e.rows.rows.strides;
  const auto i32 = [](int64_t v) { return static_cast<int32_t>(v); };
  o2m_integer_elementwise_params p = {};
  p.kind = params.kind;
  p.count = i32(e.count);
  p.y_row = i32(row[0]), p.y_step = i32(e.steps[0]);
  p.a_row = i32(row[1]), p.a_step = i32(e.steps[1]);
  p.b_row = i32(row[2]), p.b_step = i32(e.steps[2]);
  p.factor_row = i32(row[3]), p.factor_step = i32(e.steps[3]);
  p.a_type = IntegerType(node->inputs[0]->dtype);
  p.b_type = IntegerType(Second(node).dtype);
  p.y_type = IntegerType(node->outputs[0]->dtype);
  p.delta = params.delta, p.eps = params.eps, p.eta = params.eta;
  p.bound = params.bound, p.one = params.one;
  p.three = params.three, p.six = params.six, p.one_over_six = params.one_over_six;
  p.requant = KernelRequant(params.requant);
  return p;
}

std::string ParamsText(const o2m_integer_elementwise_params &p) {
  return Initializer()
      .Field("kind", p.kind, kKinds[p.kind])
      .Field("count", p.count)
      .Field("a_row", p.a_row)
      .Field("a_step", p.a_step)
      .Field("b_row", p.b_row)
      .Field("b_step", p.b_step)
      .Field("y_row", p.y_row)
      .Field("y_step", p.y_step)
      .Field("factor_row", p.factor_row)
      .Field("factor_step", p.factor_step)
      .Field("a_type", p.a_type)
      .Field("b_type", p.b_type)
      .Field("y_type", p.y_type)
      .Field("delta", p.delta)
      .Field("eps", p.eps)
      .Field("eta", p.eta)
      .Field("bound", p.bound)
      .Field("one", p.one)
      .Field("three", p.three)
      .Field("six", p.six)
      .Field("one_over_six", p.one_over_six)
      .Field("requant", RequantText(p.requant))
      .text();
}

// What the caller may not have seen to: operands, factors, a common shape.
o2m_status CheckOperands(const o2m_host *host, o2m_node *node) {
  const ElementwiseParams &params = Of(node);
  const int32_t operands = FactorOperand(node) + (params.requant.on ? 2 : 0);
  if (node->input_count != operands || node->output_count != 1)
    return Reject(host, Str("has ", node->input_count, " inputs, not ", operands));
  if (o2m_status s = CheckInteger(host, *node->inputs[0], "input 0")) return s;
  o2m_tensor &y = *node->outputs[0];
  SetShapeLike(y, *node->inputs[0]);
  if (params.binary) {
    const o2m_tensor &b = *node->inputs[1];
    if (o2m_status s = b.is_constant ? CheckConstant(host, b, "input 1") : CheckInteger(host, b, "input 1")) return s;
    if (!SetBroadcastShape(y, *node->inputs[0], b))
      return Reject(host, Str("the inputs ", Shape(*node->inputs[0]), " and ", Shape(b), " do not broadcast"));
  }
  if (o2m_status s = CheckRequant(host, node, params.requant, FactorOperand(node))) return s;
  o2m_tensor all = {};
  const o2m_tensor factors = Factors(node);
  if (!SetBroadcastShape(all, y, factors) || Shape(all) != Shape(y))
    return Reject(host, Str("factors ", Shape(factors), " do not broadcast to ", Shape(y)));
  return O2M_OK;
}

// One factor, repeated as the common shape has it.
void PackFactor(const o2m_node *node, int32_t operand, bool is_mul, int32_t *out) {
  const o2m_tensor factor = PlainConstant(*node->inputs[operand], O2M_S64), all = Factors(node);
  const RequantParams &requant = Of(node).requant;
  for (int64_t n = 0; n < ElementCount(all); ++n) {
    int64_t at = 0, rest = n;
    for (int32_t axis = all.rank - 1; axis >= 0; --axis) {
      at += rest % all.dims[axis] * BroadcastStride(factor, all, axis);
      rest /= all.dims[axis];
    }
    const int64_t value = Integers(*node->inputs[operand])[at];
    out[n] = static_cast<int32_t>(is_mul ? MulOf(requant, value) : AddOf(requant, value));
  }
}

struct IntegerElementwise {
  static constexpr char kId[] = "o2m.integer_elementwise";
  using Params = ElementwiseParams;

  static o2m_status Match(const o2m_host *, const o2m_graph *graph, int32_t root, o2m_match *match) {
    const GraphView g(graph);
    if (!g.Is(root, "IntegerElementwise", kIntegerDomain) || g.IsConstant(g.Input(root, 0))) return O2M_NO_MATCH;
    const std::string kind = g.Text(root, "kind", "identity");
    const auto found = std::find(std::begin(kKinds), std::end(kKinds), kind);
    if (found == std::end(kKinds)) return O2M_NO_MATCH;
    const auto i32 = [&](const char *key) { return static_cast<int32_t>(g.Int(root, key, 0)); };
    auto &p = *static_cast<Params *>(match->params);
    p = {RequantOf(g, root),
         static_cast<int32_t>(found - kKinds),
         i32("binary"),
         i32("delta"),
         i32("eps"),
         i32("eta"),
         i32("b"),
         i32("one"),
         i32("three"),
         i32("six"),
         i32("one_over_six"),
         O2M_S8,
         {}};
    if (p.binary) p.constant = TypeOfConstant(g.Tensor(g.Input(root, 1)));
    std::vector<int32_t> inputs;
    for (int32_t i = 0; i < g.Inputs(root); ++i) inputs.push_back(g.Input(root, i));
    return Matched(match, {root}, inputs);
  }

  static o2m_status Infer(const o2m_host *host, const o2m_target *, o2m_node *node) {
    if (node->input_count < 1 || node->output_count != 1) return Reject(host, "one input or more, and one output");
    if (o2m_status s = CheckOperands(host, node)) return s;
    const Slots slots = SlotsOf(node);
    const int64_t factors = ElementCount(Factors(node));
    const o2m_constant constant = {"operand", Of(node).constant,
                                   slots.constant < 0 ? 0 : ElementCount(*node->inputs[1]), nullptr};
    const o2m_constant mul = {"mul", O2M_S32, factors, nullptr}, add = {"add", O2M_S32, factors, nullptr};
    if (slots.constant >= 0 && slots.mul >= 0)
      SetConstants(node, {constant, mul, add});
    else if (slots.mul >= 0)
      SetConstants(node, {mul, add});
    else
      SetConstants(node, {constant});
    // Without requantisation the importer knows the range, and presets a type.
    const RequantParams &r = Of(node).requant;
    const o2m_dtype dtype = node->outputs[0]->dtype;
    const bool preset = !r.on && dtype != O2M_ANY && dtype != O2M_S32;
    return SettleInteger(host, *node->outputs[0], ParamsOf<Params>(node).y, preset ? LowOf(dtype) : LowestOutput(r),
                         preset ? HighOf(dtype) : HighestOutput(r));
  }

  static void Memory(const o2m_target *, const o2m_node *node, int32_t, o2m_memory *memory) {
    ElementwiseMemory(node, LoopsOf(node), memory);
  }

  static o2m_status Pack(const o2m_host *, const o2m_target *, o2m_node *node) {
    const Slots slots = SlotsOf(node);
    if (slots.constant >= 0) StoreIntegers(*node->inputs[1], Of(node).constant, node->constants[slots.constant].data);
    if (slots.mul < 0) return O2M_OK;
    PackFactor(node, FactorOperand(node), true, ConstantData<int32_t>(node, slots.mul));
    PackFactor(node, FactorOperand(node) + 1, false, ConstantData<int32_t>(node, slots.add));
    return O2M_OK;
  }

  static void Run(const o2m_node *node, const o2m_call *call) {
    const Elements e = LoopsOf(node);
    const Slots slots = SlotsOf(node);
    const o2m_tensor second = Second(node);
    const o2m_integer_elementwise_params p = KernelParams(node);
    const int32_t steps = StepCount(call, e.rows);
    const void *b = Of(node).binary ? call->inputs[1] : nullptr;
    if (slots.constant >= 0)
      b = At(node->constants[slots.constant].data, call->first * StepStride(e.rows, 2), second.dtype);
    const int64_t factor = call->first * StepStride(e.rows, 3);
    const int32_t *mul = SlotData(node, slots.mul), *add = SlotData(node, slots.add);
    ForEachRowBlock(e.rows, steps, [&](const int64_t *at) {
      O2M_SYM(o2m_integer_elementwise)
      (At(call->inputs[0], at[1], node->inputs[0]->dtype), b ? At(b, at[2], second.dtype) : nullptr,
       mul ? mul + factor + at[3] : nullptr, add ? add + factor + at[3] : nullptr,
       At(call->outputs[0], at[0], node->outputs[0]->dtype), static_cast<int32_t>(e.rows.RowCount(steps)), &p);
    });
  }

  static o2m_status Emit(const o2m_host *host, const o2m_target *, const o2m_node *node, const o2m_emitter *e) {
    const Rows rows = LoopsOf(node).rows;
    const Slots slots = SlotsOf(node);
    const auto constant = [&](int32_t slot, int o) { return slot < 0 ? "0" : ConstantOperand(e, slot, rows, o); };
    const std::string b = !Of(node).binary      ? "0"
                          : slots.constant >= 0 ? constant(slots.constant, 2)
                                                : RowOperand(e, 1, rows, 2);
    LineInLoops(e, rows,
                Call("O2M_SYM(o2m_integer_elementwise)",
                     {RowOperand(e, 0, rows, 1), b, constant(slots.mul, 3), constant(slots.add, 3),
                      RowOperand(e, node->input_count, rows, 0), RowCountText(e, rows),
                      Object(e, "o2m_integer_elementwise_params", ParamsText(KernelParams(node)))}));
    return EmitSources(
        host, e, o2m_sources, O2M_SOURCE_COUNT,
        {"o2m_fixedpoint.h", "o2m_integers.h", "o2m_integer_elementwise.h", "o2m_integer_elementwise.c"});
  }

  static void Cost(const o2m_target *, const o2m_node *node, int32_t rows, o2m_cost *cost) {
    const int64_t values = ElementCount(*node->outputs[0]) / LoopsOf(node).rows.steps * rows;
    *cost = {"o2m_integer_elementwise", 0, values, values, 0, -1};
  }

  static void Terms(const o2m_target *, const o2m_node *node, int32_t rows, TermList &list) {
    const int64_t values = ElementCount(*node->outputs[0]) / LoopsOf(node).rows.steps * rows;
    list.Add("o2m_integer_elementwise", kKinds[Of(node).kind], values);
    if (Of(node).requant.on)
      list.Add("o2m_integer_elementwise", Of(node).requant.narrow ? "narrow outputs" : "outputs", values);
  }

  static void RandomCase(CaseList &list, Random &random);
  static void Cases(CaseList &list);
};

// b of `b_dims`, or none where that is empty; factors of their own shapes.
void AddCase(CaseList &list, const std::string &name, Random &r, int32_t kind, std::vector<int32_t> dims,
             std::vector<int32_t> b_dims, std::vector<int32_t> factors, o2m_dtype a, o2m_dtype b, o2m_dtype y,
             bool constant, bool plain) {
  ElementwiseParams p = {plain ? RequantParams{} : CaseRequant(r, y),
                         kind,
                         !b_dims.empty(),
                         64,
                         3,
                         5,
                         -40,
                         1743,
                         765,
                         1530,
                         33,
                         b == O2M_U8 ? O2M_S16 : b,
                         {}};
  std::vector<CaseOperand> inputs = {IntegerOperand(a, dims, r.Strides(dims))};
  if (p.binary)
    inputs.push_back(constant ? IntegerConstant(b_dims, r, LowOf(b), HighOf(b))
                              : IntegerOperand(b, b_dims, r.Strides(b_dims)));
  for (int32_t i = 0; i < 2 && !plain; ++i)
    inputs.push_back(IntegerConstant(r.OneIn(2) ? std::vector<int32_t>(factors.size(), 1) : factors, r,
                                     i ? -1000000 : -60, i ? 1000000 : 80000));
  list.Add(name, inputs, {IntegerOperand(plain ? O2M_S32 : y, dims, r.Strides(dims))}, p);
}

void IntegerElementwise::RandomCase(CaseList &list, Random &r) {
  const std::vector<int32_t> dims = RandomDims(r);
  const int32_t kind = r.Below(7);
  std::vector<int32_t> b, factors(dims.size(), 1);
  if (kind >= 1 && kind <= 4) b = RandomBroadcast(r, dims);
  const auto axis = static_cast<size_t>(r.Below(static_cast<int32_t>(dims.size())));
  factors[axis] = dims[axis];
  AddCase(list, "random", r, kind, dims, b, factors, CaseType(r), CaseType(r), CaseType(r), !b.empty() && r.OneIn(3),
          r.OneIn(4));
}

void IntegerElementwise::Cases(CaseList &list) {
  Random r(3);
  AddCase(list, "sum", r, O2M_INTEGER_ADD, {1, 7, 9}, {1, 7, 9}, {1, 1, 1}, O2M_S8, O2M_U8, O2M_S8, false, false);
  AddCase(list, "sum as it is", r, O2M_INTEGER_ADD, {1, 7, 9}, {1, 7, 9}, {}, O2M_S8, O2M_U8, O2M_S16, false, true);
  AddCase(list, "positions", r, O2M_INTEGER_ADD, {1, 7, 9}, {7, 9}, {1, 1, 9}, O2M_S8, O2M_S8, O2M_S8, true, false);
  AddCase(list, "by channel", r, O2M_INTEGER_IDENTITY, {1, 6, 4, 5}, {}, {1, 6, 1, 1}, O2M_S16, O2M_S8, O2M_U8, false,
          false);
  AddCase(list, "gelu", r, O2M_INTEGER_GELU, {1, 5, 8}, {}, {1, 1, 1}, O2M_S8, O2M_S8, O2M_S8, false, false);
  AddCase(list, "quotient", r, O2M_INTEGER_DIV, {1, 5, 8}, {1, 5, 1}, {}, O2M_S16, O2M_U8, O2M_S32, false, true);
  for (int32_t i = 0; i < 12; ++i) RandomCase(list, r);
}

}  // namespace

O2M_PLUGIN("integer_elementwise", "1.0", IntegerElementwise)
