// copy.cc - "o2m.copy": the last resort where strides cannot say a movement. The host inserts it; README.md says more.
#include "copy_random.hpp"
#include "elementwise.hpp"
#include "o2m_copy.h"
#include "o2m_sources.h"

namespace {
using namespace o2m;

enum Kind : int32_t { kPlain = 0, kRequantized = 1, kWide = 2 };  // kWide: from or to s32
constexpr const char *kKernels[] = {"o2m_copy", "o2m_copy_requantized", "o2m_copy_wide"};
constexpr uint32_t kMaskCopied = kMaskIntegers | Mask(O2M_S32);

struct CopyParams {
  int32_t kind;
  int32_t shift;
  int64_t multiplier, bias;
  OwnQuant y;
};

bool IsConstant(const o2m_node *node) { return node->inputs[0]->is_constant; }

// The input as the kernel reads it: a constant has been packed with y's type and quant.
o2m_tensor Source(const o2m_node *node) {
  o2m_tensor x = *node->inputs[0];
  if (!x.is_constant) return x;
  x.dtype = node->outputs[0]->dtype;
  SetDenseStrides(x);
  return x;
}

Elements Loops(const o2m_node *node) {
  const o2m_tensor x = Source(node);
  return ElementsOf({node->outputs[0], &x});
}

bool SameQuant(const o2m_tensor &x, const o2m_tensor &y) {
  return x.dtype == y.dtype && x.quant.count == y.quant.count && ScaleOf(x) == ScaleOf(y) &&
         ZeroPointOf(x) == ZeroPointOf(y);
}

// The finest shift, up to `most`, with which the multiplier is at most `largest`.
o2m_status ChooseShift(const o2m_host *host, const o2m_tensor &x, const o2m_tensor &y, int32_t most, double largest,
                       CopyParams &params) {
  const double factor = static_cast<double>(ScaleOf(x)) / ScaleOf(y);
  params.shift = most;
  while (params.shift > 0 && std::ldexp(factor, params.shift) > largest) --params.shift;
  if (params.shift < 1)
    return Reject(host, Str("the output's scale, ", ScaleOf(y), ", is too small beside the input's, ", ScaleOf(x)));
  params.multiplier = std::llround(std::ldexp(factor, params.shift));
  params.bias = int64_t{ZeroPointOf(y)} * (int64_t{1} << params.shift) + (int64_t{1} << (params.shift - 1)) -
                int64_t{ZeroPointOf(x)} * params.multiplier;
  return O2M_OK;
}

o2m_status ChooseFactor(const o2m_host *host, const o2m_tensor &x, const o2m_tensor &y, CopyParams &params) {
  if (o2m_status s = CheckQuantised(host, x, "the input", kMaskCopied)) return s;
  if (o2m_status s = CheckQuantised(host, y, "the output", kMaskCopied)) return s;
  params.kind = x.dtype == O2M_S32 || y.dtype == O2M_S32 ? kWide : kRequantized;
  if (params.kind == kRequantized) return ChooseShift(host, x, y, 40, 1073741824.0, params);
  return ChooseShift(host, x, y, 45, std::ldexp(1.0, x.dtype == O2M_S32 ? 30 : 45), params);
}

int32_t TypeOf(o2m_dtype dtype) {
  if (dtype == O2M_S32) return O2M_COPY_S32;
  return dtype == O2M_S8 ? O2M_COPY_S8 : dtype == O2M_U8 ? O2M_COPY_U8 : O2M_COPY_S16;
}

o2m_copy_params PlainParams(const o2m_node *node, const Elements &e) {
  const auto &row = e.rows.rows.strides;
  return {static_cast<int32_t>(e.count),    static_cast<int32_t>(row[1]),
          static_cast<int32_t>(e.steps[1]), static_cast<int32_t>(row[0]),
          static_cast<int32_t>(e.steps[0]), static_cast<int32_t>(BytesOf(node->outputs[0]->dtype))};
}

o2m_requantize_params RequantizeParams(const o2m_node *node, const Elements &e) {
  const o2m_copy_params p = PlainParams(node, e);
  const auto &params = ParamsOf<CopyParams>(node);
  const int32_t x_type = TypeOf(node->inputs[0]->dtype), y_type = TypeOf(node->outputs[0]->dtype);
  return {p.count,      p.x_row,    p.x_step, p.y_row,
          p.y_step,     x_type,     y_type,   static_cast<int32_t>(params.multiplier),
          params.shift, params.bias};
}

o2m_copy_wide_params WideParams(const o2m_node *node, const Elements &e) {
  const o2m_requantize_params p = RequantizeParams(node, e);
  return {
      p.count, p.x_row, p.x_step, p.y_row, p.y_step, p.x_type, p.y_type, p.shift, ParamsOf<CopyParams>(node).multiplier,
      p.bias};
}

template <class Params>
Initializer Strides(const Params &p) {
  return Initializer()
      .Field("count", p.count)
      .Field("x_row", p.x_row)
      .Field("x_step", p.x_step)
      .Field("y_row", p.y_row)
      .Field("y_step", p.y_step);
}

struct Copy {
  static constexpr char kId[] = "o2m.copy";
  using Params = CopyParams;

