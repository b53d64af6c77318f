// integer_conv.cc - "o2m.integer_conv": convolutions of integerised models. README.md says more.
#include "image_op.hpp"
#include "integer_op.hpp"
#include "o2m_integer_conv.h"
#include "o2m_sources.h"

namespace {
using namespace o2m;

struct ConvParams {
  SumParams sums;
  int32_t groups;
  int32_t stride_h, stride_w;
  int32_t pad_top, pad_left, pad_bottom, pad_right;
  int32_t dilation_h, dilation_w;
  OwnQuant y;
};

const SumParams &Sums(const o2m_node *node) { return ParamsOf<ConvParams>(node).sums; }
int32_t KernelH(const o2m_node *node) { return node->inputs[1]->dims[2]; }
int32_t KernelW(const o2m_node *node) { return node->inputs[1]->dims[3]; }
int32_t ExtentH(const o2m_node *node) { return ParamsOf<ConvParams>(node).dilation_h * (KernelH(node) - 1) + 1; }
int32_t ExtentW(const o2m_node *node) { return ParamsOf<ConvParams>(node).dilation_w * (KernelW(node) - 1) + 1; }
int32_t Depth(const o2m_node *node) { return KernelH(node) * KernelW(node) * node->inputs[1]->dims[1]; }
const char *KernelName(const o2m_node *node) { return Sums(node).wide ? "o2m_integer_conv_wide" : "o2m_integer_conv"; }

// Where an output may see nothing of the image, bands of it are no help.
bool TakesWhole(const o2m_node *node) {
  const auto &p = ParamsOf<ConvParams>(node);
  return p.pad_top >= ExtentH(node) || p.pad_bottom >= ExtentH(node);
}

o2m_status CheckShapes(const o2m_host *host, const o2m_node *node) {
  const auto &p = ParamsOf<ConvParams>(node);
  const o2m_tensor &x = *node->inputs[0], &w = *node->inputs[1];
  if (x.rank != 4 || x.dims[0] != 1 || w.rank != 4)
    return Reject(host, Str("[1, C, H, W] by [O, C, h, w] would work, not ", Shape(x), " by ", Shape(w)));
  if (p.groups < 1 || x.dims[1] != p.groups * w.dims[1] || w.dims[0] % p.groups != 0)
    return Reject(host, Str(p.groups, " groups do not divide ", Shape(x), " and ", Shape(w)));
  if (std::min({p.stride_h, p.stride_w, p.dilation_h, p.dilation_w}) < 1 ||
      std::min({p.pad_top, p.pad_left, p.pad_bottom, p.pad_right}) < 0)
    return Reject(host, "a stride, dilation or padding is too small");
  if (x.dims[2] + p.pad_top + p.pad_bottom < ExtentH(node) || x.dims[3] + p.pad_left + p.pad_right < ExtentW(node))
    return Reject(host, Str("the kernel ", Shape(w), " is larger than the padded image ", Shape(x)));
  return O2M_OK;
}

o2m_integer_conv_params KernelParams(const o2m_node *node) {
  const o2m_tensor &x = *node->inputs[0], &w = *node->inputs[1], &y = *node->outputs[0];
  const auto &params = ParamsOf<ConvParams>(node);
  o2m_integer_conv_params p = {};
  p.groups = params.groups;
  p.channels = w.dims[1];
  p.outputs = w.dims[0] / params.groups;
  p.x_h = x.dims[2];
  p.x_w = x.dims[3];
  p.y_w = y.dims[3];
  p.kernel_h = w.dims[2];
  p.kernel_w = w.dims[3];
  p.stride_h = params.stride_h;
  p.stride_w = params.stride_w;
  p.pad_top = params.pad_top;
  p.pad_left = params.pad_left;
  p.whole = TakesWhole(node);
  p.dilation_h = params.dilation_h;
  p.dilation_w = params.dilation_w;
  SetImageStrides(x, y, p);
  p.x_type = IntegerType(x.dtype);
  p.w_type = IntegerType(params.sums.weights);
  p.y_type = IntegerType(y.dtype);
  p.requant = KernelRequant(params.sums.requant);
  return p;
}

std::string ParamsText(const o2m_node *node, const o2m_emitter *e) {
  const o2m_integer_conv_params p = KernelParams(node);
  const SumSlots slots = SlotsOf(node, Sums(node));
  Initializer text;
  text.Field("groups", p.groups)
      .Field("channels", p.channels)
      .Field("outputs", p.outputs)
      .Field("x_h", p.x_h)
      .Field("x_w", p.x_w)
      .Field("y_w", p.y_w)
      .Field("kernel_h", p.kernel_h)
      .Field("kernel_w", p.kernel_w)
      .Field("stride_h", p.stride_h)
      .Field("stride_w", p.stride_w)
      .Field("pad_top", p.pad_top)
      .Field("pad_left", p.pad_left)
      .Field("whole", p.whole)
      .Field("dilation_h", p.dilation_h)
      .Field("dilation_w", p.dilation_w);
  AddImageStrides(p, text);
  return text.Field("x_type", p.x_type)
      .Field("w_type", p.w_type)
      .Field("y_type", p.y_type)
      .Field("requant", RequantText(p.requant))
      .Field("weights", ConstantName(e, slots.weights))
      .Field("bias", SlotName(e, slots.bias))
      .Field("mul", SlotName(e, slots.mul))
      .Field("add", SlotName(e, slots.add))
      .text();
}

struct IntegerConv {
  static constexpr char kId[] = "o2m.integer_conv";
  using Params = ConvParams;

