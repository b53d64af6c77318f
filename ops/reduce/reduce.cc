// reduce.cc - "o2m.reduce": ReduceMean, ReduceSum, ReduceMax, ReduceMin and the mean of squares over any axes.
// README.md says more.
#include "elementwise.hpp"
#include "o2m_reduce.h"
#include "o2m_sources.h"
#include "reduce_random.hpp"
#include "reduce_worst.hpp"

namespace {
using namespace o2m;

enum Kind : int32_t { kMean = 0, kSum = 1, kMax = 2, kMin = 3, kMeanSquare = 4 };
constexpr const char *kOpTypes[] = {"ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin"};

struct ReduceParams {
  int32_t kind;
  uint32_t axes;  // bit i: axis i is reduced; 0: all of them
  int32_t keepdims;
  int32_t multiplier, shift;
  OwnQuant y;
  int32_t acc_shift;  // of squares
};

bool IsReduced(const o2m_node *node, int32_t axis) {
  const uint32_t axes = ParamsOf<ReduceParams>(node).axes;
  return axes == 0 || (axes >> axis & 1);
}

// The axis of y that axis `axis` of x becomes.
int32_t OutputAxis(const o2m_node *node, int32_t axis) {
  if (ParamsOf<ReduceParams>(node).keepdims) return axis;
  int32_t result = 0;
  for (int32_t i = 0; i < axis; ++i) result += !IsReduced(node, i);
  return result;
}

// The values that go into one output.
int64_t Depth(const o2m_node *node) {
  const o2m_tensor &x = *node->inputs[0];
  int64_t depth = 1;
  for (int32_t i = 0; i < x.rank; ++i) depth *= IsReduced(node, i) ? x.dims[i] : 1;
  return depth;
}

// One loop of the kernel.
struct Axis {
  int32_t count = 1, x = 0, y = 0;
};

// The loops over kept or reduced axes, the step axis first, at most three (infer() sees to that).
std::vector<Axis> AxesOf(const o2m_node *node, bool reduced) {
  const o2m_tensor &x = *node->inputs[0], &y = *node->outputs[0];
  const int32_t step = OuterAxis(x);
  std::vector<Axis> axes;
  for (int32_t i = 0; i < x.rank; ++i) {
    if (IsReduced(node, i) != reduced || (x.dims[i] == 1 && i != step)) continue;
    const int64_t y_stride = reduced ? 0 : y.strides[OutputAxis(node, i)];
    const Axis axis = {x.dims[i], static_cast<int32_t>(x.strides[i]), static_cast<int32_t>(y_stride)};
    axes.insert(i == step ? axes.begin() : axes.end(), axis);
  }
  const bool steps_here = x.rank > 0 && IsReduced(node, step) == reduced;
  while (axes.size() < 3) axes.insert(steps_here ? axes.begin() + 1 : axes.begin(), Axis{});
  return axes;
}

o2m_status CheckAxes(const o2m_host *host, const o2m_node *node) {
  const o2m_tensor &x = *node->inputs[0];
  int32_t kept = 0, reduced = 0;
  for (int32_t i = 0; i < x.rank; ++i) (IsReduced(node, i) ? reduced : kept) += x.dims[i] > 1;
  if (x.rank < 1) return Reject(host, "the input has no axes to reduce");
  if (ParamsOf<ReduceParams>(node).axes >> x.rank) return Reject(host, Str("an axis lies outside of ", Shape(x)));
  if (kept > 3 || reduced > 3)
    return Reject(host,
                  Str("the input ", Shape(x), " has more than three axes to keep or to reduce; reshaping would work"));
  const int64_t most = x.dtype == O2M_S16 ? kMostS16Summed : kMostBytesSummed;
  if (Depth(node) > most) return Reject(host, Str("a sum of ", Depth(node), " values; at most ", most, " would work"));
  return O2M_OK;
}

void SetOutputShape(const o2m_node *node, o2m_tensor &y) {
  const o2m_tensor &x = *node->inputs[0];
  const bool keepdims = ParamsOf<ReduceParams>(node).keepdims;
  y.rank = 0;
  for (int32_t i = 0; i < x.rank; ++i) {
    if (!IsReduced(node, i))
      y.dims[y.rank++] = x.dims[i];
    else if (keepdims)
      y.dims[y.rank++] = 1;
  }
}

// Squares are summed in 64 bits and rounded to 30 before they are scaled.
o2m_status ChooseSquareFactor(const o2m_host *host, const o2m_node *node, ReduceParams &params) {
  const o2m_tensor &x = *node->inputs[0], &y = *node->outputs[0];
  const double reach = std::fmax(HighOf(x.dtype) - ZeroPointOf(x), ZeroPointOf(x) - LowOf(x.dtype));
  const double scale = ScaleOf(x), depth = static_cast<double>(Depth(node)), largest = reach * reach * depth;
  params.acc_shift = 0;
  while (std::ldexp(largest, -params.acc_shift) > 1073741824.0) ++params.acc_shift;
  const double factor = std::ldexp(scale * scale / (ScaleOf(y) * depth), params.acc_shift);
  if (std::ldexp(largest, -params.acc_shift) * factor > 1073741824.0)
    return Reject(host, Str("the output's scale, ", ScaleOf(y), ", is too small beside the input's, ", ScaleOf(x)));
  params.shift = 46;
  while (params.shift > 1 && std::ldexp(factor, params.shift) > 1073741824.0) --params.shift;
  params.multiplier = Multiplier(factor, params.shift);
  return O2M_OK;
}

o2m_status ChooseFactor(const o2m_host *host, const o2m_node *node, ReduceParams &params) {
  if (params.kind == kMeanSquare) return ChooseSquareFactor(host, node, params);
  const o2m_tensor &x = *node->inputs[0], &y = *node->outputs[0];
  const double divisor = params.kind == kMean ? static_cast<double>(Depth(node)) : 1.0;
  const double factor = ScaleOf(x) / (ScaleOf(y) * divisor);
  const double terms = params.kind == kSum ? static_cast<double>(Depth(node)) : divisor;
  if (factor * terms * 65536 > 1073741824.0)
    return Reject(host, Str("the output's scale, ", ScaleOf(y), ", is too small beside the input's, ", ScaleOf(x)));
  params.shift = 46;
  while (params.shift > 1 && std::ldexp(factor, params.shift) > 1073741824.0) --params.shift;
  params.multiplier = Multiplier(params.kind == kMin ? -factor : factor, params.shift);
  return O2M_OK;
}

o2m_reduce_params KernelParams(const o2m_node *node) {
  const o2m_tensor &x = *node->inputs[0], &y = *node->outputs[0];
  const auto &params = ParamsOf<ReduceParams>(node);
  const std::vector<Axis> kept = AxesOf(node, false), reduced = AxesOf(node, true);
  o2m_reduce_params p = {};
  for (size_t i = 0; i < 3; ++i) {
    p.kept[i] = kept[i].count;
    p.x_kept[i] = kept[i].x;
    p.y_kept[i] = kept[i].y;
    p.reduced[i] = reduced[i].count;
    p.x_reduced[i] = reduced[i].x;
  }
  p.rows_reduced = IsReduced(node, OuterAxis(x));
  p.kind = params.kind == kMax ? O2M_REDUCE_MAX : params.kind == kMin ? O2M_REDUCE_MIN : O2M_REDUCE_SUM;
  p.x_type = x.dtype == O2M_S8 ? O2M_REDUCE_S8 : x.dtype == O2M_U8 ? O2M_REDUCE_U8 : O2M_REDUCE_S16;
  p.y_bytes = static_cast<int32_t>(BytesOf(y.dtype));
  p.edge = params.kind == kMax ? LowOf(x.dtype) : params.kind == kMin ? HighOf(x.dtype) : 0;
  p.offset = params.kind == kMax   ? p.edge - ZeroPointOf(x)
             : params.kind == kMin ? ZeroPointOf(x) - p.edge
                                   : static_cast<int32_t>(-Depth(node) * ZeroPointOf(x));
  p.multiplier = params.multiplier;
  p.shift = params.shift;
  p.y_zero = ZeroPointOf(y);
  return p;
}

std::string Three(const int32_t *v) { return Str("{", v[0], ", ", v[1], ", ", v[2], "}"); }

std::string ParamsText(const o2m_reduce_params &p) {
  return Initializer()
      .Field("kept", Three(p.kept))
      .Field("reduced", Three(p.reduced))
      .Field("x_kept", Three(p.x_kept))
      .Field("x_reduced", Three(p.x_reduced))
      .Field("y_kept", Three(p.y_kept))
      .Field("rows_reduced", p.rows_reduced)
      .Field("kind", p.kind)
      .Field("x_type", p.x_type)
      .Field("y_bytes", p.y_bytes)
      .Field("edge", p.edge)
      .Field("offset", p.offset)
      .Field("multiplier", p.multiplier)
      .Field("shift", p.shift)
      .Field("y_zero", p.y_zero)
      .text();
}

bool SameDims(const o2m_tensor &a, const o2m_tensor &b) {
  return a.rank == b.rank && std::equal(a.dims, a.dims + a.rank, b.dims);
}

// x where `tensor` is x * x or x^2, of the same shape; else O2M_NONE. *node: what squares it.
int32_t SquaredBy(const GraphView &g, int32_t tensor, int32_t *node) {
  float exponent = 0;
  *node = g.Producer(tensor);
  const bool pow = g.Is(*node, "Pow") && g.IsScalar(g.Input(*node, 1), &exponent) && exponent == 2;
  const bool mul = g.Is(*node, "Mul") && g.Input(*node, 0) == g.Input(*node, 1);
  const int32_t x = pow || mul ? g.Input(*node, 0) : O2M_NONE;
  return x >= 0 && !g.IsConstant(x) && SameDims(g.Tensor(x), g.Tensor(tensor)) ? x : O2M_NONE;
}

// Axes as bits, from the attribute or, since opset 18, from a constant input; false where they are not known.
bool AxesBits(const GraphView &g, int32_t node, uint32_t *bits) {
  std::vector<int64_t> axes = g.Ints(node, "axes");
  const int32_t rank = g.Tensor(g.Input(node, 0)).rank;
  if (axes.empty() && g.Input(node, 1) >= 0) {
    const o2m_tensor &t = g.Tensor(g.Input(node, 1));
    if (!t.is_constant || t.dtype != O2M_S64 || !t.data) return false;
    const auto *values = static_cast<const int64_t *>(t.data);
    axes.assign(values, values + ElementCount(t));
  }
  *bits = 0;
  for (const int64_t axis : axes) {
    const int64_t positive = axis < 0 ? axis + rank : axis;
    if (positive < 0 || positive >= rank) return false;
    *bits |= 1u << positive;
  }
  return true;
}

struct Reduce {
  static constexpr char kId[] = "o2m.reduce";
  using Params = ReduceParams;

