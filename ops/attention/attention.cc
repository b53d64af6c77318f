// attention.cc - o2m.attention: MatMul(Softmax(scale q kt + mask), v), heads included, as one op. See README.md.
#include "attention_heads.hpp"
#include "attention_host.hpp"
#include "attention_random.hpp"
#include "attention_variants.hpp"
#include "attention_worst.hpp"
#include "o2m_sources.h"

namespace {

using namespace o2m;

// ---- infer ----------------------------------------------------------------------------------------------------------

o2m_status CheckShapes(const o2m_host *host, const o2m_node *node) {
  const o2m_tensor &q = *node->inputs[kQ], &k = *node->inputs[kK], &v = *node->inputs[kV];
  if (q.rank < 2 || k.rank < 2 || v.rank < 2 || Dim(k, 2) != Depth(node) || Dim(v, 2) != Keys(node)) {
    return Reject(host, Str("q ", Shape(q), ", k ", Shape(k), " and v ", Shape(v),
                            " do not fit; [.., N, P], [.., P, M] and [.., M, R] would work"));
  }
  if (Keys(node) > kMostKeys || Depth(node) > kMostDepth) {
    return Reject(host, Str("k ", Shape(k), " is too large; at most ", kMostDepth, " x ", kMostKeys, " would work"));
  }
  const std::vector<int32_t> heads = HeadDims(node->inputs);
  if (heads.size() > 2) return Reject(host, Str("q ", Shape(q), " has more than two leading dims longer than one"));
  int32_t axes[2];
  for (int i = 0; i < node->input_count; ++i) {
    const o2m_tensor &t = *node->inputs[i];
    if (!HeadAxes(t, heads, axes)) {
      return Reject(host, Str("the leading dims of input ", i, " ", Shape(t), " do not fit those of q ", Shape(q)));
    }
    if (i < kMask || (t.is_constant && t.dtype == O2M_F32 && Broadcasts(Dim(t, 1), Keys(node)) &&
                      Broadcasts(Dim(t, 2), Queries(node)))) {
      continue;
    }
    return Reject(host, Str("input ", i, ", the mask, must be a constant f32 that broadcasts to [.., ", Queries(node),
                            ", ", Keys(node), "], not ", Shape(t)));
  }
  return O2M_OK;
}

o2m_status CheckTypes(const o2m_host *host, o2m_node *node) {
  for (int i = kQ; i <= kV; ++i) {
    const o2m_tensor &t = *node->inputs[i];
    if (t.dtype != O2M_S8) return Reject(host, Str("input ", i, " is ", NameOf(t.dtype), "; s8 would work"));
    if (t.quant.count != 1) return Reject(host, Str("input ", i, " needs one scale for the whole tensor"));
    if (o2m_status s = CheckZeroPoint(host, t, Str("input ", i))) return s;
  }
  o2m_tensor &y = *node->outputs[0];
  if (y.dtype == O2M_ANY) y.dtype = O2M_S8;
  if (y.quant.count == 0) y.quant = node->inputs[kV]->quant;
  if (y.dtype != O2M_S8 && y.dtype != O2M_S16) {
    return Reject(host, Str("output 0 cannot be ", NameOf(y.dtype), "; s8 or s16 would work"));
  }
  if (y.quant.count != 1) return Reject(host, "output 0 needs one scale for the whole tensor");
  return CheckZeroPoint(host, y, "output 0");
}

o2m_status ChooseMultipliers(const o2m_host *host, o2m_node *node) {
  auto &params = ParamsOf<AttentionParams>(node);
  const double factor = double{params.factor} * ScaleOf(*node->inputs[kQ]) * ScaleOf(*node->inputs[kK]) * kScoreUnits;
  if (factor * 255 * 255 * Depth(node) >= 1073741824.0) {
    return Reject(host, Str("the scales of q, ", ScaleOf(*node->inputs[kQ]), ", and k, ", ScaleOf(*node->inputs[kK]),
                            ", make scores of 2^24 and more; calibrate with other images"));
  }
  params.shift = ShiftFor(factor);
  params.multiplier = Multiplier(factor, params.shift);
  int exponent = 0;
  const double ratio = std::frexp(double{ScaleOf(*node->inputs[kV])} / ScaleOf(*node->outputs[0]), &exponent);
  params.y_multiplier = RoundToInt(std::ldexp(ratio, 31), 1073741824.0);
  params.y_shift = 31 - exponent;
  // shift plus the bits of 255 M, up to 23, must stay below 62, and 255 times the ratio within s32
  if (params.y_shift >= 10 && params.y_shift <= 38) return O2M_OK;
  return Reject(host, Str("the scale of output 0, ", ScaleOf(*node->outputs[0]), ", is far from that of v, ",
                          ScaleOf(*node->inputs[kV])));
}

// ---- Kernel ---------------------------------------------------------------------------------------------------------

std::string Variant(const o2m_target *target) {
  return IsaSuffix(o2m_sources, O2M_SOURCE_COUNT, "o2m_attention_s8", target);
}

o2m_attention_params KernelParams(const o2m_node *node) {
  const o2m_tensor *const *in = node->inputs;
  const auto &params = ParamsOf<AttentionParams>(node);
  const std::vector<int32_t> heads = HeadDims(in);
  o2m_attention_params p = {};
  p.groups = heads.size() == 2 ? heads[0] : 1;
  p.heads = heads.empty() ? 1 : heads.back();
  p.keys = Keys(node);
  p.depth = Depth(node);
  p.columns = Columns(node);
  p.q = LayoutOf(*in[kQ], heads);
  p.k = Transposed(LayoutOf(*in[kK], heads));
  p.v = LayoutOf(*in[kV], heads);
  p.y = LayoutOf(*node->outputs[0], heads);
  p.q_zero = ZeroPointOf(*in[kQ]);
  p.k_zero = ZeroPointOf(*in[kK]);
  p.v_zero = ZeroPointOf(*in[kV]);
  p.y_zero = ZeroPointOf(*node->outputs[0]);
  p.y_bytes = static_cast<int32_t>(BytesOf(node->outputs[0]->dtype));
  p.score_multiplier = params.multiplier;
  p.score_shift = params.shift;
  p.y_multiplier = params.y_multiplier;
  p.y_shift = params.y_shift;
  if (node->input_count > kMask) {
    p.mask = ConstantData<const int16_t>(node, kPackedMask);
    p.mask_layout = MaskLayout(node);
  }
  return p;
}

std::string LayoutText(const o2m_attention_layout &l) {
  return Str("{", l.group, ", ", l.head, ", ", l.row, ", ", l.column, "}");
}

// ---- match ----------------------------------------------------------------------------------------------------------

struct Matching {
  GraphView g;
  std::vector<int32_t> nodes, masks;
  AttentionParams params = {};

