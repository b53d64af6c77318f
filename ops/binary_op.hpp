// binary_op.hpp - what the elementwise ops of two operands share: a op b -> y, s8 or s16 in any mix, b maybe a
// constant.
#pragma once
#include <string>
#include <vector>

#include "elementwise.hpp"

namespace o2m {

// A node's operands, b as the kernel reads it.
struct Binary {
  const o2m_tensor *a = nullptr, *y = nullptr;
  o2m_tensor b = {};
  bool b_is_constant = false;
};

// `dtype` and `quant` are those of operand 1 where it is a constant; the result points at `quant`.
inline Binary BinaryOf(const o2m_node *node, o2m_dtype dtype, const OwnQuant &quant) {
  const o2m_tensor &b = *node->inputs[1];
  return {node->inputs[0], node->outputs[0], b.is_constant ? Packed(b, dtype, quant) : b, b.is_constant != 0};
}
inline Elements LoopsOf(const Binary &operands) { return ElementsOf({operands.y, operands.a, &operands.b}); }

// ---- Matching and checks --------------------------------------------------------------------------------------------

// Two tensors, the second maybe a constant of more than one value (a scalar is o2m.unary's).
inline bool AreBinaryOperands(const GraphView &g, int32_t a, int32_t b) {
  if (a == b || g.IsConstant(a)) return false;
  return !g.IsConstant(b) || (ElementCount(g.Tensor(b)) != 1 && Floats(g.Tensor(b)));
}

// Both inputs, which may be of `types`, and the output's shape from theirs.
inline o2m_status InferBinaryShape(const o2m_host *host, const char *name, o2m_node *node,
                                   uint32_t types = kMaskS8S16) {
  if (node->input_count != 2 || node->output_count != 1)
    return Reject(host, Str(name, " has two inputs and one output"));
  const o2m_tensor &a = *node->inputs[0], &b = *node->inputs[1];
  if (o2m_status s = CheckQuantised(host, a, "input 0", types)) return s;
  if (b.is_constant && b.dtype != O2M_F32) return Reject(host, "input 1 is a constant that is not f32");
  if (!b.is_constant) {
    if (o2m_status s = CheckQuantised(host, b, "input 1", types)) return s;
  }
  if (!SetBroadcastShape(*node->outputs[0], a, b))
    return Reject(host, Str("the inputs ", Shape(a), " and ", Shape(b), " do not broadcast into one shape"));
  return O2M_OK;
}

// Writes constant slot 0, if operand 1 is one.
inline void PackBinaryConstant(const o2m_node *node, const Binary &operands) {
  const o2m_tensor &b = operands.b;
  if (!operands.b_is_constant) return;
  QuantiseAs(b.dtype, Floats(*node->inputs[1]), ElementCount(b), ScaleOf(b), ZeroPointOf(b), node->constants[0].data);
}

// ---- Kernels --------------------------------------------------------------------------------------------------------

// One of an op's eight kernels, in the order of KernelIndex(); Params is the kernel's own struct.
template <class Params>
struct BinaryKernel {
  const char *name;
  void (*run)(const void *a, const void *b, void *y, int32_t rows, const Params *p);
};

template <auto kKernel>
struct Untyped;
template <class A, class B, class Y, class Params, void (*kKernel)(const A *, const B *, Y *, int32_t, const Params *)>
struct Untyped<kKernel> {
  static void Run(const void *a, const void *b, void *y, int32_t rows, const Params *p) {
    kKernel(static_cast<const A *>(a), static_cast<const B *>(b), static_cast<Y *>(y), rows, p);
  }
};

// One bit per s16 operand.
inline int KernelIndex(const Binary &operands) {
  const auto is16 = [](const o2m_tensor &t) { return t.dtype == O2M_S16; };
  return is16(*operands.a) * 4 + is16(operands.b) * 2 + is16(*operands.y);
}

template <class Params>
void SetBinarySteps(const Elements &e, Params &p) {
  const auto &row = e.rows.rows.strides;
  p.count = static_cast<int32_t>(e.count);
  p.a_row = static_cast<int32_t>(row[1]);
  p.a_step = static_cast<int32_t>(e.steps[1]);
  p.b_row = static_cast<int32_t>(row[2]);
  p.b_step = static_cast<int32_t>(e.steps[2]);
  p.y_row = static_cast<int32_t>(row[0]);
  p.y_step = static_cast<int32_t>(e.steps[0]);
}
// The fields that SetBinarySteps() sets.
template <class Params>
Initializer BinarySteps(const Params &p) {
  return Initializer()
      .Field("count", p.count)
      .Field("a_row", p.a_row)
      .Field("a_step", p.a_step)
      .Field("b_row", p.b_row)
      .Field("b_step", p.b_step)
      .Field("y_row", p.y_row)
      .Field("y_step", p.y_step);
}

template <class Params>
void RunBinary(const o2m_node *node, const o2m_call *call, const Binary &operands, const BinaryKernel<Params> &kernel,
               const Params &p) {
  const Elements e = LoopsOf(operands);
  const int32_t steps = StepCount(call, e.rows);
  const void *b = call->inputs[1];
  if (operands.b_is_constant) b = At(node->constants[0].data, call->first * StepStride(e.rows, 2), operands.b.dtype);
  ForEachRowBlock(e.rows, steps, [&](const int64_t *at) {
    kernel.run(At(call->inputs[0], at[1], operands.a->dtype), At(b, at[2], operands.b.dtype),
               At(call->outputs[0], at[0], operands.y->dtype), static_cast<int32_t>(e.rows.RowCount(steps)), &p);
  });
}

// The call of kernel `name`, whose parameters are `params`, the text of an initializer of `params_type`.
inline void EmitBinaryCall(const o2m_emitter *e, const Binary &operands, const char *name, const char *params_type,
                           const std::string &params) {
  const Rows rows = LoopsOf(operands).rows;
  const std::string b = operands.b_is_constant ? ConstantOperand(e, 0, rows, 2) : RowOperand(e, 1, rows, 2);
  LineInLoops(e, rows,
              Call(Str("O2M_SYM(", name, ")"), {RowOperand(e, 0, rows, 1), b, RowOperand(e, 2, rows, 0),
                                                RowCountText(e, rows), Object(e, params_type, params)}));
}

inline o2m_cost BinaryCost(const Binary &operands, int32_t rows, const char *kernel) {
  const int64_t values = ElementCount(*operands.y) / LoopsOf(operands).rows.steps * rows;
  o2m_cost cost = {kernel, 0, values, values, 0, -1};
  if (operands.b_is_constant) cost.flash_bytes_read = values * BytesOf(operands.b.dtype);
  return cost;
}

inline CaseOperand CaseConstant(const std::vector<int32_t> &dims, uint64_t seed) {
  int64_t count = 1;
  for (int32_t d : dims) count *= d;
  return {O2M_F32, dims, 0, 0, RandomFloats(count, seed, 1.5f)};
}

// ---- Random cases ---------------------------------------------------------------------------------------------------
// The dims of an operand that broadcasts into `dims`: some of them 1, leading ones maybe left out.
inline std::vector<int32_t> RandomBroadcast(Random &r, std::vector<int32_t> dims) {
  if (r.OneIn(2)) return dims;
  for (int32_t &d : dims) d = r.OneIn(3) ? 1 : d;
  while (dims.size() > 1 && dims[0] == 1 && r.OneIn(2)) dims.erase(dims.begin());
  return dims;
}

inline std::vector<int32_t> RandomDims(Random &r) {
  std::vector<int32_t> dims;
  for (int32_t i = 1 + r.Below(4); i > 1; --i) dims.push_back(r.Size(i > 2 ? 3 : 9));
  dims.push_back(r.Size(70));
  return dims;
}

// a op b -> y in any mix of types; a or b may repeat, b may be a constant. y_scale(a, b): of a range of y that fits.
template <class Params, class Scale>
void RandomBinaryCase(CaseList &list, Random &r, const Params &params, const Scale &y_scale) {
  const auto type = [&r] { return r.OneIn(2) ? O2M_S16 : O2M_S8; };
  const std::vector<int32_t> dims = RandomDims(r);
  const o2m_dtype a_type = type(), b_type = type(), y_type = type();
  const bool constant = r.OneIn(4), repeats = !constant && r.OneIn(8);
  const double a = r.Scale(0.1, 10), b = a * r.Scale(1.0 / 400, 400);  // half of the range, in real values
  std::vector<int32_t> b_dims = repeats ? dims : RandomBroadcast(r, dims), a_dims = dims;
  if (repeats) a_dims = RandomBroadcast(r, dims);
  if (constant && b_dims.size() == 1 && b_dims[0] == 1) b_dims = {dims.back()};
  const CaseOperand y = r.Operand(y_type, dims, y_scale(a, b) / Random::Levels(y_type) * r.Scale(0.2, 10));
  const CaseOperand second =
      constant ? r.Constant(b_dims, static_cast<float>(b)) : r.Operand(b_type, b_dims, 2 * b / Random::Levels(b_type));
  list.Add("random", {r.Operand(a_type, a_dims, 2 * a / Random::Levels(a_type)), second}, {y}, params);
}

// ---- Worst cases ----------------------------------------------------------------------------------------------------

// Every mix of types, a's zero point at the low end, b's at one of both. scales(a_levels, b_levels, y_levels) -> the
// scales of a, b and y, a_levels being how many steps a has.
template <class Params, class Scales>
void AddWorstBinaries(CaseList &list, const std::string &name, const Params &params, bool b_zero_high,
                      const Scales &scales) {
  for (int32_t types = 0; types < 8; ++types) {
    const auto type = [types](int32_t bit) { return types & bit ? O2M_S16 : O2M_S8; };
    const auto levels = [&](int32_t bit) { return Random::Levels(type(bit)) - 1; };
    const std::array<double, 3> s = scales(levels(4), levels(2), levels(1));
    const auto operand = [&](int32_t bit, double scale, int32_t zero) {
      return CaseOperand{type(bit), {1, 3, 37}, static_cast<float>(scale), zero};
    };
    list.Add(Str(name, "_", NameOf(type(4)), "_", NameOf(type(2)), "_", NameOf(type(1))),
             {operand(4, s[0], LowOf(type(4))), operand(2, s[1], b_zero_high ? HighOf(type(2)) : LowOf(type(2)))},
             {operand(1, s[2], 0)}, params);
  }
}

}  // namespace o2m
