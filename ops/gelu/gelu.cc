// gelu.cc - "o2m.gelu": GELU (Hendrycks and Gimpel 2016) of an s8 tensor as a table of 256 entries, of an s16 one as
// segments of lines. README.md says more.
#include "o2m_gelu_s8.h"
#include "o2m_sources.h"
#include "stairs.hpp"
#include "wide_table_op.hpp"

namespace {
using namespace o2m;

enum Form : int32_t { kErf = 0, kTanh = 1, kSigmoid = 2 };

struct GeluParams {
  int32_t tanh;  // from the node's attribute `approximate`
  int32_t form;  // what the table holds: as above, unless --gelu=sigmoid
  OwnQuant y;
  SegmentCount segments;
  StairCount stairs;
};

double GeluOf(double x, int32_t form) {
  if (form == kSigmoid) return x / (1 + std::exp(-1.702 * x));
  if (form == kTanh) return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
  return 0.5 * x * std::erfc(-x / std::sqrt(2.0));
}

struct Gelu {
  static constexpr char kId[] = "o2m.gelu";
  using Params = GeluParams;

  static o2m_status Match(const o2m_host *, const o2m_graph *graph, int32_t root, o2m_match *match) {
    const GraphView g(graph);
    if (!g.Is(root, "Gelu")) return O2M_NO_MATCH;
    static_cast<Params *>(match->params)->tanh = g.Text(root, "approximate", "none") == "tanh";
    return Matched(match, {root}, {g.Input(root, 0)});
  }

  static o2m_status Infer(const o2m_host *host, const o2m_target *, o2m_node *node) {
    if (node->input_count != 1 || node->output_count != 1) return Reject(host, "gelu has one input and one output");
    const o2m_tensor &x = *node->inputs[0];
    o2m_tensor &y = *node->outputs[0];
    Params &params = ParamsOf<Params>(node);
    if (o2m_status s = CheckQuantised(host, x, "the input", kMaskS8S16 | Mask(O2M_S32))) return s;
    const std::string option = Option(host, "gelu", "lut");
    if (option != "lut" && option != "sigmoid")
      return Reject(host, Str("--gelu=", option, " is unknown; lut or sigmoid would work"));
    const int32_t before = params.form;
    params.form = option == "sigmoid" ? kSigmoid : params.tanh ? kTanh : kErf;
    SetShapeLike(y, x);
    if (before != params.form) params.segments = {};
    const auto function = [&](double v) { return GeluOf(v, params.form); };
    if (y.quant.count == 0) {
      const OwnQuant own = x.dtype == O2M_S32 ? QuantOfStairs(x, function) : QuantOfFunction(x, function);
      SettleOutput(y, O2M_S8, params.y, own.scale, own.zero_point);
    }
    if (y.dtype == O2M_ANY) y.dtype = O2M_S8;
    if (o2m_status s = CheckQuantised(host, y, "the output", kMaskS8S16 | Mask(O2M_S32))) return s;
    SetConstants(node, {{"gelu table", O2M_S8, 256, nullptr}});
    if (IsWidest(node)) return SetWidestConstants(host, node, params.stairs, function);
    if (IsWide(node)) SetWideConstants(host, node, params.segments, function);
    return O2M_OK;
  }

  static void Memory(const o2m_target *, const o2m_node *node, int32_t, o2m_memory *memory) {
    ElementwiseMemory(node, TableLoops(node), memory);
  }

  static o2m_status FillTable(const o2m_node *node, int8_t *table) {
    if (IsWide(node) || IsWidest(node)) return O2M_NO_MATCH;
    const int32_t form = ParamsOf<Params>(node).form;
    FillUnaryTable(
        *node->inputs[0], *node->outputs[0], [form](double v) { return GeluOf(v, form); }, table);
    return O2M_OK;
  }
  static o2m_status Pack(const o2m_host *, const o2m_target *, o2m_node *node) {
    const Params &params = ParamsOf<Params>(node);
    const auto function = [form = params.form](double v) { return GeluOf(v, form); };
    if (IsWidest(node)) return PackWidest(node, function), O2M_OK;
    if (IsWide(node)) return PackWide(node, params.segments, function), O2M_OK;
    return FillTable(node, ConstantData<int8_t>(node, 0));
  }

  static void QuantRule(const o2m_node *, o2m_quant_rule *rule) { rule->s16_inputs = rule->s16_outputs = 1; }
  static void WideRule(const o2m_node *, o2m_wide_rule *rule) { rule->s32_inputs = rule->s32_outputs = 1; }

  static o2m_gelu_params KernelParams(const o2m_node *node) {
    o2m_gelu_params p = {};
    SetTableSteps(TableLoops(node), p);
    return p;
  }

  static void Run(const o2m_node *node, const o2m_call *call) {
    if (IsWidest(node)) return RunWidest(node, call);
    if (IsWide(node)) return RunWide(node, call);
    RunTable(node, call, KernelParams(node), O2M_SYM(o2m_gelu_s8));
  }