  // If `tensor` is Mul(x, scalar): takes it in, multiplies *factor and returns x.
  int32_t PeelFactor(int32_t tensor, float *factor) {
    const int32_t mul = g.Producer(tensor);
    float scalar = 0;
    if (!g.Is(mul, "Mul") || g.Output(mul) != tensor || !g.IsScalar(g.Input(mul, 1), &scalar)) return tensor;
    if (g.IsConstant(g.Input(mul, 0)) || ElementCount(g.Tensor(g.Input(mul, 0))) != ElementCount(g.Tensor(tensor)))
      return tensor;
    nodes.push_back(mul);
    *factor *= scalar;
    return PeelFactor(g.Input(mul, 0), factor);
  }

  // Walks from the softmax's argument up to MatMul(q, kt): Mul by scalars, Add of constants. The matmul, or O2M_NONE.
  int32_t WalkScores(int32_t node) {
    params.factor = 1;
    for (float scalar = 0;;) {
      nodes.push_back(node);
      if (g.Is(node, "MatMul")) return node;
      const int32_t from = g.Producer(g.Input(node, 0));
      if (g.Is(node, "Mul") && g.IsScalar(g.Input(node, 1), &scalar)) {
        params.factor *= scalar;
      } else if (g.Is(node, "Add") && g.IsConstant(g.Input(node, 1)) && masks.size() < kMasks) {
        params.mask_factor[masks.size()] = params.factor;
        masks.push_back(g.Input(node, 1));
        if (!SameHeads(node)) return O2M_NONE;
      } else {
        return O2M_NONE;
      }
      if (from < 0) return O2M_NONE;
      node = from;
    }
  }

