// pool.cc - "o2m.pool2d": MaxPool and AveragePool on images. README.md says more.
#include "elementwise.hpp"
#include "image_op.hpp"
#include "o2m_pool2d.h"
#include "o2m_sources.h"
#include "pool_random.hpp"
#include "pool_worst.hpp"

namespace {
using namespace o2m;

struct PoolParams {
  int32_t average, count_pad, ceil_mode;
  int32_t kernel_h, kernel_w;
  int32_t stride_h, stride_w;
  int32_t pad_top, pad_left, pad_bottom, pad_right;
  int32_t dilation_h, dilation_w;
  int32_t shift;
  OwnQuant y;
};

int32_t ExtentH(const PoolParams &p) { return p.dilation_h * (p.kernel_h - 1) + 1; }
int32_t ExtentW(const PoolParams &p) { return p.dilation_w * (p.kernel_w - 1) + 1; }

// ONNX: with ceil_mode the last window may hang over the end, but must start inside the image or its left padding.
int32_t OutputSize(int32_t size, int32_t before, int32_t after, int32_t extent, int32_t stride, bool ceil) {
  const int32_t room = size + before + after - extent;
  if (!ceil) return room / stride + 1;
  const int32_t count = (room + stride - 1) / stride + 1;
  return (count - 1) * stride >= size + before ? count - 1 : count;
}

o2m_status CheckWindow(const o2m_host *host, const o2m_node *node) {
  const auto &p = ParamsOf<PoolParams>(node);
  const o2m_tensor &x = *node->inputs[0];
  if (x.rank != 4 || x.dims[0] != 1) return Reject(host, Str("the input is ", Shape(x), "; [1, C, H, W] would work"));
  if (std::min({p.kernel_h, p.kernel_w, p.stride_h, p.stride_w, p.dilation_h, p.dilation_w}) < 1)
    return Reject(host, "a kernel size, stride or dilation is below 1");
  if (std::min({p.pad_top, p.pad_left, p.pad_bottom, p.pad_right}) < 0 ||
      std::max(p.pad_top, p.pad_bottom) >= ExtentH(p) || std::max(p.pad_left, p.pad_right) >= ExtentW(p))
    return Reject(host, "a padding is negative or as large as the window; a smaller one would work");
  if (p.kernel_h * p.kernel_w > 4096)
    return Reject(host, "the window has more than 4096 places; ReduceMean would work");
  if (x.dims[2] + p.pad_top + p.pad_bottom < ExtentH(p) || x.dims[3] + p.pad_left + p.pad_right < ExtentW(p))
    return Reject(host,
                  Str("the window of ", ExtentH(p), " x ", ExtentW(p), " is larger than the padded image ", Shape(x)));
  return O2M_OK;
}

// Whether some window of an axis lies on padding alone: between the steps of its dilation the image may fit.
bool MissesImage(int32_t outputs, int32_t kernel, int32_t stride, int32_t pad, int32_t dilation, int32_t size) {
  for (int32_t o = 0; o < outputs; ++o) {
    int32_t inside = 0;
    for (int32_t k = 0, at = o * stride - pad; k < kernel; ++k, at += dilation) inside += at >= 0 && at < size;
    if (inside == 0) return true;
  }
  return false;
}

// An average of nothing is zero, as ONNX Runtime has it; a maximum of nothing has no value.
o2m_status CheckMaximum(const o2m_host *host, const o2m_node *node) {
  const auto &p = ParamsOf<PoolParams>(node);
  const o2m_tensor &x = *node->inputs[0], &y = *node->outputs[0];
  if (p.average || (!MissesImage(y.dims[2], p.kernel_h, p.stride_h, p.pad_top, p.dilation_h, x.dims[2]) &&
                    !MissesImage(y.dims[3], p.kernel_w, p.stride_w, p.pad_left, p.dilation_w, x.dims[3])))
    return O2M_OK;
  return Reject(host, Str("a window of the maximum lies on padding alone beside the image ", Shape(x),
                          "; less padding or dilation would work"));
}

double Factor(const o2m_node *node, int32_t places) {
  return static_cast<double>(ScaleOf(*node->inputs[0])) / ScaleOf(*node->outputs[0]) / places;
}

o2m_pool2d_params KernelParams(const o2m_node *node) {
  const o2m_tensor &x = *node->inputs[0], &y = *node->outputs[0];
  const auto &params = ParamsOf<PoolParams>(node);
  o2m_pool2d_params p = {};
  p.channels = x.dims[1];
  p.x_h = x.dims[2];
  p.x_w = x.dims[3];
  p.y_w = y.dims[3];
  p.kernel_h = params.kernel_h;
  p.kernel_w = params.kernel_w;
  p.stride_h = params.stride_h;
  p.stride_w = params.stride_w;
  p.pad_top = params.pad_top;
  p.pad_left = params.pad_left;
  p.pad_bottom = params.pad_bottom;
  p.pad_right = params.pad_right;
  p.dilation_h = params.dilation_h;
  p.dilation_w = params.dilation_w;
  SetImageStrides(x, y, p);
  p.average = params.average;
  p.count_pad = params.count_pad;
  p.x_type = x.dtype == O2M_S8 ? O2M_POOL_S8 : x.dtype == O2M_U8 ? O2M_POOL_U8 : O2M_POOL_S16;
  p.x_zero = ZeroPointOf(x);
  p.y_bytes = static_cast<int32_t>(BytesOf(y.dtype));
  p.y_zero = ZeroPointOf(y);
  p.shift = params.shift;
  p.multiplier = ConstantData<const int32_t>(node, 0);
  return p;
}

std::string ParamsText(const o2m_node *node, const o2m_emitter *e) {
  const o2m_pool2d_params p = KernelParams(node);
  Initializer text;
  text.Field("channels", p.channels)
      .Field("x_h", p.x_h)
      .Field("x_w", p.x_w)
      .Field("y_w", p.y_w)
      .Field("kernel_h", p.kernel_h)
      .Field("kernel_w", p.kernel_w)
      .Field("stride_h", p.stride_h)
      .Field("stride_w", p.stride_w)
      .Field("pad_top", p.pad_top)
      .Field("pad_left", p.pad_left)
      .Field("pad_bottom", p.pad_bottom)
      .Field("pad_right", p.pad_right)
      .Field("dilation_h", p.dilation_h)
      .Field("dilation_w", p.dilation_w);
  AddImageStrides(p, text);
  text.Field("average", p.average)
      .Field("count_pad", p.count_pad)
      .Field("x_type", p.x_type)
      .Field("x_zero", p.x_zero)
      .Field("y_bytes", p.y_bytes)
      .Field("y_zero", p.y_zero)
      .Field("shift", p.shift)
      .Field("multiplier", ConstantName(e, 0));
  return text.text();
}

struct Pool {
  static constexpr char kId[] = "o2m.pool2d";
  using Params = PoolParams;

