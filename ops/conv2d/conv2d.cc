// conv2d.cc - "o2m.conv2d": Conv on images, dense, grouped or depthwise. README.md says more.
#include "channel_weights.hpp"
#include "conv2d_random.hpp"
#include "conv2d_worst.hpp"
#include "o2m_conv2d.h"
#include "o2m_sources.h"

namespace {
using namespace o2m;

struct ConvParams {
  int32_t groups;
  int32_t stride_h, stride_w;
  int32_t pad_top, pad_left, pad_bottom, pad_right;
  int32_t dilation_h, dilation_w;
  int32_t shift;
  OwnQuant y;
};

int32_t KernelH(const o2m_node *node) { return node->inputs[1]->dims[2]; }
int32_t KernelW(const o2m_node *node) { return node->inputs[1]->dims[3]; }
// Image rows and columns from the first to the last that the kernel touches.
int32_t ExtentH(const o2m_node *node) { return ParamsOf<ConvParams>(node).dilation_h * (KernelH(node) - 1) + 1; }
int32_t ExtentW(const o2m_node *node) { return ParamsOf<ConvParams>(node).dilation_w * (KernelW(node) - 1) + 1; }

// The kernels of bytes subtract the input's zero point pixel by pixel, since padding must count as zero; that of s16
// has it in the bias, which padding does not allow.
Channels ConvChannels(const o2m_node *node) {
  Channels channels = ChannelsOf(node);
  if (!channels.wide) channels.x_zero = 0;
  return channels;
}

o2m_status CheckWideZero(const o2m_host *host, const o2m_node *node) {
  const auto &p = ParamsOf<ConvParams>(node);
  const Channels channels = ConvChannels(node);
  const bool padded = p.pad_top > 0 || p.pad_left > 0 || p.pad_bottom > 0 || p.pad_right > 0;
  if (channels.x_zero == 0 || (!padded && BiasesFit(channels))) return O2M_OK;
  return Reject(host, Str("the input is s16 with zero point ", channels.x_zero, "; zero point 0 would work"));
}

// The kernel for a target: "o2m_conv2d_dsp"; "o2m_conv2d" where scalar C is all there is; "o2m_conv2d_s16" of s16.
std::string KernelName(const o2m_target *target, const o2m_node *node) {
  if (node->inputs[0]->dtype == O2M_S16) return "o2m_conv2d_s16";
  const int32_t groups = ParamsOf<ConvParams>(node).groups;
  const bool depthwise = groups > 1 && node->inputs[1]->dims[1] == 1 && node->inputs[1]->dims[0] == groups;
  const std::string scalar = "o2m_conv2d", own = depthwise ? scalar + "_depthwise" : scalar;
  const std::string isa = IsaSuffix(o2m_sources, O2M_SOURCE_COUNT, own, target);
  return isa.empty() ? scalar : own + isa;
}

int64_t ScratchOf(const std::string &kernel, const o2m_node *node) {
  const o2m_tensor &w = *node->inputs[1];
  const int64_t taps = int64_t{KernelH(node)} * KernelW(node), depth = (taps * w.dims[1] + 3) / 4 * 4;
  if (kernel == "o2m_conv2d_depthwise_dsp") return 2 * taps * ((w.dims[0] + 3) / 4 * 4);
  return kernel == "o2m_conv2d_dsp" ? depth * (2 * o2m_conv2d_tile(static_cast<int32_t>(taps * w.dims[1])) + 10) : 0;
}

o2m_status CheckWindow(const o2m_host *host, const o2m_node *node) {
  const auto &p = ParamsOf<ConvParams>(node);
  const o2m_tensor &x = *node->inputs[0];
  if (p.stride_h < 1 || p.stride_w < 1 || p.dilation_h < 1 || p.dilation_w < 1)
    return Reject(host, "a stride or dilation is below 1");
  if (std::min({p.pad_top, p.pad_left, p.pad_bottom, p.pad_right}) < 0)
    return Reject(host, "a padding is negative; slicing the input first would work");
  if (std::max(p.pad_top, p.pad_bottom) >= ExtentH(node) || std::max(p.pad_left, p.pad_right) >= ExtentW(node))
    return Reject(host, "the padding is as large as the kernel; outputs that see padding only would need a Pad node");
  if (x.dims[2] + p.pad_top + p.pad_bottom < ExtentH(node) || x.dims[3] + p.pad_left + p.pad_right < ExtentW(node))
    return Reject(host, Str("the kernel of ", ExtentH(node), " x ", ExtentW(node), " is larger than the padded image ",
                            Shape(x)));
  return O2M_OK;
}

o2m_conv2d_params KernelParams(const o2m_node *node) {
  const o2m_tensor &x = *node->inputs[0], &w = *node->inputs[1], &y = *node->outputs[0];
  const auto &params = ParamsOf<ConvParams>(node);
  o2m_conv2d_params p = {};
  p.groups = params.groups;
  p.group_inputs = w.dims[1];
  p.group_outputs = w.dims[0] / params.groups;
  p.x_h = x.dims[2];
  p.x_w = x.dims[3];
  p.y_w = y.dims[3];
  p.kernel_h = KernelH(node);
  p.kernel_w = KernelW(node);
  p.stride_h = params.stride_h;
  p.stride_w = params.stride_w;
  p.pad_top = params.pad_top;
  p.pad_left = params.pad_left;
  p.dilation_h = params.dilation_h;
  p.dilation_w = params.dilation_w;
  SetConvParams(node, params.shift, p);
  p.x_zero = ZeroPointOf(x);
  return p;
}

std::string ParamsText(const o2m_node *node, const o2m_emitter *e) {
  const o2m_conv2d_params p = KernelParams(node);
  Initializer text;
  text.Field("groups", p.groups)
      .Field("group_inputs", p.group_inputs)
      .Field("group_outputs", p.group_outputs)
      .Field("x_h", p.x_h)
      .Field("x_w", p.x_w)
      .Field("y_w", p.y_w)
      .Field("kernel_h", p.kernel_h)
      .Field("kernel_w", p.kernel_w)
      .Field("stride_h", p.stride_h)
      .Field("stride_w", p.stride_w)
      .Field("pad_top", p.pad_top)
      .Field("pad_left", p.pad_left)
      .Field("dilation_h", p.dilation_h)
      .Field("dilation_w", p.dilation_w);
  AddImageStrides(p, text);
  text.Field("x_signed", p.x_signed).Field("x_zero", p.x_zero);
  AddConvOutput(p, node, e, text);
  return text.text();
}

struct Conv2d {
  static constexpr char kId[] = "o2m.conv2d";
  static constexpr uint32_t kFlags = O2M_TAKES_EPILOGUE;
  using Params = ConvParams;