  // A rounding to another grid that nothing else can take over.
  static o2m_status Match(const o2m_host *, const o2m_graph *graph, int32_t root, o2m_match *match) {
    const GraphView g(graph);
    if (!g.Is(root, "FakeQuantize", "onnx2mcu")) return O2M_NO_MATCH;
    return Matched(match, {root}, {g.Input(root, 0)});
  }

  static o2m_status Infer(const o2m_host *host, const o2m_target *, o2m_node *node) {
    if (node->input_count != 1 || node->output_count != 1) return Reject(host, "copy has one input and one output");
    const o2m_tensor &x = *node->inputs[0];
    o2m_tensor &y = *node->outputs[0];
    auto &params = ParamsOf<Params>(node);
    params.kind = kPlain;
    SetShapeLike(y, x);
    if (x.is_constant) {
      if (x.dtype != O2M_F32) return Reject(host, Str("the constant is ", NameOf(x.dtype), "; f32 would work"));
      SettleOutput(y, O2M_S8, params.y, SymmetricScale(x, O2M_S8, 1), 0);
      if (o2m_status s = CheckQuantised(host, y, "the output", kMaskCopied)) return s;
      SetConstants(node, {{"values", y.dtype, ElementCount(x), nullptr}});
      return O2M_OK;
    }
    SetConstants(node, {});
    if (y.dtype == O2M_ANY) y.dtype = x.dtype;
    if (y.quant.count == 0) y.quant = x.quant;
    if (SameQuant(x, y) && BytesOf(x.dtype) >= 1 && BytesOf(x.dtype) <= 4) return O2M_OK;
    return ChooseFactor(host, x, y, params);
  }

  static void Memory(const o2m_target *, const o2m_node *node, int32_t, o2m_memory *memory) {
    ElementwiseMemory(node, Loops(node), memory);
    memory->in_place_inputs = 0;
  }

  static o2m_status Pack(const o2m_host *, const o2m_target *, o2m_node *node) {
    const o2m_tensor &x = *node->inputs[0], &y = *node->outputs[0];
    if (IsConstant(node))
      QuantiseAs(y.dtype, Floats(x), ElementCount(x), ScaleOf(y), ZeroPointOf(y), node->constants[0].data);
    return O2M_OK;
  }

  static void Run(const o2m_node *node, const o2m_call *call) {
    const Elements e = Loops(node);
    const o2m_tensor x = Source(node), &y = *node->outputs[0];
    const int32_t steps = StepCount(call, e.rows);
    const auto rows = static_cast<int32_t>(e.rows.RowCount(steps));
    const void *start = call->inputs[0];
    if (IsConstant(node)) start = At(node->constants[0].data, call->first * StepStride(e.rows, 1), x.dtype);
    const o2m_copy_params plain = PlainParams(node, e);
    const o2m_requantize_params requantize = RequantizeParams(node, e);
    const o2m_copy_wide_params wide = WideParams(node, e);
    ForEachRowBlock(e.rows, steps, [&](const int64_t *at) {
      const void *from = At(start, at[1], x.dtype);
      void *to = At(call->outputs[0], at[0], y.dtype);
      const int32_t kind = ParamsOf<Params>(node).kind;
      if (kind == kPlain) return O2M_SYM(o2m_copy)(from, to, rows, &plain);
      if (kind == kWide) return O2M_SYM(o2m_copy_wide)(from, to, rows, &wide);
      O2M_SYM(o2m_copy_requantized)(from, to, rows, &requantize);
    });
  }

