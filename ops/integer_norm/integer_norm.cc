// integer_norm.cc - "o2m.integer_norm": iLayerNorm and iRMSNorm of integerised models. README.md says more.
#include "binary_op.hpp"
#include "integer_rows.hpp"
#include "o2m_integer_norm.h"
#include "o2m_sources.h"

namespace {
using namespace o2m;

struct NormParams {
  int32_t centred, largest;  // largest: weight, in magnitude
  int64_t div, low, high;
  OwnQuant y;
};

const NormParams &Of(const o2m_node *node) { return ParamsOf<NormParams>(node); }
bool HasBias(const o2m_node *node) { return node->input_count > 2; }

o2m_integer_norm_params KernelParams(const o2m_node *node) {
  const NormParams &params = Of(node);
  const o2m_dtype x = node->inputs[0]->dtype;
  o2m_integer_norm_params p = {};
  SetIntegerRows(node, p);
  p.centred = params.centred;
  const double reach = x == O2M_S32 ? 4294967296.0 : HighOf(x) - LowOf(x);
  p.narrow = reach * params.largest < 2147483648.0;
  const o2m_integer_requant div = KernelRequant({1, 0, 0, params.div, params.low, params.high});
  p.shift = div.shift, p.div = div.div, p.low = div.low, p.high = div.high;
  return p;
}

std::string ParamsText(const o2m_node *node, const o2m_emitter *e) {
  const o2m_integer_norm_params p = KernelParams(node);
  return IntegerRowsText(p)
      .Field("centred", p.centred)
      .Field("narrow", p.narrow)
      .Field("shift", p.shift)
      .Field("div", p.div)
      .Field("low", p.low)
      .Field("high", p.high)
      .Field("weights", ConstantName(e, 0))
      .Field("bias", SlotName(e, HasBias(node) ? 1 : -1))
      .text();
}

int32_t LargestOf(const o2m_tensor &t) {
  int64_t most = 0;
  for (int64_t i = 0; Integers(t) && i < ElementCount(t); ++i) most = std::max<int64_t>(most, std::abs(Integers(t)[i]));
  return static_cast<int32_t>(std::min<int64_t>(most, INT32_MAX));
}

struct IntegerNorm {
  static constexpr char kId[] = "o2m.integer_norm";
  using Params = NormParams;

  static o2m_status Match(const o2m_host *, const o2m_graph *graph, int32_t root, o2m_match *match) {
    const GraphView g(graph);
    if (!g.Is(root, "IntegerNorm", kIntegerDomain) || g.IsConstant(g.Input(root, 0))) return O2M_NO_MATCH;
    *static_cast<Params *>(match->params) = {g.Text(root, "kind", "") == "layer",
                                             LargestOf(g.Tensor(g.Input(root, 1))),
                                             g.Int(root, "div", 1),
                                             g.Int(root, "low", 0),
                                             g.Int(root, "high", 0),
                                             {}};
    std::vector<int32_t> inputs;
    for (int32_t i = 0; i < g.Inputs(root); ++i) inputs.push_back(g.Input(root, i));
    return Matched(match, {root}, inputs);
  }

  static o2m_status Infer(const o2m_host *host, const o2m_target *, o2m_node *node) {
    if (node->input_count < 2 || node->input_count > 3 || node->output_count != 1)
      return Reject(host, "two or three inputs and one output would work");
    const NormParams &p = Of(node);
    const int32_t features = Dim(*node->inputs[0], 1);
    if (p.div < 1 || p.div > 1 << 30) return Reject(host, Str("D is ", p.div, "; 1 to 2^30 would work"));
    if (p.low > p.high || !Fits32(p.low) || !Fits32(p.high))
      return Reject(host, "the ends of the range are out of order");
    for (int32_t i = 1; i < node->input_count; ++i) {
      const o2m_tensor &t = *node->inputs[i];
      if (o2m_status s = CheckConstant(host, t, Str("input ", i))) return s;
      if (ElementCount(t) != features && ElementCount(t) != 1)
        return Reject(host, Str("input ", i, " has ", ElementCount(t), " values for ", features, " features"));
      for (int64_t k = 0; Integers(t) && k < ElementCount(t); ++k) {
        if (!Fits32(Integers(t)[k])) return Reject(host, Str("input ", i, " has values beyond 32 bits"));
      }
    }
    SetConstants(node,
                 {{"weights", O2M_S32, features, nullptr}, {"bias", O2M_S32, HasBias(node) ? features : 0, nullptr}});
    return InferIntegerRows(host, node, ParamsOf<Params>(node).y, p.low, p.high);
  }

