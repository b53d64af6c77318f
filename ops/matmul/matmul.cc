// matmul.cc - "o2m.matmul": MatMul of two activations, where no larger pattern (attention) takes it. README.md.
#include "elementwise.hpp"
#include "matmul_random.hpp"
#include "matmul_worst.hpp"
#include "o2m_matmul.h"
#include "o2m_sources.h"

namespace {
using namespace o2m;

struct MatmulParams {
  int32_t acc_shift, multiplier, shift;
  OwnQuant constant, y;  // constant: of the operand that is one
};

// Operand i as the kernel reads it: a constant is packed to s16.
o2m_tensor OperandOf(const o2m_node *node, int i) {
  const o2m_tensor &t = *node->inputs[i];
  return t.is_constant ? Packed(t, O2M_S16, ParamsOf<MatmulParams>(node).constant) : t;
}

int32_t Depth(const o2m_node *node) { return Dim(*node->inputs[0], 1); }

// The batch dims longer than one, as indices into y's dims.
std::vector<int32_t> Batches(const o2m_tensor &y) {
  std::vector<int32_t> axes;
  for (int32_t i = 0; i < y.rank - 2; ++i) {
    if (y.dims[i] > 1) axes.push_back(i);
  }
  return axes;
}

double Reach(const o2m_tensor &t) {
  return std::fmax(HighOf(t.dtype) - ZeroPointOf(t), ZeroPointOf(t) - LowOf(t.dtype));
}
bool IsWide(const o2m_node *node) { return OperandOf(node, 0).dtype == O2M_S16 || OperandOf(node, 1).dtype == O2M_S16; }

o2m_status SetOutputShape(const o2m_host *host, o2m_node *node) {
  const o2m_tensor &a = *node->inputs[0], &b = *node->inputs[1];
  o2m_tensor &y = *node->outputs[0];
  if (a.rank < 2 || b.rank < 2)
    return Reject(host, "an input has fewer than two dims; [.., M, K] by [.., K, N] would work");
  if (Dim(a, 1) != Dim(b, 2))
    return Reject(host,
                  Str("the inputs ", Shape(a), " and ", Shape(b), " do not fit; [.., M, K] by [.., K, N] would work"));
  y.rank = std::max(a.rank, b.rank);
  y.dims[y.rank - 1] = Dim(b, 1);
  y.dims[y.rank - 2] = Dim(a, 2);
  for (int32_t i = 3; i <= y.rank; ++i) {
    if (Dim(a, i) != Dim(b, i) && Dim(a, i) != 1 && Dim(b, i) != 1)
      return Reject(host, Str("the batches of ", Shape(a), " and ", Shape(b), " do not broadcast"));
    y.dims[y.rank - i] = std::max(Dim(a, i), Dim(b, i));
  }
  if (Batches(y).size() > 2)
    return Reject(host, Str("the output ", Shape(y), " has more than two batch dims; reshaping would work"));
  return O2M_OK;
}

// Sums of bytes fit 32 bits; others are rounded to 30 bits before they are scaled.
o2m_status ChooseFactor(const o2m_host *host, const o2m_node *node, MatmulParams &params) {
  const o2m_tensor a = OperandOf(node, 0), b = OperandOf(node, 1), &y = *node->outputs[0];
  if (Depth(node) > kMatmulDepth)
    return Reject(host, Str("K is ", Depth(node), "; at most ", kMatmulDepth, " would work"));
  const double largest = Reach(a) * Reach(b) * Depth(node);
  params.acc_shift = IsWide(node) ? 1 : 0;
  while (std::ldexp(largest, -params.acc_shift) > 1073741824.0 && IsWide(node)) ++params.acc_shift;
  const double factor = std::ldexp(static_cast<double>(ScaleOf(a)) * ScaleOf(b) / ScaleOf(y), params.acc_shift);
  if (std::ldexp(largest, -params.acc_shift) * factor > 1073741824.0)
    return Reject(host, Str("the output's scale, ", ScaleOf(y), ", is too small beside the inputs' ", ScaleOf(a),
                            " and ", ScaleOf(b), "; other calibration inputs would work"));
  params.shift = 46;
  while (params.shift > 1 && std::ldexp(factor, params.shift) > 1073741824.0) --params.shift;
  params.multiplier = Multiplier(factor, params.shift);
  return O2M_OK;
}

int32_t TypeOf(const o2m_tensor &t) {
  return t.dtype == O2M_S8 ? O2M_MATMUL_S8 : t.dtype == O2M_U8 ? O2M_MATMUL_U8 : O2M_MATMUL_S16;
}

// The kernel for a target: one of an instruction set takes s8 by s8.
std::string KernelName(const o2m_target *target, const o2m_node *node) {
  const std::string scalar = "o2m_matmul";
  const bool bytes = OperandOf(node, 0).dtype == O2M_S8 && OperandOf(node, 1).dtype == O2M_S8;
  return bytes ? scalar + IsaSuffix(o2m_sources, O2M_SOURCE_COUNT, scalar, target) : scalar;
}

int64_t ScratchOf(const std::string &kernel, const o2m_node *node, int32_t rows) {
  if (kernel == "o2m_matmul") return int64_t{4} * Depth(node);
  const int64_t even = (std::min<int64_t>(rows, O2M_MATMUL_TILE) + 1) / 2 * 2, depth = (Depth(node) + 3) / 4 * 4;
  return depth * (2 * even + 8);
}

o2m_matmul_params KernelParams(const o2m_node *node) {
  const o2m_tensor a = OperandOf(node, 0), b = OperandOf(node, 1), &y = *node->outputs[0];
  const auto &params = ParamsOf<MatmulParams>(node);
  const std::vector<int32_t> batches = Batches(y);
  o2m_matmul_params p = {};
  for (size_t i = 0; i < 2; ++i) {
    p.batches[i] = i < batches.size() ? y.dims[batches[i]] : 1;
    if (i >= batches.size()) continue;
    p.a_batch[i] = static_cast<int32_t>(BroadcastStride(a, y, batches[i]));
    p.b_batch[i] = static_cast<int32_t>(BroadcastStride(b, y, batches[i]));
    p.y_batch[i] = static_cast<int32_t>(y.strides[batches[i]]);
  }
  p.depth = Depth(node);
  p.columns = Dim(y, 1);
  p.a_row = static_cast<int32_t>(Stride(a, 2));
  p.a_step = static_cast<int32_t>(Stride(a, 1));
  p.b_step = static_cast<int32_t>(Stride(b, 2));
  p.b_column = static_cast<int32_t>(Stride(b, 1));
  p.y_row = static_cast<int32_t>(Stride(y, 2));
  p.y_column = static_cast<int32_t>(Stride(y, 1));
  p.a_type = TypeOf(a);
  p.a_zero = ZeroPointOf(a);
  p.b_type = TypeOf(b);
  p.b_zero = ZeroPointOf(b);
  p.y_bytes = static_cast<int32_t>(BytesOf(y.dtype));
  p.y_zero = ZeroPointOf(y);
  p.acc_shift = params.acc_shift;
  p.multiplier = params.multiplier;
  p.shift = params.shift;
  return p;
}

std::string Two(const int32_t *v) { return Str("{", v[0], ", ", v[1], "}"); }

std::string ParamsText(const o2m_matmul_params &p) {
  return Initializer()
      .Field("batches", Two(p.batches))
      .Field("depth", p.depth)
      .Field("columns", p.columns)
      .Field("a_batch", Two(p.a_batch))
      .Field("a_row", p.a_row)
      .Field("a_step", p.a_step)
      .Field("b_batch", Two(p.b_batch))
      .Field("b_step", p.b_step)
      .Field("b_column", p.b_column)
      .Field("y_batch", Two(p.y_batch))
      .Field("y_row", p.y_row)
      .Field("y_column", p.y_column)
      .Field("a_type", p.a_type)
      .Field("a_zero", p.a_zero)
      .Field("b_type", p.b_type)
      .Field("b_zero", p.b_zero)
      .Field("y_bytes", p.y_bytes)
      .Field("y_zero", p.y_zero)
      .Field("acc_shift", p.acc_shift)
      .Field("multiplier", p.multiplier)
      .Field("shift", p.shift)
      .text();
}

struct Matmul {
  static constexpr char kId[] = "o2m.matmul";
  using Params = MatmulParams;

