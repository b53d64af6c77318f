// linear.cc - o2m.linear: y = x W + b, MatMul by a constant with the Add that may follow. See README.md.
#include <random>

#include "linear_host.hpp"
#include "linear_random.hpp"
#include "linear_variants.hpp"
#include "linear_worst.hpp"
#include "o2m_sources.h"

namespace {

using namespace o2m;

enum Slot { kWeights, kBias, kMultiplier, kTable };

const LinearShifts &ShiftsOf(const o2m_node *node) { return ParamsOf<LinearState>(node).shifts; }

int32_t Depth(const o2m_node *node) { return Dim(*node->inputs[1], 2); }
int32_t Columns(const o2m_node *node) { return Dim(*node->inputs[1], 1); }
const o2m_tensor *BiasOf(const o2m_node *node) { return node->input_count > 2 ? node->inputs[2] : nullptr; }

LinearLayer LayerOf(const o2m_node *node) {
  const o2m_tensor &x = *node->inputs[0], *bias = BiasOf(node);
  LinearLayer layer;
  layer.weights = Floats(*node->inputs[1]);
  layer.bias = bias ? Floats(*bias) : nullptr;
  layer.bias_count = bias ? ElementCount(*bias) : 0;
  layer.depth = Depth(node);
  layer.columns = Columns(node);
  layer.x_dtype = x.dtype;
  layer.x_zero = ZeroPointOf(x);
  layer.x_scale = ScaleOf(x);
  layer.y_scale = TargetQuant(node).scale[0];
  layer.step = node->variant == kS4 ? 16 : 1;
  return layer;
}

o2m_status CheckShapes(const o2m_host *host, const o2m_node *node) {
  const o2m_tensor &x = *node->inputs[0], &w = *node->inputs[1], *bias = BiasOf(node);
  if (!IsConstantMatrix(w)) {
    return Reject(host, "input 1, the weights, must be a constant f32 matrix [K, N] of less than 2^31 values");
  }
  if (Dim(x, 1) != Dim(w, 2)) {
    return Reject(host, Str("input 0 ", Shape(x), " does not fit the weights ", Shape(w), "; its last dim must be K"));
  }
  if (bias && !IsBias(*bias, Columns(node))) {
    return Reject(host,
                  Str("input 2, the bias, must be a constant f32 of ", Columns(node), " values, not ", Shape(*bias)));
  }
  return O2M_OK;
}

std::string KernelName(const o2m_node *node) {
  return VariantKernel(node->variant) + (node->inputs[0]->dtype == O2M_S8 ? "_s8" : "_s16");
}
const char *IsaOf(const o2m_target *target, const o2m_node *node) {
  return IsaSuffix(o2m_sources, O2M_SOURCE_COUNT, KernelName(node), target);
}

o2m_linear_params KernelParams(const o2m_node *node) {
  o2m_linear_params p = {};
  p.depth = Depth(node);
  p.columns = Columns(node);
  SetRowStrides(node, p);
  p.y_zero = TargetQuant(node).zero_point[0];
  p.shift = ShiftsOf(node).shift;
  p.acc_shift = ShiftsOf(node).acc_shift;
  p.tile = 1;
  p.weights = ConstantData<const int8_t>(node, kWeights);
  p.bias = ConstantData<const int32_t>(node, kBias);
  p.multiplier = ConstantData<const int32_t>(node, kMultiplier);
  p.table = node->epilogue ? ConstantData<const int8_t>(node, kTable) : nullptr;
  return p;
}

struct Linear {
  static constexpr char kId[] = "o2m.linear";
  static constexpr uint32_t kFlags = O2M_TAKES_EPILOGUE;
  using Params = LinearState;
  static constexpr o2m_variants kVariants = {kLinearVariants, kLinearVariantNames, 1u << kS4};

