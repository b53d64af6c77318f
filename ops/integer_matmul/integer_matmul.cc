// integer_matmul.cc - "o2m.integer_matmul": products and linear layers of integerised models. README.md says more.
#include "integer_op.hpp"
#include "o2m_integer_matmul.h"
#include "o2m_sources.h"

namespace {
using namespace o2m;

struct MatmulParams {
  SumParams sums;
  OwnQuant y;
};

const SumParams &Sums(const o2m_node *node) { return ParamsOf<MatmulParams>(node).sums; }
int32_t Depth(const o2m_node *node) { return Dim(*node->inputs[0], 1); }
int32_t Columns(const o2m_node *node) { return Dim(*node->inputs[1], 1); }

// Operand 1 as the kernel reads it: constants as [.., K, N] with K innermost.
o2m_tensor Matrix(const o2m_node *node) {
  o2m_tensor b = *node->inputs[1];
  if (!b.is_constant) return b;
  b.dtype = Sums(node).weights;
  SetDenseStrides(b);
  b.strides[b.rank - 1] = Dim(b, 2);
  b.strides[b.rank - 2] = 1;
  return b;
}

// The batch dims longer than one, as indices into y's dims.
std::vector<int32_t> Batches(const o2m_tensor &y) {
  std::vector<int32_t> axes;
  for (int32_t i = 0; i < y.rank - 2; ++i) {
    if (y.dims[i] > 1) axes.push_back(i);
  }
  return axes;
}

o2m_status SetOutputShape(const o2m_host *host, o2m_node *node) {
  const o2m_tensor &a = *node->inputs[0], &b = *node->inputs[1];
  o2m_tensor &y = *node->outputs[0];
  if (a.rank < 2 || b.rank < 2 || Dim(a, 1) != Dim(b, 2))
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

const char *KernelName(const o2m_node *node) {
  return Sums(node).wide ? "o2m_integer_matmul_wide" : "o2m_integer_matmul";
}

// As the kernel sees it, but for pointers.
o2m_integer_matmul_params KernelParams(const o2m_node *node) {
  const o2m_tensor &a = *node->inputs[0], b = Matrix(node), &y = *node->outputs[0];
  const std::vector<int32_t> batches = Batches(y);
  o2m_integer_matmul_params p = {};
  for (size_t i = 0; i < 2; ++i) {
    p.batches[i] = i < batches.size() ? y.dims[batches[i]] : 1;
    if (i >= batches.size()) continue;
    p.a_batch[i] = static_cast<int32_t>(BroadcastStride(a, y, batches[i]));
    p.b_batch[i] = static_cast<int32_t>(BroadcastStride(b, y, batches[i]));
    p.y_batch[i] = static_cast<int32_t>(y.strides[batches[i]]);
  }
  p.depth = Depth(node);
  p.columns = Columns(node);
  p.a_row = static_cast<int32_t>(Stride(a, 2));
  p.a_step = static_cast<int32_t>(Stride(a, 1));
  p.b_step = static_cast<int32_t>(p.depth == 1 ? 1 : Stride(b, 2));
  p.b_column = static_cast<int32_t>(Stride(b, 1));
  p.y_row = static_cast<int32_t>(Stride(y, 2));
  p.y_column = static_cast<int32_t>(Stride(y, 1));
  p.a_type = IntegerType(a.dtype);
  p.b_type = IntegerType(b.dtype);
  p.y_type = IntegerType(y.dtype);
  p.requant = KernelRequant(Sums(node).requant);
  return p;
}

std::string Two(const int32_t *v) { return Str("{", v[0], ", ", v[1], "}"); }

std::string ParamsText(const o2m_node *node, const o2m_emitter *e) {
  const o2m_integer_matmul_params p = KernelParams(node);
  const SumSlots slots = SlotsOf(node, Sums(node));
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
      .Field("b_type", p.b_type)
      .Field("y_type", p.y_type)
      .Field("requant", RequantText(p.requant))
      .Field("bias", SlotName(e, slots.bias))
      .Field("mul", SlotName(e, slots.mul))
      .Field("add", SlotName(e, slots.add))
      .text();
}

struct IntegerMatmul {
  static constexpr char kId[] = "o2m.integer_matmul";
  using Params = MatmulParams;

  static o2m_status Match(const o2m_host *, const o2m_graph *graph, int32_t root, o2m_match *match) {
    const GraphView g(graph);
    if (!g.Is(root, "IntegerMatMul", kIntegerDomain)) return O2M_NO_MATCH;
    if (g.IsConstant(g.Input(root, 0))) return O2M_NO_MATCH;
    static_cast<Params *>(match->params)->sums = SumParamsOf(g, root);
    std::vector<int32_t> inputs;
    for (int32_t i = 0; i < g.Inputs(root); ++i) inputs.push_back(g.Input(root, i));
    return Matched(match, {root}, inputs);
  }

  static o2m_status Infer(const o2m_host *host, const o2m_target *, o2m_node *node) {
    if (node->input_count < 2 || node->output_count != 1) return Reject(host, "two inputs or more, and one output");
    auto &params = ParamsOf<Params>(node);
    const o2m_tensor &b = *node->inputs[1];
    if (o2m_status s = CheckInteger(host, *node->inputs[0], "input 0")) return s;
    if (o2m_status s = b.is_constant ? CheckConstant(host, b, "input 1") : CheckInteger(host, b, "input 1")) return s;
    if (o2m_status s = SetOutputShape(host, node)) return s;
    if (o2m_status s = InferSums(host, node, params.sums, Columns(node))) return s;
    const RequantParams &r = params.sums.requant;
    return SettleInteger(host, *node->outputs[0], params.y, r.on ? r.low : INT32_MIN, r.on ? r.high : INT32_MAX);
  }

  // A step is one row of a, in every batch.
  static void Memory(const o2m_target *, const o2m_node *node, int32_t, o2m_memory *memory) {
    const o2m_tensor &a = *node->inputs[0], &y = *node->outputs[0];
    const bool dense = KernelParams(node).b_step == 1;
    memory->steps = Dim(y, 2);
    memory->inputs[0] = {O2M_ANY_STRIDES, a.rank - 2, 1, 1, 0};
    memory->inputs[1] = AnyStrides();
    memory->outputs[0] = {O2M_ANY_STRIDES, y.rank - 2, 1, 1, 0};
    memory->scratch_bytes =
        (Depth(node) + 1) / 2 * 8 + (dense ? 0 : int64_t{Columns(node)} * (Sums(node).wide ? 8 : 4));
  }

  static o2m_status Pack(const o2m_host *, const o2m_target *, o2m_node *node) {
    const SumParams &sums = Sums(node);
    PackSums(node, sums, Columns(node));
    const o2m_tensor &b = *node->inputs[1];
    if (!b.is_constant) return O2M_OK;
    const int64_t depth = Depth(node), columns = Columns(node);
    for (int64_t i = 0; i < ElementCount(b); ++i) {
      const int64_t matrix = i / (depth * columns), k = i / columns % depth, n = i % columns;
      o2m_integer_put(node->constants[0].data, static_cast<int32_t>((matrix * columns + n) * depth + k),
                      IntegerType(sums.weights), static_cast<int32_t>(Integers(b)[i]));
    }
    return O2M_OK;
  }

  static void Run(const o2m_node *node, const o2m_call *call) {
    o2m_integer_matmul_params p = KernelParams(node);
    const SumSlots slots = SlotsOf(node, Sums(node));
    p.bias = SlotData(node, slots.bias);
    p.mul = SlotData(node, slots.mul);
    p.add = SlotData(node, slots.add);
    const void *const b = slots.weights < 0 ? call->inputs[1] : node->constants[slots.weights].data;
    const auto kernel = Sums(node).wide ? O2M_SYM(o2m_integer_matmul_wide) : O2M_SYM(o2m_integer_matmul);
    kernel(call->inputs[0], b, call->outputs[0], call->rows, static_cast<int32_t *>(call->scratch), &p);
  }

  static o2m_status Emit(const o2m_host *host, const o2m_target *, const o2m_node *node, const o2m_emitter *e) {
    const SumSlots slots = SlotsOf(node, Sums(node));
    const std::string b = slots.weights < 0 ? Operand(e, 1) : ConstantName(e, slots.weights);
    const std::string source = Str(KernelName(node), ".c");
    Line(e, Call(Str("O2M_SYM(", KernelName(node), ")"),
                 {Operand(e, 0), b, Operand(e, node->input_count), RowsName(e), Str("(int32_t *)", ScratchName(e)),
                  Object(e, "o2m_integer_matmul_params", ParamsText(node, e))}));
    return EmitSources(
        host, e, o2m_sources, O2M_SOURCE_COUNT,
        {"o2m_fixedpoint.h", "o2m_integers.h", "o2m_integer_matmul.h", "o2m_integer_matmul_loops.h", source.c_str()});
  }

  static void Cost(const o2m_target *, const o2m_node *node, int32_t rows, o2m_cost *cost) {
    const int64_t outputs = ElementCount(*node->outputs[0]) / Dim(*node->outputs[0], 2) * rows;
    const int64_t macs = outputs * Depth(node);
    *cost = {KernelName(node),
             macs,
             outputs / Columns(node) * Depth(node),
             outputs,
             node->inputs[1]->is_constant ? macs * BytesOf(Sums(node).weights) : 0,
             -1};
  }

  static void Terms(const o2m_target *, const o2m_node *node, int32_t rows, TermList &list) {
    const int64_t outputs = ElementCount(*node->outputs[0]) / Dim(*node->outputs[0], 2) * rows;
    const bool dense = KernelParams(node).b_step == 1;
    list.Add(KernelName(node), "widened", outputs / Columns(node) * Depth(node));
    list.Add(KernelName(node), dense ? "products" : "strided products", outputs * Depth(node));
    list.Add(KernelName(node), Sums(node).requant.narrow ? "narrow outputs" : "outputs", outputs);
  }

  static void RandomCase(CaseList &list, Random &random);
  static void Cases(CaseList &list);
};

void AddCase(CaseList &list, const std::string &name, Random &r, std::vector<int32_t> a_dims,
             std::vector<int32_t> b_dims, o2m_dtype a, o2m_dtype b, o2m_dtype y, bool bias, bool constant, bool plain) {
  if (plain && b == O2M_S16) a = O2M_S8;  // sums as they are fit 32 bits
  std::vector<int32_t> y_dims = a_dims;
  y_dims.back() = b_dims.back();
  const int32_t columns = y_dims.back();
  MatmulParams params = {{plain ? RequantParams{} : CaseRequant(r, y), bias, a == O2M_S16 && b == O2M_S16, O2M_S8}, {}};
  std::vector<CaseOperand> inputs = {IntegerOperand(a, a_dims, r.Strides(a_dims))};
  if (constant) {
    params.sums.weights = b == O2M_U8 ? O2M_S16 : b;
    inputs.push_back(IntegerConstant(b_dims, r, LowOf(b), HighOf(b)));
  } else {
    inputs.push_back(IntegerOperand(b, b_dims, r.Strides(b_dims)));
  }
  if (bias) inputs.push_back(IntegerConstant({columns}, r, -100000, 100000));
  for (int32_t i = 0; i < 2 && !plain; ++i)
    inputs.push_back(IntegerConstant({r.OneIn(2) ? 1 : columns}, r, i ? -1000000 : -60, i ? 1000000 : 80000));
  list.Add(name, inputs, {IntegerOperand(plain ? O2M_S32 : y, y_dims, r.Strides(y_dims))}, params);
}

// The same with factors so small that 32 bits are enough throughout.
void AddNarrowCase(CaseList &list, Random &r, int32_t m, int32_t k, int32_t n) {
  const o2m_dtype y = CaseType(r);
  MatmulParams params = {{CaseRequant(r, y), 0, 0, O2M_S8}, {}};
  params.sums.requant.div = int64_t{1} << r.Below(16);
  params.sums.requant.narrow = 1;
  const int64_t most = (INT32_MAX - 1100000) / (int64_t{k} * 255 * 128);
  list.Add("narrow",
           {IntegerOperand(r.OneIn(2) ? O2M_S8 : O2M_U8, {m, k}), IntegerConstant({k, n}, r, -128, 127),
            IntegerConstant({n}, r, -most, most), IntegerConstant({1}, r, -1000000, 1000000)},
           {IntegerOperand(y, {m, n})}, params);
}

void IntegerMatmul::RandomCase(CaseList &list, Random &r) {
  const int32_t m = r.Size(9), k = r.Size(40), n = r.Size(20);
  std::vector<int32_t> a = {m, k}, b = {k, n};
  if (r.OneIn(8)) return AddNarrowCase(list, r, m, k, n);
  const bool constant = r.OneIn(2);
  for (int32_t i = r.Below(3); i > 0; --i) {
    const int32_t batch = 1 + r.Below(3);
    a.insert(a.begin(), batch);
    if (!constant) b.insert(b.begin(), batch);
  }
  AddCase(list, "random", r, a, b, CaseType(r), CaseType(r), CaseType(r), r.OneIn(2), constant, r.OneIn(6));
}

void IntegerMatmul::Cases(CaseList &list) {
  Random r(1);
  AddCase(list, "linear", r, {1, 9, 16}, {16, 11}, O2M_S8, O2M_S8, O2M_S8, true, true, false);
  AddCase(list, "linear without bias", r, {1, 9, 17}, {17, 8}, O2M_S8, O2M_S8, O2M_U8, false, true, false);
  AddCase(list, "linear of s16", r, {1, 5, 13}, {13, 6}, O2M_S16, O2M_S8, O2M_S8, true, true, false);
  AddCase(list, "wide sums", r, {1, 5, 13}, {13, 6}, O2M_S16, O2M_S16, O2M_S16, true, true, false);
  AddCase(list, "sums as they are", r, {1, 5, 13}, {13, 6}, O2M_U8, O2M_S8, O2M_S32, true, true, true);
  AddCase(list, "scores", r, {1, 3, 10, 8}, {1, 3, 8, 10}, O2M_S8, O2M_S8, O2M_S8, false, false, false);
  AddCase(list, "weighted values", r, {1, 3, 10, 10}, {1, 3, 10, 8}, O2M_U8, O2M_S8, O2M_S8, false, false, false);
  AddCase(list, "one row", r, {1, 33}, {33, 7}, O2M_S8, O2M_S8, O2M_U8, true, true, false);
  AddCase(list, "depth one", r, {6, 1}, {1, 5}, O2M_S8, O2M_S8, O2M_S8, false, false, false);
  AddNarrowCase(list, r, 5, 16, 6);
  for (int32_t i = 0; i < 12; ++i) RandomCase(list, r);
}

}  // namespace

O2M_PLUGIN("integer_matmul", "1.0", IntegerMatmul)