  static o2m_status Match(const o2m_host *, const o2m_graph *graph, int32_t root, o2m_match *match) {
    const GraphView g(graph);
    if (!g.Is(root, "IntegerConv", kIntegerDomain)) return O2M_NO_MATCH;
    const auto strides = g.Ints(root, "strides"), pads = g.Ints(root, "pads"), dilations = g.Ints(root, "dilations");
    if (strides.size() != 2 || pads.size() != 4 || dilations.size() != 2) return O2M_NO_MATCH;
    const auto i32 = [](int64_t v) { return static_cast<int32_t>(v); };
    *static_cast<Params *>(match->params) = {SumParamsOf(g, root),
                                             i32(g.Int(root, "group", 1)),
                                             i32(strides[0]),
                                             i32(strides[1]),
                                             i32(pads[0]),
                                             i32(pads[1]),
                                             i32(pads[2]),
                                             i32(pads[3]),
                                             i32(dilations[0]),
                                             i32(dilations[1]),
                                             {}};
    std::vector<int32_t> inputs;
    for (int32_t i = 0; i < g.Inputs(root); ++i) inputs.push_back(g.Input(root, i));
    return Matched(match, {root}, inputs);
  }

  static o2m_status Infer(const o2m_host *host, const o2m_target *, o2m_node *node) {
    if (node->input_count < 2 || node->output_count != 1) return Reject(host, "two inputs or more, and one output");
    auto &params = ParamsOf<Params>(node);
    const o2m_tensor &x = *node->inputs[0], &w = *node->inputs[1];
    if (o2m_status s = CheckInteger(host, x, "input 0")) return s;
    if (o2m_status s = CheckConstant(host, w, "input 1")) return s;
    if (o2m_status s = CheckShapes(host, node)) return s;
    SetShape(*node->outputs[0],
             {1, w.dims[0], (x.dims[2] + params.pad_top + params.pad_bottom - ExtentH(node)) / params.stride_h + 1,
              (x.dims[3] + params.pad_left + params.pad_right - ExtentW(node)) / params.stride_w + 1});
    if (o2m_status s = InferSums(host, node, params.sums, w.dims[0])) return s;
    const RequantParams &r = params.sums.requant;
    return SettleInteger(host, *node->outputs[0], params.y, LowestOutput(r), HighestOutput(r));
  }