  static o2m_status Match(const o2m_host *, const o2m_graph *graph, int32_t root, o2m_match *match) {
    const GraphView g(graph);
    for (int32_t kind = kMean; kind <= kMin; ++kind) {
      if (!g.Is(root, kOpTypes[kind])) continue;
      auto &params = *static_cast<Params *>(match->params);
      params.kind = kind;
      params.keepdims = g.Int(root, "keepdims", 1) != 0;
      const bool known = AxesBits(g, root, &params.axes);
      if (!known || (params.axes == 0 && g.Int(root, "noop_with_empty_axes", 0) != 0)) return O2M_NO_MATCH;
      int32_t square = O2M_NONE;
      const int32_t x = kind == kMean ? SquaredBy(g, g.Input(root, 0), &square) : O2M_NONE;
      if (x < 0) return Matched(match, {root}, {g.Input(root, 0)});
      params.kind = kMeanSquare;
      return Matched(match, {square, root}, {x}, {g.Output(root)});
    }
    return O2M_NO_MATCH;
  }

  static o2m_status Infer(const o2m_host *host, const o2m_target *, o2m_node *node) {
    if (node->input_count != 1 || node->output_count != 1) return Reject(host, "reduce has one input and one output");
    const o2m_tensor &x = *node->inputs[0];
    o2m_tensor &y = *node->outputs[0];
    auto &params = ParamsOf<Params>(node);
    if (o2m_status s = CheckQuantised(host, x, "the input", kMaskIntegers)) return s;
    if (o2m_status s = CheckAxes(host, node)) return s;
    SetOutputShape(node, y);
    const bool wide = x.dtype == O2M_S16;
    const bool squares = params.kind == kMeanSquare;
    const double factor = squares ? 128 * ScaleOf(x) : params.kind == kSum ? static_cast<double>(Depth(node)) : 1.0;
    SettleOutput(y, wide ? O2M_S16 : O2M_S8, params.y, ScaleOf(x) * factor,
                 squares ? -128 : ZeroPointOf(x) - (x.dtype == O2M_U8 ? 128 : 0));
    if (o2m_status s = CheckQuantised(host, y, "the output", kMaskS8S16)) return s;
    return ChooseFactor(host, node, params);
  }