  static o2m_status Match(const o2m_host *, const o2m_graph *graph, int32_t root, o2m_match *match) {
    const GraphView g(graph);
    if (!g.Is(root, "MatMul")) return O2M_NO_MATCH;
    const int32_t a = g.Input(root, 0), b = g.Input(root, 1);
    if (g.Tensor(a).rank < 2 || g.Tensor(b).rank < 2 || (g.IsConstant(a) && g.IsConstant(b))) return O2M_NO_MATCH;
    const o2m_tensor &matrix = g.Tensor(b);
    const bool one_matrix = ElementCount(matrix) == int64_t{Dim(matrix, 1)} * Dim(matrix, 2);
    if (g.IsConstant(b) && one_matrix) return O2M_NO_MATCH;  // o2m.linear's
    return Matched(match, {root}, {a, b});
  }

  static o2m_status Infer(const o2m_host *host, const o2m_target *, o2m_node *node) {
    if (node->input_count != 2 || node->output_count != 1) return Reject(host, "matmul has two inputs and one output");
    auto &params = ParamsOf<Params>(node);
    int64_t constant = 0;
    for (int i = 0; i < 2; ++i) {
      const o2m_tensor &t = *node->inputs[i];
      if (t.is_constant && (t.dtype != O2M_F32 || constant > 0))
        return Reject(host, Str("input ", i, " is a constant; one constant, f32, would work"));
      if (t.is_constant) {
        constant = ElementCount(t);
      } else if (o2m_status s = CheckQuantised(host, t, Str("input ", i), kMaskIntegers)) {
        return s;
      }
    }
    if (o2m_status s = SetOutputShape(host, node)) return s;
    o2m_tensor &y = *node->outputs[0];
    for (int i = 0; i < 2 && constant > 0; ++i) {
      const double other = ScaleOf(*node->inputs[1 - i]), fallback = y.quant.count > 0 ? ScaleOf(y) / other / 1024 : 1;
      if (node->inputs[i]->is_constant) params.constant = WideQuant(*node->inputs[i], fallback);
    }
    SettleOutput(y, O2M_S8, params.y,
                 ScaleOf(OperandOf(node, 0)) * ScaleOf(OperandOf(node, 1)) * 128 * std::sqrt(1.0 * Depth(node)), 0);
    if (o2m_status s = CheckQuantised(host, y, "the output", kMaskS8S16)) return s;
    SetConstants(node, {{"matrix", O2M_S16, constant, nullptr}});
    return ChooseFactor(host, node, params);
  }