  static o2m_status Emit(const o2m_host *host, const o2m_target *, const o2m_node *node, const o2m_emitter *e) {
    if (IsWidest(node)) return EmitWidest(host, node, e, o2m_sources, O2M_SOURCE_COUNT);
    if (IsWide(node)) return EmitWide(host, node, e, o2m_sources, O2M_SOURCE_COUNT);
    const o2m_gelu_params p = KernelParams(node);
    EmitTableCall(e, node, "o2m_gelu_s8", "o2m_gelu_params", TableSteps(p).text());
    return EmitSources(host, e, o2m_sources, O2M_SOURCE_COUNT, {"o2m_fixedpoint.h", "o2m_gelu_s8.h", "o2m_gelu_s8.c"});
  }

  static void Cost(const o2m_target *, const o2m_node *node, int32_t rows, o2m_cost *cost) {
    if (IsWidest(node)) return void(*cost = WidestCost(node, rows));
    *cost = IsWide(node) ? WideCost(node, rows) : TableCost(node, rows, "gelu_s8");
  }

  static void RandomCase(CaseList &list, Random &random) {
    const Params params = {random.Below(2), 0, {}, {}, {}};
    const int32_t wide = random.Below(20);  // the segments of an s16 input are long to find
    RandomTableCase(list, random, "random", wide < 1 ? O2M_S16 : O2M_S8, wide < 3 ? O2M_S16 : O2M_S8, params);
  }

  static void Terms(const o2m_target *, const o2m_node *node, int32_t rows, TermList &list) {
    if (IsWidest(node)) return;  // until they are counted
    if (IsWide(node)) return WideTerms(node, rows, list);
    ElementTerms(TableLoops(node), 2, "gelu_s8", rows, list);
  }

  // All that have terms.
  static void CostCases(CaseList &list) {
    const Params erf = {}, tanh = {1, 0, {}, {}, {}};
    const CaseOperand y = {O2M_S8, {1, 50, 64}, 0.031f, -123};
    list.Add("tokens 50x64", {{O2M_S8, {1, 50, 64}, 0.05f, 3}}, {y}, erf);
    list.Add("tanh form", {{O2M_S8, {1, 50, 64}, 0.05f, 3}}, {y}, tanh);
    list.Add("one row", {{O2M_S8, {1, 1, 17}, 0.02f, 0}}, {{O2M_S8, {1, 1, 17}, 0.02f, 0}}, erf);
    list.Add("rows of 13 with gaps", {{O2M_S8, {7, 13}, 0.04f, -5, {}, {20, 1}}},
             {{O2M_S8, {7, 13}, 0.03f, -100, {}, {16, 1}}}, erf);
    list.Add("transposed output", {{O2M_S8, {9, 6}, 0.04f, -5}}, {{O2M_S8, {9, 6}, 0.03f, -100, {}, {1, 9}}}, erf);
    list.Add("channels first to channels last", {{O2M_S8, {1, 5, 4, 3}, 0.04f, 0}},
             {{O2M_S8, {1, 5, 4, 3}, 0.03f, -90, {}, {60, 1, 15, 5}}}, erf);
    list.Add("zero point -128", {{O2M_S8, {3, 5}, 0.04f, -128}}, {{O2M_S8, {3, 5}, 0.05f, -128}}, erf);
    list.Add("zero point 127, coarse output", {{O2M_S8, {3, 5}, 0.04f, 127}}, {{O2M_S8, {3, 5}, 1.5f, 127}}, erf);
    list.Add("bench_50x64", {{O2M_S8, {1, 50, 64}, 0.05f, 3}}, {y}, erf);
    list.Add("own output quant", {{O2M_S8, {4, 8}, 0.05f, 3}}, {{O2M_ANY, {4, 8}}}, erf);
    const CaseOperand wide = {O2M_S16, {1, 5, 64}, 0.0004f, 0}, wide_y = {O2M_S16, {1, 5, 64}, 0.0003f, 0};
    list.Add("s16", {wide}, {wide_y}, erf);
    list.Add("tanh form, s16 to s8", {wide}, {{O2M_S8, {1, 5, 64}, 0.05f, -120}}, tanh);
    list.Add("s8 to s16", {{O2M_S8, {1, 5, 64}, 0.05f, 3}}, {wide_y}, erf);
    list.Add("transposed output, s16", {{O2M_S16, {9, 6}, 0.0002f, -5}}, {{O2M_S16, {9, 6}, 0.0002f, 9, {}, {1, 9}}},
             erf);
  }
  static void Cases(CaseList &list) {
    CostCases(list);
    const Params erf = {}, tanh = {1, 0, {}, {}, {}};
    list.Add("s32 to s8", {{O2M_S32, {1, 6, 17}, 0x1p-27f, 0}}, {{O2M_S8, {1, 6, 17}, 0.031f, -123}}, erf);
    list.Add("s8 to s32", {{O2M_S8, {1, 6, 17}, 0.05f, 3}}, {{O2M_S32, {1, 6, 17}, 0x1p-27f, 0}}, tanh);
  }
};

}  // namespace

O2M_PLUGIN("gelu", "1.0", Gelu)