  // Steps walk along the token axis, else the outermost in memory. Where that is reduced (a mean over tokens), the sums
  // are kept from step to step and the output is written by the last one.
  static void Memory(const o2m_target *, const o2m_node *node, int32_t, o2m_memory *memory) {
    const o2m_tensor &x = *node->inputs[0], &y = *node->outputs[0];
    const int32_t axis = OuterAxis(x);
    memory->steps = x.dims[axis];
    memory->inputs[0] = {O2M_ANY_STRIDES, axis, 1, 1, 0};
    memory->outputs[0] = AnyStrides();
    if (IsReduced(node, axis) && ParamsOf<Params>(node).kind == kMeanSquare) {
      memory->steps = 1;
      memory->inputs[0] = AnyStrides();
    } else if (IsReduced(node, axis)) {
      memory->state_bytes = 4 * ElementCount(y);
    } else {
      memory->outputs[0] = {O2M_ANY_STRIDES, OutputAxis(node, axis), 1, 1, 0};
    }
  }

  static void Run(const o2m_node *node, const o2m_call *call) {
    const o2m_reduce_params p = KernelParams(node);
    const o2m_tensor &x = *node->inputs[0];
    if (ParamsOf<Params>(node).kind == kMeanSquare)
      return O2M_SYM(o2m_reduce_squares)(call->inputs[0], call->outputs[0], p.rows_reduced ? p.kept[0] : call->rows,
                                         ZeroPointOf(x), ParamsOf<Params>(node).acc_shift, &p);
    const bool last = !p.rows_reduced || call->first + call->rows == x.dims[OuterAxis(x)];
    O2M_SYM(o2m_reduce)(call->inputs[0], call->outputs[0], static_cast<int32_t *>(call->state), call->rows, last, &p);
  }

