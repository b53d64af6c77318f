// top_k.cc - "o2m.top_k": ArgMax, ArgMin and TopK. README.md says more.
#include "elementwise.hpp"
#include "o2m_sources.h"
#include "o2m_top_k.h"

namespace {
using namespace o2m;

struct TopKParams {
  int32_t axis, k;
  int32_t smallest, last;  // 1: the smallest; the last of equal ones
  int32_t keepdims;        // 0: the axis, of one place, is left out of the output
};

bool HasValues(const o2m_node *node) { return node->output_count == 2; }

struct Kept {
  int32_t count = 1, x = 0, index = 0, value = 0;
};

// Axes other than the one searched, longer than one, merged where all operands continue; outermost first.
std::vector<Kept> KeptAxes(const o2m_node *node) {
  const auto &params = ParamsOf<TopKParams>(node);
  const o2m_tensor &x = *node->inputs[0], &y = *node->outputs[0];
  std::vector<Kept> kept;
  for (int32_t i = 0; i < x.rank; ++i) {
    if (i == params.axis || x.dims[i] == 1) continue;
    const int32_t at = params.keepdims || i < params.axis ? i : i - 1;
    Kept axis = {x.dims[i], static_cast<int32_t>(x.strides[i]), static_cast<int32_t>(y.strides[at]), 0};
    if (HasValues(node)) axis.value = static_cast<int32_t>(node->outputs[1]->strides[at]);
    const auto continues = [&](int32_t outer, int32_t inner) { return outer == inner * axis.count; };
    if (!kept.empty() && continues(kept.back().x, axis.x) && continues(kept.back().index, axis.index) &&
        continues(kept.back().value, axis.value)) {
      axis.count *= kept.back().count;
      kept.pop_back();
    }
    kept.push_back(axis);
  }
  return kept;
}

o2m_top_k_params KernelParams(const o2m_node *node) {
  const auto &params = ParamsOf<TopKParams>(node);
  const o2m_tensor &x = *node->inputs[0];
  o2m_top_k_params p = {};
  p.size = x.dims[params.axis];
  p.k = params.k;
  p.x_axis = static_cast<int32_t>(x.strides[params.axis]);
  p.index_axis = params.keepdims ? static_cast<int32_t>(node->outputs[0]->strides[params.axis]) : 0;
  p.value_axis = HasValues(node) ? static_cast<int32_t>(node->outputs[1]->strides[params.axis]) : 0;
  std::vector<Kept> kept = KeptAxes(node);
  kept.insert(kept.begin(), 3 - std::min<size_t>(kept.size(), 3), Kept{});
  for (size_t i = 0; i < 3; ++i) {
    p.kept[i] = kept[i].count;
    p.x_kept[i] = kept[i].x;
    p.index_kept[i] = kept[i].index;
    p.value_kept[i] = kept[i].value;
  }
  p.x_type = x.dtype == O2M_S8 ? O2M_TOP_K_S8 : x.dtype == O2M_U8 ? O2M_TOP_K_U8 : O2M_TOP_K_S16;
  p.smallest = params.smallest;
  p.last = params.last;
  return p;
}

std::string Three(const int32_t *v) { return Str("{", v[0], ", ", v[1], ", ", v[2], "}"); }

std::string ParamsText(const o2m_top_k_params &p) {
  return Initializer()
      .Field("size", p.size)
      .Field("k", p.k)
      .Field("x_axis", p.x_axis)
      .Field("index_axis", p.index_axis)
      .Field("value_axis", p.value_axis)
      .Field("kept", Three(p.kept))
      .Field("x_kept", Three(p.x_kept))
      .Field("index_kept", Three(p.index_kept))
      .Field("value_kept", Three(p.value_kept))
      .Field("x_type", p.x_type)
      .Field("smallest", p.smallest)
      .Field("last", p.last)
      .text();
}

struct TopK {
  static constexpr char kId[] = "o2m.top_k";
  using Params = TopKParams;