  // MatMul(x, W) or Add(MatMul(x, W), b)
  static o2m_status Match(const o2m_host *, const o2m_graph *graph, int32_t root, o2m_match *match) {
    const GraphView g(graph);
    const bool has_bias = g.Is(root, "Add");
    const int32_t matmul = has_bias ? g.ProducerOf(root, 0, "MatMul") : root;
    if (!g.Is(matmul, "MatMul")) return O2M_NO_MATCH;
    const int32_t x = g.Input(matmul, 0), w = g.Input(matmul, 1);
    if (g.IsConstant(x) || g.Tensor(x).rank < 2 || !IsConstantMatrix(g.Tensor(w))) return O2M_NO_MATCH;
    if (!has_bias) return Matched(match, {matmul}, {x, w});
    const int32_t b = g.Input(root, 1);
    if (g.Input(root, 0) != g.Output(matmul) || !IsBias(g.Tensor(b), Dim(g.Tensor(w), 1))) return O2M_NO_MATCH;
    return Matched(match, {matmul, root}, {x, w, b});
  }

  static o2m_status Infer(const o2m_host *host, const o2m_target *target, o2m_node *node) {
    if (o2m_status s = CheckShapes(host, node)) return s;
    SetLinearShape(*node->inputs[0], Columns(node), BiasOf(node), node->outputs[0]);
    if (o2m_status s = CheckLinearTypes(host, node)) return s;
    LinearState &state = ParamsOf<LinearState>(node);
    if (o2m_status s = ChooseShifts(host, target, LayerOf(node), &state.shifts)) return s;
    if (o2m_status s = SizePacked(host, node->variant, LayerOf(node), state.shifts, &state.size)) return s;
    const int64_t columns = Columns(node), dense = LinearWeightBytes(IsaOf(target, node), Depth(node), columns);
    SetConstants(node, {{"weights", O2M_S8, node->variant == kDense ? dense : state.size.bytes, nullptr},
                        {"bias", O2M_S32, columns, nullptr},
                        {"multiplier", O2M_S32, columns, nullptr},
                        {"table", O2M_S8, node->epilogue ? 256 : 0, nullptr}});
    return O2M_OK;
  }

  static void Memory(const o2m_target *target, const o2m_node *node, int32_t rows, o2m_memory *memory) {
    RowMemory(node, memory);
    memory->scratch_bytes = VariantScratch(node->variant, IsaOf(target, node), LayerOf(node),
                                           Stride(*node->inputs[0], 1), RowsOf(node).RowCount(rows));
  }

  static o2m_status Pack(const o2m_host *, const o2m_target *, o2m_node *node) {
    PackVariant(node->variant, LayerOf(node), ShiftsOf(node), node);
    if (node->epilogue) std::memcpy(node->constants[kTable].data, node->epilogue->table, 256);
    return O2M_OK;
  }

  static void Run(const o2m_node *node, const o2m_call *call) {
    const auto with_scratch = [call](auto kernel) {
      return [call, kernel](auto x, void *y, int32_t rows, const o2m_linear_params *p) {
        kernel(x, y, rows, p, call->scratch);
      };
    };
    o2m_linear_params p = KernelParams(node);
    std::vector<int8_t> dense;
    if (node->variant != kDense) dense = DenseWeights(node->variant, p.weights, p.depth, p.columns);
    if (node->variant != kDense) p.weights = dense.data();
    RunRows(node, call, p, with_scratch(LinearS8OnHost), with_scratch(O2M_SYM(o2m_linear_s16)));
  }

  static o2m_status Emit(const o2m_host *host, const o2m_target *target, const o2m_node *node, const o2m_emitter *e) {
    o2m_linear_params p = KernelParams(node);
    p.tile = LinearTile(RowsOf(node).RowCount(e->max_rows));
    std::string text = LinearText(p, ConstantName(e, kWeights), ConstantName(e, kBias), ConstantName(e, kMultiplier),
                                  node->epilogue ? ConstantName(e, kTable) : "0");
    if (IsCompact(node->variant)) text = CompactText(node->variant, text);
    const std::string isa = IsaOf(target, node), dense = LinearKernel(node->inputs[0]->dtype) + isa + ".c";
    if (o2m_status s = EmitSources(host, e, o2m_sources, O2M_SOURCE_COUNT, {"o2m_fixedpoint.h", "o2m_linear.h"})) {
      return s;
    }
    if (IsCompact(node->variant)) {
      if (o2m_status s = EmitSources(host, e, o2m_sources, O2M_SOURCE_COUNT, {dense.c_str()})) return s;
    }
    const bool scratch = *IsaOf(target, node) || IsCompact(node->variant);
    return EmitRows(host, target, node, e, o2m_sources, O2M_SOURCE_COUNT, VariantKernel(node->variant), text,
                    {scratch ? ScratchName(e) : "0"});
  }

