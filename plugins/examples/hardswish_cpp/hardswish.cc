// hardswish.cc - "com.example.hardswish": y = x * min(max(x / 6 + 1/2, 0), 1) (Howard et al. 2019) on s8 tensors, as a
// table of 256 entries. In C++ with op.hpp: a template for operators of your own.
//
// Unlike ../hardswish_c it also offers its table (FillTable): a producer that can apply one in its epilogue, such as a
// linear layer, then takes this op over, and no call of its own is left.
#include "example_hardswish_s8.h"
#include "o2m_sources.h"
#include "op.hpp"

namespace {
using namespace o2m;

double HardSwishOf(double x) { return x * std::clamp(x / 6 + 0.5, 0.0, 1.0); }

// What Infer() decides where the host presets nothing; the node's output points at it.
struct HardSwishParams {
  float scale;
  int32_t zero_point;
};

struct HardSwish {
  static constexpr char kId[] = "com.example.hardswish";
  using Params = HardSwishParams;

  // HardSigmoid(x) with the slope and offset that make x * HardSigmoid(x) a HardSwish.
  static bool IsGate(const o2m_graph *graph, int32_t node) {
    if (!GraphView(graph).Is(node, "HardSigmoid")) return false;
    float alpha = 0.2f, beta = 0.5f;  // ONNX's defaults
    graph->attr_f(graph, node, "alpha", &alpha);
    graph->attr_f(graph, node, "beta", &beta);
    return std::fabs(alpha - 1.0f / 6) < 1e-6f && std::fabs(beta - 0.5f) < 1e-6f;
  }

  // HardSwish(x), or Mul of x and HardSigmoid(x) in either order.
  static o2m_status Match(const o2m_host *, const o2m_graph *graph, int32_t root, o2m_match *match) {
    const GraphView g(graph);
    if (g.Is(root, "HardSwish")) return Matched(match, {root}, {g.Input(root, 0)});
    if (!g.Is(root, "Mul")) return O2M_NO_MATCH;
    for (const int32_t i : {0, 1}) {
      const int32_t gate = g.Producer(g.Input(root, 1 - i));
      if (IsGate(graph, gate) && g.Input(gate, 0) == g.Input(root, i))
        return Matched(match, {root, gate}, {g.Input(root, i)});
    }
    return O2M_NO_MATCH;
  }

  // The scale and zero point that just hold the values of y.
  static Params QuantOf(const o2m_tensor &x) {
    double low = 0, high = 0;
    for (int32_t q = -128; q < 128; q++) {
      const double y = HardSwishOf(double{ScaleOf(x)} * (q - ZeroPointOf(x)));
      low = std::min(low, y);
      high = std::max(high, y);
    }
    const double scale = std::max((high - low) / 255, 1e-30);
    return {static_cast<float>(scale), RoundToInt(-128 - low / scale, -128, 127)};
  }

  static o2m_status Infer(const o2m_host *host, const o2m_target *, o2m_node *node) {
    if (node->input_count != 1 || node->output_count != 1)
      return Reject(host, "hardswish has one input and one output");
    const o2m_tensor &x = *node->inputs[0];
    o2m_tensor &y = *node->outputs[0];
    if (x.dtype != O2M_S8 || x.quant.count != 1)
      return Reject(host, Str("the input is ", NameOf(x.dtype), "; s8 with one scale would work"));
    if (x.rank < 1) return Reject(host, "the input is a scalar; a tensor of one or more axes would work");
    SetShapeLike(y, x);
    if (y.dtype == O2M_ANY) y.dtype = O2M_S8;
    if (y.dtype != O2M_S8 || y.quant.count > 1)
      return Reject(host, Str("the output is ", NameOf(y.dtype), "; s8 with one scale would work"));
    if (y.quant.count == 0) {
      Params &own = ParamsOf<Params>(node);
      own = QuantOf(x);
      y.quant = PerTensor(&own.scale, &own.zero_point);
    }
    SetConstants(node, {{"hardswish table", O2M_S8, 256, nullptr}});
    return O2M_OK;
  }

  // A row is what follows one index of the first axis longer than one.
  static int32_t Axis(const o2m_tensor &t) { return StepAxis(t, t.rank); }
  static int32_t RowStride(const o2m_tensor &t) { return static_cast<int32_t>(t.strides[Axis(t)]); }
  static int32_t RowLength(const o2m_tensor &t) { return static_cast<int32_t>(ElementCount(t)) / t.dims[Axis(t)]; }

  static void Memory(const o2m_target *, const o2m_node *node, int32_t, o2m_memory *memory) {
    const int32_t axis = Axis(*node->inputs[0]);
    memory->steps = node->inputs[0]->dims[axis];
    memory->inputs[0] = memory->outputs[0] = {O2M_ROW_STRIDED, axis, 1, 1, 0};
    memory->in_place_inputs = 1u << 0;  // each value is read before it is written over
  }

  static o2m_status FillTable(const o2m_node *node, int8_t *table) {
    const o2m_tensor &x = *node->inputs[0], &y = *node->outputs[0];
    for (int32_t q = -128; q < 128; q++) {
      const double value = HardSwishOf(double{ScaleOf(x)} * (q - ZeroPointOf(x)));
      table[q + 128] = static_cast<int8_t>(RoundToInt(value / ScaleOf(y) + ZeroPointOf(y), -128, 127));
    }
    return O2M_OK;
  }

  static o2m_status Pack(const o2m_host *, const o2m_target *, o2m_node *node) {
    return FillTable(node, ConstantData<int8_t>(node, 0));
  }

  static void Run(const o2m_node *node, const o2m_call *call) {
    const o2m_tensor &x = *node->inputs[0], &y = *node->outputs[0];
    example_hardswish_s8(In<int8_t>(call, 0), RowStride(x), Out<int8_t>(call), RowStride(y), call->rows, RowLength(x),
                         ConstantData<int8_t>(node, 0));
  }

  static o2m_status Emit(const o2m_host *host, const o2m_target *, const o2m_node *node, const o2m_emitter *e) {
    const o2m_tensor &x = *node->inputs[0], &y = *node->outputs[0];
    Line(e, Call("O2M_SYM(example_hardswish_s8)", {Operand(e, 0), Str(RowStride(x)), Operand(e, 1), Str(RowStride(y)),
                                                   RowsName(e), Str(RowLength(x)), ConstantName(e, 0)}));
    return EmitSources(host, e, o2m_sources, O2M_SOURCE_COUNT, {"example_hardswish_s8.h", "example_hardswish_s8.c"});
  }

  // What `onnx2mcu check` runs.
  static void Cases(CaseList &list) {
    const auto x = [](const std::vector<int32_t> &dims) { return CaseOperand{O2M_S8, dims, 0.05f, 4}; };
    const auto y = [](const std::vector<int32_t> &dims) { return CaseOperand{O2M_S8, dims, 0.03f, -113}; };
    list.Add("tokens", {x({1, 50, 32})}, {y({1, 50, 32})}, Params{});
    list.Add("vector", {x({19})}, {y({19})}, Params{});
    list.Add("image", {x({1, 3, 5, 7})}, {y({1, 3, 5, 7})}, Params{});
    list.Add("scale chosen by infer", {x({1, 50, 32})}, {{O2M_ANY, {1, 50, 32}}}, Params{});
  }
};

}  // namespace

O2M_PLUGIN("hardswish", "1.0", HardSwish)
