// integer_pool.cc - "o2m.integer_pool": MaxPool of integerised models. README.md says more.
#include "image_op.hpp"
#include "integer_op.hpp"
#include "o2m_integer_pool.h"
#include "o2m_sources.h"

namespace {
using namespace o2m;

struct PoolParams {
  int32_t ceil_mode;
  int32_t kernel_h, kernel_w;
  int32_t stride_h, stride_w;
  int32_t pad_top, pad_left, pad_bottom, pad_right;
  int32_t dilation_h, dilation_w;
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
  if (x.dims[2] + p.pad_top + p.pad_bottom < ExtentH(p) || x.dims[3] + p.pad_left + p.pad_right < ExtentW(p))
    return Reject(host, Str("the window is larger than the padded image ", Shape(x)));
  return O2M_OK;
}

o2m_integer_pool_params KernelParams(const o2m_node *node) {
  const o2m_tensor &x = *node->inputs[0], &y = *node->outputs[0];
  const auto &params = ParamsOf<PoolParams>(node);
  o2m_integer_pool_params p = {};
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
  p.dilation_h = params.dilation_h;
  p.dilation_w = params.dilation_w;
  SetImageStrides(x, y, p);
  p.x_type = IntegerType(x.dtype);
  p.y_type = IntegerType(y.dtype);
  return p;
}

std::string ParamsText(const o2m_integer_pool_params &p) {
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
      .Field("dilation_h", p.dilation_h)
      .Field("dilation_w", p.dilation_w);
  AddImageStrides(p, text);
  return text.Field("x_type", p.x_type).Field("y_type", p.y_type).text();
}

struct IntegerPool {
  static constexpr char kId[] = "o2m.integer_pool";
  using Params = PoolParams;

  static o2m_status Match(const o2m_host *, const o2m_graph *graph, int32_t root, o2m_match *match) {
    const GraphView g(graph);
    if (!g.Is(root, "IntegerMaxPool", kIntegerDomain)) return O2M_NO_MATCH;
    const auto kernel = g.Ints(root, "kernel_shape"), strides = g.Ints(root, "strides"), pads = g.Ints(root, "pads"),
               dilations = g.Ints(root, "dilations");
    if (kernel.size() != 2 || strides.size() != 2 || pads.size() != 4 || dilations.size() != 2) return O2M_NO_MATCH;
    const auto i32 = [](int64_t v) { return static_cast<int32_t>(v); };
    *static_cast<Params *>(match->params) = {i32(g.Int(root, "ceil_mode", 0)),
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
                                             {}};
    return Matched(match, {root}, {g.Input(root, 0)});
  }

  static o2m_status Infer(const o2m_host *host, const o2m_target *, o2m_node *node) {
    if (node->input_count != 1 || node->output_count != 1) return Reject(host, "one input and one output would work");
    const o2m_tensor &x = *node->inputs[0];
    o2m_tensor &y = *node->outputs[0];
    auto &p = ParamsOf<Params>(node);
    if (o2m_status s = CheckInteger(host, x, "input 0")) return s;
    if (o2m_status s = CheckWindow(host, node)) return s;
    SetShape(y, {1, x.dims[1], OutputSize(x.dims[2], p.pad_top, p.pad_bottom, ExtentH(p), p.stride_h, p.ceil_mode),
                 OutputSize(x.dims[3], p.pad_left, p.pad_right, ExtentW(p), p.stride_w, p.ceil_mode)});
    SetConstants(node, {});
    SettleOutput(y, x.dtype, p.y, 1, 0);
    return CheckInteger(host, y, "the output");
  }

  // A step is one output row; bands of the image overlap where the window is taller than the stride.
  static void Memory(const o2m_target *, const o2m_node *node, int32_t, o2m_memory *memory) {
    const auto &p = ParamsOf<Params>(node);
    memory->steps = node->outputs[0]->dims[2];
    memory->inputs[0] = {O2M_ANY_STRIDES, 2, p.stride_h, ExtentH(p), p.pad_top};
    memory->outputs[0] = {O2M_ANY_STRIDES, 2, 1, 1, 0};
  }

  static void Run(const o2m_node *node, const o2m_call *call) {
    const o2m_integer_pool_params p = KernelParams(node);
    O2M_SYM(o2m_integer_pool)(call->inputs[0], call->outputs[0], call->first, call->rows, &p);
  }

  static o2m_status Emit(const o2m_host *host, const o2m_target *, const o2m_node *node, const o2m_emitter *e) {
    Line(e, Call("O2M_SYM(o2m_integer_pool)", {Operand(e, 0), Operand(e, 1), e->first(e), RowsName(e),
                                               Object(e, "o2m_integer_pool_params", ParamsText(KernelParams(node)))}));
    return EmitSources(host, e, o2m_sources, O2M_SOURCE_COUNT,
                       {"o2m_fixedpoint.h", "o2m_integers.h", "o2m_integer_pool.h", "o2m_integer_pool.c"});
  }

  static void Cost(const o2m_target *, const o2m_node *node, int32_t rows, o2m_cost *cost) {
    const auto &p = ParamsOf<Params>(node);
    const int64_t outputs = int64_t{rows} * node->outputs[0]->dims[3] * node->outputs[0]->dims[1];
    *cost = {"o2m_integer_pool", 0, outputs * p.kernel_h * p.kernel_w, outputs, 0, -1};
  }

  static void RandomCase(CaseList &list, Random &random);
  static void Cases(CaseList &list);
};

void AddCase(CaseList &list, const std::string &name, Random &r, const PoolParams &p, std::vector<int32_t> x,
             o2m_dtype type) {
  const std::vector<int32_t> y = {1, x[1],
                                  OutputSize(x[2], p.pad_top, p.pad_bottom, ExtentH(p), p.stride_h, p.ceil_mode),
                                  OutputSize(x[3], p.pad_left, p.pad_right, ExtentW(p), p.stride_w, p.ceil_mode)};
  list.Add(name, {IntegerOperand(type, x, r.Strides(x))}, {IntegerOperand(type, y, r.Strides(y))}, p);
}

void IntegerPool::RandomCase(CaseList &list, Random &r) {
  const int32_t kh = 1 + r.Below(4), kw = 1 + r.Below(4);
  const PoolParams p = {
      r.OneIn(3), kh, kw, 1 + r.Below(3), 1 + r.Below(3), r.Below(kh), r.Below(kw), r.Below(kh), r.Below(kw), 1, 1, {}};
  AddCase(list, "random", r, p, {1, 1 + r.Below(7), kh + r.Below(6), kw + r.Below(6)}, CaseType(r));
}

void IntegerPool::Cases(CaseList &list) {
  Random r(8);
  AddCase(list, "3x3 stride 2", r, {0, 3, 3, 2, 2, 0, 0, 0, 0, 1, 1, {}}, {1, 6, 9, 8}, O2M_U8);
  AddCase(list, "padded", r, {0, 3, 3, 2, 2, 1, 1, 1, 1, 1, 1, {}}, {1, 6, 9, 8}, O2M_S8);
  AddCase(list, "dilated", r, {0, 2, 2, 1, 1, 0, 0, 0, 0, 2, 3, {}}, {1, 3, 7, 9}, O2M_S16);
  for (int32_t i = 0; i < 8; ++i) RandomCase(list, r);
}

}  // namespace

O2M_PLUGIN("integer_pool", "1.0", IntegerPool)
