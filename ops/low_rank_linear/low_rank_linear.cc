// low_rank_linear.cc - o2m.low_rank_linear: y = (x U) V + b, with the product of rank r in s16 scratch. See README.md.
#include "linear_host.hpp"
#include "linear_layer.hpp"
#include "low_rank_linear_random.hpp"
#include "low_rank_linear_worst.hpp"
#include "o2m_sources.h"

namespace {

using namespace o2m;

// Set by infer().
struct LowRankParams {
  LinearShifts first, second;
  float middle_scale;  // of x U, s16, zero point 0
};

enum Input { kX, kU, kV, kB };
enum Slot { kUWeights, kUBias, kUMultiplier, kVWeights, kVBias, kVMultiplier, kTable };

int32_t Depth(const o2m_node *node) { return Dim(*node->inputs[kU], 2); }
int32_t Rank(const o2m_node *node) { return Dim(*node->inputs[kU], 1); }
int32_t Columns(const o2m_node *node) { return Dim(*node->inputs[kV], 1); }
const o2m_tensor *BiasOf(const o2m_node *node) { return node->input_count > kB ? node->inputs[kB] : nullptr; }

// Whether two factors cost less than their product.
bool PaysOff(const o2m_tensor &u, const o2m_tensor &v) {
  const int64_t k = Dim(u, 2), r = Dim(u, 1), n = Dim(v, 1);
  return r * (k + n) < k * n;
}

// Of a product that is nothing but zeros: any that leaves the second layer's factor far below one.
float ScaleOfNothing(const o2m_node *node) {
  const double largest = LargestMagnitude(Floats(*node->inputs[kV]), ElementCount(*node->inputs[kV]));
  return largest > 0 ? static_cast<float>(TargetQuant(node).scale[0] / largest / 65536) : 1.0f;
}

// No value of x U can exceed the s16 range: its largest magnitude is that of x times a column's sum of magnitudes, of U
// as its 8 bits hold it.
float MiddleScale(const o2m_node *node) {
  const o2m_tensor &x = *node->inputs[kX];
  const float *u = Floats(*node->inputs[kU]);
  if (!u) return 1;
  const double low = LowOf(x.dtype) - 1.0 * ZeroPointOf(x), high = HighOf(x.dtype) - 1.0 * ZeroPointOf(x);
  const int64_t depth = Depth(node), rank = Rank(node);
  double most = 0;
  for (int64_t n = 0; n < rank; ++n) {
    double largest = 0, sum = 0;
    for (int64_t k = 0; k < depth; ++k) largest = std::fmax(largest, std::fabs(u[k * rank + n]));
    for (int64_t k = 0; k < depth && largest > 0; ++k) {
      const double weight = std::fabs(u[k * rank + n]);
      sum += std::fmax(weight, std::floor(weight / (largest / 127) + 0.5) * (largest / 127));
    }
    most = std::fmax(most, sum);
  }
  most *= std::fmax(-low, high) * ScaleOf(x);
  return most > 0 ? static_cast<float>(most / 32766) : ScaleOfNothing(node);
}

LinearLayer FirstLayer(const o2m_node *node) {
  const o2m_tensor &x = *node->inputs[kX];
  LinearLayer layer;
  layer.weights = Floats(*node->inputs[kU]);
  layer.depth = Depth(node);
  layer.columns = Rank(node);
  layer.x_dtype = x.dtype;
  layer.x_zero = ZeroPointOf(x);
  layer.x_scale = ScaleOf(x);
  layer.y_scale = ParamsOf<LowRankParams>(node).middle_scale;
  return layer;
}

LinearLayer SecondLayer(const o2m_node *node) {
  const o2m_tensor *bias = BiasOf(node);
  LinearLayer layer;
  layer.weights = Floats(*node->inputs[kV]);
  layer.bias = bias ? Floats(*bias) : nullptr;
  layer.bias_count = bias ? ElementCount(*bias) : 0;
  layer.depth = Rank(node);
  layer.columns = Columns(node);
  layer.x_dtype = O2M_S16;
  layer.x_scale = ParamsOf<LowRankParams>(node).middle_scale;
  layer.y_scale = TargetQuant(node).scale[0];
  return layer;
}

o2m_status CheckShapes(const o2m_host *host, const o2m_node *node) {
  const o2m_tensor &x = *node->inputs[kX], &u = *node->inputs[kU], &v = *node->inputs[kV], *bias = BiasOf(node);
  if (!IsConstantMatrix(u) || !IsConstantMatrix(v)) {
    return Reject(host, "inputs 1 and 2, the factors, must be constant f32 matrices [K, r] and [r, N]");
  }
  if (Dim(x, 1) != Dim(u, 2) || Dim(u, 1) != Dim(v, 2)) {
    return Reject(host, Str("input 0 ", Shape(x), " and the factors ", Shape(u), " and ", Shape(v),
                            " do not fit; [.., K], [K, r] and [r, N] would work"));
  }
  if (bias && !IsBias(*bias, Columns(node))) {
    return Reject(host,
                  Str("input 3, the bias, must be a constant f32 of ", Columns(node), " values, not ", Shape(*bias)));
  }
  return O2M_OK;
}

Rows RowsOfNode(const o2m_node *node) { return RowsOf({node->inputs[kX], node->outputs[0]}); }

// Of the kernel that reads x, and of the one that reads x U.
const char *FirstIsa(const o2m_target *target, const o2m_node *node) {
  return IsaSuffix(o2m_sources, O2M_SOURCE_COUNT, LinearKernel(node->inputs[kX]->dtype), target);
}
const char *SecondIsa(const o2m_target *target) {
  return IsaSuffix(o2m_sources, O2M_SOURCE_COUNT, LinearKernel(O2M_S16), target);
}

// x U lies at the start of scratch, what the kernels need behind it.
int64_t MiddleBytes(const o2m_node *node, int64_t rows) { return (2 * rows * Rank(node) + 3) & ~int64_t{3}; }

// x [rows][K] -> scratch [rows][r]; `most` rows in a call.
o2m_linear_params FirstParams(const o2m_node *node, int64_t most) {
  o2m_linear_params p = {};
  p.tile = LinearTile(most);
  p.depth = Depth(node);
  p.columns = Rank(node);
  p.x_row = static_cast<int32_t>(RowsOfNode(node).rows.strides[0]);
  p.x_column = static_cast<int32_t>(Stride(*node->inputs[kX], 1));
  p.y_row = Rank(node);
  p.y_column = 1;
  p.y_bytes = 2;
  p.shift = ParamsOf<LowRankParams>(node).first.shift;
  p.acc_shift = ParamsOf<LowRankParams>(node).first.acc_shift;
  p.weights = ConstantData<const int8_t>(node, kUWeights);
  p.bias = ConstantData<const int32_t>(node, kUBias);
  p.multiplier = ConstantData<const int32_t>(node, kUMultiplier);
  return p;
}

// scratch [rows][r] -> y [rows][N]
o2m_linear_params SecondParams(const o2m_node *node, int64_t most) {
  const o2m_tensor &y = *node->outputs[0];
  o2m_linear_params p = {};
  p.tile = LinearTile(most);
  p.depth = Rank(node);
  p.columns = Columns(node);
  p.x_row = Rank(node);
  p.x_column = 1;
  p.y_row = static_cast<int32_t>(RowsOfNode(node).rows.strides[1]);
  p.y_column = static_cast<int32_t>(Stride(y, 1));
  p.y_bytes = static_cast<int32_t>(BytesOf(y.dtype));
  p.y_zero = TargetQuant(node).zero_point[0];
  p.shift = ParamsOf<LowRankParams>(node).second.shift;
  p.acc_shift = ParamsOf<LowRankParams>(node).second.acc_shift;
  p.weights = ConstantData<const int8_t>(node, kVWeights);
  p.bias = ConstantData<const int32_t>(node, kVBias);
  p.multiplier = ConstantData<const int32_t>(node, kVMultiplier);
  p.table = node->epilogue ? ConstantData<const int8_t>(node, kTable) : nullptr;
  return p;
}

struct LowRankLinear {
  static constexpr char kId[] = "o2m.low_rank_linear";
  static constexpr uint32_t kFlags = O2M_TAKES_EPILOGUE;
  using Params = LowRankParams;

