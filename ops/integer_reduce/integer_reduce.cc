// integer_reduce.cc - "o2m.integer_reduce": IntegerMean, and sums and maxima, of integerised models. README.md.
#include "binary_op.hpp"
#include "integer_op.hpp"
#include "o2m_integer_reduce.h"
#include "o2m_sources.h"

namespace {
using namespace o2m;

constexpr const char *kKinds[] = {"mean", "sum", "max"};

struct ReduceParams {
  int32_t kind;
  uint32_t axes;  // bit i: axis i is reduced
  int32_t keepdims;
  OwnQuant y;
};

const ReduceParams &Of(const o2m_node *node) { return ParamsOf<ReduceParams>(node); }
bool IsReduced(const o2m_node *node, int32_t axis) { return Of(node).axes >> axis & 1; }

struct Axis {
  int32_t count = 1, x = 0, y = 0;
};

// The axes longer than one that are kept or reduced, filled up to three in front (infer() sees that it is no more).
std::vector<Axis> AxesOf(const o2m_node *node, bool reduced) {
  const o2m_tensor &x = *node->inputs[0], &y = *node->outputs[0];
  std::vector<Axis> axes;
  for (int32_t i = 0, out = 0; i < x.rank; ++i) {
    const bool here = IsReduced(node, i);
    const int64_t y_stride = here || out >= y.rank ? 0 : y.strides[out];
    if (here == reduced && x.dims[i] > 1)
      axes.push_back({x.dims[i], static_cast<int32_t>(x.strides[i]), static_cast<int32_t>(y_stride)});
    out += !here || Of(node).keepdims;
  }
  while (axes.size() < 3) axes.insert(axes.begin(), Axis{});
  return axes;
}

o2m_status CheckAxes(const o2m_host *host, const o2m_node *node) {
  const o2m_tensor &x = *node->inputs[0];
  int32_t kept = 0, reduced = 0;
  for (int32_t i = 0; i < x.rank; ++i) (IsReduced(node, i) ? reduced : kept) += x.dims[i] > 1;
  if (Of(node).axes >> x.rank) return Reject(host, Str("an axis lies outside of ", Shape(x)));
  if (kept <= 3 && reduced <= 3) return O2M_OK;
  return Reject(host, Str("the input ", Shape(x), " has more than three axes to keep or to reduce"));
}

void SetOutputShape(const o2m_node *node, o2m_tensor &y) {
  const o2m_tensor &x = *node->inputs[0];
  y.rank = 0;
  for (int32_t i = 0; i < x.rank; ++i) {
    if (!IsReduced(node, i) || Of(node).keepdims) y.dims[y.rank++] = IsReduced(node, i) ? 1 : x.dims[i];
  }
}

int64_t Depth(const o2m_node *node) {
  int64_t depth = 1;
  for (const Axis &axis : AxesOf(node, true)) depth *= axis.count;
  return depth;
}

o2m_integer_reduce_params KernelParams(const o2m_node *node) {
  const std::vector<Axis> kept = AxesOf(node, false), reduced = AxesOf(node, true);
  o2m_integer_reduce_params p = {};
  p.kind = Of(node).kind;
  for (size_t i = 0; i < 3; ++i) {
    p.kept[i] = kept[i].count;
    p.x_kept[i] = kept[i].x;
    p.y_kept[i] = kept[i].y;
    p.reduced[i] = reduced[i].count;
    p.x_reduced[i] = reduced[i].x;
  }
  p.x_type = IntegerType(node->inputs[0]->dtype);
  p.y_type = IntegerType(node->outputs[0]->dtype);
  return p;
}

std::string Three(const int32_t *v) { return Str("{", v[0], ", ", v[1], ", ", v[2], "}"); }

std::string ParamsText(const o2m_integer_reduce_params &p) {
  return Initializer()
      .Field("kind", p.kind, kKinds[p.kind])
      .Field("kept", Three(p.kept))
      .Field("reduced", Three(p.reduced))
      .Field("x_kept", Three(p.x_kept))
      .Field("x_reduced", Three(p.x_reduced))
      .Field("y_kept", Three(p.y_kept))
      .Field("x_type", p.x_type)
      .Field("y_type", p.y_type)
      .text();
}

struct IntegerReduce {
  static constexpr char kId[] = "o2m.integer_reduce";
  using Params = ReduceParams;

