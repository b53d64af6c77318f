// camera.cc - "o2m.camera": an image of u8 planes out of a camera's bytes. README.md says more.
#include "elementwise.hpp"
#include "image_op.hpp"
#include "o2m_camera.h"
#include "o2m_sources.h"
#include "resample_taps.hpp"

namespace {
using namespace o2m;

struct CameraParams {
  int32_t format, planes, reversed;
  int32_t height, width;  // of the output
  int32_t full_height, full_width, top,
      left;  // the output is this window of what the image is scaled to; 0: not scaled
  OwnQuant y;
  int32_t step, extent, before;  // the input rows of an output row, as in o2m_access; by infer()
};

bool IsScaled(const CameraParams &p) { return p.full_height > 0; }
int32_t BytesOfFormat(int32_t format) {
  return format == O2M_CAMERA_GRAY ? 1 : format == O2M_CAMERA_RGB || format == O2M_CAMERA_BGR ? 3 : 2;
}
Scaling DownOf(const CameraParams &p, const o2m_tensor &x) { return {x.dims[2], p.full_height, p.top, p.height}; }
Scaling AcrossOf(const CameraParams &p, const o2m_tensor &x) { return {x.dims[3], p.full_width, p.left, p.width}; }

o2m_status CheckImage(const o2m_host *host, const o2m_node *node) {
  const auto &p = ParamsOf<CameraParams>(node);
  const o2m_tensor &x = *node->inputs[0];
  if (o2m_status s = CheckQuantised(host, x, "the input", Mask(O2M_U8))) return s;
  if (p.format < O2M_CAMERA_GRAY || p.format > O2M_CAMERA_RGB565BE || (p.planes != 1 && p.planes != 3) ||
      p.height < 1 || p.width < 1)
    return Reject(host, "the format, planes or size of the image is out of range");
  if (x.rank != 4 || x.dims[0] != 1 || x.dims[1] != BytesOfFormat(p.format))
    return Reject(host, Str("the input is ", Shape(x), "; [1, ", BytesOfFormat(p.format), ", H, W] would work"));
  const bool same = x.dims[2] == p.height && x.dims[3] == p.width;
  if (!IsScaled(p)) return same ? O2M_OK : Reject(host, Str("an image ", Shape(x), " of another size is to be scaled"));
  if (x.dims[2] > 32767 || x.dims[3] > 32767 || p.full_height > 32767 || p.full_width > 32767)
    return Reject(host, Str("the image ", Shape(x), " is wider or higher than 32767 pixels"));
  if (p.top < 0 || p.left < 0 || p.full_height < p.top + p.height || p.full_width < p.left + p.width)
    return Reject(host, "the window lies outside of the scaled image");
  return O2M_OK;
}

// Where the image shrinks by a whole number its rows are taken evenly. Else each output row may take any: all of them.
void SetBand(const Taps &down, const o2m_tensor &x, CameraParams &p) {
  p.step = 1, p.before = p.height, p.extent = x.dims[2] + 2 * p.height;
  if (x.dims[2] % p.full_height != 0) return;
  p.step = x.dims[2] / p.full_height, p.before = 0, p.extent = 0;
  for (int32_t u = 0; u < p.height; ++u) p.before = std::max(p.before, u * p.step - down.first[static_cast<size_t>(u)]);
  for (int32_t u = 0; u < p.height; ++u)
    p.extent = std::max(p.extent, down.first[static_cast<size_t>(u)] + down.taps - u * p.step + p.before);
}

o2m_camera_params KernelParams(const o2m_node *node) {
  const o2m_tensor &x = *node->inputs[0], &y = *node->outputs[0];
  const auto &params = ParamsOf<CameraParams>(node);
  o2m_camera_params p = {};
  p.format = params.format, p.planes = params.planes, p.reversed = params.reversed;
  p.x_w = x.dims[3], p.y_w = y.dims[3];
  p.x_byte = static_cast<int32_t>(x.strides[1]);
  p.x_row = static_cast<int32_t>(x.strides[2]);
  p.x_column = static_cast<int32_t>(x.strides[3]);
  p.y_plane = static_cast<int32_t>(y.strides[1]);
  p.y_row = static_cast<int32_t>(y.strides[2]);
  p.y_column = static_cast<int32_t>(y.strides[3]);
  if (!IsScaled(params)) return p;
  p.row_step = params.step, p.row_before = params.before;
  p.row_taps = static_cast<int32_t>(node->constants[1].count / params.height);
  p.column_taps = static_cast<int32_t>(node->constants[3].count / params.width);
  p.row_first = ConstantData<const int16_t>(node, 0);
  p.row_weights = ConstantData<const int16_t>(node, 1);
  p.column_first = ConstantData<const int16_t>(node, 2);
  p.column_weights = ConstantData<const int16_t>(node, 3);
  return p;
}

std::string ParamsText(const o2m_node *node, const o2m_emitter *e) {
  const o2m_camera_params p = KernelParams(node);
  Initializer text;
  text.Field("format", p.format)
      .Field("planes", p.planes)
      .Field("reversed", p.reversed)
      .Field("x_w", p.x_w)
      .Field("y_w", p.y_w)
      .Field("x_row", p.x_row)
      .Field("x_column", p.x_column)
      .Field("x_byte", p.x_byte)
      .Field("y_row", p.y_row)
      .Field("y_column", p.y_column)
      .Field("y_plane", p.y_plane);
  if (p.row_taps == 0) return text.text();
  return text.Field("row_step", p.row_step)
      .Field("row_before", p.row_before)
      .Field("row_taps", p.row_taps)
      .Field("column_taps", p.column_taps)
      .Field("row_first", ConstantName(e, 0))
      .Field("row_weights", ConstantName(e, 1))
      .Field("column_first", ConstantName(e, 2))
      .Field("column_weights", ConstantName(e, 3))
      .text();
}

struct Camera {
  static constexpr char kId[] = "o2m.camera";
  using Params = CameraParams;

