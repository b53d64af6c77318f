// gather.cc - "o2m.gather": Gather by a constant list of indices that strides cannot say, and Slice backwards.
#include "elementwise.hpp"
#include "gather_random.hpp"
#include "o2m_gather.h"
#include "o2m_sources.h"

namespace {
using namespace o2m;

struct GatherParams {
  int32_t axis;
  int32_t start, step, count;  // of a slice; count 0: input 1 holds the indices
};

bool IsSlice(const o2m_node *node) { return ParamsOf<GatherParams>(node).count > 0; }
// How many dims the axis becomes.
int32_t IndexRank(const o2m_node *node) { return IsSlice(node) ? 1 : node->inputs[1]->rank; }
int64_t Picked(const o2m_node *node) {
  return IsSlice(node) ? ParamsOf<GatherParams>(node).count : ElementCount(*node->inputs[1]);
}
// Index j, counted from the front; -1 where it is outside of the axis. Precondition: the data is there.
int64_t IndexAt(const o2m_node *node, int64_t j) {
  const auto &params = ParamsOf<GatherParams>(node);
  const int64_t size = node->inputs[0]->dims[params.axis];
  int64_t index = params.start + j * params.step;
  if (!IsSlice(node)) index = static_cast<const int64_t *>(node->inputs[1]->data)[j];
  if (index < 0 && !IsSlice(node)) index += size;
  return index < 0 || index >= size ? -1 : index;
}

// `t` without `count` dims from `axis` on.
o2m_tensor Without(const o2m_tensor &t, int32_t axis, int32_t count) {
  o2m_tensor rest = t;
  rest.rank = 0;
  for (int32_t i = 0; i < t.rank; ++i) {
    if (i >= axis && i < axis + count) continue;
    rest.dims[rest.rank] = t.dims[i];
    rest.strides[rest.rank++] = t.strides[i];
  }
  rest.token_axis = O2M_NONE;
  return rest;
}

Elements Loops(const o2m_node *node) {
  const int32_t axis = ParamsOf<GatherParams>(node).axis;
  const o2m_tensor y = Without(*node->outputs[0], axis, IndexRank(node)), x = Without(*node->inputs[0], axis, 1);
  return ElementsOf({&y, &x});
}

o2m_gather_params KernelParams(const o2m_node *node, const Elements &e) {
  const o2m_tensor &x = *node->inputs[0], &y = *node->outputs[0];
  const int32_t axis = ParamsOf<GatherParams>(node).axis;
  const auto &row = e.rows.rows.strides;
  o2m_gather_params p = {};
  p.picked = static_cast<int32_t>(Picked(node));
  p.count = static_cast<int32_t>(e.count);
  p.x_row = static_cast<int32_t>(row[1]);
  p.x_pick = static_cast<int32_t>(x.strides[axis]);
  p.x_step = static_cast<int32_t>(e.steps[1]);
  p.y_row = static_cast<int32_t>(row[0]);
  p.y_pick = static_cast<int32_t>(y.strides[axis + IndexRank(node) - 1]);
  p.y_step = static_cast<int32_t>(e.steps[0]);
  p.bytes = static_cast<int32_t>(BytesOf(y.dtype));
  p.index = ConstantData<const int32_t>(node, 0);
  return p;
}

std::string ParamsText(const o2m_gather_params &p, const o2m_emitter *e) {
  return Initializer()
      .Field("picked", p.picked)
      .Field("count", p.count)
      .Field("x_row", p.x_row)
      .Field("x_pick", p.x_pick)
      .Field("x_step", p.x_step)
      .Field("y_row", p.y_row)
      .Field("y_pick", p.y_pick)
      .Field("y_step", p.y_step)
      .Field("bytes", p.bytes)
      .Field("index", ConstantName(e, 0))
      .text();
}

// The one value of a constant integer vector of length one; false where it is something else.
bool OneInteger(const GraphView &g, int32_t tensor, int64_t *value) {
  if (!g.IsConstant(tensor)) return false;
  const o2m_tensor &t = g.Tensor(tensor);
  if (t.dtype != O2M_S64 || ElementCount(t) != 1 || !t.data) return false;
  *value = *static_cast<const int64_t *>(t.data);
  return true;
}

// A slice of one axis with a negative step (positive ones are strides).
bool MatchSlice(const GraphView &g, int32_t node, GatherParams *params) {
  int64_t start = 0, end = 0, axis = 0, step = 1;
  if (g.Inputs(node) != 5 || !OneInteger(g, g.Input(node, 1), &start) || !OneInteger(g, g.Input(node, 2), &end) ||
      !OneInteger(g, g.Input(node, 3), &axis) || !OneInteger(g, g.Input(node, 4), &step) || step >= 0) {
    return false;
  }
  const o2m_tensor &x = g.Tensor(g.Input(node, 0));
  if (axis < 0) axis += x.rank;
  if (axis < 0 || axis >= x.rank) return false;
  const int64_t size = x.dims[axis];
  start = std::min(start < 0 ? start + size : start, size - 1);
  end = std::max<int64_t>(end < 0 ? end + size : end, -1);
  if (start <= end) return false;
  *params = {static_cast<int32_t>(axis), static_cast<int32_t>(start), static_cast<int32_t>(step),
             static_cast<int32_t>((start - end - step - 1) / -step)};
  return true;
}

struct Gather {
  static constexpr char kId[] = "o2m.gather";
  using Params = GatherParams;