  // An Add's mask is read by position from the end, so its sum must have the shape of the scores it comes from.
  bool SameHeads(int32_t add) const {
    const o2m_tensor &sum = g.Tensor(g.Output(add)), &mask = g.Tensor(g.Input(add, 1));
    const o2m_tensor &scores = g.Tensor(g.Input(add, 0));
    return ElementCount(sum) == ElementCount(scores) && mask.rank <= sum.rank && Dim(sum, 1) == Dim(scores, 1) &&
           Dim(sum, 2) == Dim(scores, 2);
  }
};

struct Attention {
  static constexpr char kId[] = "o2m.attention";
  using Params = AttentionParams;

  static o2m_status Match(const o2m_host *, const o2m_graph *graph, int32_t root, o2m_match *match) {
    Matching m = {GraphView(graph), {root}, {}, {}};
    const GraphView &g = m.g;
    if (!g.Is(root, "MatMul")) return O2M_NO_MATCH;
    const int32_t softmax = g.ProducerOf(root, 0, "Softmax"), v = g.Input(root, 1);
    if (softmax < 0 || g.IsConstant(v) || g.Tensor(v).rank < 2) return O2M_NO_MATCH;
    const o2m_tensor &weights = g.Tensor(g.Input(root, 0)), &scores = g.Tensor(g.Input(softmax, 0));
    const int64_t axis = g.Int(softmax, "axis", -1);
    if (weights.rank < 2 || scores.rank < 2 || (axis != -1 && axis != scores.rank - 1)) return O2M_NO_MATCH;
    m.nodes.push_back(softmax);
    const int32_t first = g.Producer(g.Input(softmax, 0));
    const int32_t matmul = first < 0 ? O2M_NONE : m.WalkScores(first);
    if (matmul < 0) return O2M_NO_MATCH;
    const int32_t q = m.PeelFactor(g.Input(matmul, 0), &m.params.factor);
    const int32_t k = m.PeelFactor(g.Input(matmul, 1), &m.params.factor);
    std::vector<int32_t> inputs = {q, k, v};
    inputs.insert(inputs.end(), m.masks.begin(), m.masks.end());
    if (!(m.params.factor > 0) || !ShapesFit(g, inputs, root, weights)) return O2M_NO_MATCH;
    *static_cast<AttentionParams *>(match->params) = m.params;
    std::sort(m.nodes.begin(), m.nodes.end());
    return Matched(match, m.nodes, inputs);
  }

  // The operands as infer() will see them, with y as it will compute it.
  static bool ShapesFit(const GraphView &g, const std::vector<int32_t> &inputs, int32_t root,
                        const o2m_tensor &weights) {
    std::vector<const o2m_tensor *> tensors;
    for (int32_t id : inputs) tensors.push_back(&g.Tensor(id));
    if (g.IsConstant(inputs[kQ]) || g.IsConstant(inputs[kK])) return false;
    if (Dim(weights, 2) != Dim(*tensors[kQ], 2) || Dim(weights, 1) != Dim(*tensors[kK], 1)) return false;
    o2m_tensor y = g.Tensor(g.Output(root));
    const o2m_tensor expected = y;
    o2m_tensor *outputs[] = {&y};
    o2m_node node = {};
    node.input_count = static_cast<int32_t>(tensors.size());
    node.inputs = tensors.data();
    node.outputs = outputs;
    if (CheckShapes(nullptr, &node) != O2M_OK) return false;
    SetOutputShape(tensors.data(), &y);
    return y.rank == expected.rank && std::equal(y.dims, y.dims + y.rank, expected.dims);
  }

