// log_softmax.cc - o2m.log_softmax: LogSoftmax over the last axis. README.md says more.
#include "o2m_log_softmax.h"
#include "o2m_sources.h"
#include "row_op.hpp"

namespace {
using namespace o2m;

struct LogSoftmaxParams {
  int32_t x_multiplier, log_multiplier, shift;  // set by infer()
  float scale;                                  // of y, where the host preset none
  int32_t zero_point;
};
constexpr int32_t kMostFeatures = 65536;

o2m_log_softmax_params KernelParams(const o2m_node *node) {
  const auto &params = ParamsOf<LogSoftmaxParams>(node);
  o2m_log_softmax_params p = {};
  p.features = Dim(*node->inputs[0], 1);
  SetRowStrides(node, p);
  p.x_multiplier = params.x_multiplier;
  p.log_multiplier = params.log_multiplier;
  p.shift = params.shift;
  p.y_zero = ZeroPointOf(*node->outputs[0]);
  return p;
}

std::string ParamsText(const o2m_log_softmax_params &p) {
  return Initializer()
      .Field("features", p.features)
      .Field("x_row", p.x_row)
      .Field("x_column", p.x_column)
      .Field("y_row", p.y_row)
      .Field("y_column", p.y_column)
      .Field("y_bytes", p.y_bytes)
      .Field("x_multiplier", p.x_multiplier)
      .Field("log_multiplier", p.log_multiplier)
      .Field("shift", p.shift)
      .Field("y_zero", p.y_zero)
      .text();
}

struct LogSoftmax {
  static constexpr char kId[] = "o2m.log_softmax";
  using Params = LogSoftmaxParams;

  static o2m_status Match(const o2m_host *, const o2m_graph *graph, int32_t root, o2m_match *match) {
    const GraphView g(graph);
    if (!g.Is(root, "LogSoftmax")) return O2M_NO_MATCH;
    const o2m_tensor &x = g.Tensor(g.Input(root, 0));
    const int64_t axis = g.Int(root, "axis", -1);
    if (x.rank < 2 || x.is_constant || (axis != -1 && axis != x.rank - 1)) return O2M_NO_MATCH;
    return Matched(match, {root}, {g.Input(root, 0)});
  }

  static o2m_status Infer(const o2m_host *host, const o2m_target *, o2m_node *node) {
    if (o2m_status s = CheckRowInput(host, node)) return s;
    if (node->inputs[0]->dtype != O2M_S8) return Reject(host, "input 0 is s16; s8 would work");
    if (o2m_status s = CheckFeatures(host, node, kMostFeatures)) return s;
    auto &params = ParamsOf<LogSoftmaxParams>(node);
    params.scale = ScaleOf(*node->inputs[0]);
    params.zero_point = 127;
    if (o2m_status s = SettleRowOutput(host, node, PerTensor(&params.scale, &params.zero_point))) return s;
    const double y = ScaleOf(*node->outputs[0]);
    const double x_factor = ScaleOf(*node->inputs[0]) / y, log_factor = std::log(2.0) / 65536 / y;
    params.shift = 40;
    while (params.shift > 0 && std::ldexp(std::fmax(x_factor, log_factor), params.shift) > 1073741823.0) --params.shift;
    if (params.shift < 1) return Reject(host, Str("output 0 has scale ", y, ", too small for the input's range"));
    params.x_multiplier = RoundToInt(std::ldexp(x_factor, params.shift));
    params.log_multiplier = RoundToInt(std::ldexp(log_factor, params.shift));
    SetConstants(node, {{"exponential", O2M_S32, 256, nullptr}});
    return O2M_OK;
  }

  static void Memory(const o2m_target *, const o2m_node *node, int32_t, o2m_memory *memory) {
    RowMemory(node, memory);
    memory->in_place_inputs = WritesUpward(node) ? 1 : 0;
  }

  static o2m_status Pack(const o2m_host *, const o2m_target *, o2m_node *node) {
    for (int32_t d = 0; d < 256; ++d)
      ConstantData<int32_t>(node, 0)[d] = RoundToInt(std::ldexp(std::exp(-double{ScaleOf(*node->inputs[0])} * d), 23));
    return O2M_OK;
  }

