// unary.cc - "o2m.unary": any function of one tensor made of elementwise nodes, as a table of 256 entries. README.md.
#include "o2m_sources.h"
#include "o2m_unary_s8.h"
#include "region.hpp"
#include "table_op.hpp"

namespace {
using namespace o2m;

struct UnaryParams {
  Program program;
  OwnQuant y;
};
constexpr uint32_t kBytes = Mask(O2M_S8) | Mask(O2M_U8);

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
    if (o2m_status s = CheckQuantised(host, x, "the input", kBytes)) return s;
    SetShapeLike(y, x);
    const OwnQuant own = QuantOfFunction(x, [&](double v) { return Value(node, v); });
    SettleOutput(y, O2M_S8, params.y, own.scale, own.zero_point);
    if (o2m_status s = CheckQuantised(host, y, "the output", kMaskS8)) return s;
    SetConstants(node, {{"table", O2M_S8, 256, nullptr}});
    return O2M_OK;
  }

  static void Memory(const o2m_target *, const o2m_node *node, int32_t, o2m_memory *memory) {
    ElementwiseMemory(node, TableLoops(node), memory);
  }

  static o2m_status Pack(const o2m_host *, const o2m_target *, o2m_node *node) {
    FillUnaryTable(
        *node->inputs[0], *node->outputs[0], [node](double v) { return Value(node, v); },
        ConstantData<int8_t>(node, 0));
    return O2M_OK;
  }
  static o2m_status FillTable(const o2m_node *node, int8_t *table) {
    if (node->inputs[0]->dtype != O2M_S8) return O2M_NO_MATCH;
    FillUnaryTable(
        *node->inputs[0], *node->outputs[0], [node](double v) { return Value(node, v); }, table);
    return O2M_OK;
  }

  static o2m_unary_params KernelParams(const o2m_node *node) {
    o2m_unary_params p = {};
    SetTableSteps(TableLoops(node), p);
    p.flip = node->inputs[0]->dtype == O2M_S8 ? 128 : 0;
    return p;
  }

  static void Run(const o2m_node *node, const o2m_call *call) {
    RunTable(node, call, KernelParams(node), O2M_SYM(o2m_unary_s8));
  }

  static o2m_status Emit(const o2m_host *host, const o2m_target *, const o2m_node *node, const o2m_emitter *e) {
    const o2m_unary_params p = KernelParams(node);
    EmitTableCall(e, node, "o2m_unary_s8", "o2m_unary_params", TableSteps(p).Field("flip", p.flip).text());
    return EmitSources(host, e, o2m_sources, O2M_SOURCE_COUNT,
                       {"o2m_fixedpoint.h", "o2m_unary_s8.h", "o2m_unary_s8.c"});
  }

  static void Cost(const o2m_target *, const o2m_node *node, int32_t rows, o2m_cost *cost) {
    *cost = TableCost(node, rows, "unary_s8");
  }

  // A function of the list, on other operands.
  static void RandomCase(CaseList &list, Random &random) {
    CaseList functions;
    Cases(functions);
    const o2m_case &c = *functions.get(random.Below(functions.count()));
    RandomTableCase(list, random, c.name, c.inputs[0].dtype, *static_cast<const Params *>(c.params));
  }

  static void Terms(const o2m_target *, const o2m_node *node, int32_t rows, TermList &list) {
    ElementTerms(TableLoops(node), 2, "unary_s8", rows, list);
  }

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

void Unary::Cases(CaseList &list) {
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
}

}  // namespace

O2M_PLUGIN("unary", "1.0", Unary)