  // A step is one row of a, in every batch.
  static void Memory(const o2m_target *target, const o2m_node *node, int32_t rows, o2m_memory *memory) {
    const o2m_tensor &a = *node->inputs[0], &y = *node->outputs[0];
    memory->steps = Dim(y, 2);
    memory->inputs[0] = a.is_constant ? AnyStrides() : o2m_access{O2M_ANY_STRIDES, a.rank - 2, 1, 1, 0};
    memory->inputs[1] = AnyStrides();
    memory->outputs[0] = {O2M_ANY_STRIDES, y.rank - 2, 1, 1, 0};
    memory->scratch_bytes = ScratchOf(KernelName(target, node), node, rows);
  }

  static o2m_status Pack(const o2m_host *, const o2m_target *, o2m_node *node) {
    for (int i = 0; i < 2; ++i) {
      const o2m_tensor &t = *node->inputs[i];
      if (!t.is_constant) continue;
      QuantiseAs(O2M_S16, Floats(t), ElementCount(t), ParamsOf<Params>(node).constant.scale, 0,
                 node->constants[0].data);
    }
    return O2M_OK;
  }

  static void Run(const o2m_node *node, const o2m_call *call) {
    const o2m_matmul_params p = KernelParams(node);
    const void *a = call->inputs[0], *b = call->inputs[1];
    if (node->inputs[0]->is_constant) a = ConstantData<int16_t>(node, 0) + call->first * p.a_row;
    if (node->inputs[1]->is_constant) b = node->constants[0].data;
    O2M_SYM(o2m_matmul)(a, b, call->outputs[0], call->rows, static_cast<int32_t *>(call->scratch), &p);
  }

  static o2m_status Emit(const o2m_host *host, const o2m_target *target, const o2m_node *node, const o2m_emitter *e) {
    const o2m_matmul_params p = KernelParams(node);
    const std::string a =
        node->inputs[0]->is_constant ? Str(ConstantName(e, 0), " + ", e->first(e), " * ", p.a_row) : Operand(e, 0);
    const std::string b = node->inputs[1]->is_constant ? ConstantName(e, 0) : Operand(e, 1);
    const std::string kernel = KernelName(target, node), source = kernel + ".c";
    Line(e, Call(Str("O2M_SYM(", kernel, ")"), {a, b, Operand(e, 2), RowsName(e), Str("(int32_t *)", ScratchName(e)),
                                                Object(e, "o2m_matmul_params", ParamsText(p))}));
    return EmitSources(host, e, o2m_sources, O2M_SOURCE_COUNT, {"o2m_fixedpoint.h", "o2m_matmul.h", source.c_str()});
  }