  static o2m_status Match(const o2m_host *, const o2m_graph *graph, int32_t root, o2m_match *match) {
    const GraphView g(graph);
    if (!g.Is(root, "IntegerReduce", kIntegerDomain) || g.IsConstant(g.Input(root, 0))) return O2M_NO_MATCH;
    const std::string kind = g.Text(root, "kind", "");
    const auto found = std::find(std::begin(kKinds), std::end(kKinds), kind);
    if (found == std::end(kKinds)) return O2M_NO_MATCH;
    const int32_t rank = g.Tensor(g.Input(root, 0)).rank;
    uint32_t axes = 0;
    const std::vector<int64_t> listed = g.Ints(root, "axes");
    for (int64_t axis : listed) axes |= 1u << (axis < 0 ? axis + rank : axis);
    if (axes == 0) axes = (1u << rank) - 1;
    *static_cast<Params *>(match->params) = {
        static_cast<int32_t>(found - kKinds), axes, static_cast<int32_t>(g.Int(root, "keepdims", 1)), {}};
    return Matched(match, {root}, {g.Input(root, 0)});
  }

  static o2m_status Infer(const o2m_host *host, const o2m_target *, o2m_node *node) {
    if (node->input_count != 1 || node->output_count != 1) return Reject(host, "one input and one output would work");
    const o2m_tensor &x = *node->inputs[0];
    o2m_tensor &y = *node->outputs[0];
    if (o2m_status s = CheckInteger(host, x, "input 0")) return s;
    if (o2m_status s = CheckAxes(host, node)) return s;
    SetOutputShape(node, y);
    SetConstants(node, {});
    SettleOutput(y, Of(node).kind == O2M_INTEGER_SUM ? O2M_S32 : x.dtype, ParamsOf<Params>(node).y, 1, 0);
    return CheckInteger(host, y, "the output");
  }

  static void Memory(const o2m_target *, const o2m_node *, int32_t, o2m_memory *memory) {
    memory->inputs[0] = memory->outputs[0] = AnyStrides();
  }

  static void Run(const o2m_node *node, const o2m_call *call) {
    const o2m_integer_reduce_params p = KernelParams(node);
    O2M_SYM(o2m_integer_reduce)(call->inputs[0], call->outputs[0], &p);
  }

  static o2m_status Emit(const o2m_host *host, const o2m_target *, const o2m_node *node, const o2m_emitter *e) {
    Line(e,
         Call("O2M_SYM(o2m_integer_reduce)",
              {Operand(e, 0), Operand(e, 1), Object(e, "o2m_integer_reduce_params", ParamsText(KernelParams(node)))}));
    return EmitSources(host, e, o2m_sources, O2M_SOURCE_COUNT,
                       {"o2m_fixedpoint.h", "o2m_integers.h", "o2m_integer_reduce.h", "o2m_integer_reduce.c"});
  }

  static void Cost(const o2m_target *, const o2m_node *node, int32_t, o2m_cost *cost) {
    const int64_t outputs = ElementCount(*node->outputs[0]);
    *cost = {"o2m_integer_reduce", 0, outputs * Depth(node), outputs, 0, -1};
  }

  static void RandomCase(CaseList &list, Random &random);
  static void Cases(CaseList &list);
};

void AddCase(CaseList &list, const std::string &name, Random &r, int32_t kind, std::vector<int32_t> dims, uint32_t axes,
             bool keepdims, o2m_dtype x) {
  std::vector<int32_t> y;
  for (size_t i = 0; i < dims.size(); ++i) {
    if (!(axes >> i & 1) || keepdims) y.push_back(axes >> i & 1 ? 1 : dims[i]);
  }
  list.Add(name, {IntegerOperand(x, dims, r.Strides(dims))}, {IntegerOperand(kind == O2M_INTEGER_SUM ? O2M_S32 : x, y)},
           ReduceParams{kind, axes, keepdims, {}});
}

void IntegerReduce::RandomCase(CaseList &list, Random &r) {
  const std::vector<int32_t> dims = RandomDims(r);
  const uint32_t all = (1u << dims.size()) - 1, axes = 1u + static_cast<uint32_t>(r.Below(static_cast<int32_t>(all)));
  const bool many = dims.size() > 3 && (axes == all || axes == 0);
  AddCase(list, "random", r, r.Below(3), dims, many ? 1u : axes, r.OneIn(2), CaseType(r));
}

void IntegerReduce::Cases(CaseList &list) {
  Random r(7);
  AddCase(list, "mean of tokens", r, O2M_INTEGER_MEAN, {1, 50, 64}, 2, false, O2M_S8);
  AddCase(list, "mean of a map", r, O2M_INTEGER_MEAN, {1, 7, 5, 6}, 12, true, O2M_U8);
  AddCase(list, "sum of tokens", r, O2M_INTEGER_SUM, {1, 33, 9}, 2, true, O2M_S8);
  AddCase(list, "maximum of each token", r, O2M_INTEGER_MAX, {1, 33, 9}, 4, false, O2M_S16);
  for (int32_t i = 0; i < 8; ++i) RandomCase(list, r);
}

}  // namespace

O2M_PLUGIN("integer_reduce", "1.0", IntegerReduce)