  static o2m_status Match(const o2m_host *, const o2m_graph *graph, int32_t root, o2m_match *match) {
    const GraphView g(graph);
    auto &params = *static_cast<Params *>(match->params);
    const int32_t x = g.Input(root, 0);
    if (g.Is(root, "Slice") && !g.IsConstant(x) && MatchSlice(g, root, &params)) return Matched(match, {root}, {x});
    if (!g.Is(root, "Gather") || g.IsConstant(x) || !g.IsConstant(g.Input(root, 1))) return O2M_NO_MATCH;
    const o2m_tensor &indices = g.Tensor(g.Input(root, 1));
    const int64_t axis = g.Int(root, "axis", 0);
    if (indices.dtype != O2M_S64 || indices.rank < 1) return O2M_NO_MATCH;
    params = {static_cast<int32_t>(axis < 0 ? axis + g.Tensor(x).rank : axis), 0, 0, 0};
    return Matched(match, {root}, {x, g.Input(root, 1)});
  }

  static o2m_status CheckIndices(const o2m_host *host, const o2m_node *node) {
    if (node->input_count != (IsSlice(node) ? 1 : 2) || node->output_count != 1)
      return Reject(host, "gather has an input, maybe indices, and one output");
    const o2m_tensor &x = *node->inputs[0];
    const int32_t axis = ParamsOf<Params>(node).axis;
    if (axis < 0 || axis >= x.rank) return Reject(host, Str("axis ", axis, " lies outside of the input ", Shape(x)));
    if (!IsSlice(node)) {
      const o2m_tensor &indices = *node->inputs[1];
      if (!indices.is_constant || indices.dtype != O2M_S64 || indices.rank < 1)
        return Reject(host, "input 1, the indices, must be a constant s64 of one dim or more");
      if (x.rank + indices.rank - 1 > O2M_MAX_RANK) return Reject(host, "the output has more than 8 dims");
      if (!indices.data) return O2M_OK;  // only a price is asked
    }
    for (int64_t j = 0; j < Picked(node); ++j) {
      if (IndexAt(node, j) < 0)
        return Reject(host, Str("index ", j, " lies outside of axis ", axis, " of the input ", Shape(x)));
    }
    return O2M_OK;
  }

  static o2m_status Infer(const o2m_host *host, const o2m_target *, o2m_node *node) {
    if (o2m_status s = CheckIndices(host, node)) return s;
    const o2m_tensor &x = *node->inputs[0];
    o2m_tensor &y = *node->outputs[0];
    const int32_t axis = ParamsOf<Params>(node).axis;
    y.rank = 0;
    for (int32_t i = 0; i < axis; ++i) y.dims[y.rank++] = x.dims[i];
    for (int32_t i = 0; i < IndexRank(node); ++i) {
      y.dims[y.rank++] = IsSlice(node) ? ParamsOf<Params>(node).count : node->inputs[1]->dims[i];
    }
    for (int32_t i = axis + 1; i < x.rank; ++i) y.dims[y.rank++] = x.dims[i];
    if (y.dtype == O2M_ANY) y.dtype = x.dtype;
    if (y.quant.count == 0) y.quant = x.quant;
    const bool same = y.dtype == x.dtype && y.quant.count == x.quant.count && ScaleOf(y) == ScaleOf(x) &&
                      ZeroPointOf(y) == ZeroPointOf(x);
    if (!same || BytesOf(x.dtype) < 1 || BytesOf(x.dtype) > 4)
      return Reject(host, "gather moves values as they are; an output with the input's type and scale would work");
    SetConstants(node, {{"index", O2M_S32, Picked(node), nullptr}});
    return O2M_OK;
  }

  // Whole: which rows are read depends on the indices. Indices of several dims are walked as one.
  static void Memory(const o2m_target *, const o2m_node *node, int32_t, o2m_memory *memory) {
    memory->inputs[0] = AnyStrides();
    if (IndexRank(node) == 1) memory->outputs[0] = AnyStrides();
  }

  static o2m_status Pack(const o2m_host *, const o2m_target *, o2m_node *node) {
    for (int64_t j = 0; j < Picked(node); ++j) {
      ConstantData<int32_t>(node, 0)[j] = static_cast<int32_t>(IndexAt(node, j));
    }
    return O2M_OK;
  }