  static o2m_status Infer(const o2m_host *host, const o2m_target *, o2m_node *node) {
    if (o2m_status s = CheckShapes(host, node)) return s;
    SetOutputShape(node->inputs, node->outputs[0]);
    node->outputs[0]->token_axis = node->outputs[0]->rank - 2;
    if (o2m_status s = CheckTypes(host, node)) return s;
    if (o2m_status s = ChooseMultipliers(host, node)) return s;
    const int64_t mask = node->input_count > kMask ? MaskShapeOf(node).Count(Keys(node)) : 0;
    SetConstants(node, {{"mask", O2M_S16, mask, nullptr}});
    return O2M_OK;
  }

  // One step is one query of every head.
  static void Memory(const o2m_target *target, const o2m_node *node, int32_t rows, o2m_memory *memory) {
    const o2m_tensor &q = *node->inputs[kQ], &y = *node->outputs[0];
    memory->steps = Queries(node);
    memory->inputs[kQ] = {O2M_ANY_STRIDES, q.rank - 2, 1, 1, 0};
    memory->outputs[0] = {O2M_ANY_STRIDES, y.rank - 2, 1, 1, 0};
    memory->inputs[kK] = memory->inputs[kV] = {O2M_ANY_STRIDES, 0, 0, 0, 0};
    memory->scratch_bytes = ScratchOf(Variant(target), node, rows);
    // A head's query is read before its row of y is written; the rows must coincide head by head.
    const o2m_attention_params p = KernelParams(node);
    const bool coincide = p.q.group == p.y.group && p.q.head == p.y.head && p.q.row == p.y.row &&
                          p.q.column == p.y.column && p.depth == p.columns && p.y_bytes == 1;
    memory->in_place_inputs = coincide ? 1 : 0;
  }

  static o2m_status Pack(const o2m_host *, const o2m_target *, o2m_node *node) {
    if (node->input_count > kMask) PackMask(node);
    return O2M_OK;
  }

  static void Run(const o2m_node *node, const o2m_call *call) {
    const o2m_attention_params p = KernelParams(node);
    AttentionOnHost(In<int8_t>(call, kQ), In<int8_t>(call, kK), In<int8_t>(call, kV), Out<void>(call), call->first,
                    call->rows, call->scratch, &p);
  }

  static o2m_status Emit(const o2m_host *host, const o2m_target *target, const o2m_node *node, const o2m_emitter *e) {
    const std::string variant = Variant(target), kernel = "o2m_attention_s8" + variant, source = kernel + ".c";
    if (o2m_status s = EmitSources(host, e, o2m_sources, O2M_SOURCE_COUNT,
                                   {"o2m_fixedpoint.h", "o2m_attention_exp.h", "o2m_attention_s8.h",
                                    "o2m_attention_scalar.h", source.c_str()})) {
      return s;
    }
    Line(e, Call(Str("O2M_SYM(", kernel, ")"),
                 {Operand(e, kQ), Operand(e, kK), Operand(e, kV), Operand(e, node->input_count), e->first(e),
                  RowsName(e), ScratchName(e), Object(e, "o2m_attention_params", ParamsText(node, e))}));
    return O2M_OK;
  }