  // MatMul(MatMul(x, U), V) or Add(., b)
  static o2m_status Match(const o2m_host *, const o2m_graph *graph, int32_t root, o2m_match *match) {
    const GraphView g(graph);
    const bool has_bias = g.Is(root, "Add");
    const int32_t second = has_bias ? g.ProducerOf(root, 0, "MatMul") : root;
    if (!g.Is(second, "MatMul")) return O2M_NO_MATCH;
    const int32_t first = g.ProducerOf(second, 0, "MatMul");
    if (first < 0 || g.Output(first) != g.Input(second, 0)) return O2M_NO_MATCH;
    const int32_t x = g.Input(first, 0), u = g.Input(first, 1), v = g.Input(second, 1);
    if (g.IsConstant(x) || g.Tensor(x).rank < 2) return O2M_NO_MATCH;
    if (!IsConstantMatrix(g.Tensor(u)) || !IsConstantMatrix(g.Tensor(v))) return O2M_NO_MATCH;
    if (!PaysOff(g.Tensor(u), g.Tensor(v))) return O2M_NO_MATCH;
    if (!has_bias) return Matched(match, {first, second}, {x, u, v});
    const int32_t b = g.Input(root, 1);
    if (g.Input(root, 0) != g.Output(second) || !IsBias(g.Tensor(b), Dim(g.Tensor(v), 1))) return O2M_NO_MATCH;
    return Matched(match, {first, second, root}, {x, u, v, b});
  }

