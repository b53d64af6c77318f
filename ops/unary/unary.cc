// unary.cc - "o2m.unary": any function of one tensor made of elementwise nodes, as a table of 256 entries, or as
// segments of lines for an s16 input. README.md.
#include "o2m_sources.h"
#include "o2m_unary_s8.h"
#include "region.hpp"
#include "stairs.hpp"
#include "wide_table_op.hpp"

namespace {
using namespace o2m;

struct UnaryParams {
  Program program;
  OwnQuant y;
  SegmentCount segments;
  StairCount stairs;
};

struct Unary {
  static constexpr char kId[] = "o2m.unary";
  using Params = UnaryParams;

  static o2m_status Match(const o2m_host *, const o2m_graph *graph, int32_t root, o2m_match *match) {
    const RegionFinder finder(graph);
    const Region region = finder.Find(root);
    if (region.nodes.empty()) return O2M_NO_MATCH;
    const Program program = finder.Translate(region);
    const Kind only = program.step[0].kind;
    if (program.steps == 1 && (only == Kind::kGelu || only == Kind::kGeluTanh)) return O2M_NO_MATCH;  // o2m.gelu's
    static_cast<Params *>(match->params)->program = program;
    return Matched(match, region.nodes, {region.source}, {GraphView(graph).Output(root)});
  }

  static double Value(const o2m_node *node, double x) { return Evaluate(ParamsOf<Params>(node).program, x); }

  static o2m_status Infer(const o2m_host *host, const o2m_target *, o2m_node *node) {
    if (node->input_count != 1 || node->output_count != 1)
      return Reject(host, "a unary function has one input and one output");
    const o2m_tensor &x = *node->inputs[0];
    o2m_tensor &y = *node->outputs[0];
    Params &params = ParamsOf<Params>(node);
    if (!IsSound(params.program)) return Reject(host, "the params hold no sound program");
    if (o2m_status s = CheckQuantised(host, x, "the input", kMaskIntegers | Mask(O2M_S32))) return s;
    SetShapeLike(y, x);
    const auto function = [&](double v) { return Value(node, v); };
    if (y.quant.count == 0) {
      const OwnQuant own = x.dtype == O2M_S32 ? QuantOfStairs(x, function) : QuantOfFunction(x, function);
      SettleOutput(y, O2M_S8, params.y, own.scale, own.zero_point);
    }
    if (y.dtype == O2M_ANY) y.dtype = O2M_S8;
    if (o2m_status s = CheckQuantised(host, y, "the output", kMaskS8S16 | Mask(O2M_S32))) return s;
    SetConstants(node, {{"table", O2M_S8, 256, nullptr}});
    if (IsWidest(node)) return SetWidestConstants(host, node, params.stairs, function);
    if (IsWide(node)) SetWideConstants(host, node, params.segments, function);
    return O2M_OK;
  }

  static void Memory(const o2m_target *, const o2m_node *node, int32_t, o2m_memory *memory) {
    ElementwiseMemory(node, TableLoops(node), memory);
  }

  static o2m_status Pack(const o2m_host *, const o2m_target *, o2m_node *node) {
    const auto function = [node](double v) { return Value(node, v); };
    if (IsWidest(node)) return PackWidest(node, function), O2M_OK;
    if (IsWide(node)) return PackWide(node, ParamsOf<Params>(node).segments, function), O2M_OK;
    FillUnaryTable(*node->inputs[0], *node->outputs[0], function, ConstantData<int8_t>(node, 0));
    return O2M_OK;
  }
  static o2m_status FillTable(const o2m_node *node, int8_t *table) {
    if (node->inputs[0]->dtype != O2M_S8 || node->outputs[0]->dtype != O2M_S8) return O2M_NO_MATCH;
    FillUnaryTable(
        *node->inputs[0], *node->outputs[0], [node](double v) { return Value(node, v); }, table);
    return O2M_OK;
  }

  // A function that jumps has as many segments as jumps.
  static void QuantRule(const o2m_node *node, o2m_quant_rule *rule) {
    rule->s16_outputs = 1;
    rule->s16_inputs = IsContinuous(ParamsOf<Params>(node).program);
  }
  static void WideRule(const o2m_node *node, o2m_wide_rule *rule) {
    rule->s32_outputs = 1;
    rule->s32_inputs = IsContinuous(ParamsOf<Params>(node).program);
  }

  static o2m_unary_params KernelParams(const o2m_node *node) {
    o2m_unary_params p = {};
    SetTableSteps(TableLoops(node), p);
    p.flip = node->inputs[0]->dtype == O2M_S8 ? 128 : 0;
    return p;
  }

  static void Run(const o2m_node *node, const o2m_call *call) {
    if (IsWidest(node)) return RunWidest(node, call);
    if (IsWide(node)) return RunWide(node, call);
    RunTable(node, call, KernelParams(node), O2M_SYM(o2m_unary_s8));
  }