  static std::string ParamsText(const o2m_node *node, const o2m_emitter *e) {
    const o2m_attention_params p = KernelParams(node);
    return Initializer()
        .Field("groups", p.groups)
        .Field("heads", p.heads)
        .Field("keys", p.keys)
        .Field("depth", p.depth)
        .Field("columns", p.columns)
        .Field("q", LayoutText(p.q), "group, head, row, column")
        .Field("k", LayoutText(p.k))
        .Field("v", LayoutText(p.v))
        .Field("y", LayoutText(p.y))
        .Field("q_zero", p.q_zero)
        .Field("k_zero", p.k_zero)
        .Field("v_zero", p.v_zero)
        .Field("y_zero", p.y_zero)
        .Field("y_bytes", p.y_bytes)
        .Field("score_multiplier", p.score_multiplier)
        .Field("score_shift", p.score_shift)
        .Field("y_multiplier", p.y_multiplier)
        .Field("y_shift", p.y_shift)
        .Field("mask", node->input_count > kMask ? ConstantName(e, kPackedMask) : "0")
        .Field("mask_layout", LayoutText(p.mask_layout))
        .text();
  }

  // Heads side by side, in equal groups.
  static o2m_status Split(const o2m_node *node, int32_t choice, o2m_split *split) {
    const std::vector<int32_t> heads = HeadDims(node->inputs);
    if (heads.empty()) return O2M_NO_MATCH;
    for (int32_t parts = 2; parts <= heads.back(); ++parts) {
      if (heads.back() % parts != 0 || choice-- > 0) continue;
      *split = {};
      std::fill(split->input_axis, split->input_axis + O2M_MAX_OPERANDS, O2M_NONE);
      std::fill(split->output_axis, split->output_axis + O2M_MAX_OPERANDS, O2M_NONE);
      split->parts = parts;
      int32_t axes[2];
      for (int i = 0; i < node->input_count; ++i) {
        HeadAxes(*node->inputs[i], heads, axes);
        split->input_axis[i] = axes[1];
      }
      HeadAxes(*node->outputs[0], heads, axes);
      split->output_axis[0] = axes[1];
      return O2M_OK;
    }
    return O2M_NO_MATCH;
  }

  static o2m_status Mixing(const o2m_node *, o2m_mixing *mixing) {
    *mixing = {kQ, kK, kV};
    return O2M_OK;
  }

  static void Cost(const o2m_target *, const o2m_node *node, int32_t rows, o2m_cost *cost) {
    const o2m_attention_params p = KernelParams(node);
    const int64_t heads = int64_t{p.groups} * p.heads, pairs = (int64_t{rows} + 1) / 2 * heads;
    cost->kernel = "attention_s8";
    cost->macs = 2 * pairs * p.keys * (p.depth + p.columns);
    cost->elements = heads * rows * p.keys;
    cost->outputs = heads * rows * p.columns;
    cost->instructions = -1;
  }

  static void Terms(const o2m_target *target, const o2m_node *node, int32_t rows, TermList &list) {
    const o2m_attention_params p = KernelParams(node);
    const AttentionCall call = {"attention_s8",
                                rows,
                                p.keys,
                                p.depth,
                                p.columns,
                                LayoutKind(p.k.row, p.k.column),
                                LayoutKind(p.v.column, p.v.row),
                                p.q.column == 1,
                                node->input_count > kMask,
                                p.y.column == 1 && p.y_bytes == 1};
    o2m_term head[O2M_MAX_TERMS];
    TermList of_head(head, O2M_MAX_TERMS);
    AttentionTerms(Variant(target), call, of_head);
    const int64_t heads = int64_t{p.groups} * p.heads;
    for (int32_t i = 0; i < of_head.count(); ++i) list.Add(head[i].kernel, head[i].name, heads * head[i].count);
    list.Add(call.kernel, "heads", heads);
  }

  static void QuantRule(const o2m_node *, o2m_quant_rule *rule) { rule->s16_outputs = 1; }