  static void Memory(const o2m_target *, const o2m_node *node, int32_t, o2m_memory *memory) {
    IntegerRowsMemory(node, 0, memory);
    memory->in_place_inputs = WritesUpward(node) && memory->steps > 0 ? 1 : 0;
  }

  static o2m_status Pack(const o2m_host *, const o2m_target *, o2m_node *node) {
    for (int32_t i = 1; i < node->input_count; ++i) {
      const o2m_tensor &t = *node->inputs[i];
      auto *out = ConstantData<int32_t>(node, i - 1);
      for (int64_t k = 0; k < node->constants[i - 1].count; ++k)
        out[k] = static_cast<int32_t>(Integers(t)[ElementCount(t) == 1 ? 0 : k]);
    }
    return O2M_OK;
  }

  static void Run(const o2m_node *node, const o2m_call *call) {
    o2m_integer_norm_params p = KernelParams(node);
    p.weights = SlotData(node, 0);
    p.bias = SlotData(node, HasBias(node) ? 1 : -1);
    RunIntegerRows(node, call, [&](const void *x, void *y, int32_t rows) {
      O2M_SYM(o2m_integer_norm)(x, y, rows, &p);
    });
  }

  static o2m_status Emit(const o2m_host *host, const o2m_target *, const o2m_node *node, const o2m_emitter *e) {
    EmitIntegerRows(node, e, "o2m_integer_norm", {Object(e, "o2m_integer_norm_params", ParamsText(node, e))});
    return EmitSources(host, e, o2m_sources, O2M_SOURCE_COUNT,
                       {"o2m_fixedpoint.h", "o2m_integers.h", "o2m_integer_norm.h", "o2m_integer_norm.c"});
  }

  static void Cost(const o2m_target *, const o2m_node *node, int32_t rows, o2m_cost *cost) {
    const int64_t values = RowsPerCall(node, rows) * Dim(*node->inputs[0], 1);
    *cost = {"o2m_integer_norm", 0, 3 * values, values, 0, -1};
  }

  static void RandomCase(CaseList &list, Random &random);
  static void Cases(CaseList &list);
};

void AddCase(CaseList &list, const std::string &name, Random &r, bool layer, std::vector<int32_t> dims, o2m_dtype x,
             o2m_dtype y, int32_t largest, int64_t div) {
  const NormParams p = {layer, largest, div, LowOf(y), HighOf(y), {}};
  std::vector<CaseOperand> inputs = {IntegerOperand(x, dims, r.Strides(dims))};
  inputs.push_back(IntegerConstant({dims.back()}, r, -largest, largest));
  if (layer) inputs.push_back(IntegerConstant({dims.back()}, r, -40000, 40000));
  list.Add(name, inputs, {IntegerOperand(y, dims, r.Strides(dims))}, p);
}

void IntegerNorm::RandomCase(CaseList &list, Random &r) {
  const int64_t div = r.OneIn(4) ? 1 + r.Below(30000) : int64_t{1} << (8 + r.Below(10));
  AddCase(list, "random", r, !r.OneIn(3), RandomDims(r), CaseType(r), CaseType(r), 1 << (8 + r.Below(22)), div);
}

void IntegerNorm::Cases(CaseList &list) {
  Random r(6);
  AddCase(list, "layer", r, true, {1, 9, 32}, O2M_S8, O2M_S8, 290000, 16384);
  AddCase(list, "layer of u8", r, true, {1, 9, 31}, O2M_U8, O2M_S8, 290000, 16384);
  AddCase(list, "rms", r, false, {1, 5, 64}, O2M_S8, O2M_S8, 4000000, 65536);
  AddCase(list, "s16, wide", r, true, {3, 17}, O2M_S16, O2M_S16, 1 << 28, 65536);
  AddCase(list, "one feature", r, true, {5, 1}, O2M_S8, O2M_S8, 1000, 7);
  for (int32_t i = 0; i < 8; ++i) RandomCase(list, r);
}

}  // namespace

O2M_PLUGIN("integer_norm", "1.0", IntegerNorm)