  static o2m_status Emit(const o2m_host *host, const o2m_target *, const o2m_node *node, const o2m_emitter *e) {
    const Elements loops = Loops(node);
    const int32_t kind = ParamsOf<Params>(node).kind;
    const std::string params = ParamsText(node, e, loops);
    LineInLoops(e, loops.rows,
                Call(Str("O2M_SYM(", kKernels[kind], ")"),
                     {IsConstant(node) ? ConstantOperand(e, 0, loops.rows, 1) : RowOperand(e, 0, loops.rows, 1),
                      RowOperand(e, 1, loops.rows, 0), RowCountText(e, loops.rows), params}));
    return EmitSources(host, e, o2m_sources, O2M_SOURCE_COUNT,
                       {"o2m_fixedpoint.h", "o2m_copy.h", Str(kKernels[kind], ".c").c_str()});
  }

  static std::string ParamsText(const o2m_node *node, const o2m_emitter *e, const Elements &loops) {
    const o2m_copy_wide_params p = WideParams(node, loops);
    const int32_t kind = ParamsOf<Params>(node).kind;
    Initializer text = Strides(p);
    if (kind == kPlain)
      return Object(e, "o2m_copy_params", text.Field("bytes", BytesOf(node->outputs[0]->dtype)).text());
    text.Field("x_type", p.x_type).Field("y_type", p.y_type).Field("multiplier", p.multiplier);
    return Object(e, kind == kWide ? "o2m_copy_wide_params" : "o2m_requantize_params",
                  text.Field("shift", p.shift).Field("bias", p.bias).text());
  }

  static void Cost(const o2m_target *, const o2m_node *node, int32_t rows, o2m_cost *cost) {
    const int64_t values = ElementCount(*node->outputs[0]) / Loops(node).rows.steps * rows;
    const int32_t kind = ParamsOf<Params>(node).kind;
    *cost = {kKernels[kind] + 4, 0, values, values, 0, kind == kWide ? 52 * values : -1};
    if (IsConstant(node)) cost->flash_bytes_read = values * BytesOf(node->outputs[0]->dtype);
  }

  // memcpy() takes words where both sides are aligned, and is called for each value that is wider than a byte
  // otherwise.
  static void Terms(const o2m_target *, const o2m_node *node, int32_t steps, TermList &list) {
    if (ParamsOf<Params>(node).kind == kWide) return;  // until they are counted
    const Elements e = Loops(node);
    const int64_t bytes = BytesOf(node->outputs[0]->dtype), count = e.rows.steps == 1 ? 1 : steps;
    const int64_t calls = KernelCalls(e.rows, count), rows = calls * e.rows.RowCount(count), row = e.count * bytes;
    const bool requantized = ParamsOf<Params>(node).kind == kRequantized;
    const char *const kernel = requantized ? "copy_requantized" : "copy";
    const bool dense = e.steps[0] == 1 && e.steps[1] == 1;
    const bool aligned = e.rows.rows.strides[0] * bytes % 4 == 0 && e.rows.rows.strides[1] * bytes % 4 == 0;
    list.Add(kernel, "kernel calls", calls - 1);
    list.Add(kernel, requantized || dense ? "rows" : bytes == 1 ? "rows of bytes" : "rows of values", rows);
    if (requantized) return list.Add(kernel, "values", rows * e.count);
    if (!dense) return list.Add(kernel, bytes == 1 ? "bytes apart" : "values apart", rows * e.count);
    list.Add(kernel, "words", aligned ? rows * (row / 4) : 0);
    list.Add(kernel, "bytes", aligned ? rows * (row % 4) : rows * row);
  }

  static void QuantRule(const o2m_node *, o2m_quant_rule *rule) {
    rule->s16_inputs = rule->s16_outputs = 1;
    rule->same_as_input0 = 1;
  }
  static void WideRule(const o2m_node *, o2m_wide_rule *rule) { rule->s32_inputs = rule->s32_outputs = 1; }