  static o2m_status Match(const o2m_host *, const o2m_graph *graph, int32_t root, o2m_match *match) {
    const GraphView g(graph);
    if (!g.Is(root, "Conv") || g.Inputs(root) < 3) return O2M_NO_MATCH;
    const int32_t x = g.Input(root, 0), w = g.Input(root, 1), b = g.Input(root, 2);
    if (!g.IsConstant(w) || !g.IsConstant(b) || g.Tensor(w).rank != 4 || g.Tensor(x).rank != 4) return O2M_NO_MATCH;
    const std::vector<int64_t> strides = g.Ints(root, "strides"), pads = g.Ints(root, "pads");
    const std::vector<int64_t> dilations = g.Ints(root, "dilations");
    if (strides.size() != 2 || pads.size() != 4 || dilations.size() != 2) return O2M_NO_MATCH;
    const auto i32 = [](int64_t v) { return static_cast<int32_t>(v); };
    *static_cast<Params *>(match->params) = {i32(g.Int(root, "group", 1)),
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
    return Matched(match, {root}, {x, w, b});
  }

  static o2m_status Infer(const o2m_host *host, const o2m_target *target, o2m_node *node) {
    auto &params = ParamsOf<Params>(node);
    if (o2m_status s = CheckConvOperands(host, node, params.groups, kMaskIntegers)) return s;
    if (o2m_status s = CheckWindow(host, node)) return s;
    const o2m_tensor &x = *node->inputs[0], &w = *node->inputs[1];
    SetShape(*node->outputs[0],
             {1, w.dims[0], (x.dims[2] + params.pad_top + params.pad_bottom - ExtentH(node)) / params.stride_h + 1,
              (x.dims[3] + params.pad_left + params.pad_right - ExtentW(node)) / params.stride_w + 1});
    if (o2m_status s = SettleConvOutput(host, node, params.y)) return s;
    if (o2m_status s = CheckWideZero(host, node)) return s;
    if (o2m_status s = ChooseChannelShift(host, ConvChannels(node), &params.shift,
                                          KernelName(target, node) == "o2m_conv2d_dsp" && WantsShift32(target)))
      return s;
    SetConvConstants(node);
    return O2M_OK;
  }

  // A step is one output row; the bands of the image that steps touch overlap where the kernel is taller than the
  // stride.
  static void Memory(const o2m_target *target, const o2m_node *node, int32_t, o2m_memory *memory) {
    const auto &params = ParamsOf<Params>(node);
    memory->scratch_bytes = ScratchOf(KernelName(target, node), node);
    memory->steps = node->outputs[0]->dims[2];
    memory->inputs[0] = {O2M_ANY_STRIDES, 2, params.stride_h, ExtentH(node), params.pad_top};
    memory->outputs[0] = {O2M_ANY_STRIDES, 2, 1, 1, 0};
  }

  // [O][C / groups][kh][kw] becomes [O][kh][kw][C / groups].
  static o2m_status Pack(const o2m_host *, const o2m_target *, o2m_node *node) {
    const Channels channels = ConvChannels(node);
    const int64_t taps = int64_t{KernelH(node)} * KernelW(node), inputs = node->inputs[1]->dims[1];
    auto *weights = ConstantData<int8_t>(node, kConvWeights);
    PackConv(node, channels, ParamsOf<Params>(node).shift,
             [&](int64_t o, int64_t k, int8_t q) { weights[o * channels.depth + k % taps * inputs + k / taps] = q; });
    return O2M_OK;
  }

  static void Run(const o2m_node *node, const o2m_call *call) {
    const o2m_conv2d_params p = KernelParams(node);
    if (node->inputs[0]->dtype == O2M_S16)
      return O2M_SYM(o2m_conv2d_s16)(call->inputs[0], call->outputs[0], call->first, call->rows, &p,
                                     ConvChannels(node).acc_shift);
    O2M_SYM(o2m_conv2d)(call->inputs[0], call->outputs[0], call->first, call->rows, &p);
  }

  static o2m_status Emit(const o2m_host *host, const o2m_target *target, const o2m_node *node, const o2m_emitter *e) {
    const std::string kernel = KernelName(target, node), source = kernel + ".c";
    std::vector<std::string> arguments = {Operand(e, 0), Operand(e, node->input_count), e->first(e), RowsName(e),
                                          Object(e, "o2m_conv2d_params", ParamsText(node, e))};
    if (kernel == "o2m_conv2d_s16")
      arguments.push_back(Str(ConvChannels(node).acc_shift));
    else if (kernel != "o2m_conv2d")
      arguments.push_back(ScratchName(e));
    Line(e, Call(Str("O2M_SYM(", kernel, ")"), arguments));
    return EmitSources(host, e, o2m_sources, O2M_SOURCE_COUNT, {"o2m_fixedpoint.h", "o2m_conv2d.h", source.c_str()});
  }

  static void Cost(const o2m_target *, const o2m_node *node, int32_t rows, o2m_cost *cost) {
    const o2m_tensor &y = *node->outputs[0];
    const int64_t places = int64_t{rows} * y.dims[3], weights = ElementCount(*node->inputs[1]);
    const bool wide = node->inputs[0]->dtype == O2M_S16;
    // Where terms are unknown, scalar C on the M4: products four at a time, or one by one.
    const int64_t outputs = y.dims[1] / ParamsOf<Params>(node).groups, ones = weights * (outputs % 4) / outputs;
    const int64_t instructions = wide ? places * (6 * (weights - ones) + 40 * ones + 30 * y.dims[1] + 60) : -1;
    *cost = {wide ? "conv2d_s16" : "conv2d",
             places * weights,
             places * node->inputs[0]->dims[1],
             places * y.dims[1],
             places * weights,
             instructions};
  }

  // The rows of a call are taken for average ones: those at the edges of the image have less to do.
  // What a window sees, copied line by line, the zero point where it lies outside of the image.
  static void WindowTerms(const o2m_node *node, int64_t windows, int64_t lines, int64_t taps, TermList &list) {
    const o2m_tensor &x = *node->inputs[0], &w = *node->inputs[1];
    const int64_t channels = w.dims[1], depth = channels * w.dims[2] * w.dims[3];
    const bool copied = x.strides[1] == 1 && ParamsOf<ConvParams>(node).dilation_w * x.strides[3] == channels;
    list.Add("conv2d", "windows", windows);
    list.Add("conv2d", "lines outside", windows * w.dims[2] - lines);
    list.Add("conv2d", copied ? "lines copied" : "lines gathered", lines);
    list.Add("conv2d", copied ? "taps copied" : "taps gathered", taps);
    list.Add("conv2d", copied ? "values copied" : "values gathered", taps * channels);
    list.Add("conv2d", "values outside", windows * depth - taps * channels);
    list.Add("conv2d", "unsigned values", x.dtype == O2M_U8 ? windows * depth : 0);
  }

  // Panels of what a few outputs see, four channels at a time; through sums where the tile's own store does not do.
  static void DenseDspTerms(const o2m_node *node, int32_t rows, int64_t lines, int64_t taps, TermList &list) {
    const o2m_tensor &w = *node->inputs[1], &y = *node->outputs[0];
    const auto &p = ParamsOf<ConvParams>(node);
    const int64_t depth = int64_t{w.dims[1]} * w.dims[2] * w.dims[3], blocks = (depth + 3) / 4;
    const int64_t tile = o2m_conv2d_tile(static_cast<int32_t>(depth)), of_group = y.dims[1] / p.groups;
    const int64_t row_groups = int64_t{rows} * p.groups, last = y.dims[3] % tile;
    const int64_t bands = row_groups * ((y.dims[3] + tile - 1) / tile);
    const int64_t pairs = row_groups * (y.dims[3] / tile * tile / 2 + (last + 1) / 2);
    const int64_t fours = o2m_conv2d_is_direct(static_cast<int32_t>(depth), p.shift) ? of_group / 4 : 0;
    const int64_t through_sums = of_group - 4 * fours, sum_fours = (through_sums + 3) / 4;
    WindowTerms(node, row_groups * y.dims[3], lines * p.groups, taps * p.groups, list);
    list.Add("conv2d", "bands", bands);
    list.Add("conv2d", depth % 4 ? "odd panels" : "panels", pairs);
    list.Add("conv2d", "panel blocks", pairs * blocks);
    list.Add("conv2d", "widened fours", bands * (fours + sum_fours));
    list.Add("conv2d", "odd fours", depth % 4 ? bands * (fours + sum_fours) : 0);
    list.Add("conv2d", "widened blocks", bands * (fours + sum_fours) * blocks);
    list.Add("conv2d", "single outputs", row_groups * (last % 2) * fours);
    list.Add("conv2d", "tiles", pairs * fours);
    list.Add("conv2d", "table tiles", node->epilogue ? pairs * fours : 0);
    list.Add("conv2d", "shifted tiles", p.shift < 32 ? pairs * fours : 0);
    list.Add("conv2d", "blocks", pairs * (fours + sum_fours) * blocks);
    list.Add("conv2d", "sum fours", bands * sum_fours);
    list.Add("conv2d", "sum tiles", pairs * sum_fours);
    list.Add("conv2d", "sum outputs", row_groups * y.dims[3] * through_sums);
  }

  // Weights widened once per call; four channels at a time where they lie side by side.
  static void DepthwiseDspTerms(const o2m_node *node, int32_t rows, int64_t lines, int64_t taps, TermList &list) {
    const o2m_tensor &x = *node->inputs[0], &w = *node->inputs[1], &y = *node->outputs[0];
    const int64_t channels = y.dims[1], places = int64_t{rows} * y.dims[3];
    const int64_t fours = x.strides[1] == 1 ? channels / 4 : 0, apart = channels - 4 * fours;
    list.Add("conv2d_depthwise", "weights", channels * w.dims[2] * w.dims[3]);
    list.Add("conv2d_depthwise", "places", places);
    list.Add("conv2d_depthwise", "fours", places * fours);
    list.Add("conv2d_depthwise", "lines of fours", lines * fours);
    list.Add("conv2d_depthwise", "taps of fours", taps * fours);
    list.Add("conv2d_depthwise", "fours apart", places * ((apart + 3) / 4));
    list.Add("conv2d_depthwise", "lines apart", lines * ((apart + 3) / 4));
    list.Add("conv2d_depthwise", "taps apart", taps * apart);
    list.Add("conv2d_depthwise", "outputs", places * channels);
    list.Add("conv2d_depthwise", "table outputs", node->epilogue ? places * channels : 0);
  }

  static void Terms(const o2m_target *target, const o2m_node *node, int32_t rows, TermList &list) {
    const o2m_tensor &x = *node->inputs[0], &w = *node->inputs[1], &y = *node->outputs[0];
    const std::string name = KernelName(target, node);
    const auto &p = ParamsOf<ConvParams>(node);
    const int64_t down = PositionsInside(y.dims[2], w.dims[2], p.stride_h, p.pad_top, p.dilation_h, x.dims[2]);
    const int64_t across = PositionsInside(y.dims[3], w.dims[3], p.stride_w, p.pad_left, p.dilation_w, x.dims[3]);
    const int64_t places = int64_t{rows} * y.dims[3], lines = rows * down * y.dims[3] / y.dims[2];
    const int64_t taps = rows * down * across / y.dims[2], outputs = y.dims[1] / p.groups, channels = w.dims[1];
    if (name == "o2m_conv2d_dsp") return DenseDspTerms(node, rows, lines, taps, list);
    if (name == "o2m_conv2d_depthwise_dsp") return DepthwiseDspTerms(node, rows, lines, taps, list);
    const int64_t fours = p.groups * (outputs / 4), ones = p.groups * (outputs % 4);
    const char *const kernel = x.dtype == O2M_S16 ? "conv2d_s16" : "conv2d";
    list.Add(kernel, "rows", rows);
    list.Add(kernel, "places", places);
    list.Add(kernel, "groups", places * p.groups);
    list.Add(kernel, "fours", places * fours);
    list.Add(kernel, "lines of fours", lines * fours);
    list.Add(kernel, "taps of fours", taps * fours);
    list.Add(kernel, "steps of fours", taps * fours * channels);
    list.Add(kernel, "lines of ones", lines * ones);
    list.Add(kernel, "taps of ones", taps * ones);
    list.Add(kernel, "steps of ones", taps * ones * channels);
    list.Add(kernel, "outputs", places * y.dims[1]);
    list.Add(kernel, "table outputs", node->epilogue ? places * y.dims[1] : 0);
  }

  static void QuantRule(const o2m_node *, o2m_quant_rule *rule) { rule->s16_inputs = rule->s16_outputs = 1; }

  static void RandomCase(CaseList &list, Random &random) { RandomConvCase<Params>(list, random); }
  static void WorstCases(CaseList &list) { WorstConvCases<Params>(list); }
  static void Cases(CaseList &list);
};

// Shapes with every kind of tail, the same everywhere.
void AddRandom(CaseList &list, int32_t count) {
  uint64_t seed = 3;
  const auto below = [&seed](int32_t n) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return static_cast<int32_t>((seed >> 33) % static_cast<uint64_t>(n));
  };
  for (int32_t i = 0; i < count; ++i) {
    const int32_t groups = below(3) > 0 ? 1 : 1 + below(9), in = below(2) > 0 ? 1 : 1 + below(9);
    const int32_t out = below(2) > 0 ? in : 1 + below(9), kh = 1 + below(4), kw = 1 + below(4);
    const int32_t dh = 1 + below(2), dw = 1 + below(2), sh = 1 + below(2), sw = 1 + below(3);
    const int32_t eh = dh * (kh - 1) + 1, ew = dw * (kw - 1) + 1, channels = in * groups;
    const ConvParams p = {groups, sh, sw, below(eh), below(ew), below(eh), below(ew), dh, dw, 0, {}};
    const int32_t h = eh + below(5), w = ew + below(14), outputs = out * groups;
    const int32_t yh = (h + p.pad_top + p.pad_bottom - eh) / sh + 1, yw = (w + p.pad_left + p.pad_right - ew) / sw + 1;
    const auto last = [](int64_t c, int64_t rows, int64_t columns) {
      return std::vector<int64_t>{c * rows * columns, 1, columns * c, c};
    };
    const bool u8 = below(2) > 0, tokens = below(3) > 0;
    const CaseOperand x = {u8 ? O2M_U8 : O2M_S8,
                           {1, channels, h, w},
                           0.02f,
                           u8 ? below(256) : below(256) - 128,
                           {},
                           tokens ? last(channels, h, w) : std::vector<int64_t>{}};
    const bool s16 = below(4) == 0;
    const CaseOperand y = {s16 ? O2M_S16 : O2M_S8,
                           {1, outputs, yh, yw},
                           s16 ? 0.0004f : 0.05f,
                           below(20),
                           {},
                           tokens ? last(outputs, yh, yw) : std::vector<int64_t>{}};
    list.Add(Str("random_", i), {x, CaseWeights({outputs, in, kh, kw}, 100 + i), CaseBias(outputs, 200 + i)}, {y}, p);
  }
}

void Conv2d::Cases(CaseList &list) {
  const auto square = [](int32_t stride, int32_t pad, int32_t dilation, int32_t groups) {
    return ConvParams{groups, stride, stride, pad, pad, pad, pad, dilation, dilation, 0, {}};
  };
  list.Add("3x3 stride 2", {{O2M_U8, {1, 3, 32, 24}, 0.01f, 128}, CaseWeights({16, 3, 3, 3}, 1), CaseBias(16, 2)},
           {{O2M_S8, {1, 16, 16, 12}, 0.04f, -3}}, square(2, 1, 1, 1));
  list.Add(
      "3x3 stride 2, channels last",
      {{O2M_S8, {1, 8, 13, 11}, 0.02f, -128, {}, {1144, 1, 88, 8}}, CaseWeights({10, 8, 3, 3}, 3), CaseBias(10, 4)},
      {{O2M_S8, {1, 10, 7, 6}, 0.04f, 5, {}, {420, 1, 60, 10}}}, square(2, 1, 1, 1));
  list.Add("3x3 to s16", {{O2M_S8, {1, 4, 9, 9}, 0.02f, 127}, CaseWeights({6, 4, 3, 3}, 5), CaseBias(6, 6)},
           {{O2M_S16, {1, 6, 9, 9}, 0.0003f, 11}}, square(1, 1, 1, 1));
  list.Add("depthwise 3x3", {{O2M_S8, {1, 12, 8, 7}, 0.02f, 3}, CaseWeights({12, 1, 3, 3}, 7), CaseBias(12, 8)},
           {{O2M_S8, {1, 12, 8, 7}, 0.02f, 0}}, square(1, 1, 1, 12));
  list.Add("groups of 3 in, 5 out", {{O2M_S8, {1, 6, 8, 7}, 0.02f, 3}, CaseWeights({10, 3, 3, 3}, 9), CaseBias(10, 10)},
           {{O2M_S8, {1, 10, 4, 4}, 0.03f, 0}}, square(2, 1, 1, 2));
  list.Add("dilation 2", {{O2M_S8, {1, 3, 12, 12}, 0.02f, -9}, CaseWeights({5, 3, 3, 3}, 11), CaseBias(5, 12)},
           {{O2M_S8, {1, 5, 12, 12}, 0.03f, 0}}, square(1, 2, 2, 1));
  list.Add("1x1", {{O2M_S8, {1, 9, 5, 4}, 0.02f, -9}, CaseWeights({7, 9, 1, 1}, 13), CaseBias(7, 14)},
           {{O2M_S8, {1, 7, 5, 4}, 0.02f, 0}}, square(1, 0, 1, 1));
  list.Add("uneven everything", {{O2M_U8, {1, 2, 11, 17}, 0.01f, 0}, CaseWeights({3, 2, 4, 5}, 15), CaseBias(3, 16)},
           {{O2M_S8, {1, 3, 4, 9}, 0.05f, -20}}, ConvParams{1, 3, 2, 1, 2, 2, 3, 1, 1, 0, {}});
  list.Add("one dimension", {{O2M_S8, {1, 4, 1, 30}, 0.02f, 8}, CaseWeights({6, 4, 1, 7}, 17), CaseBias(6, 18)},
           {{O2M_S8, {1, 6, 1, 15}, 0.03f, 0}}, ConvParams{1, 1, 2, 0, 3, 0, 3, 1, 1, 0, {}});
  list.Add("image smaller than the kernel",
           {{O2M_S8, {1, 2, 2, 2}, 0.02f, 8}, CaseWeights({4, 2, 5, 5}, 19), CaseBias(4, 20)},
           {{O2M_S8, {1, 4, 2, 2}, 0.02f, 0}}, square(1, 2, 1, 1));
  list.Add(
      "depthwise 3x3 of u8, channels last",
      {{O2M_U8, {1, 10, 9, 7}, 0.02f, 200, {}, {630, 1, 70, 10}}, CaseWeights({10, 1, 3, 3}, 21), CaseBias(10, 22)},
      {{O2M_S8, {1, 10, 5, 4}, 0.02f, 4, {}, {200, 1, 40, 10}}}, square(2, 1, 1, 10));
  list.Add(
      "deep 3x3 of u8, channels last",
      {{O2M_U8, {1, 32, 6, 9}, 0.01f, 100, {}, {1728, 1, 288, 32}}, CaseWeights({9, 32, 3, 3}, 23), CaseBias(9, 24)},
      {{O2M_S8, {1, 9, 6, 9}, 0.1f, 0}}, square(1, 1, 1, 1));
  list.Add(
      "1x1 of stride 2 to s16",
      {{O2M_S8, {1, 16, 9, 11}, 0.02f, 30, {}, {1584, 1, 176, 16}}, CaseWeights({8, 16, 1, 1}, 25), CaseBias(8, 26)},
      {{O2M_S16, {1, 8, 5, 6}, 0.0005f, 0}}, square(2, 0, 1, 1));
  list.Add("3x3 stride 2 of s16",
           {{O2M_S16, {1, 3, 9, 11}, 0.0003f, 0}, CaseWeights({10, 3, 3, 3}, 27), CaseBias(10, 28)},
           {{O2M_S16, {1, 10, 5, 6}, 0.0004f, 0}}, square(2, 1, 1, 1));
  list.Add(
      "deep 3x3 of s16, channels last",
      {{O2M_S16, {1, 64, 5, 4}, 0.0001f, 0, {}, {1280, 1, 256, 64}}, CaseWeights({9, 64, 3, 3}, 29), CaseBias(9, 30)},
      {{O2M_S8, {1, 9, 5, 4}, 0.2f, 5}}, square(1, 1, 1, 1));
  list.Add("depthwise 3x3 of s16",
           {{O2M_S16, {1, 6, 8, 7}, 0.0002f, 0}, CaseWeights({6, 1, 3, 3}, 31), CaseBias(6, 32)},
           {{O2M_S16, {1, 6, 8, 7}, 0.0002f, 7}}, square(1, 1, 1, 6));
  AddRandom(list, 24);
  // pixels side by side, as tokens: height x width, kernel, channels
  const auto tokens = [](std::vector<int32_t> d, int32_t zero_point, float scale = 0.02f) -> CaseOperand {
    const int64_t c = d[1], row = d[3] * c;
    return {O2M_S8, d, scale, zero_point, {}, {d[2] * row, 1, row, c}};
  };
  list.Add("bench_8x28_3x3x3_to_64", {tokens({1, 3, 8, 28}, -5), CaseWeights({64, 3, 3, 3}, 1), CaseBias(64, 2)},
           {tokens({1, 64, 8, 28}, 3)}, square(1, 1, 1, 1));
  list.Add("bench_7x14_3x3x64_to_64", {tokens({1, 64, 7, 14}, -5), CaseWeights({64, 64, 3, 3}, 1), CaseBias(64, 2)},
           {tokens({1, 64, 7, 14}, 3, 0.2f)}, square(1, 1, 1, 1));
  list.Add("bench_8x28_depthwise_3x3x64", {tokens({1, 64, 8, 28}, -5), CaseWeights({64, 1, 3, 3}, 1), CaseBias(64, 2)},
           {tokens({1, 64, 8, 28}, 3)}, square(1, 1, 1, 64));
  list.Add("bench_7x14_1x1x64_to_128", {tokens({1, 64, 7, 14}, -5), CaseWeights({128, 64, 1, 1}, 1), CaseBias(128, 2)},
           {tokens({1, 128, 7, 14}, 3)}, square(1, 0, 1, 1));
}

}  // namespace

O2M_PLUGIN("conv2d", "1.0", Conv2d)