  static o2m_status Emit(const o2m_host *host, const o2m_target *, const o2m_node *node, const o2m_emitter *e) {
    const o2m_reduce_params p = KernelParams(node);
    const o2m_tensor &x = *node->inputs[0];
    const auto &params = ParamsOf<Params>(node);
    if (params.kind == kMeanSquare) {
      const std::string rows = p.rows_reduced ? Str(p.kept[0]) : RowsName(e);
      Line(e,
           Call("O2M_SYM(o2m_reduce_squares)", {Operand(e, 0), Operand(e, 1), rows, Str(ZeroPointOf(x)),
                                                Str(params.acc_shift), Object(e, "o2m_reduce_params", ParamsText(p))}));
      return EmitSources(host, e, o2m_sources, O2M_SOURCE_COUNT,
                         {"o2m_fixedpoint.h", "o2m_reduce.h", "o2m_reduce_squares.c"});
    }
    std::string state = "0", last = "1";
    if (p.rows_reduced) {
      state = Str("(int32_t *)", e->state(e));
      last = Str(e->first(e), " + ", RowsName(e), " == ", x.dims[OuterAxis(x)]);
    }
    Line(e, Call("O2M_SYM(o2m_reduce)", {Operand(e, 0), Operand(e, 1), state, RowsName(e), last,
                                         Object(e, "o2m_reduce_params", ParamsText(p))}));
    return EmitSources(host, e, o2m_sources, O2M_SOURCE_COUNT, {"o2m_fixedpoint.h", "o2m_reduce.h", "o2m_reduce.c"});
  }