  static void RandomCase(CaseList &list, Random &random) { RandomAttentionCase(list, random); }
  static void WorstCases(CaseList &list) { WorstAttentionCases(list); }
  static void Cases(CaseList &list);
  static void CostCases(CaseList &list);
};

// ---- Cases ----------------------------------------------------------------------------------------------------------

CaseOperand S8(std::vector<int32_t> dims, int32_t zero_point = 0, std::vector<int64_t> strides = {}) {
  return {O2M_S8, std::move(dims), 0.03f, zero_point, {}, std::move(strides)};
}

void AddMasked(CaseList &list, const std::string &name, std::vector<int32_t> mask_dims, float hidden) {
  int64_t count = 1;
  for (int32_t d : mask_dims) count *= d;
  std::vector<float> mask = RandomFloats(count, 6, 2.0f);
  for (size_t i = 0; i < mask.size(); i += 3) mask[i] = hidden;
  list.Add(name, {S8({1, 3, 6, 8}), S8({1, 3, 8, 10}), S8({1, 3, 10, 8}), {O2M_F32, mask_dims, 0, 0, mask}},
           {S8({1, 3, 6, 8})}, AttentionParams{0.35f, {1, 0}, 0, 0, 0, 0});
}

// Shapes with every kind of tail, layouts, zero points, scales and masks, the same everywhere.
class RandomCases {
 public:
  void AddTo(CaseList &list, int32_t count) {
    for (int32_t i = 0; i < count; ++i) Add(list, Str("random_", i));
  }