  // Columns side by side. Exact only where the parts cannot choose another shift than the whole.
  static o2m_status Split(const o2m_node *node, int32_t choice, o2m_split *split) {
    if (ShiftsOf(node).shift < 31) return O2M_NO_MATCH;
    for (int32_t parts = 2; parts <= 16; ++parts) {
      if (Columns(node) % parts != 0 || choice-- > 0) continue;
      *split = {};
      std::fill(split->input_axis, split->input_axis + O2M_MAX_OPERANDS, O2M_NONE);
      std::fill(split->output_axis, split->output_axis + O2M_MAX_OPERANDS, O2M_NONE);
      split->parts = parts;
      split->input_axis[1] = node->inputs[1]->rank - 1;
      if (node->input_count > 2 && ElementCount(*node->inputs[2]) > 1) split->input_axis[2] = node->inputs[2]->rank - 1;
      split->output_axis[0] = node->outputs[0]->rank - 1;
      return O2M_OK;
    }
    return O2M_NO_MATCH;
  }

  static o2m_status Projection(const o2m_node *node, o2m_projection *projection) {
    *projection = {0, 1, node->input_count > 2 ? 2 : O2M_NONE};
    return O2M_OK;
  }

  static void Cost(const o2m_target *target, const o2m_node *node, int32_t rows, o2m_cost *cost) {
    const Rows r = RowsOf(node);
    const int64_t count = rows * (ElementCount(*node->outputs[0]) / Columns(node) / r.steps);
    const bool s8 = node->inputs[0]->dtype == O2M_S8;
    cost->kernel = node->variant == kSparse   ? "linear_sparse_s8"
                   : IsCompact(node->variant) ? "linear_compact_s8"
                   : s8                       ? "linear_s8"
                                              : "linear_s16";
    cost->outputs = count * Columns(node);
    cost->macs = cost->outputs * Depth(node);
    cost->flash_bytes_read = (s8 ? (count + 1) / 2 : count) * Columns(node) * Depth(node);
    cost->instructions = -1;
    if (node->variant == kDense) return;
    cost->kernel = kVariantKernels[node->variant];
    cost->flash_bytes_read =
        VariantBytesRead(node->variant, IsaOf(target, node), ParamsOf<LinearState>(node).size, count);
  }

  static void Terms(const o2m_target *target, const o2m_node *node, int32_t rows, TermList &list) {
    const o2m_tensor &x = *node->inputs[0], &y = *node->outputs[0];
    const Rows r = RowsOf(node);
    const LinearCall call = {x.dtype == O2M_S8 ? "linear_s8" : "linear_s16",
                             r.RowCount(rows),
                             Depth(node),
                             Columns(node),
                             Stride(x, 1) == 1,
                             Stride(y, 1) == 1,
                             BytesOf(y.dtype),
                             node->epilogue != nullptr,
                             ShiftsOf(node).acc_shift > 0};
    const PackedSize &size = ParamsOf<LinearState>(node).size;
    for (int64_t i = KernelCalls(r, rows); i > 0; --i)
      VariantTerms(node->variant, IsaOf(target, node), call, size, list);
    list.Add(call.kernel, "kernel calls", KernelCalls(r, rows) - 1);
  }

  static void QuantRule(const o2m_node *, o2m_quant_rule *rule) { rule->s16_inputs = rule->s16_outputs = 1; }
  static void WideRule(const o2m_node *, o2m_wide_rule *rule) { rule->s32_outputs = 1; }