  static o2m_status Match(const o2m_host *, const o2m_graph *graph, int32_t root, o2m_match *match) {
    const GraphView g(graph);
    if (!g.Is(root, "Camera", "onnx2mcu")) return O2M_NO_MATCH;
    const std::vector<int64_t> window = g.Ints(root, "window");  // full height and width, top, left
    if (window.size() != 4) return O2M_NO_MATCH;
    const o2m_tensor &y = g.Tensor(g.Output(root));
    const auto i32 = [](int64_t v) { return static_cast<int32_t>(v); };
    *static_cast<Params *>(match->params) = {i32(g.Int(root, "format", 0)),
                                             y.dims[1],
                                             i32(g.Int(root, "reversed", 0)),
                                             y.dims[2],
                                             y.dims[3],
                                             i32(window[0]),
                                             i32(window[1]),
                                             i32(window[2]),
                                             i32(window[3]),
                                             {},
                                             0,
                                             0,
                                             0};
    return Matched(match, {root}, {g.Input(root, 0)});
  }

  static o2m_status Infer(const o2m_host *host, const o2m_target *, o2m_node *node) {
    if (node->input_count != 1 || node->output_count != 1) return Reject(host, "one input and one output would work");
    if (o2m_status s = CheckImage(host, node)) return s;
    const o2m_tensor &x = *node->inputs[0];
    o2m_tensor &y = *node->outputs[0];
    auto &p = ParamsOf<Params>(node);
    SetShape(y, {1, p.planes, p.height, p.width});
    SettleOutput(y, O2M_U8, p.y, ScaleOf(x), ZeroPointOf(x));
    if (o2m_status s = CheckQuantised(host, y, "the output", Mask(O2M_U8))) return s;
    if (ScaleOf(y) != ScaleOf(x) || ZeroPointOf(y) != ZeroPointOf(x))
      return Reject(host, "the output has another scale than the input; the same would work");
    SetConstants(node, {});
    if (!IsScaled(p)) return O2M_OK;
    const Taps down = TapsOf(DownOf(p, x)), across = TapsOf(AcrossOf(p, x));
    SetBand(down, x, p);
    SetConstants(node, {{"row_first", O2M_S16, p.height, nullptr},
                        {"row_weights", O2M_S16, static_cast<int64_t>(down.weights.size()), nullptr},
                        {"column_first", O2M_S16, p.width, nullptr},
                        {"column_weights", O2M_S16, static_cast<int64_t>(across.weights.size()), nullptr}});
    return O2M_OK;
  }