  static void RandomCase(CaseList &list, Random &random) { RandomCopyCase<Params>(list, random); }
  // All that have terms.
  static void CostCases(CaseList &list) {
    const Params none = {};
    list.Add("dense", {{O2M_S8, {1, 50, 64}, 0.05f, 3}}, {{O2M_S8, {1, 50, 64}, 0.05f, 3}}, none);
    list.Add("own output quant", {{O2M_S16, {6, 5}, 0.05f, 3}}, {{O2M_ANY, {6, 5}}}, none);
    list.Add("gather heads", {{O2M_S8, {1, 10, 4, 8}, 0.05f, 3}},
             {{O2M_S8, {1, 10, 4, 8}, 0.05f, 3, {}, {320, 8, 80, 1}}}, none);
    list.Add("transpose", {{O2M_S16, {7, 9}, 0.001f, 0}}, {{O2M_S16, {7, 9}, 0.001f, 0, {}, {1, 7}}}, none);
    list.Add("unfold of rank 6", {{O2M_U8, {1, 2, 3, 4, 3, 4}, 0.01f, 0, {}, {288, 144, 48, 4, 16, 1}}},
             {{O2M_U8, {1, 2, 3, 4, 3, 4}, 0.01f, 0, {}, {288, 16, 96, 1, 32, 4}}}, none);
    list.Add("rank 8", {{O2M_S8, {2, 2, 2, 2, 2, 2, 2, 2}, 0.01f, 0, {}, {1, 2, 4, 8, 16, 32, 64, 128}}},
             {{O2M_S8, {2, 2, 2, 2, 2, 2, 2, 2}, 0.01f, 0}}, none);
    list.Add("another scale", {{O2M_S8, {1, 13, 5}, 0.05f, 3}}, {{O2M_S8, {1, 13, 5}, 0.037f, -128}}, none);
    list.Add("s8 to s16", {{O2M_S8, {1, 13, 5}, 0.05f, -128}}, {{O2M_S16, {1, 13, 5}, 0.0003f, 200}}, none);
    list.Add("s16 to s8, transposed", {{O2M_S16, {13, 5}, 0.0003f, 0}}, {{O2M_S8, {13, 5}, 0.05f, 127, {}, {1, 13}}},
             none);
    list.Add("pixels to s8", {{O2M_U8, {1, 3, 6, 7}, 0.0039f, 0}}, {{O2M_S8, {1, 3, 6, 7}, 0.0039f, -128}}, none);
    list.Add("class token", {{O2M_F32, {1, 1, 64}, 0, 0, RandomFloats(64, 1, 2)}},
             {{O2M_S16, {1, 1, 64}, 0.0004f, 9, {}, {50 * 64, 64, 1}}}, none);
    list.Add("constant rows", {{O2M_F32, {1, 6, 5}, 0, 0, RandomFloats(30, 2, 2)}},
             {{O2M_S8, {1, 6, 5}, 0.02f, -3, {}, {60, 10, 1}}}, none);
    list.Add("one value", {{O2M_S8, {1}, 0.05f, 3}}, {{O2M_S8, {1}, 0.04f, 3}}, none);
  }
  static void Cases(CaseList &list) {
    CostCases(list);
    const Params none = {};
    list.Add("s8 to s32", {{O2M_S8, {1, 13, 5}, 0.05f, -128}}, {{O2M_S32, {1, 13, 5}, 1e-8f, 0}}, none);
    list.Add("s32 to s8, transposed", {{O2M_S32, {13, 5}, 1e-6f, 0}}, {{O2M_S8, {13, 5}, 0.05f, 127, {}, {1, 13}}},
             none);
    list.Add("s32 to s16", {{O2M_S32, {13, 5}, 1e-6f, 0}}, {{O2M_S16, {13, 5}, 0.0002f, -99}}, none);
    list.Add("u8 to s32", {{O2M_U8, {13, 5}, 0.0039f, 7}}, {{O2M_S32, {13, 5}, 1e-7f, 0}}, none);
    list.Add("s32 to another scale", {{O2M_S32, {13, 5}, 0x1p-20f, 0}}, {{O2M_S32, {13, 5}, 0x1p-19f, 0}}, none);
    list.Add("class token, s32", {{O2M_F32, {1, 1, 64}, 0, 0, RandomFloats(64, 1, 2)}},
             {{O2M_S32, {1, 1, 64}, 1e-8f, 0, {}, {50 * 64, 64, 1}}}, none);
  }
};

}  // namespace

O2M_PLUGIN("copy", "1.0", Copy)