  static void Cost(const o2m_target *, const o2m_node *node, int32_t rows, o2m_cost *cost) {
    const o2m_tensor &x = *node->inputs[0];
    if (ParamsOf<Params>(node).kind == kMeanSquare) {
      const bool whole = IsReduced(node, OuterAxis(x));
      const int64_t squares = whole ? ElementCount(x) : ElementCount(x) / x.dims[OuterAxis(x)] * rows;
      *cost = {"reduce_squares", 0, squares, ElementCount(*node->outputs[0]), 0, 12 * squares};
      return;
    }
    const int64_t values = ElementCount(x) / x.dims[OuterAxis(x)] * rows;
    *cost = {"reduce", 0, values, ElementCount(*node->outputs[0]), 0, -1};
  }

  // Sums that are kept from call to call are stored by the last one, which all calls share.
  static void Terms(const o2m_target *, const o2m_node *node, int32_t rows, TermList &list) {
    if (ParamsOf<Params>(node).kind == kMeanSquare) return;  // until they are counted
    const o2m_reduce_params p = KernelParams(node);
    const int64_t steps = node->inputs[0]->dims[OuterAxis(*node->inputs[0])];
    const int64_t kept = int64_t{p.kept[1]} * p.kept[2] * (p.rows_reduced ? p.kept[0] : rows);
    const int64_t loops = int64_t{p.reduced[1]} * (p.rows_reduced ? rows : p.reduced[0]);
    list.Add("reduce", "sums", kept);
    list.Add("reduce", "kept sums", p.rows_reduced ? kept : 0);
    list.Add("reduce", "inner loops", kept * loops);
    const int64_t values = kept * loops * p.reduced[2];
    list.Add("reduce", p.kind == O2M_REDUCE_SUM ? "values" : "compared values", values);
    list.Add("reduce", "s16 values", p.x_type == O2M_REDUCE_S16 ? values : 0);
    list.Add("reduce", "outputs", p.rows_reduced ? kept * rows / steps : kept);
  }

  static void QuantRule(const o2m_node *node, o2m_quant_rule *rule) {
    rule->s16_inputs = rule->s16_outputs = 1;
    rule->same_as_input0 = ParamsOf<Params>(node).kind == kMax || ParamsOf<Params>(node).kind == kMin;
  }