  // A step is one output row.
  static void Memory(const o2m_target *, const o2m_node *node, int32_t, o2m_memory *memory) {
    const auto &p = ParamsOf<Params>(node);
    memory->steps = p.height;
    memory->inputs[0] = {O2M_ANY_STRIDES, 2, 1, 1, 0};
    if (IsScaled(p)) memory->inputs[0] = {O2M_ANY_STRIDES, 2, p.step, p.extent, p.before};
    memory->outputs[0] = {O2M_ANY_STRIDES, 2, 1, 1, 0};
    memory->scratch_bytes = IsScaled(p) ? int64_t{2} * node->inputs[0]->dims[3] * p.planes : 0;
  }

  static o2m_status Pack(const o2m_host *, const o2m_target *, o2m_node *node) {
    const auto &p = ParamsOf<Params>(node);
    if (!IsScaled(p)) return O2M_OK;
    const Taps down = TapsOf(DownOf(p, *node->inputs[0])), across = TapsOf(AcrossOf(p, *node->inputs[0]));
    const std::vector<int16_t> *const lists[] = {&down.first, &down.weights, &across.first, &across.weights};
    for (int32_t slot = 0; slot < 4; ++slot)
      std::copy(lists[slot]->begin(), lists[slot]->end(), ConstantData<int16_t>(node, slot));
    return O2M_OK;
  }

  static void Run(const o2m_node *node, const o2m_call *call) {
    const o2m_camera_params p = KernelParams(node);
    O2M_SYM(o2m_camera)
    (In<uint8_t>(call, 0), Out<uint8_t>(call), call->first, call->rows, static_cast<uint16_t *>(call->scratch), &p);
  }

  static o2m_status Emit(const o2m_host *host, const o2m_target *, const o2m_node *node, const o2m_emitter *e) {
    const bool scaled = IsScaled(ParamsOf<Params>(node));
    Line(e, Call("O2M_SYM(o2m_camera)", {Operand(e, 0), Operand(e, 1), scaled ? e->first(e) : "0", RowsName(e),
                                         scaled ? Str("(uint16_t *)", ScratchName(e)) : "0",
                                         Object(e, "o2m_camera_params", ParamsText(node, e))}));
    return EmitSources(host, e, o2m_sources, O2M_SOURCE_COUNT, {"o2m_camera.h", "o2m_camera.c"});
  }

  static void Cost(const o2m_target *, const o2m_node *node, int32_t rows, o2m_cost *cost) {
    const auto &p = ParamsOf<Params>(node);
    const int64_t outputs = int64_t{rows} * p.width * p.planes;
    *cost = {"camera", 0, 3 * outputs, outputs, 0, -1};
    if (!IsScaled(p)) return;
    const o2m_camera_params k = KernelParams(node);
    cost->macs = int64_t{rows} * k.row_taps * k.x_w * p.planes + outputs * k.column_taps;
    cost->elements = 3 * int64_t{rows} * k.row_taps * k.x_w;
  }

  static void Terms(const o2m_target *, const o2m_node *node, int32_t rows, TermList &list) {
    const auto &p = ParamsOf<Params>(node);
    const o2m_camera_params k = KernelParams(node);
    const int64_t reads = int64_t{rows} * k.x_w * std::max(1, k.row_taps), values = int64_t{rows} * p.width * p.planes;
    const bool mixed = p.planes == 1 && p.format != O2M_CAMERA_GRAY;
    const int32_t bytes = BytesOfFormat(p.format);
    list.Add("camera", "rows", rows);
    list.Add("camera", bytes == 1 ? "grey pixels" : bytes == 3 ? "pixels of three bytes" : "packed pixels", reads);
    list.Add("camera", "mixed pixels", mixed ? reads : 0);
    if (!IsScaled(p)) return list.Add("camera", "values", values);
    list.Add("camera", "weighted values", reads * p.planes);
    list.Add("camera", "values of the line", int64_t{rows} * k.x_w * p.planes);
    list.Add("camera", "scaled values", values);
    list.Add("camera", "column taps", values * k.column_taps);
  }