  static o2m_status Match(const o2m_host *, const o2m_graph *graph, int32_t root, o2m_match *match) {
    const GraphView g(graph);
    const bool average = g.Is(root, "AveragePool");
    if (!average && !g.Is(root, "MaxPool")) return O2M_NO_MATCH;
    const std::string auto_pad = g.Text(root, "auto_pad", "NOTSET");
    if (graph->output_count(graph, root) != 1 || (auto_pad != "NOTSET" && auto_pad != "VALID")) return O2M_NO_MATCH;
    const auto two = [&](const char *key, std::vector<int64_t> fallback) {
      const std::vector<int64_t> values = g.Ints(root, key);
      return values.empty() ? fallback : values;
    };
    const auto kernel = two("kernel_shape", {}), strides = two("strides", {1, 1});
    const auto pads = two("pads", {0, 0, 0, 0}), dilations = two("dilations", {1, 1});
    if (kernel.size() != 2 || strides.size() != 2 || pads.size() != 4 || dilations.size() != 2) return O2M_NO_MATCH;
    const auto i32 = [](int64_t v) { return static_cast<int32_t>(v); };
    *static_cast<Params *>(match->params) = {average,
                                             i32(g.Int(root, "count_include_pad", 0)),
                                             i32(g.Int(root, "ceil_mode", 0)),
                                             i32(kernel[0]),
                                             i32(kernel[1]),
                                             i32(strides[0]),
                                             i32(strides[1]),
                                             i32(pads[0]),
                                             i32(pads[1]),
                                             i32(pads[2]),
                                             i32(pads[3]),
                                             i32(dilations[0]),
                                             i32(dilations[1]),
                                             0,
                                             {}};
    return Matched(match, {root}, {g.Input(root, 0)});
  }