  static void RandomCase(CaseList &list, Random &random) { RandomReduceCase<Params>(list, random); }
  static void WorstCases(CaseList &list) { WorstReduceCases<Params>(list); }
  static void Cases(CaseList &list);
  static void CostCases(CaseList &list);  // all that have terms
};

void Reduce::CostCases(CaseList &list) {
  const auto params = [](int32_t kind, uint32_t axes, int32_t keepdims) {
    return ReduceParams{kind, axes, keepdims, 0, 0, {}, 0};
  };
  const CaseOperand tokens = {O2M_S8, {1, 50, 64}, 0.05f, 3}, s16 = {O2M_S16, {1, 50, 64}, 0.0003f, -7};
  list.Add("mean of tokens", {tokens}, {{O2M_S8, {1, 64}, 0.01f, -5}}, params(kMean, 2, 0));
  list.Add("mean of s16 tokens", {s16}, {{O2M_S16, {1, 64}, 0.00005f, 0}}, params(kMean, 2, 0));
  list.Add("mean of s16 tokens to s8", {s16}, {{O2M_S8, {1, 1, 64}, 0.012f, 9}}, params(kMean, 2, 1));
  list.Add("mean of each token", {tokens}, {{O2M_S8, {1, 50, 1}, 0.01f, -5}}, params(kMean, 4, 1));
  list.Add("mean of a map", {{O2M_S8, {1, 7, 5, 6}, 0.05f, -128}}, {{O2M_S8, {1, 7, 1, 1}, 0.03f, -128}},
           params(kMean, 12, 1));
  list.Add("mean of a map, channels last", {{O2M_S8, {1, 7, 5, 6}, 0.05f, 127, {}, {210, 1, 42, 7}}},
           {{O2M_S8, {1, 7}, 0.03f, 127}}, params(kMean, 12, 0));
  list.Add("mean of everything", {{O2M_U8, {3, 4, 5}, 0.01f, 128}}, {{O2M_S8, {1, 1, 1}, 0.005f, 0}},
           params(kMean, 0, 1));
  list.Add("mean with gaps", {{O2M_S8, {6, 5}, 0.05f, 3, {}, {9, 1}}}, {{O2M_S8, {5}, 0.02f, 3, {}, {3}}},
           params(kMean, 1, 0));
  list.Add("mean of outer and inner", {{O2M_S8, {4, 3, 5}, 0.05f, 3}}, {{O2M_S8, {3}, 0.02f, 3}}, params(kMean, 5, 0));
  list.Add("sum of tokens", {tokens}, {{O2M_S8, {1, 1, 64}, 0.5f, -5}}, params(kSum, 2, 1));
  list.Add("maximum of tokens", {tokens}, {{O2M_S8, {1, 64}, 0.05f, 3}}, params(kMax, 2, 0));
  list.Add("maximum of each token", {s16}, {{O2M_S16, {1, 50}, 0.0003f, -7}}, params(kMax, 4, 0));
  list.Add("minimum, another scale", {tokens}, {{O2M_S8, {1, 64}, 0.06f, 20}}, params(kMin, 2, 0));
  list.Add("own output quant", {tokens}, {{O2M_ANY, {1, 64}}}, params(kMean, 2, 0));
}

void Reduce::Cases(CaseList &list) {
  CostCases(list);
  const CaseOperand s16 = {O2M_S16, {1, 50, 64}, 0.0003f, -7};
  const auto params = [](uint32_t axes, int32_t keepdims) {
    return ReduceParams{kMeanSquare, axes, keepdims, 0, 0, {}, 0};
  };
  list.Add("mean square of each token", {{O2M_S8, {1, 50, 64}, 0.05f, 3}}, {{O2M_S8, {1, 50, 1}, 0.05f, -128}},
           params(4, 1));
  list.Add("mean square of s16", {s16}, {{O2M_S8, {1, 50}, 0.4f, -128}}, params(4, 0));
  list.Add("mean square of tokens", {s16}, {{O2M_S16, {1, 1, 64}, 0.002f, -32768}}, params(2, 1));
  list.Add("mean square of everything", {{O2M_U8, {3, 4, 5}, 0.01f, 128}}, {{O2M_S8, {1, 1, 1}, 0.01f, -100}},
           params(0, 1));
}

}  // namespace

O2M_PLUGIN("reduce", "1.0", Reduce)