  static void Run(const o2m_node *node, const o2m_call *call) {
    const Elements e = Loops(node);
    const o2m_gather_params p = KernelParams(node, e);
    const o2m_dtype dtype = node->outputs[0]->dtype;
    const auto steps = static_cast<int32_t>(e.rows.steps);
    ForEachRowBlock(e.rows, steps, [&](const int64_t *at) {
      O2M_SYM(o2m_gather)
      (At(call->inputs[0], at[1], dtype), At(call->outputs[0], at[0], dtype),
       static_cast<int32_t>(e.rows.RowCount(steps)), &p);
    });
  }

  static o2m_status Emit(const o2m_host *host, const o2m_target *, const o2m_node *node, const o2m_emitter *e) {
    const Elements loops = Loops(node);
    const std::string params = Object(e, "o2m_gather_params", ParamsText(KernelParams(node, loops), e));
    std::string x = Operand(e, 0), y = Operand(e, node->input_count), indent;
    for (size_t l = 0; l < loops.rows.loops.size(); ++l, indent += "  ") {
      const Loop &loop = loops.rows.loops[l];
      Line(e, Str(indent, "for (int32_t i", l, " = 0; i", l, " < ", loop.count, "; ++i", l, ") {"));
      x += Str(" + i", l, " * ", loop.strides[1]);
      y += Str(" + i", l, " * ", loop.strides[0]);
    }
    Line(e, indent + Call("O2M_SYM(o2m_gather)", {x, y, Str(loops.rows.RowCount(loops.rows.steps)), params}));
    for (size_t l = loops.rows.loops.size(); l-- > 0;) Line(e, std::string(2 * l, ' ') + "}");
    return EmitSources(host, e, o2m_sources, O2M_SOURCE_COUNT, {"o2m_fixedpoint.h", "o2m_gather.h", "o2m_gather.c"});
  }

  static void Cost(const o2m_target *, const o2m_node *node, int32_t, o2m_cost *cost) {
    const int64_t values = ElementCount(*node->outputs[0]);
    *cost = {"gather", 0, values, values, 4 * Picked(node), -1};
  }

  static void Terms(const o2m_target *, const o2m_node *node, int32_t, TermList &list) {
    const Elements e = Loops(node);
    const int64_t calls = KernelCalls(e.rows, e.rows.steps), rows = calls * e.rows.RowCount(e.rows.steps);
    list.Add("gather", "kernel calls", calls - 1);
    list.Add("gather", "rows", rows);
    list.Add("gather", "picks", rows * Picked(node));
    list.Add("gather", "values", ElementCount(*node->outputs[0]));
    list.Add("gather", "bytes", ElementCount(*node->outputs[0]) * BytesOf(node->outputs[0]->dtype));
  }

  static void QuantRule(const o2m_node *, o2m_quant_rule *rule) {
    rule->s16_inputs = rule->s16_outputs = 1;
    rule->same_as_input0 = 1;
  }

  static void RandomCase(CaseList &list, Random &random) { RandomGatherCase<Params>(list, random); }
  static void Cases(CaseList &list);
};

void Gather::Cases(CaseList &list) {
  const auto indices = [](std::vector<int32_t> dims) {
    return CaseOperand{O2M_S64, dims, 0, 0, {}, {}, {4, 0, 0, -1, 3, 2}};
  };
  const auto along = [](int32_t axis) { return Params{axis, 0, 0, 0}; };
  list.Add("tokens", {{O2M_S8, {1, 5, 8}, 0.05f, 3}, indices({6})}, {{O2M_S8, {1, 6, 8}, 0.05f, 3}}, along(1));
  list.Add("columns of s16", {{O2M_S16, {3, 5}, 0.05f, 3}, indices({6})}, {{O2M_S16, {3, 6}, 0.05f, 3}}, along(1));
  list.Add("the whole of a vector", {{O2M_S8, {5}, 0.05f, 3}, indices({6})}, {{O2M_S8, {6}, 0.05f, 3}}, along(0));
  list.Add("indices of two dims", {{O2M_S8, {2, 5, 3}, 0.05f, 3}, indices({2, 3})}, {{O2M_S8, {2, 2, 3, 3}, 0.05f, 3}},
           along(1));
  list.Add("strided", {{O2M_S8, {2, 5, 3, 4}, 0.05f, 3, {}, {60, 1, 20, 5}}, indices({6})},
           {{O2M_S8, {2, 6, 3, 4}, 0.05f, 3, {}, {90, 15, 5, 1}}}, along(1));
  list.Add("backwards", {{O2M_S8, {2, 7, 3}, 0.05f, 3}}, {{O2M_S8, {2, 3, 3}, 0.05f, 3}}, Params{1, 5, -2, 3});
  list.Add("own output quant", {{O2M_U8, {5, 4}, 0.05f, 3}, indices({6})}, {{O2M_ANY, {6, 4}}}, along(0));
}

}  // namespace

O2M_PLUGIN("gather", "1.0", Gather)