  static o2m_status Infer(const o2m_host *host, const o2m_target *target, o2m_node *node) {
    if (o2m_status s = CheckShapes(host, node)) return s;
    SetLinearShape(*node->inputs[kX], Columns(node), BiasOf(node), node->outputs[0]);
    if (o2m_status s = CheckLinearTypes(host, node)) return s;
    auto &params = ParamsOf<LowRankParams>(node);
    params.middle_scale = MiddleScale(node);
    if (o2m_status s = ChooseShifts(host, target, FirstLayer(node), &params.first)) return s;
    if (o2m_status s = ChooseShifts(host, target, SecondLayer(node), &params.second)) return s;
    const int64_t rank = Rank(node), columns = Columns(node);
    SetConstants(node, {{"u", O2M_S8, LinearWeightBytes(FirstIsa(target, node), Depth(node), rank), nullptr},
                        {"u_bias", O2M_S32, rank, nullptr},
                        {"u_multiplier", O2M_S32, rank, nullptr},
                        {"v", O2M_S8, LinearWeightBytes(SecondIsa(target), rank, columns), nullptr},
                        {"v_bias", O2M_S32, columns, nullptr},
                        {"v_multiplier", O2M_S32, columns, nullptr},
                        {"table", O2M_S8, node->epilogue ? 256 : 0, nullptr}});
    return O2M_OK;
  }

  static void Memory(const o2m_target *target, const o2m_node *node, int32_t rows, o2m_memory *memory) {
    const o2m_tensor &x = *node->inputs[kX], &y = *node->outputs[0];
    const Rows r = RowsOfNode(node);
    memory->steps = static_cast<int32_t>(r.steps);
    memory->inputs[kX] = {O2M_ANY_STRIDES, StepAxis(x), 1, 1, 0};
    memory->outputs[0] = {O2M_ANY_STRIDES, StepAxis(y), 1, 1, 0};
    const int64_t count = r.RowCount(rows);
    memory->scratch_bytes =
        MiddleBytes(node, count) + std::max(LinearScratch(FirstIsa(target, node), Depth(node), Stride(x, 1), count),
                                            LinearScratch(SecondIsa(target), Rank(node), 1, count));
  }

  static o2m_status Pack(const o2m_host *, const o2m_target *, o2m_node *node) {
    const auto &params = ParamsOf<LowRankParams>(node);
    PackLayer(FirstLayer(node), params.first, node, kUWeights);
    PackLayer(SecondLayer(node), params.second, node, kVWeights);
    if (node->epilogue) std::memcpy(node->constants[kTable].data, node->epilogue->table, 256);
    return O2M_OK;
  }

  static void Run(const o2m_node *node, const o2m_call *call) {
    const o2m_tensor &x = *node->inputs[kX], &y = *node->outputs[0];
    const Rows rows = RowsOfNode(node);
    const auto count = static_cast<int32_t>(rows.RowCount(call->rows));
    const o2m_linear_params first = FirstParams(node, count), second = SecondParams(node, count);
    auto *middle = static_cast<int16_t *>(call->scratch);
    int8_t *rest = static_cast<int8_t *>(call->scratch) + MiddleBytes(node, count);
    ForEachRowBlock(rows, call->rows, [&](const int64_t *offsets) {
      if (x.dtype == O2M_S8) {
        LinearS8OnHost(In<int8_t>(call, kX) + offsets[0], middle, count, &first, rest);
      } else {
        O2M_SYM(o2m_linear_s16)(In<int16_t>(call, kX) + offsets[0], middle, count, &first, rest);
      }
      O2M_SYM(o2m_linear_s16)(middle, Out<int8_t>(call) + offsets[1] * BytesOf(y.dtype), count, &second, rest);
    });
  }