  static void QuantRule(const o2m_node *, o2m_quant_rule *rule) {
    rule->same_as_input0 = 1;
    rule->fixed_scale = 1, rule->fixed_zero_point = 0, rule->fixed_dtype = O2M_U8;
  }

  static void RandomCase(CaseList &list, Random &r) {
    Params p = {};
    p.format = r.Below(5), p.planes = r.OneIn(3) ? 1 : 3, p.reversed = p.planes == 3 && r.OneIn(2);
    int32_t h = 1 + r.Below(20), w = r.Size(24);
    p.height = h, p.width = w;
    if (r.OneIn(2)) {
      p.full_height = 1 + r.Below(20), p.full_width = r.Size(24);
      p.top = r.Below(p.full_height), p.left = r.Below(p.full_width);
      p.height = 1 + r.Below(p.full_height - p.top), p.width = 1 + r.Below(p.full_width - p.left);
    }
    const std::vector<int32_t> x = {1, BytesOfFormat(p.format), h, w}, y = {1, p.planes, p.height, p.width};
    list.Add("random", {{O2M_U8, x, 1, 0, {}, r.Strides(x)}}, {{O2M_U8, y, 1, 0, {}, r.Strides(y)}}, p);
  }

  static void Cases(CaseList &list) {
    const auto add = [&list](const char *name, int32_t h, int32_t w, const Params &p) {
      const int32_t bytes = BytesOfFormat(p.format);
      list.Add(name, {{O2M_U8, {1, bytes, h, w}, 1, 0, {}, {h * w * bytes, 1, w * bytes, bytes}}},
               {{O2M_U8, {1, p.planes, p.height, p.width}, 1, 0}}, p);
    };
    add("rgb565", 6, 9, {O2M_CAMERA_RGB565, 3, 0, 6, 9, 0, 0, 0, 0, {}, 0, 0, 0});
    add("rgb565 big endian to blue, green, red", 6, 9, {O2M_CAMERA_RGB565BE, 3, 1, 6, 9, 0, 0, 0, 0, {}, 0, 0, 0});
    add("rgb565 to grey", 5, 8, {O2M_CAMERA_RGB565, 1, 0, 5, 8, 0, 0, 0, 0, {}, 0, 0, 0});
    add("bgr to grey", 5, 8, {O2M_CAMERA_BGR, 1, 0, 5, 8, 0, 0, 0, 0, {}, 0, 0, 0});
    add("grey, smaller", 19, 23, {O2M_CAMERA_GRAY, 1, 0, 8, 8, 8, 8, 0, 0, {}, 0, 0, 0});
    add("rgb, smaller, the middle of it", 24, 32, {O2M_CAMERA_RGB, 3, 0, 8, 8, 9, 12, 0, 2, {}, 0, 0, 0});
    add("rgb565, larger", 5, 4, {O2M_CAMERA_RGB565, 3, 0, 12, 9, 12, 9, 0, 0, {}, 0, 0, 0});
    add("grey, a third", 27, 21, {O2M_CAMERA_GRAY, 1, 0, 6, 7, 9, 7, 2, 0, {}, 0, 0, 0});
    add("bgr, as large", 7, 6, {O2M_CAMERA_BGR, 3, 0, 7, 6, 7, 6, 0, 0, {}, 0, 0, 0});
    list.Add("own output quant", {{O2M_U8, {1, 2, 4, 4}, 1, 0}}, {{O2M_ANY, {1, 3, 4, 4}}},
             Params{O2M_CAMERA_RGB565, 3, 0, 4, 4, 0, 0, 0, 0, {}, 0, 0, 0});
  }
};

}  // namespace

O2M_PLUGIN("camera", "1.0", Camera)