  // A step is one output row; bands of the image overlap where the kernel is taller than the stride.
  static void Memory(const o2m_target *, const o2m_node *node, int32_t, o2m_memory *memory) {
    const auto &p = ParamsOf<Params>(node);
    memory->steps = node->outputs[0]->dims[2];
    const o2m_access bands = {O2M_ANY_STRIDES, 2, p.stride_h, ExtentH(node), p.pad_top};
    memory->inputs[0] = TakesWhole(node) ? AnyStrides() : bands;
    memory->outputs[0] = {O2M_ANY_STRIDES, 2, 1, 1, 0};
    memory->scratch_bytes = int64_t{4} * Depth(node);
  }

  // [O][C / groups][kh][kw] becomes [O][kh][kw][C / groups].
  static o2m_status Pack(const o2m_host *, const o2m_target *, o2m_node *node) {
    const o2m_tensor &w = *node->inputs[1];
    PackSums(node, Sums(node), w.dims[0]);
    const int64_t taps = int64_t{KernelH(node)} * KernelW(node), channels = w.dims[1], depth = taps * channels;
    for (int64_t i = 0; i < ElementCount(w); ++i) {
      const int64_t o = i / depth, c = i / taps % channels, tap = i % taps;
      o2m_integer_put(node->constants[0].data, static_cast<int32_t>(o * depth + tap * channels + c),
                      IntegerType(Sums(node).weights), static_cast<int32_t>(Integers(w)[i]));
    }
    return O2M_OK;
  }

  static void Run(const o2m_node *node, const o2m_call *call) {
    o2m_integer_conv_params p = KernelParams(node);
    const SumSlots slots = SlotsOf(node, Sums(node));
    p.weights = node->constants[slots.weights].data;
    p.bias = SlotData(node, slots.bias);
    p.mul = SlotData(node, slots.mul);
    p.add = SlotData(node, slots.add);
    const auto kernel = Sums(node).wide ? O2M_SYM(o2m_integer_conv_wide) : O2M_SYM(o2m_integer_conv);
    kernel(call->inputs[0], call->outputs[0], call->first, call->rows, static_cast<int32_t *>(call->scratch), &p);
  }

  static o2m_status Emit(const o2m_host *host, const o2m_target *, const o2m_node *node, const o2m_emitter *e) {
    const std::string source = Str(KernelName(node), ".c");
    Line(e, Call(Str("O2M_SYM(", KernelName(node), ")"),
                 {Operand(e, 0), Operand(e, node->input_count), e->first(e), RowsName(e),
                  Str("(int32_t *)", ScratchName(e)), Object(e, "o2m_integer_conv_params", ParamsText(node, e))}));
    return EmitSources(
        host, e, o2m_sources, O2M_SOURCE_COUNT,
        {"o2m_fixedpoint.h", "o2m_integers.h", "o2m_integer_conv.h", "o2m_integer_conv_loops.h", source.c_str()});
  }

  static void Cost(const o2m_target *, const o2m_node *node, int32_t rows, o2m_cost *cost) {
    const o2m_tensor &y = *node->outputs[0];
    const int64_t places = int64_t{rows} * y.dims[3], weights = ElementCount(*node->inputs[1]);
    *cost = {KernelName(node),
             places * weights,
             places * ParamsOf<Params>(node).groups * Depth(node),
             places * y.dims[1],
             places * weights * BytesOf(Sums(node).weights),
             -1};
  }

  static void Terms(const o2m_target *, const o2m_node *node, int32_t rows, TermList &list) {
    const o2m_tensor &y = *node->outputs[0];
    const int64_t places = int64_t{rows} * y.dims[3], groups = ParamsOf<Params>(node).groups;
    list.Add(KernelName(node), "taps seen", places * groups * KernelH(node) * KernelW(node));
    list.Add(KernelName(node), "values seen", places * groups * Depth(node));
    list.Add(KernelName(node), "products", places * y.dims[1] * Depth(node));
    list.Add(KernelName(node), Sums(node).requant.narrow ? "narrow outputs" : "outputs", places * y.dims[1]);
  }