  static o2m_status Match(const o2m_host *, const o2m_graph *graph, int32_t root, o2m_match *match) {
    const GraphView g(graph);
    auto &params = *static_cast<Params *>(match->params);
    const int32_t x = g.Input(root, 0);
    const bool top = g.Is(root, "TopK"), min = g.Is(root, "ArgMin");
    if ((!top && !min && !g.Is(root, "ArgMax")) || g.IsConstant(x)) return O2M_NO_MATCH;
    const int32_t rank = g.Tensor(x).rank;
    const auto axis = static_cast<int32_t>(g.Int(root, "axis", top ? -1 : 0));
    params = {axis < 0 ? axis + rank : axis, 1, min, static_cast<int32_t>(g.Int(root, "select_last_index", 0)),
              static_cast<int32_t>(g.Int(root, "keepdims", 1))};
    if (params.axis < 0 || params.axis >= rank || g.Tensor(x).dtype != O2M_F32) return O2M_NO_MATCH;
    if (!top) return Matched(match, {root}, {x}, {g.Output(root)});
    if (graph->output_count(graph, root) != 2 || g.Output(root, 0) < 0 || g.Output(root, 1) < 0) return O2M_NO_MATCH;
    params.k = g.Tensor(g.Output(root, 1)).dims[params.axis];
    params.smallest = g.Int(root, "largest", 1) == 0;
    params.keepdims = 1;
    return Matched(match, {root}, {x}, {g.Output(root, 1), g.Output(root, 0)});
  }

  static void SetShape(const o2m_node *node, o2m_tensor &y) {
    const auto &params = ParamsOf<Params>(node);
    const o2m_tensor &x = *node->inputs[0];
    y.rank = 0;
    for (int32_t i = 0; i < x.rank; ++i) {
      if (i != params.axis) y.dims[y.rank++] = x.dims[i];
      if (i == params.axis && params.keepdims) y.dims[y.rank++] = params.k;
    }
  }

  static o2m_status Infer(const o2m_host *host, const o2m_target *, o2m_node *node) {
    const auto &params = ParamsOf<Params>(node);
    if (node->input_count != 1 || node->output_count < 1 || node->output_count > 2)
      return Reject(host, "top_k has one input, an output of places and maybe one of values");
    const o2m_tensor &x = *node->inputs[0];
    if (o2m_status s = CheckQuantised(host, x, "the input", kMaskIntegers)) return s;
    if (params.axis < 0 || params.axis >= x.rank)
      return Reject(host, Str("axis ", params.axis, " lies outside of ", Shape(x)));
    if (params.k < 1 || params.k > x.dims[params.axis] || (!params.keepdims && (params.k > 1 || HasValues(node))))
      return Reject(host, Str("k is ", params.k, "; 1 to ", x.dims[params.axis], " would work"));
    o2m_tensor &places = *node->outputs[0];
    SetShape(node, places);
    if (places.dtype == O2M_ANY) places.dtype = O2M_S32;
    if (places.dtype != O2M_S32) return Reject(host, Str("output 0 is ", NameOf(places.dtype), "; s32 would work"));
    SetConstants(node, {});
    if (HasValues(node)) {
      o2m_tensor &values = *node->outputs[1];
      SetShape(node, values);
      if (values.dtype == O2M_ANY) values.dtype = x.dtype;
      if (values.quant.count == 0) values.quant = x.quant;
      if (values.dtype != x.dtype || values.quant.count != 1 || ScaleOf(values) != ScaleOf(x) ||
          ZeroPointOf(values) != ZeroPointOf(x))
        return Reject(host, "output 1, the values, must have the input's type and quantisation");
    }
    if (KeptAxes(node).size() > 3)
      return Reject(host, Str("the input ", Shape(x), " has more than three axes to keep; reshaping would work"));
    return O2M_OK;
  }

  static void Memory(const o2m_target *, const o2m_node *node, int32_t, o2m_memory *memory) {
    memory->steps = 1;
    memory->inputs[0] = AnyStrides();
    for (int32_t i = 0; i < node->output_count; ++i) memory->outputs[i] = AnyStrides();
  }