  static void Cost(const o2m_target *, const o2m_node *node, int32_t rows, o2m_cost *cost) {
    const o2m_tensor &y = *node->outputs[0];
    const int64_t outputs = ElementCount(y) / Dim(y, 2) * rows, depth = Depth(node);
    const bool constant = node->inputs[0]->is_constant || node->inputs[1]->is_constant;
    *cost = {IsWide(node) ? "matmul_s16" : "matmul_s8",
             outputs * depth,
             outputs / Dim(y, 1) * depth,
             outputs,
             constant ? 2 * outputs * depth : 0,
             -1};
  }

  // Tiles of rows of a by four columns of b, both widened.
  static void DspTerms(const o2m_node *node, int64_t batches, int64_t rows, TermList &list) {
    const o2m_tensor &a = *node->inputs[0], &b = *node->inputs[1];
    const int64_t depth = Depth(node), columns = Dim(*node->outputs[0], 1);
    const int64_t blocks = (depth + 3) / 4, fours = (columns + 3) / 4, whole = depth / 4;
    const int64_t tiles = batches * ((rows + O2M_MATMUL_TILE - 1) / O2M_MATMUL_TILE);
    const int64_t pairs = batches * (rows / O2M_MATMUL_TILE * O2M_MATMUL_TILE / 2 + (rows % O2M_MATMUL_TILE + 1) / 2);
    const int64_t quick_a = Stride(a, 1) == 1 ? pairs * whole : 0;
    const bool dense_b = Stride(b, 2) == 1, adjacent_b = !dense_b && Stride(b, 1) == 1;
    const int64_t quick_b = tiles * whole * (dense_b ? fours : adjacent_b ? columns / 4 : 0);
    list.Add("matmul_s8", "batches", batches);
    list.Add("matmul_s8", "row tiles", tiles);
    list.Add("matmul_s8", "panels", pairs);
    list.Add("matmul_s8", "panel blocks", quick_a);
    list.Add("matmul_s8", "slow panel blocks", pairs * blocks - quick_a);
    list.Add("matmul_s8", "widened fours", tiles * fours);
    list.Add("matmul_s8", dense_b ? "dense blocks" : "adjacent blocks", quick_b);
    list.Add("matmul_s8", "slow blocks", tiles * fours * blocks - quick_b);
    list.Add("matmul_s8", "tiles", pairs * fours);
    list.Add("matmul_s8", "blocks", pairs * fours * blocks);
    list.Add("matmul_s8", ParamsOf<Params>(node).shift < 33 ? "wide outputs" : "outputs", batches * rows * columns);
  }

  static void Terms(const o2m_target *target, const o2m_node *node, int32_t rows, TermList &list) {
    const o2m_tensor &y = *node->outputs[0];
    const char *const kernel = IsWide(node) ? "matmul_s16" : "matmul_s8";
    const int64_t outputs = ElementCount(y) / Dim(y, 2) * rows, depth = Depth(node), of_a = outputs / Dim(y, 1);
    if (KernelName(target, node) == "o2m_matmul_dsp") return DspTerms(node, of_a / rows, rows, list);
    list.Add(kernel, "batches", of_a / rows);
    list.Add(kernel, "rows", of_a);
    list.Add(kernel, "widened", of_a * depth);
    list.Add(kernel, "outputs", outputs);
    list.Add(kernel, "steps", outputs * depth);
  }

  static void QuantRule(const o2m_node *, o2m_quant_rule *rule) {
    rule->s16_inputs = 3;
    rule->s16_outputs = 1;
  }