  static o2m_status Infer(const o2m_host *host, const o2m_target *, o2m_node *node) {
    if (node->input_count != 1 || node->output_count != 1) return Reject(host, "a pool has one input and one output");
    const o2m_tensor &x = *node->inputs[0];
    o2m_tensor &y = *node->outputs[0];
    auto &p = ParamsOf<Params>(node);
    if (o2m_status s = CheckQuantised(host, x, "the input", kMaskIntegers)) return s;
    if (o2m_status s = CheckWindow(host, node)) return s;
    SetShape(y, {1, x.dims[1], OutputSize(x.dims[2], p.pad_top, p.pad_bottom, ExtentH(p), p.stride_h, p.ceil_mode),
                 OutputSize(x.dims[3], p.pad_left, p.pad_right, ExtentW(p), p.stride_w, p.ceil_mode)});
    if (o2m_status s = CheckMaximum(host, node)) return s;
    SettleOutput(y, x.dtype == O2M_S16 ? O2M_S16 : O2M_S8, p.y, ScaleOf(x),
                 ZeroPointOf(x) - (x.dtype == O2M_U8 ? 128 : 0));
    if (o2m_status s = CheckQuantised(host, y, "the output", kMaskS8S16)) return s;
    if (Factor(node, 1) > 4096)
      return Reject(host, Str("the output's scale, ", ScaleOf(y), ", is too small beside the input's, ", ScaleOf(x)));
    p.shift = 46;
    while (std::ldexp(Factor(node, 1), p.shift) > 1073741824.0) --p.shift;
    SetConstants(node, {{"multiplier", O2M_S32, p.average ? int64_t{p.kernel_h} * p.kernel_w : 1, nullptr}});
    return O2M_OK;
  }

  // A step is one output row; bands of the image overlap where the window is taller than the stride.
  static void Memory(const o2m_target *, const o2m_node *node, int32_t, o2m_memory *memory) {
    const auto &p = ParamsOf<Params>(node);
    memory->steps = node->outputs[0]->dims[2];
    memory->inputs[0] = {O2M_ANY_STRIDES, 2, p.stride_h, ExtentH(p), p.pad_top};
    memory->outputs[0] = {O2M_ANY_STRIDES, 2, 1, 1, 0};
  }

  static o2m_status Pack(const o2m_host *, const o2m_target *, o2m_node *node) {
    const int32_t shift = ParamsOf<Params>(node).shift;
    auto *multiplier = ConstantData<int32_t>(node, 0);
    for (int64_t n = 0; n < node->constants[0].count; ++n) {
      multiplier[n] = Multiplier(Factor(node, static_cast<int32_t>(n) + 1), shift);
    }
    return O2M_OK;
  }

  static void Run(const o2m_node *node, const o2m_call *call) {
    const o2m_pool2d_params p = KernelParams(node);
    O2M_SYM(o2m_pool2d)(call->inputs[0], call->outputs[0], call->first, call->rows, &p);
  }

  static o2m_status Emit(const o2m_host *host, const o2m_target *, const o2m_node *node, const o2m_emitter *e) {
    Line(e, Call("O2M_SYM(o2m_pool2d)", {Operand(e, 0), Operand(e, 1), e->first(e), RowsName(e),
                                         Object(e, "o2m_pool2d_params", ParamsText(node, e))}));
    return EmitSources(host, e, o2m_sources, O2M_SOURCE_COUNT, {"o2m_fixedpoint.h", "o2m_pool2d.h", "o2m_pool2d.c"});
  }

  static void Cost(const o2m_target *, const o2m_node *node, int32_t rows, o2m_cost *cost) {
    const auto &p = ParamsOf<Params>(node);
    const o2m_tensor &y = *node->outputs[0];
    const int64_t outputs = int64_t{rows} * y.dims[3] * y.dims[1];
    *cost = {"pool2d", 0, outputs * p.kernel_h * p.kernel_w, outputs, 0, -1};
  }