  static o2m_status Emit(const o2m_host *host, const o2m_target *target, const o2m_node *node, const o2m_emitter *e) {
    const std::string first = LinearKernel(node->inputs[kX]->dtype) + FirstIsa(target, node);
    const std::string second = LinearKernel(O2M_S16) + SecondIsa(target), first_file = first + ".c",
                      second_file = second + ".c";
    if (o2m_status s = EmitSources(host, e, o2m_sources, O2M_SOURCE_COUNT,
                                   {"o2m_fixedpoint.h", "o2m_linear.h", first_file.c_str(), second_file.c_str()})) {
      return s;
    }
    const Rows rows = RowsOfNode(node);
    const int64_t most = rows.RowCount(e->max_rows);
    const std::string count = RowCountText(e, rows);
    const std::string u = Object(e, "o2m_linear_params",
                                 LinearText(FirstParams(node, most), ConstantName(e, kUWeights),
                                            ConstantName(e, kUBias), ConstantName(e, kUMultiplier), "0"));
    const std::string v =
        Object(e, "o2m_linear_params",
               LinearText(SecondParams(node, most), ConstantName(e, kVWeights), ConstantName(e, kVBias),
                          ConstantName(e, kVMultiplier), node->epilogue ? ConstantName(e, kTable) : "0"));
    const std::string middle = Str("(const int16_t *)", ScratchName(e)), y = RowOperand(e, node->input_count, rows, 1),
                      rest = Str("(uint8_t *)", ScratchName(e), " + ", MiddleBytes(node, most));
    LinesInLoops(e, rows,
                 {Call(Str("O2M_SYM(", first, ")"), {RowOperand(e, kX, rows, 0), ScratchName(e), count, u, rest}),
                  Call(Str("O2M_SYM(", second, ")"), {middle, y, count, v, rest})});
    return O2M_OK;
  }

  static void Cost(const o2m_target *, const o2m_node *node, int32_t rows, o2m_cost *cost) {
    const int64_t count = rows * (ElementCount(*node->outputs[0]) / Columns(node) / RowsOfNode(node).steps);
    cost->kernel = "linear_s16";
    cost->outputs = count * (Rank(node) + Columns(node));
    cost->macs = count * Rank(node) * (int64_t{Depth(node)} + Columns(node));
    cost->flash_bytes_read = cost->macs;
    cost->instructions = -1;
  }

  // Those of both linear layers; the call itself is counted as one of the second.
  static void Terms(const o2m_target *target, const o2m_node *node, int32_t rows, TermList &list) {
    const o2m_tensor &x = *node->inputs[kX], &y = *node->outputs[0];
    const Rows r = RowsOfNode(node);
    const int64_t count = r.RowCount(rows), calls = KernelCalls(r, rows);
    const auto &params = ParamsOf<LowRankParams>(node);
    const char *const kernel = x.dtype == O2M_S8 ? "linear_s8" : "linear_s16";
    const LinearCall first = {
        kernel, count, Depth(node), Rank(node), Stride(x, 1) == 1, true, 2, false, params.first.acc_shift > 0};
    const LinearCall second = {"linear_s16",
                               count,
                               Rank(node),
                               Columns(node),
                               true,
                               Stride(y, 1) == 1,
                               BytesOf(y.dtype),
                               node->epilogue != nullptr,
                               params.second.acc_shift > 0};
    for (int64_t i = 0; i < calls; ++i) {
      LinearTerms(FirstIsa(target, node), first, list);
      LinearTerms(SecondIsa(target), second, list);
    }
    list.Add(kernel, "calls", 1);
    list.Add("linear_s16", "kernel calls", calls - 1);
  }

  static void QuantRule(const o2m_node *, o2m_quant_rule *rule) { rule->s16_inputs = rule->s16_outputs = 1; }