  static void RandomCase(CaseList &list, Random &random) { RandomLinearCase(list, random); }
  static void WorstCases(CaseList &list) { WorstLinearCases(list); }
  static void Cases(CaseList &list);
  static void CostCases(CaseList &list);
};

using Weights = std::vector<float>;  // [depth][columns]

// A case with random weights, or those given, whose outputs span y's range.
void AddCase(CaseList &list, const std::string &name, const CaseOperand &x, int32_t columns, CaseOperand y, bool bias,
             Weights weights = {}) {
  const int32_t depth = x.dims.back();
  if (weights.empty()) weights = RandomFloats(int64_t{depth} * columns, 1, 0.5f);
  std::vector<CaseOperand> inputs = {x, {O2M_F32, {depth, columns}, 0, 0, std::move(weights)}};
  if (bias) inputs.push_back({O2M_F32, {columns}, 0, 0, RandomFloats(columns, 2, 1.0f)});
  y.dims = x.dims;
  y.dims.back() = columns;
  list.Add(name, inputs, {y}, LinearState{});
}

// Random weights with `eighths` of all blocks of `block` k zero, as many in every column; the others start anywhere.
Weights Pruned(int32_t depth, int32_t columns, int32_t eighths, int32_t block = 4) {
  Weights weights = RandomFloats(int64_t{depth} * columns, 1, 0.5f);
  std::mt19937 random(7);
  const int32_t blocks = (depth + block - 1) / block;
  for (int32_t n = 0; n < columns; ++n) {
    for (int32_t b = 0, left = blocks * eighths / 8; b < blocks; ++b) {
      if (static_cast<int32_t>(random() % static_cast<uint32_t>(blocks - b)) >= left) continue;
      --left;
      for (int32_t k = b * block; k < std::min(depth, (b + 1) * block); ++k) weights[k * columns + n] = 0;
    }
  }
  return weights;
}

// Two of four weights along k are zero.
Weights TwoOfFour(int32_t depth, int32_t columns) {
  Weights weights = RandomFloats(int64_t{depth} * columns, 1, 0.5f);
  std::mt19937 random(8);
  for (int32_t n = 0; n < columns; ++n) {
    for (int32_t k = 0; k < depth; k += 4) {
      const auto first = static_cast<int32_t>(random() % 4),
                 second = (first + 1 + static_cast<int32_t>(random() % 3)) % 4;
      for (const int32_t i : {first, second}) weights[std::min(k + i, depth - 1) * columns + n] = 0;
    }
  }
  return weights;
}

void Linear::Cases(CaseList &list) {
  const CaseOperand s8 = {O2M_S8, {}, 0.05f, -7}, s16 = {O2M_S16, {}, 0.0002f, 0}, s32 = {O2M_S32, {}, 1e-4f, 0};
  const auto with = [](CaseOperand o, std::vector<int32_t> dims, std::vector<int64_t> strides = {}) {
    o.dims = std::move(dims);
    o.strides = std::move(strides);
    return o;
  };
  const auto zero = [](CaseOperand o, int32_t zero_point) {
    o.zero_point = zero_point;
    return o;
  };
  AddCase(list, "tokens", with(s8, {1, 9, 32}), 24, s8, true);
  AddCase(list, "no_bias", with(s8, {9, 32}), 24, s8, false);
  AddCase(list, "one_row", with(s8, {1, 64}), 10, s16, true);
  AddCase(list, "odd_sizes", with(s8, {1, 7, 13}), 5, s8, true);
  AddCase(list, "one_column", with(s8, {5, 3}), 1, s8, true);
  AddCase(list, "one_value", with(s8, {5, 1}), 3, s8, true);
  AddCase(list, "tokens_first", with(s8, {6, 1, 24}), 12, s8, true);
  AddCase(list, "two_leading_dims", with(s8, {1, 3, 5, 8}), 6, s8, true);
  AddCase(list, "windows", with(s8, {1, 2, 3, 8}, {0, 80, 11, 1}), 6, s8, true);  // not one loop: 3 * 11 < 80
  AddCase(list, "wide_rows", with(s8, {1, 6, 20}, {0, 64, 1}), 9, with(s8, {}, {0, 40, 1}), true);
  AddCase(list, "transposed_input", with(s8, {1, 6, 20}, {0, 1, 6}), 9, s8, true);
  AddCase(list, "transposed_output", with(s8, {1, 6, 20}), 9, with(s8, {}, {0, 1, 6}), true);
  AddCase(list, "zero_points_low", zero(with(s8, {4, 40}), -128), 8, zero(s8, -128), true);
  AddCase(list, "zero_points_high", zero(with(s8, {4, 40}), 127), 8, zero(s8, 127), true);
  AddCase(list, "s8_to_s16", with(s8, {1, 7, 33}), 10, s16, true);
  AddCase(list, "s8_to_s32", with(s8, {7, 33}), 10, s32, true);
  AddCase(list, "s16_to_s8", with(s16, {1, 7, 33}), 10, s8, true);
  AddCase(list, "s16_to_s16", with(s16, {7, 33}), 10, s16, true);
  AddCase(list, "s16_deep", with(s16, {3, 1100}), 6, s16, true);
  AddCase(list, "deep", with(s8, {3, 1027}), 7, s8, true);
  std::mt19937 random(5);
  const auto below = [&random](uint32_t n) { return static_cast<int32_t>(random() % n); };
  for (int32_t i = 0; i < 24; ++i) {  // shapes that no tile divides
    const CaseOperand &x = i % 4 == 3 ? s16 : s8, &y = i % 3 == 2 ? s16 : i % 8 == 7 ? s32 : s8;
    const int32_t rows = 1 + below(20), depth = 1 + below(70), columns = 1 + below(40);
    AddCase(list, Str("random_", i), with(x, {1, rows, depth}), columns, y, true);
  }
  AddCase(list, "sparse", with(s8, {1, 13, 64}), 24, s8, true, Pruned(64, 24, 6));
  AddCase(list, "sparse_odd", with(s8, {1, 9, 45}), 7, s8, true, Pruned(45, 7, 4));
  AddCase(list, "sparse_empty", with(s8, {1, 8, 32}), 8, s8, true, Weights(32 * 8));
  AddCase(list, "sparse_gaps", with(s8, {1, 7, 1403}), 6, s8, true, Pruned(1403, 6, 7, 350));  // beyond the code's gap
  AddCase(list, "sparse_short", with(s8, {5, 3}), 9, s8, true, Pruned(3, 9, 4, 1));
  AddCase(list, "sparse_to_s16", with(s8, {1, 8, 40}), 10, s16, true, Pruned(40, 10, 5));
  AddCase(list, "sparse_to_s32", with(s8, {7, 40}), 10, s32, true, Pruned(40, 10, 5));
  AddCase(list, "sparse_strides", with(s8, {1, 6, 20}, {0, 64, 1}), 9, with(s8, {}, {0, 40, 1}), true,
          Pruned(20, 9, 4));
  AddCase(list, "sparse_transposed", with(s8, {1, 6, 20}, {0, 1, 6}), 9, with(s8, {}, {0, 1, 6}), true,
          Pruned(20, 9, 4));
  AddCase(list, "two_of_four", with(s8, {1, 7, 37}), 10, s8, true, TwoOfFour(37, 10));
  AddCase(list, "bench_64x64x64", with(s8, {1, 64, 64}), 64, s8, true);  // tokens x dim x columns
  AddCase(list, "bench_64x192x192", with(s8, {1, 64, 192}), 192, s8, true);
  AddCase(list, "bench_196x192x192", with(s8, {1, 196, 192}), 192, s8, true);
  for (const int32_t eighths : {0, 4, 6, 7}) {  // shares of 1x4 blocks that are zero
    AddCase(list, Str("bench_196x192x192_zeros", eighths * 125), with(s8, {1, 196, 192}), 192, s8, true,
            Pruned(192, 192, eighths));
  }
  AddCase(list, "bench_1x192x192", with(s8, {1, 1, 192}), 192, s8, true);
  AddCase(list, "bench_2x192x192", with(s8, {1, 2, 192}), 192, s8, true);
  AddCase(list, "bench_3x192x192", with(s8, {1, 3, 192}), 192, s8, true);
  AddCase(list, "bench_50x50x64", with(s8, {1, 50, 50}), 64, s8, true);
  AddCase(list, "bench_50x67x65", with(s8, {1, 50, 67}), 65, s8, true);  // nothing divides
}

// Rows, depth and columns with and without tails, all types, other strides.
void Linear::CostCases(CaseList &list) {
  const CaseOperand s8 = {O2M_S8, {}, 0.05f, -7}, s16 = {O2M_S16, {}, 0.0015f, 0};
  struct Size {
    int32_t rows, depth, columns;
  };
  const auto add = [&list](const CaseOperand &x, const CaseOperand &y, Size size, const char *name,
                           std::vector<int64_t> x_strides = {}, std::vector<int64_t> y_strides = {}) {
    CaseOperand from = x, to = y;
    from.dims = {1, size.rows, size.depth};
    from.strides = std::move(x_strides);
    to.strides = std::move(y_strides);
    AddCase(list, Str(name, "_", size.rows, "x", size.depth, "x", size.columns), from, size.columns, to, true);
  };
  for (const Size &size : {Size{17, 16, 16},
                           {17, 64, 32},
                           {18, 128, 64},
                           {19, 192, 48},
                           {17, 32, 100},
                           {5, 384, 12},
                           {17, 67, 20},
                           {19, 64, 33},
                           {18, 30, 10},
                           {17, 13, 26},
                           {7, 48, 3}})
    add(s8, s8, size, "s8");
  for (const Size &size : {Size{17, 64, 32}, {18, 128, 64}, {19, 67, 21}, {5, 192, 24}}) {
    for (const int32_t eighths : {3, 5, 7}) {
      CaseOperand from = s8;
      from.dims = {1, size.rows, size.depth};
      AddCase(list, Str("zeros", eighths, "_", size.rows, "x", size.depth, "x", size.columns), from, size.columns, s8,
              true, Pruned(size.depth, size.columns, eighths));
    }
  }
  for (const Size &size : {Size{17, 16, 64}, {18, 64, 32}, {19, 67, 21}}) add(s8, s16, size, "s8_to_s16");
  for (const Size &size : {Size{17, 16, 64}, {18, 64, 32}, {19, 67, 21}, {17, 192, 24}, {18, 8, 100}, {5, 600, 8}})
    add(s16, s8, size, "s16");
  for (const Size &size : {Size{17, 32, 64}, {18, 64, 33}}) add(s16, s16, size, "s16_to_s16");
  add(s8, s8, {17, 40, 24}, "transposed_input", {0, 1, 17});
  add(s8, s8, {18, 40, 24}, "transposed_output", {}, {0, 1, 18});
  add(s8, s8, {18, 64, 24}, "wide_rows", {0, 192, 1}, {0, 72, 1});
  // windows of an image: the kernel is called once per row of a window
  for (const CaseOperand &type : {s8, s16}) {
    CaseOperand windows = type;
    windows.dims = {1, 6, 4, 4, 32};
    windows.strides = {0, 1024, 32 * 9, 32, 1};
    AddCase(list, type.dtype == O2M_S8 ? "windows_s8" : "windows_s16", windows, 16, s8, true);
    windows.dims = {1, 3, 7, 7, 16};
    windows.strides = {0, 16 * 7 * 21, 16 * 21, 16, 1};
    AddCase(list, type.dtype == O2M_S8 ? "windows_of_7_s8" : "windows_of_7_s16", windows, 24, s8, true);
  }
}

}  // namespace

O2M_PLUGIN("linear", "0.1.0", Linear)