  static void RandomCase(CaseList &list, Random &random) { RandomMatmulCase<Params>(list, random); }
  static void WorstCases(CaseList &list) { WorstMatmulCases<Params>(list); }
  static void Cases(CaseList &list) {
    const Params none = {};
    const CaseOperand y = {O2M_S8, {1, 3, 10, 10}, 0.3f, 5};
    list.Add("q by k transposed", {{O2M_S8, {1, 3, 10, 16}, 0.05f, 3}, {O2M_S8, {1, 3, 16, 10}, 0.04f, -7}}, {y}, none);
    list.Add("heads as columns",
             {{O2M_S8, {1, 3, 10, 16}, 0.05f, 3, {}, {480, 16, 48, 1}},
              {O2M_S8, {1, 3, 16, 10}, 0.04f, -7, {}, {480, 16, 1, 48}}},
             {y}, none);
    list.Add("u8 by s8", {{O2M_U8, {3, 10, 13}, 1 / 256.0f, 0}, {O2M_S8, {3, 13, 5}, 0.04f, -128}},
             {{O2M_S8, {3, 10, 5}, 0.2f, 0}}, none);
    list.Add("s8 by u8 to s16", {{O2M_S8, {7, 11}, 0.05f, 127}, {O2M_U8, {11, 6}, 0.04f, 255}},
             {{O2M_S16, {7, 6}, 0.005f, -9}}, none);
    list.Add("s16 by s8", {{O2M_S16, {7, 11}, 0.0003f, -200}, {O2M_S8, {11, 6}, 0.04f, 5}}, {{O2M_S8, {7, 6}, 0.5f, 1}},
             none);
    list.Add("u8 by s16", {{O2M_U8, {7, 11}, 0.01f, 100}, {O2M_S16, {11, 6}, 0.0004f, 5}},
             {{O2M_S16, {7, 6}, 0.002f, 1}}, none);
    list.Add("s16 by s16", {{O2M_S16, {7, 11}, 0.0003f, -32768}, {O2M_S16, {11, 6}, 0.0004f, 32767}},
             {{O2M_S16, {7, 6}, 0.03f, 1}}, none);
    list.Add("one matrix for every batch", {{O2M_S8, {2, 3, 5, 8}, 0.05f, 3}, {O2M_S8, {8, 6}, 0.04f, -7}},
             {{O2M_S8, {2, 3, 5, 6}, 0.2f, 5}}, none);
    list.Add("batches that repeat", {{O2M_S8, {2, 1, 5, 8}, 0.05f, 3}, {O2M_S8, {1, 3, 8, 6}, 0.04f, -7}},
             {{O2M_S8, {2, 3, 5, 6}, 0.2f, 5, {}, {90, 30, 1, 5}}}, none);
    list.Add("one row", {{O2M_S8, {1, 1, 33}, 0.05f, 3}, {O2M_S8, {1, 33, 7}, 0.04f, -7}},
             {{O2M_S8, {1, 1, 7}, 0.5f, 5}}, none);
    list.Add("constant queries",
             {{O2M_F32, {1, 3, 5, 8}, 0, 0, RandomFloats(120, 1, 1)}, {O2M_S8, {1, 3, 8, 6}, 0.04f, 9}},
             {{O2M_S8, {1, 3, 5, 6}, 0.1f, 5}}, none);
    list.Add("a constant matrix per batch",
             {{O2M_S8, {3, 5, 8}, 0.04f, 9}, {O2M_F32, {3, 8, 6}, 0, 0, RandomFloats(144, 2, 1)}},
             {{O2M_S16, {3, 5, 6}, 0.001f, 5}}, none);
    for (int32_t i = 0; i < 10; ++i) {  // shapes that no tile divides
      const int32_t m = 1 + i * 7 % 19, k = 1 + i * 11 % 37, n = 1 + i * 5 % 13;
      const std::vector<int64_t> along;
      list.Add(Str("s8 by s8, shape ", i),
               {{O2M_S8, {1, m, k}, 0.05f, 25 * i - 128, {}, i % 4 == 3 ? std::vector<int64_t>{0, 1, m} : along},
                {O2M_S8, {1, k, n}, 0.04f, 127 - 20 * i, {}, i % 3 == 1 ? std::vector<int64_t>{0, 1, k} : along}},
               {{i % 5 == 4 ? O2M_S16 : O2M_S8, {1, m, n}, i % 5 == 4 ? 0.02f : 1.5f, 3 - i}}, none);
    }
    list.Add("bench_50x64x50", {{O2M_S8, {1, 50, 64}, 0.05f, 3}, {O2M_S8, {1, 64, 50}, 0.04f, -7, {}, {0, 1, 64}}},
             {{O2M_S8, {1, 50, 50}, 0.5f, 5}}, none);  // rows x depth x columns
    list.Add("bench_64x50x64", {{O2M_S8, {1, 64, 50}, 0.05f, 3, {}, {0, 1, 64}}, {O2M_S8, {1, 50, 64}, 0.04f, -7}},
             {{O2M_S8, {1, 64, 64}, 0.5f, 5}}, none);
    list.Add("own output quant", {{O2M_S8, {4, 9}, 0.05f, 3}, {O2M_S8, {9, 3}, 0.04f, 0}}, {{O2M_ANY, {4, 3}}}, none);
  }
};

}  // namespace

O2M_PLUGIN("matmul", "1.0", Matmul)
