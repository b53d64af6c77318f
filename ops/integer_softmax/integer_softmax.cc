// integer_softmax.cc - "o2m.integer_softmax": iSoftmax, ITAMax and ITAPartialMax of integerised models. README.md.
#include "binary_op.hpp"
#include "integer_rows.hpp"
#include "o2m_integer_softmax.h"
#include "o2m_sources.h"

namespace {
using namespace o2m;

enum Kind : int32_t { kSoftmax = 0, kItaMax = 1, kItaPartialMax = 2 };
constexpr const char *kKinds[] = {"i_softmax", "ita_max", "ita_partial_max"};
constexpr const char *kKernels[] = {"o2m_integer_softmax", "o2m_integer_ita_max", "o2m_integer_ita_partial_max"};

struct SoftmaxParams {
  int32_t kind, levels, group, a, b, c, log2;
  OwnQuant y;
};

const SoftmaxParams &Of(const o2m_node *node) { return ParamsOf<SoftmaxParams>(node); }

// The largest exponential: p lies in (-log2, 0].
double Largest(const SoftmaxParams &p) {
  const double b = p.b, end = b - p.log2;
  return p.a * std::fmax(b * b, end * end) + p.c;
}
bool IsNarrow(const o2m_node *node) {
  const SoftmaxParams &p = Of(node);
  const double largest = Largest(p), features = Dim(*node->inputs[0], 1);
  return p.a >= 0 && p.c >= 0 && largest < 2147483648.0 && largest * (p.levels - 1) < 4294967296.0 &&
         largest * features < 4294967296.0 && node->inputs[0]->dtype != O2M_S32;
}

o2m_integer_softmax_params KernelParams(const o2m_node *node) {
  const SoftmaxParams &params = Of(node);
  o2m_integer_softmax_params p = {};
  SetIntegerRows(node, p);
  p.levels = params.levels;
  p.group = params.group;
  p.a = params.a, p.b = params.b, p.c = params.c, p.log2 = params.log2;
  p.narrow = IsNarrow(node);
  return p;
}

std::string ParamsText(const o2m_node *node) {
  const o2m_integer_softmax_params p = KernelParams(node);
  return IntegerRowsText(p)
      .Field("levels", p.levels)
      .Field("group", p.group)
      .Field("a", p.a)
      .Field("b", p.b)
      .Field("c", p.c)
      .Field("log2", p.log2)
      .Field("narrow", p.narrow)
      .text();
}

o2m_status CheckParams(const o2m_host *host, const o2m_node *node) {
  const SoftmaxParams &p = Of(node);
  const int32_t features = Dim(*node->inputs[0], 1);
  if (p.levels < 2 || p.levels > 65536) return Reject(host, Str("n_levels is ", p.levels, "; 2 to 65536 would work"));
  if (p.kind == kItaPartialMax && (p.group < 1 || features % p.group != 0))
    return Reject(host, Str("rows of ", features, " values are no multiple of group_width ", p.group));
  if (features > 65536) return Reject(host, Str("rows of ", features, " values; at most 65536 would work"));
  if (p.kind != kSoftmax) return O2M_OK;
  if (p.log2 < 1) return Reject(host, Str("log2 is ", p.log2, "; a positive one would work"));
  if (Largest(p) < 1 || Largest(p) * p.levels * features > 4e18)
    return Reject(host, "its coefficients make exponentials that 64 bits do not hold");
  return O2M_OK;
}

struct IntegerSoftmax {
  static constexpr char kId[] = "o2m.integer_softmax";
  using Params = SoftmaxParams;

  static o2m_status Match(const o2m_host *, const o2m_graph *graph, int32_t root, o2m_match *match) {
    const GraphView g(graph);
    if (!g.Is(root, "IntegerSoftmax", kIntegerDomain) || g.IsConstant(g.Input(root, 0))) return O2M_NO_MATCH;
    const std::string kind = g.Text(root, "kind", "");
    const auto found = std::find(std::begin(kKinds), std::end(kKinds), kind);
    if (found == std::end(kKinds)) return O2M_NO_MATCH;
    const auto i32 = [&](const char *key) { return static_cast<int32_t>(g.Int(root, key, 0)); };
    *static_cast<Params *>(match->params) = {
        static_cast<int32_t>(found - kKinds), i32("n"), i32("group"), i32("a"), i32("b"), i32("c"), i32("log2"), {}};
    return Matched(match, {root}, {g.Input(root, 0)});
  }