  static o2m_status Emit(const o2m_host *host, const o2m_target *, const o2m_node *node, const o2m_emitter *e) {
    if (IsWidest(node)) return EmitWidest(host, node, e, o2m_sources, O2M_SOURCE_COUNT);
    if (IsWide(node)) return EmitWide(host, node, e, o2m_sources, O2M_SOURCE_COUNT);
    const o2m_unary_params p = KernelParams(node);
    EmitTableCall(e, node, "o2m_unary_s8", "o2m_unary_params", TableSteps(p).Field("flip", p.flip).text());
    return EmitSources(host, e, o2m_sources, O2M_SOURCE_COUNT,
                       {"o2m_fixedpoint.h", "o2m_unary_s8.h", "o2m_unary_s8.c"});
  }

  static void Cost(const o2m_target *, const o2m_node *node, int32_t rows, o2m_cost *cost) {
    if (IsWidest(node)) return void(*cost = WidestCost(node, rows));
    *cost = IsWide(node) ? WideCost(node, rows) : TableCost(node, rows, "unary_s8");
  }

  // A function of the list, on other operands.
  static void RandomCase(CaseList &list, Random &random) {
    CaseList functions;
    Cases(functions);
    int32_t n = random.Below(functions.count());
    if (functions.get(n)->inputs[0].dtype == O2M_S16) n = random.Below(functions.count());  // segments are long to find
    const o2m_case &c = *functions.get(n);
    RandomTableCase(list, random, c.name, c.inputs[0].dtype, c.outputs[0].dtype,
                    *static_cast<const Params *>(c.params));
  }

  static void Terms(const o2m_target *, const o2m_node *node, int32_t rows, TermList &list) {
    if (IsWidest(node)) return;  // until they are counted
    if (IsWide(node)) return WideTerms(node, rows, list);
    ElementTerms(TableLoops(node), 2, "unary_s8", rows, list);
  }