  static void Run(const o2m_node *node, const o2m_call *call) {
    const o2m_top_k_params p = KernelParams(node);
    O2M_SYM(o2m_top_k)
    (call->inputs[0], Out<int32_t>(call), HasValues(node) ? call->outputs[1] : nullptr, &p);
  }

  static o2m_status Emit(const o2m_host *host, const o2m_target *, const o2m_node *node, const o2m_emitter *e) {
    const std::string values = HasValues(node) ? Operand(e, 2) : "0";
    Line(e, Call("O2M_SYM(o2m_top_k)", {Operand(e, 0), Operand(e, 1), values,
                                        Object(e, "o2m_top_k_params", ParamsText(KernelParams(node)))}));
    return EmitSources(host, e, o2m_sources, O2M_SOURCE_COUNT, {"o2m_fixedpoint.h", "o2m_top_k.h", "o2m_top_k.c"});
  }

  static void Cost(const o2m_target *, const o2m_node *node, int32_t, o2m_cost *cost) {
    const int64_t values = ElementCount(*node->inputs[0]) * ParamsOf<Params>(node).k;
    *cost = {"top_k", 0, values, ElementCount(*node->outputs[0]), 0, -1};
  }

  static void Terms(const o2m_target *, const o2m_node *node, int32_t, TermList &list) {
    list.Add("top_k", "places", ElementCount(*node->outputs[0]));
    list.Add("top_k", "values", ElementCount(*node->inputs[0]) * ParamsOf<Params>(node).k);
  }

  static void QuantRule(const o2m_node *node, o2m_quant_rule *rule) {
    rule->s16_inputs = 1;
    rule->s16_outputs = rule->same_as_input0 = HasValues(node) ? 2 : 0;
    rule->fixed_scale = 1;
    rule->fixed_dtype = O2M_S32;
  }

  static void RandomCase(CaseList &list, Random &random);
  static void Cases(CaseList &list);
};

// k of the places along `axis`, as ArgMax gives them (keepdims or not), or with their values.
void AddCase(CaseList &list, const char *name, const CaseOperand &x, TopKParams params, bool values) {
  std::vector<int32_t> dims = x.dims;
  dims[params.axis] = params.k;
  if (!params.keepdims) dims.erase(dims.begin() + params.axis);
  std::vector<CaseOperand> outputs = {{O2M_S32, dims, 1, 0}};
  if (values) outputs.push_back({x.dtype, dims, x.scale, x.zero_point});
  list.Add(name, {x}, outputs, params);
}

void TopK::RandomCase(CaseList &list, Random &r) {
  std::vector<int32_t> dims;
  for (int32_t i = 1 + r.Below(3); i > 0; --i) dims.push_back(r.Size(i > 1 ? 5 : 20));
  const int32_t axis = r.Below(static_cast<int32_t>(dims.size())), k = 1 + r.Below(dims[axis]);
  const CaseOperand x = r.Operand(r.OneIn(3) ? O2M_S16 : O2M_S8, dims, r.Scale(0.002, 0.2));
  AddCase(list, "random", x, {axis, k, r.OneIn(2), r.OneIn(2), 1}, r.OneIn(2));
}

void TopK::Cases(CaseList &list) {
  AddCase(list, "class", {O2M_S8, {1, 10}, 0.05f, 3}, {1, 1, 0, 0, 0}, false);
  AddCase(list, "class of every pixel", {O2M_S8, {1, 5, 6, 7}, 0.05f, 3}, {1, 1, 0, 0, 1}, false);
  AddCase(list, "smallest, the last of equal ones", {O2M_S16, {4, 9}, 0.05f, 3}, {1, 1, 1, 1, 1}, false);
  AddCase(list, "five best", {O2M_S8, {1, 100}, 0.05f, 3}, {1, 5, 0, 0, 1}, true);
  AddCase(list, "best of rows", {O2M_U8, {3, 7, 4}, 0.05f, 3}, {1, 3, 0, 0, 1}, true);
  AddCase(list, "all in order", {O2M_S16, {2, 8}, 0.001f, 0}, {1, 8, 1, 0, 1}, true);
}

}  // namespace

O2M_PLUGIN("top_k", "1.0", TopK)