  static o2m_status Infer(const o2m_host *host, const o2m_target *, o2m_node *node) {
    if (node->input_count != 1 || node->output_count != 1) return Reject(host, "one input and one output would work");
    if (o2m_status s = CheckParams(host, node)) return s;
    const SoftmaxParams &p = Of(node);
    SetConstants(node, {});
    return InferIntegerRows(host, node, ParamsOf<Params>(node).y, 0,
                            (p.kind == kItaPartialMax ? p.levels / 2 : p.levels) - 1);
  }

  static void Memory(const o2m_target *, const o2m_node *node, int32_t, o2m_memory *memory) {
    const int64_t each = Of(node).kind != kSoftmax ? 0 : IsNarrow(node) ? 4 : 8;
    IntegerRowsMemory(node, each * Dim(*node->inputs[0], 1), memory);
    memory->in_place_inputs = WritesUpward(node) && memory->steps > 0 ? 1 : 0;
  }

  static void Run(const o2m_node *node, const o2m_call *call) {
    const o2m_integer_softmax_params p = KernelParams(node);
    const int32_t kind = Of(node).kind;
    RunIntegerRows(node, call, [&](const void *x, void *y, int32_t rows) {
      if (kind == kSoftmax) return O2M_SYM(o2m_integer_softmax)(x, y, rows, call->scratch, &p);
      if (kind == kItaMax) return O2M_SYM(o2m_integer_ita_max)(x, y, rows, &p);
      O2M_SYM(o2m_integer_ita_partial_max)(x, y, rows, &p);
    });
  }

  static o2m_status Emit(const o2m_host *host, const o2m_target *, const o2m_node *node, const o2m_emitter *e) {
    const int32_t kind = Of(node).kind;
    const std::string params = Object(e, "o2m_integer_softmax_params", ParamsText(node));
    EmitIntegerRows(
        node, e, kKernels[kind],
        kind == kSoftmax ? std::vector<std::string>{ScratchName(e), params} : std::vector<std::string>{params});
    return EmitSources(host, e, o2m_sources, O2M_SOURCE_COUNT,
                       {"o2m_fixedpoint.h", "o2m_integers.h", "o2m_integer_softmax.h",
                        kind == kSoftmax ? "o2m_integer_softmax.c" : "o2m_integer_ita_max.c"});
  }

  static void Cost(const o2m_target *, const o2m_node *node, int32_t rows, o2m_cost *cost) {
    const int64_t values = RowsPerCall(node, rows) * Dim(*node->inputs[0], 1);
    *cost = {kKernels[Of(node).kind], 0, 3 * values, values, 0, -1};
  }

  static void RandomCase(CaseList &list, Random &random);
  static void Cases(CaseList &list);
};

void AddCase(CaseList &list, const std::string &name, Random &r, SoftmaxParams p, std::vector<int32_t> dims,
             o2m_dtype x) {
  const bool half = p.kind == kItaPartialMax;
  const o2m_dtype y = (half ? p.levels / 2 : p.levels) <= 128 ? O2M_S8 : p.levels <= 256 ? O2M_U8 : O2M_S32;
  list.Add(name, {IntegerOperand(x, dims, r.Strides(dims))}, {IntegerOperand(y, dims, r.Strides(dims))}, p);
}

SoftmaxParams RandomParams(Random &r, int32_t features) {
  const int32_t log2 = 1 + r.Below(200), group = r.OneIn(2) ? features : 1;
  return {r.Below(3), r.OneIn(3) ? 128 : 256, group, 1 + r.Below(3), 2 * log2 - r.Below(log2), r.Below(40000), log2,
          {}};
}

void IntegerSoftmax::RandomCase(CaseList &list, Random &r) {
  const std::vector<int32_t> dims = RandomDims(r);
  AddCase(list, "random", r, RandomParams(r, dims.back()), dims, CaseType(r));
}

void IntegerSoftmax::Cases(CaseList &list) {
  Random r(5);
  const SoftmaxParams soft = {kSoftmax, 256, 0, 1, 173, 15599, 127, {}};
  AddCase(list, "i_softmax", r, soft, {1, 3, 5, 8}, O2M_S8);
  AddCase(list, "i_softmax of s16", r, soft, {4, 33}, O2M_S16);
  AddCase(list, "ita_max", r, {kItaMax, 256, 0, 0, 0, 0, 0, {}}, {1, 2, 6, 64}, O2M_S8);
  AddCase(list, "ita_partial_max", r, {kItaPartialMax, 256, 16, 0, 0, 0, 0, {}}, {1, 2, 6, 64}, O2M_S8);
  AddCase(list, "one value", r, {kItaMax, 256, 0, 0, 0, 0, 0, {}}, {5, 1}, O2M_U8);
  for (int32_t i = 0; i < 12; ++i) RandomCase(list, r);
}

}  // namespace

O2M_PLUGIN("integer_softmax", "1.0", IntegerSoftmax)