  static void RandomCase(CaseList &list, Random &random);
  static void Cases(CaseList &list);
};

void AddCase(CaseList &list, const std::string &name, Random &r, ConvParams p, std::vector<int32_t> x,
             std::vector<int32_t> w, o2m_dtype x_type, o2m_dtype w_type, o2m_dtype y_type, bool bias, bool plain) {
  if (plain && w_type == O2M_S16) x_type = O2M_S8;  // sums as they are fit 32 bits
  const int32_t eh = p.dilation_h * (w[2] - 1) + 1, ew = p.dilation_w * (w[3] - 1) + 1, o = w[0];
  const std::vector<int32_t> y = {1, o, (x[2] + p.pad_top + p.pad_bottom - eh) / p.stride_h + 1,
                                  (x[3] + p.pad_left + p.pad_right - ew) / p.stride_w + 1};
  p.sums = {plain ? RequantParams{} : CaseRequant(r, y_type), bias, x_type == O2M_S16 && w_type == O2M_S16, w_type};
  std::vector<CaseOperand> inputs = {IntegerOperand(x_type, x, r.Strides(x)),
                                     IntegerConstant(w, r, LowOf(w_type), HighOf(w_type))};
  if (bias) inputs.push_back(IntegerConstant({o}, r, -100000, 100000));
  for (int32_t i = 0; i < 2 && !plain; ++i)
    inputs.push_back(IntegerConstant({r.OneIn(2) ? 1 : o}, r, i ? -1000000 : -60, i ? 1000000 : 80000));
  list.Add(name, inputs, {IntegerOperand(plain ? O2M_S32 : y_type, y, r.Strides(y))}, p);
}

void IntegerConv::RandomCase(CaseList &list, Random &r) {
  const int32_t groups = r.OneIn(3) ? 1 + r.Below(5) : 1, in = r.OneIn(2) ? 1 : 1 + r.Below(7), out = 1 + r.Below(5);
  const int32_t kh = 1 + r.Below(4), kw = 1 + r.Below(4);
  ConvParams p = {{},          groups,      1 + r.Below(3), 1 + r.Below(3), r.Below(kh), r.Below(kw),
                  r.Below(kh), r.Below(kw), 1 + r.Below(2), 1 + r.Below(2), {}};
  const std::vector<int32_t> x = {1, in * groups, p.dilation_h * (kh - 1) + 1 + r.Below(5),
                                  p.dilation_w * (kw - 1) + 1 + r.Below(7)};
  AddCase(list, "random", r, p, x, {out * groups, in, kh, kw}, CaseType(r), r.OneIn(4) ? O2M_S16 : O2M_S8, CaseType(r),
          r.OneIn(2), r.OneIn(6));
}

void IntegerConv::Cases(CaseList &list) {
  Random r(2);
  const ConvParams plain = {{}, 1, 1, 1, 0, 0, 0, 0, 1, 1, {}}, padded = {{}, 1, 2, 2, 1, 1, 1, 1, 1, 1, {}};
  ConvParams depthwise = padded;
  depthwise.groups = 6;
  AddCase(list, "3x3 stride 2", r, padded, {1, 3, 9, 8}, {5, 3, 3, 3}, O2M_U8, O2M_S8, O2M_U8, false, false);
  AddCase(list, "depthwise", r, depthwise, {1, 6, 9, 8}, {6, 1, 3, 3}, O2M_S8, O2M_S8, O2M_S8, true, false);
  AddCase(list, "one dimension", r, plain, {1, 4, 1, 20}, {6, 4, 1, 5}, O2M_S8, O2M_S8, O2M_S8, true, false);
  AddCase(list, "1x1, sums as they are", r, plain, {1, 9, 4, 5}, {7, 9, 1, 1}, O2M_S8, O2M_S8, O2M_S32, true, true);
  ConvParams far = padded;
  far.pad_top = far.pad_left = far.pad_bottom = far.pad_right = 3;
  AddCase(list, "padding as high as the kernel", r, far, {1, 3, 8, 8}, {5, 3, 3, 3}, O2M_S8, O2M_S8, O2M_U8, false,
          false);
  AddCase(list, "wide sums", r, padded, {1, 2, 5, 5}, {3, 2, 3, 3}, O2M_S16, O2M_S16, O2M_S16, true, false);
  for (int32_t i = 0; i < 12; ++i) RandomCase(list, r);
}

}  // namespace

O2M_PLUGIN("integer_conv", "1.0", IntegerConv)