 private:
  int32_t Below(int32_t bound) {
    seed_ = seed_ * 6364136223846793005u + 1442695040888963407u;
    return static_cast<int32_t>((seed_ >> 33) % static_cast<uint64_t>(bound));
  }
  int32_t ZeroPoint() { return Below(3) == 0 ? 0 : Below(256) - 128; }
  // [1, heads, rows, columns]: dense, columns of all heads side by side, transposed, or with gaps.
  CaseOperand Matrix(int32_t heads, int32_t rows, int32_t columns, int kind, float scale) {
    const int64_t h = heads, r = rows, c = columns;
    const std::vector<int64_t> strides[] = {{h * r * c, r * c, c, 1},
                                            {h * r * c, c, h * c, 1},
                                            {h * r * c, r * c, 1, r},
                                            {h * r * (2 * c + 1), r * (2 * c + 1), 2 * c + 1, 2}};
    return {O2M_S8, {1, heads, rows, columns}, scale, ZeroPoint(), {}, strides[kind]};
  }
  void Add(CaseList &list, const std::string &name) {
    const int32_t heads = 1 + Below(3), queries = 1 + Below(21), keys = 1 + Below(Below(4) == 0 ? 70 : 24);
    const int32_t depth = Below(2) == 0 ? 4 * (1 + Below(9)) : 1 + Below(37);
    const int32_t columns = Below(2) == 0 ? 4 * (1 + Below(5)) : 1 + Below(19);
    const float y_scales[] = {0.03f, 0.01f, 0.3f, 0.0004f}, factors[] = {0.35f, 1.1f, 0.05f, 12.0f};
    CaseOperand y = Matrix(heads, queries, columns, Below(4), y_scales[Below(4)]);
    if (Below(4) == 0) y.dtype = O2M_S16, y.scale /= 100;
    std::vector<CaseOperand> inputs = {Matrix(heads, queries, depth, Below(4), 0.03f),
                                       Matrix(heads, depth, keys, Below(4), 0.03f),
                                       Matrix(heads, keys, columns, Below(4), 0.03f)};
    if (Below(3) == 0) inputs.push_back(Mask({1, Below(2) == 0 ? heads : 1, Below(2) == 0 ? queries : 1, keys}));
    const float factor = factors[Below(4)];  // two of them make scores beyond 512
    list.Add(factor > 1 ? "saturating_" + name : name, inputs, {y}, AttentionParams{factor, {1, 0}, 0, 0, 0, 0});
  }
  CaseOperand Mask(std::vector<int32_t> dims) {
    int64_t count = 1;
    for (int32_t d : dims) count *= d;
    std::vector<float> mask = RandomFloats(count, static_cast<uint64_t>(Below(1000)), 3.0f);
    for (float &m : mask) m = Below(4) == 0 ? -INFINITY : m;
    return {O2M_F32, std::move(dims), 0, 0, mask};
  }
  uint64_t seed_ = 7;
};

void Attention::Cases(CaseList &list) {
  const AttentionParams params = {0.35f, {1, 1}, 0, 0, 0, 0};
  list.Add("heads", {S8({1, 3, 9, 8}, 4), S8({1, 3, 8, 9}, -5), S8({1, 3, 9, 8}, 6)}, {S8({1, 3, 9, 8}, -7)}, params);
  list.Add("no_heads", {S8({7, 16}), S8({16, 7}), S8({7, 16})}, {S8({7, 16})}, params);
  list.Add("rank_3", {S8({4, 5, 8}), S8({4, 8, 5}), S8({4, 5, 8})}, {S8({4, 5, 8})}, params);
  list.Add("one_query", {S8({1, 2, 1, 16}), S8({1, 2, 16, 50}), S8({1, 2, 50, 16})}, {S8({1, 2, 1, 16})}, params);
  list.Add("one_key", {S8({1, 2, 5, 8}), S8({1, 2, 8, 1}), S8({1, 2, 1, 8})}, {S8({1, 2, 5, 8})}, params);
  list.Add("odd_sizes", {S8({1, 3, 7, 5}), S8({1, 3, 5, 11}), S8({1, 3, 11, 3})}, {S8({1, 3, 7, 3})}, params);
  list.Add("long_rows", {S8({1, 2, 3, 32}), S8({1, 2, 32, 197}), S8({1, 2, 197, 32})}, {S8({1, 2, 3, 32})}, params);
  list.Add("groups", {S8({3, 2, 4, 8}), S8({3, 2, 8, 4}), S8({3, 2, 4, 8})}, {S8({3, 2, 4, 8})}, params);
  list.Add("shared_keys", {S8({1, 4, 5, 8}), S8({1, 1, 8, 5}), S8({1, 1, 5, 8})}, {S8({1, 4, 5, 8})}, params);
  // one projection of 9 tokens: q, k, v of 2 heads of 8 columns side by side, so does y
  const std::vector<int64_t> natural = {0, 8, 48, 1}, transposed = {0, 8, 1, 48};
  list.Add("columns_of_a_projection",
           {S8({1, 2, 9, 8}, 3, natural), S8({1, 2, 8, 9}, -9, transposed), S8({1, 2, 9, 8}, 11, natural)},
           {S8({1, 2, 9, 8}, 2, {0, 8, 16, 1})}, params);
  list.Add("in_place_layout",
           {S8({1, 2, 9, 8}, 3, {0, 8, 16, 1}), S8({1, 2, 8, 9}, -9, transposed), S8({1, 2, 9, 8}, 11, natural)},
           {S8({1, 2, 9, 8}, 2, {0, 8, 16, 1})}, params);
  list.Add("transposed_values", {S8({1, 2, 9, 8}), S8({1, 2, 8, 9}), S8({1, 2, 9, 8}, 7, {0, 72, 1, 9})},
           {S8({1, 2, 9, 8}, 0, {0, 72, 1, 9})}, params);
  list.Add("transposed_query", {S8({1, 2, 9, 8}, -3, {0, 72, 1, 9}), S8({1, 2, 8, 9}), S8({1, 2, 9, 8})},
           {S8({1, 2, 9, 8})}, params);
  list.Add("zero_points_low", {S8({2, 6, 8}, -128), S8({2, 8, 6}, -128), S8({2, 6, 8}, -128)}, {S8({2, 6, 8}, -128)},
           params);
  list.Add("zero_points_high", {S8({2, 6, 8}, 127), S8({2, 8, 6}, 127), S8({2, 6, 8}, 127)}, {S8({2, 6, 8}, 127)},
           params);
  list.Add("sharp_scores", {S8({2, 6, 64}), S8({2, 64, 9}), S8({2, 9, 64})}, {S8({2, 6, 64})},
           AttentionParams{2.0f, {}, 0, 0, 0, 0});
  list.Add("s16_output", {S8({1, 2, 9, 8}), S8({1, 2, 8, 9}), S8({1, 2, 9, 8})}, {{O2M_S16, {1, 2, 9, 8}, 0.0003f, 0}},
           params);
  // one head; keys lie as tokens, as their projection leaves them
  list.Add("bench_197x197x64",
           {S8({1, 1, 197, 64}, 3), S8({1, 1, 64, 197}, -9, {0, 0, 1, 64}), S8({1, 1, 197, 64}, 11)},
           {S8({1, 1, 197, 64}, 2)}, params);
  list.Add("bench_50x50x16", {S8({1, 1, 50, 16}, 3), S8({1, 1, 16, 50}, -9, {0, 0, 1, 16}), S8({1, 1, 50, 16}, 11)},
           {S8({1, 1, 50, 16}, 2)}, params);
  AddMasked(list, "mask", {6, 10}, -INFINITY);
  AddMasked(list, "mask_per_head", {1, 3, 6, 10}, -100.0f);
  AddMasked(list, "mask_of_keys", {1, 1, 1, 10}, -1e9f);
  RandomCases().AddTo(list, 60);
}

// Heads as columns of tokens, as projections leave them, and other layouts; keys, depth and columns with tails.
void Attention::CostCases(CaseList &list) {
  const AttentionParams params = {0.35f, {1, 1}, 0, 0, 0, 0};
  struct Size {
    int32_t heads, rows, keys, depth, columns;
  };
  for (const Size &size : {Size{1, 17, 17, 16, 16},
                           {1, 20, 64, 32, 32},
                           {1, 17, 50, 16, 16},
                           {1, 18, 130, 64, 64},
                           {2, 17, 33, 24, 24},
                           {3, 16, 16, 32, 32},
                           {4, 19, 49, 12, 12},
                           {1, 17, 21, 13, 10},
                           {2, 9, 9, 7, 6},
                           {1, 5, 197, 32, 32},
                           {6, 2, 4, 16, 16},
                           {1, 17, 49, 48, 16}}) {
    const int32_t h = size.heads, in = h * size.depth, out = h * size.columns;
    const auto case_of = [&](const char *name, std::vector<int64_t> k, std::vector<int64_t> v, o2m_dtype y_dtype) {
      CaseOperand y = S8({1, h, size.rows, size.columns}, 2, {0, size.columns, out, 1});
      if (y_dtype == O2M_S16) y.dtype = O2M_S16, y.scale = 0.0003f, y.zero_point = 0;
      list.Add(
          Str(name, "_", h, "x", size.rows, "x", size.keys, "x", size.depth, "x", size.columns),
          {S8({1, h, size.rows, size.depth}, 3, {0, size.depth, in, 1}),
           S8({1, h, size.depth, size.keys}, -9, std::move(k)), S8({1, h, size.keys, size.columns}, 11, std::move(v))},
          {y}, params);
    };
    const std::vector<int64_t> k = {0, size.depth, 1, in}, v = {0, size.columns, out, 1};
    case_of("tokens", k, v, O2M_S8);
    if (h != 1) continue;
    case_of("dense_keys", {}, v, O2M_S8);
    case_of("transposed_values", k, {0, 0, 1, size.keys}, O2M_S8);
    if (size.rows == 17) case_of("s16", k, v, O2M_S16);
  }
  AddMasked(list, "mask_cost", {6, 10}, -INFINITY);
  AddMasked(list, "mask_of_heads_cost", {1, 3, 6, 10}, -100.0f);
}

}  // namespace

O2M_PLUGIN("attention", "0.1.0", Attention)