  // The rows of a call are taken for average ones: those at the edges of the image have less to do.
  static void Terms(const o2m_target *, const o2m_node *node, int32_t rows, TermList &list) {
    const o2m_tensor &x = *node->inputs[0], &y = *node->outputs[0];
    const auto &p = ParamsOf<Params>(node);
    const int64_t down = PositionsInside(y.dims[2], p.kernel_h, p.stride_h, p.pad_top, p.dilation_h, x.dims[2]);
    const int64_t across = PositionsInside(y.dims[3], p.kernel_w, p.stride_w, p.pad_left, p.dilation_w, x.dims[3]);
    list.Add("pool2d", "rows", rows);
    list.Add("pool2d", "places", int64_t{rows} * y.dims[3]);
    list.Add("pool2d", "outputs", int64_t{rows} * y.dims[3] * y.dims[1]);
    list.Add("pool2d", "lines", rows * down * y.dims[3] * y.dims[1] / y.dims[2]);
    list.Add("pool2d", p.average ? "averaged taps" : "compared taps", rows * down * across * y.dims[1] / y.dims[2]);
  }

  static void QuantRule(const o2m_node *node, o2m_quant_rule *rule) {
    rule->s16_inputs = rule->s16_outputs = 1;
    rule->same_as_input0 = !ParamsOf<Params>(node).average;
  }

  static void RandomCase(CaseList &list, Random &random) { RandomPoolCase<Params>(list, random, OutputSize); }
  static void WorstCases(CaseList &list) { WorstPoolCases<Params>(list); }
  static void Cases(CaseList &list) {
    const Params max2 = {0, 0, 0, 2, 2, 2, 2, 0, 0, 0, 0, 1, 1, 0, {}},
                 max3 = {0, 0, 0, 3, 3, 2, 2, 1, 1, 1, 1, 1, 1, 0, {}};
    const Params mean3 = {1, 0, 0, 3, 3, 2, 2, 1, 1, 1, 1, 1, 1, 0, {}};
    Params counting = mean3, ceiling = mean3, dilated = max3;
    counting.count_pad = 1;
    ceiling.ceil_mode = ceiling.count_pad = 1;
    dilated.dilation_h = dilated.dilation_w = 2;
    const CaseOperand x = {O2M_S8, {1, 6, 9, 8}, 0.05f, -20};
    list.Add("maximum 2x2", {x}, {{O2M_S8, {1, 6, 4, 4}, 0.05f, -20}}, max2);
    list.Add("maximum 3x3 stride 2, channels last", {{O2M_S8, {1, 6, 9, 8}, 0.05f, -128, {}, {432, 1, 48, 6}}},
             {{O2M_S8, {1, 6, 5, 4}, 0.05f, -128, {}, {120, 1, 24, 6}}}, max3);
    list.Add("maximum, another scale", {x}, {{O2M_S8, {1, 6, 5, 4}, 0.06f, 3}}, max3);
    list.Add("maximum s16", {{O2M_S16, {1, 3, 7, 7}, 0.001f, 100}}, {{O2M_S16, {1, 3, 4, 4}, 0.001f, 100}}, max3);
    list.Add("maximum, dilated", {x}, {{O2M_S8, {1, 6, 4, 3}, 0.05f, -20}}, dilated);
    list.Add("average", {x}, {{O2M_S8, {1, 6, 5, 4}, 0.03f, 7}}, mean3);
    list.Add("average, padding counts", {x}, {{O2M_S8, {1, 6, 5, 4}, 0.03f, 7}}, counting);
    list.Add("average, window over the end", {x}, {{O2M_S8, {1, 6, 5, 5}, 0.03f, 7}}, ceiling);
    Params apart = mean3;  // around an image of one row: some windows lie on padding alone
    apart.dilation_h = apart.dilation_w = 3, apart.pad_top = apart.pad_bottom = 5, apart.stride_h = 1;
    list.Add("average, dilated and padded", {{O2M_S8, {1, 3, 1, 9}, 0.05f, -20}}, {{O2M_S8, {1, 3, 5, 3}, 0.03f, 7}},
             apart);
    list.Add("average to s16", {{O2M_U8, {1, 2, 5, 5}, 0.01f, 128}}, {{O2M_S16, {1, 2, 3, 3}, 0.0001f, 0}}, mean3);
    list.Add("own output quant", {x}, {{O2M_ANY, {1, 6, 4, 4}}}, max2);
  }
};

}  // namespace

O2M_PLUGIN("pool", "1.0", Pool)