  static void WideCases(CaseList &list);
  static void CostCases(CaseList &list);  // all that have terms
  static void Cases(CaseList &list);
};

// A program of one step, with a second operand or attributes.
UnaryParams One(Kind kind, float p = 0, float q = 0) {
  UnaryParams params = {};
  params.program.steps = 1;
  params.program.step[0] = {kind, {kSource, kConstant}, {0, p}, {p, q}};
  return params;
}

UnaryParams Programmed(std::initializer_list<ProgramStep> steps) {
  UnaryParams params = {};
  for (const ProgramStep &step : steps) params.program.step[params.program.steps++] = step;
  return params;
}

void Unary::CostCases(CaseList &list) {
  const CaseOperand x = {O2M_S8, {1, 6, 17}, 0.05f, 3}, any = {O2M_ANY, {1, 6, 17}};
  const auto add = [&](const char *name, const UnaryParams &params) { list.Add(name, {x}, {any}, params); };
  add("abs", One(Kind::kAbs));
  add("celu 0.7", One(Kind::kCelu, 0.7f));
  add("clip -1 2.5", One(Kind::kClip, -1, 2.5f));
  add("elu 1.3", One(Kind::kElu, 1.3f));
  add("erf", One(Kind::kErf));
  add("exp", One(Kind::kExp));
  add("hard sigmoid", One(Kind::kHardSigmoid, 0.2f, 0.5f));
  add("hard swish", One(Kind::kHardSwish));
  add("leaky relu 0.1", One(Kind::kLeakyRelu, 0.1f));
  add("mish", One(Kind::kMish));
  add("neg", One(Kind::kNeg));
  add("pow 3", One(Kind::kPow, 3));
  add("relu", One(Kind::kRelu));
  add("selu", One(Kind::kSelu, 1.6732632f, 1.050701f));
  add("sigmoid", One(Kind::kSigmoid));
  add("softplus", One(Kind::kSoftplus));
  add("softsign", One(Kind::kSoftsign));
  add("sqrt of what may be negative", One(Kind::kSqrt));
  add("tanh", One(Kind::kTanh));
  add("acos of what may lie outside", One(Kind::kAcos));
  add("atan", One(Kind::kAtan));
  add("1 where x >= 0.312", One(Kind::kGreaterOrEqual, 0.312f));
  add("towards zero", One(Kind::kTruncate));
  const ProgramStep sigmoid = {Kind::kSigmoid, {kSource, kConstant}, {}, {}};
  list.Add("silu over its input", {{O2M_S8, {1, 50, 64}, 0.05f, -9}}, {{O2M_S8, {1, 50, 64}, 0.03f, -110}},
           Programmed({sigmoid, {Kind::kMul, {kSource, 0}, {}, {}}}));
  add("quick gelu", Programmed({{Kind::kMul, {kSource, kConstant}, {0, 1.702f}, {}},
                                {Kind::kSigmoid, {0, kConstant}, {}, {}},
                                {Kind::kMul, {kSource, 1}, {}, {}}}));
  add("2 / (x + 9) - x", Programmed({{Kind::kAdd, {kSource, kConstant}, {0, 9}, {}},
                                     {Kind::kDiv, {kConstant, 0}, {2, 0}, {}},
                                     {Kind::kSub, {1, kSource}, {}, {}}}));
  const ProgramStep rounded = {Kind::kFakeQuantize, {0, kConstant}, {0, 0.01f}, {-30, 100}};
  add("sigmoid, rounded and doubled", Programmed({sigmoid, rounded, {Kind::kMul, {1, kConstant}, {0, 2}, {}}}));
  list.Add("log of pixels", {{O2M_U8, {1, 5, 4, 3}, 1 / 256.0f, 0}}, {{O2M_S8, {1, 5, 4, 3}, 0.05f, 100}},
           One(Kind::kLog));
  list.Add("relu, channels first to last", {{O2M_S8, {1, 5, 4, 3}, 0.05f, 127}},
           {{O2M_S8, {1, 5, 4, 3}, 0.05f, -128, {}, {60, 1, 15, 5}}}, One(Kind::kRelu));
  WideCases(list);
}

// Where x or y is s16: with gaps, transposed, at the ends of the type, with as many segments as a function may have.
void Unary::WideCases(CaseList &list) {
  const CaseOperand x = {O2M_S16, {1, 6, 17}, 0.0003f, 0}, s8 = {O2M_S8, {1, 6, 17}, 0.07f, -3};
  const CaseOperand y = {O2M_S16, {1, 6, 17}, 0.0002f, 0};
  list.Add("hard swish, s16", {x}, {y}, One(Kind::kHardSwish));
  list.Add("sigmoid, s16 to s8", {x}, {{O2M_S8, {1, 6, 17}, 1 / 256.0f, -128}}, One(Kind::kSigmoid));
  list.Add("mish, s8 to s16", {s8}, {{O2M_S16, {1, 6, 17}, 0.0004f, 100}}, One(Kind::kMish));
  list.Add("log, u8 to s16", {{O2M_U8, {1, 5, 4, 3}, 1 / 256.0f, 0}}, {{O2M_S16, {1, 5, 4, 3}, 0.001f, -7}},
           One(Kind::kLog));
  list.Add("elu, s16, rows with gaps", {{O2M_S16, {7, 13}, 0.001f, 0, {}, {20, 1}}},
           {{O2M_S16, {7, 13}, 0.001f, 0, {}, {16, 1}}}, One(Kind::kElu, 1.3f));
  list.Add("tanh, s16, channels first to last", {{O2M_S16, {1, 5, 4, 3}, 0.0005f, 32767}},
           {{O2M_S16, {1, 5, 4, 3}, 0.00003f, -32768, {}, {60, 1, 15, 5}}}, One(Kind::kTanh));
  list.Add("truncate, s16", {x}, {{O2M_S16, {1, 6, 17}, 1, 0}}, One(Kind::kTruncate));
  list.Add("sine, s16, in many segments", {{O2M_S16, {3, 50}, 0.1f, 0}}, {{O2M_S16, {3, 50}, 0.0001f, 0}},
           One(Kind::kSin));
  list.Add("identity, s16", {{O2M_S16, {3, 50}, 0.1f, 0}}, {{O2M_S16, {3, 50}, 0.1f, 0}}, One(Kind::kLeakyRelu, 1.0f));
  list.Add("own output quant of s16", {x}, {{O2M_ANY, {1, 6, 17}}}, One(Kind::kSoftplus));
}

void Unary::Cases(CaseList &list) {
  CostCases(list);
  const CaseOperand s8 = {O2M_S8, {1, 6, 17}, 0.07f, -3};
  const CaseOperand s32 = {O2M_S32, {1, 6, 17}, 0x1p-27f, 0};
  list.Add("hard sigmoid, s32 to s8", {s32}, {{O2M_S8, {1, 6, 17}, 1 / 255.0f, -128}},
           One(Kind::kHardSigmoid, 0.2f, 0.5f));
  list.Add("mish, s32 to s8", {s32}, {s8}, One(Kind::kMish));
  list.Add("elu, s32, rows with gaps", {{O2M_S32, {7, 13}, 0x1p-28f, 0, {}, {20, 1}}},
           {{O2M_S8, {7, 13}, 0.05f, 0, {}, {16, 1}}}, One(Kind::kElu, 1.3f));
  list.Add("tanh, s8 to s32", {s8}, {{O2M_S32, {1, 6, 17}, 0x1p-30f, 0}}, One(Kind::kTanh));
  list.Add("log, u8 to s32", {{O2M_U8, {1, 5, 4, 3}, 1 / 256.0f, 0}}, {{O2M_S32, {1, 5, 4, 3}, 0x1p-26f, 0}},
           One(Kind::kLog));
}

}  // namespace

O2M_PLUGIN("unary", "1.0", Unary)