  static void RandomCase(CaseList &list, Random &random) { RandomLowRankCase<Params>(list, random); }
  static void WorstCases(CaseList &list) { WorstLowRankCases<Params>(list); }
  static void Cases(CaseList &list);
  static void CostCases(CaseList &list);
};

void AddCase(CaseList &list, const std::string &name, const CaseOperand &x, int32_t rank, int32_t columns,
             CaseOperand y, bool bias = true) {
  const int32_t depth = x.dims.back();
  std::vector<CaseOperand> inputs = {x,
                                     {O2M_F32, {depth, rank}, 0, 0, RandomFloats(int64_t{depth} * rank, 1, 0.5f)},
                                     {O2M_F32, {rank, columns}, 0, 0, RandomFloats(int64_t{rank} * columns, 2, 0.5f)}};
  if (bias) inputs.push_back({O2M_F32, {columns}, 0, 0, RandomFloats(columns, 3, 1.0f)});
  y.dims = x.dims;
  y.dims.back() = columns;
  list.Add(name, inputs, {y}, LowRankParams{});
}

void LowRankLinear::Cases(CaseList &list) {
  const auto s8 = [](std::vector<int32_t> dims, std::vector<int64_t> strides = {}, int32_t zero = -7) {
    return CaseOperand{O2M_S8, std::move(dims), 0.05f, zero, {}, std::move(strides)};
  };
  const CaseOperand y8 = {O2M_S8, {}, 0.2f, 5}, y16 = {O2M_S16, {}, 0.001f, 0};
  const auto strided = [](std::vector<int64_t> strides) {
    return CaseOperand{O2M_S8, {}, 0.2f, 5, {}, std::move(strides)};
  };
  AddCase(list, "tokens", s8({1, 9, 32}), 6, 24, y8);
  AddCase(list, "no_bias", s8({9, 32}), 6, 24, y8, false);
  AddCase(list, "one_row", s8({1, 64}), 8, 20, y8);
  AddCase(list, "odd_sizes", s8({1, 7, 13}), 3, 11, y8);
  AddCase(list, "rank_one", s8({5, 10}), 1, 7, y8);
  AddCase(list, "s16_to_s8", {O2M_S16, {1, 7, 33}, 0.0002f, 0}, 5, 10, y8);
  AddCase(list, "s8_to_s16", s8({1, 7, 33}), 5, 10, y16);
  AddCase(list, "large_rank", s8({2, 300}), 250, 300, {O2M_S8, {}, 2.0f, 0});
  AddCase(list, "two_leading_dims", s8({2, 3, 16}), 4, 12, y8);
  AddCase(list, "windows", s8({2, 3, 16}, {80, 17, 1}), 4, 12, y8);
  AddCase(list, "wide_rows", s8({1, 6, 20}, {0, 64, 1}), 4, 12, strided({0, 40, 1}));
  AddCase(list, "transposed_input", s8({1, 6, 20}, {0, 1, 6}), 4, 12, y8);
  AddCase(list, "transposed_output", s8({1, 6, 20}), 4, 12, strided({0, 1, 6}));
  AddCase(list, "zero_points_low", s8({4, 40}, {}, -128), 6, 16, {O2M_S8, {}, 0.2f, -128});
  AddCase(list, "zero_points_high", s8({4, 40}, {}, 127), 6, 16, {O2M_S8, {}, 0.2f, 127});
  AddCase(list, "bench_50x64x16x128", s8({1, 50, 64}), 16, 128, y8);
}

void LowRankLinear::CostCases(CaseList &list) {
  const auto s8 = [](std::vector<int32_t> dims) { return CaseOperand{O2M_S8, std::move(dims), 0.05f, -7}; };
  const CaseOperand y8 = {O2M_S8, {}, 0.2f, 5};
  AddCase(list, "17x64x16x48", s8({1, 17, 64}), 16, 48, y8);
  AddCase(list, "18x67x13x30", s8({1, 18, 67}), 13, 30, y8);
  AddCase(list, "windows_24x32x8x16", {O2M_S8, {1, 6, 4, 32}, 0.05f, -7, {}, {0, 256, 33, 1}}, 8, 16, y8);
  AddCase(list, "s16_17x64x16x48", {O2M_S16, {1, 17, 64}, 0.0002f, 0}, 16, 48, y8);
}

}  // namespace

O2M_PLUGIN("low_rank_linear", "0.1.0", LowRankLinear)