  static void Run(const o2m_node *node, const o2m_call *call) {
    const o2m_log_softmax_params p = KernelParams(node);
    const Rows rows = RowsOf(node);
    ForEachRowBlock(rows, call->rows, [&](const int64_t *at) {
      int8_t *out = Out<int8_t>(call) + at[1] * BytesOf(node->outputs[0]->dtype);
      O2M_SYM(o2m_log_softmax_s8)
      (In<int8_t>(call, 0) + at[0], out, static_cast<int32_t>(rows.RowCount(call->rows)), &p,
       ConstantData<int32_t>(node, 0));
    });
  }

  static o2m_status Emit(const o2m_host *host, const o2m_target *target, const o2m_node *node, const o2m_emitter *e) {
    return EmitRows(host, target, node, e, o2m_sources, O2M_SOURCE_COUNT, "o2m_log_softmax",
                    ParamsText(KernelParams(node)), {ConstantName(e, 0)});
  }

  static void Cost(const o2m_target *, const o2m_node *node, int32_t rows, o2m_cost *cost) {
    const Rows r = RowsOf(node);
    const int64_t features = Dim(*node->inputs[0], 1);
    const int64_t values = rows * (ElementCount(*node->outputs[0]) / r.steps);
    *cost = {"log_softmax_s8", 0, values, values, 4 * features, -1};
  }

  static void Terms(const o2m_target *, const o2m_node *node, int32_t rows, TermList &list) {
    RowTerms(node, "log_softmax_s8", rows, false, list);
  }

  static void QuantRule(const o2m_node *, o2m_quant_rule *rule) { rule->s16_outputs = 1; }

  static void RandomCase(CaseList &list, Random &r) {
    const std::vector<int32_t> dims = {1, r.Size(9), r.Size(r.OneIn(12) ? 400 : 70)};
    const double scale = r.Scale(1e-4, 0.5);
    const CaseOperand x = r.Operand(O2M_S8, dims, scale);
    CaseOperand y = r.Operand(r.OneIn(3) ? O2M_S16 : O2M_S8, dims, scale * r.Scale(0.5, 2) + 0.01);
    if (y.dtype == O2M_S16) y.scale /= 200;
    list.Add("random", {x}, {y}, Params{});
  }

  static void Cases(CaseList &list) {
    const auto add = [&list](const char *name, const CaseOperand &x, CaseOperand y) {
      y.dims = x.dims;
      list.Add(name, {x}, {y}, Params{});
    };
    const auto y8 = [](float scale, std::vector<int64_t> strides = {}) {
      return CaseOperand{O2M_S8, {}, scale, 127, {}, std::move(strides)};
    };
    add("classes", {O2M_S8, {1, 10}, 0.05f, 3}, y8(0.06f));
    add("rows", {O2M_S8, {1, 9, 33}, 0.05f, -128}, y8(0.07f));
    add("sharp", {O2M_S8, {4, 33}, 1.5f, 0}, y8(1.6f));
    add("flat", {O2M_S8, {4, 33}, 0.0001f, 0}, y8(0.03f));
    add("many", {O2M_S8, {2, 1000}, 0.08f, 20}, y8(0.11f));
    add("to s16", {O2M_S8, {3, 20}, 0.05f, 127}, {O2M_S16, {}, 0.0005f, 0});
    add("one feature", {O2M_S8, {5, 1}, 0.05f, 3}, y8(0.06f));
    add("transposed", {O2M_S8, {1, 6, 20}, 0.05f, 3, {}, {0, 1, 6}}, y8(0.06f));
    add("wide rows", {O2M_S8, {1, 6, 20}, 0.05f, 3, {}, {0, 64, 1}}, y8(0.06f, {0, 40, 1}));
    add("own output quant", {O2M_S8, {3, 12}, 0.05f, 3}, {O2M_ANY, {}});
  }
};

}  // namespace

O2M_PLUGIN("log_softmax", "1.0", LogSoftmax)
