// elementwise.hpp - what ops share that compute one output value from the input values at the same place: loops over
// broadcast and strided operands, memory contracts, checks of operands and presets.
#pragma once
#include <array>
#include <string>
#include <vector>

#include "op.hpp"
#include "weight_grid.hpp"

namespace o2m {

// ---- Checks ---------------------------------------------------------------------------------------------------------

constexpr uint32_t Mask(o2m_dtype dtype) { return 1u << dtype; }
inline constexpr uint32_t kMaskS8 = Mask(O2M_S8), kMaskS8S16 = Mask(O2M_S8) | Mask(O2M_S16),
                          kMaskIntegers = kMaskS8S16 | Mask(O2M_U8);

inline std::string NamesOf(uint32_t dtypes) {
  std::string names;
  for (o2m_dtype d = O2M_ANY; d <= O2M_BOOL; ++d) {
    if (dtypes & Mask(d)) names += Str(names.empty() ? "" : " or ", NameOf(d));
  }
  return names;
}

// An operand the kernels can read or write: one of `dtypes`, one positive scale, a zero point inside the dtype.
inline o2m_status CheckQuantised(const o2m_host *host, const o2m_tensor &t, const std::string &what, uint32_t dtypes) {
  if (!(dtypes & Mask(t.dtype)))
    return Reject(host, Str(what, " is ", NameOf(t.dtype), "; ", NamesOf(dtypes), " would work"));
  if (t.quant.count != 1) return Reject(host, Str(what, " has ", t.quant.count, " scales; one per tensor would work"));
  if (!(ScaleOf(t) > 0) || !std::isfinite(ScaleOf(t)))
    return Reject(host, Str(what, " has scale ", ScaleOf(t), "; a positive one would work"));
  if (ZeroPointOf(t) < LowOf(t.dtype) || ZeroPointOf(t) > HighOf(t.dtype))
    return Reject(host, Str(what, " has zero point ", ZeroPointOf(t), " outside of ", NameOf(t.dtype)));
  if (ElementCount(t) < 1 || ElementCount(t) > INT32_MAX)
    return Reject(host, Str(what, " has shape ", Shape(t), "; between 1 and 2^31 - 1 elements would work"));
  return O2M_OK;
}

// A scale that infer() chose because the host preset none; lives in params.
struct OwnQuant {
  float scale;
  int32_t zero_point;
};
// dtype and quant of an output: as preset, else these.
inline void SettleOutput(o2m_tensor &y, o2m_dtype dtype, OwnQuant &own, double scale, int32_t zero_point) {
  if (y.dtype == O2M_ANY) y.dtype = dtype;
  if (y.quant.count > 0) return;
  own = {static_cast<float>(scale), zero_point};
  y.quant = PerTensor(&own.scale, &own.zero_point);
}
// The quant that just holds [low, high], 0 included.
inline OwnQuant QuantOfRange(double low, double high, o2m_dtype dtype) {
  low = std::fmin(low, 0.0);
  high = std::fmax(high, 0.0);
  const double least = LowOf(dtype), most = HighOf(dtype);
  const double scale = std::fmax((high - low) / (most - least), 1e-30);
  return {static_cast<float>(scale), RoundToInt(least - low / scale, least, most)};
}
// The real values at both ends of a tensor's integer range.
inline double LowestOf(const o2m_tensor &t) { return ScaleOf(t) * (LowOf(t.dtype) - ZeroPointOf(t)); }
inline double HighestOf(const o2m_tensor &t) { return ScaleOf(t) * (HighOf(t.dtype) - ZeroPointOf(t)); }

// ---- Shapes and steps -----------------------------------------------------------------------------------------------

// Numpy's broadcasting of two shapes into `y`; false where they do not fit.
inline bool SetBroadcastShape(o2m_tensor &y, const o2m_tensor &a, const o2m_tensor &b) {
  y.rank = std::max(a.rank, b.rank);
  for (int32_t i = 1; i <= y.rank; ++i) {
    const int32_t da = Dim(a, i), db = Dim(b, i);
    if (da != db && da != 1 && db != 1) return false;
    y.dims[y.rank - i] = da == 1 ? db : da;
  }
  return true;
}

// The axis to walk along: the token axis, else the outermost in memory.
inline int32_t OuterAxis(const o2m_tensor &t) {
  if (t.token_axis >= 0 && t.token_axis < t.rank && t.dims[t.token_axis] > 1) return t.token_axis;
  int32_t best = O2M_NONE;
  for (int32_t i = 0; i < t.rank; ++i) {
    if (t.dims[i] > 1 && (best < 0 || t.strides[i] > t.strides[best])) best = i;
  }
  return std::max(best, 0);
}

// Stride of operand `t` along axis `axis` of `shape`: 0 where it repeats.
inline int64_t BroadcastStride(const o2m_tensor &t, const o2m_tensor &shape, int32_t axis) {
  const int32_t from_end = shape.rank - axis;
  return Dim(t, from_end) == 1 ? 0 : Stride(t, from_end);
}

// Loops over all elements of operand 0's shape (operand 0 is the output): outer loops and rows as in op.hpp, then
// `count` values of one row at `steps`.
struct Elements {
  Rows rows;
  int64_t count = 1;
  int64_t steps[kMaxRowOperands] = {};
  int32_t axis = 0;  // of the steps
};

inline bool Continues(const Loop &outer, const int64_t *strides, int64_t count) {
  for (int o = 0; o < kMaxRowOperands; ++o) {
    if (outer.strides[o] != strides[o] * count) return false;
  }
  return true;
}

// `loops` from the outermost (the step axis) inwards, at least one.
inline Rows MergeRows(std::vector<Loop> loops) {
  Rows result;
  result.steps = loops[0].count;
  result.rows = loops.back();
  loops.pop_back();
  while (!loops.empty() && Continues(loops.back(), result.rows.strides, result.rows.count)) {
    if (loops.size() == 1) result.rows_per_step = result.rows.count;
    result.rows.count *= loops.back().count;
    loops.pop_back();
  }
  if (!loops.empty()) result.rows_per_step = 1;
  result.loops = loops;
  return result;
}

inline Elements ElementsOf(const std::vector<const o2m_tensor *> &operands) {
  const o2m_tensor &y = *operands[0];
  Elements e;
  e.axis = OuterAxis(y);
  std::vector<Loop> inner;
  Loop step;
  for (int32_t i = 0; i < y.rank; ++i) {
    Loop loop = {y.dims[i], {}};
    for (size_t o = 0; o < operands.size(); ++o) loop.strides[o] = BroadcastStride(*operands[o], y, i);
    if (i == e.axis) step = loop;
    if (i != e.axis && loop.count > 1) inner.push_back(loop);
  }
  std::stable_sort(inner.begin(), inner.end(),
                   [](const Loop &l, const Loop &r) { return l.strides[0] > r.strides[0]; });
  if (!inner.empty()) {
    e.count = inner.back().count;
    std::copy_n(inner.back().strides, kMaxRowOperands, e.steps);
    inner.pop_back();
  }
  while (!inner.empty() && Continues(inner.back(), e.steps, e.count)) {
    e.count *= inner.back().count;
    inner.pop_back();
  }
  inner.insert(inner.begin(), step);
  e.rows = MergeRows(inner);
  return e;
}

// Elements from one step to the next.
inline int64_t StepStride(const Rows &rows, int o) {
  return rows.merged() ? rows.rows_per_step * rows.rows.strides[o] : rows.loops[0].strides[o];
}
// The rows a kernel does in `step_count` steps, as run() must ask for them.
inline int32_t StepCount(const o2m_call *call, const Rows &rows) { return rows.steps == 1 ? 1 : call->rows; }

// ---- Memory ---------------------------------------------------------------------------------------------------------

inline o2m_access AnyStrides() { return {O2M_ANY_STRIDES, 0, 0, 0, 0}; }

// One row of operand `t` per step along axis `axis` of `shape`; whole where it repeats along it.
inline o2m_access StepAccess(const o2m_tensor &t, const o2m_tensor &shape, int32_t axis) {
  const int32_t own = axis - (shape.rank - t.rank);
  if (own < 0 || own >= t.rank || t.dims[own] == 1) return AnyStrides();
  return {O2M_ANY_STRIDES, own, 1, 1, 0};
}

// True where output row r may be written over input row r by a kernel that walks both upward: each row is one
// contiguous run, rows do not interleave, and no output value is wider than the input value it replaces.
inline bool WalksInPlace(const Elements &e, int operand, const o2m_tensor &x, const o2m_tensor &y) {
  if (ElementCount(x) != ElementCount(y) || BytesOf(y.dtype) > BytesOf(x.dtype)) return false;
  if (!e.rows.merged() || e.rows.rows_per_step != 1) return false;
  const auto runs = [&](int o) {
    return (e.count == 1 || e.steps[o] == 1) && (e.rows.steps == 1 || e.rows.rows.strides[o] >= e.count);
  };
  return runs(0) && runs(operand);
}

// Contract of a kernel over Elements, whose operands are {output 0, inputs...}.
inline void ElementwiseMemory(const o2m_node *node, const Elements &e, o2m_memory *memory) {
  const o2m_tensor &y = *node->outputs[0];
  memory->steps = static_cast<int32_t>(e.rows.steps);
  memory->outputs[0] = y.rank ? o2m_access{O2M_ANY_STRIDES, e.axis, 1, 1, 0} : AnyStrides();
  for (int32_t i = 0; i < node->input_count; ++i) {
    if (node->inputs[i]->is_constant) continue;
    memory->inputs[i] = StepAccess(*node->inputs[i], y, e.axis);
    if (WalksInPlace(e, i + 1, *node->inputs[i], y)) memory->in_place_inputs |= 1u << i;
  }
}

// ---- Tables of unary functions
// ---------------------------------------------------------------------------------------

// table[i] = f(x) as y holds it, x being the i-th value of its byte type, counted from the lowest. Where f has no
// value, the table holds y's zero.
template <class Function>
void FillUnaryTable(const o2m_tensor &x, const o2m_tensor &y, const Function &f, int8_t *table) {
  for (int32_t i = 0; i < 256; ++i) {
    const double real = static_cast<double>(ScaleOf(x)) * (i + LowOf(x.dtype) - ZeroPointOf(x));
    const double value = f(real) / ScaleOf(y) + ZeroPointOf(y);
    table[i] = static_cast<int8_t>(std::isnan(value) ? ZeroPointOf(y) : RoundToInt(value, -128, 127));
  }
}
// The quant that just holds f over all of x's values.
template <class Function>
OwnQuant QuantOfFunction(const o2m_tensor &x, const Function &f) {
  double low = 0, high = 0;
  for (int32_t q = LowOf(x.dtype); q <= HighOf(x.dtype); ++q) {
    const double value = f(static_cast<double>(ScaleOf(x)) * (q - ZeroPointOf(x)));
    if (!std::isfinite(value)) continue;
    low = std::fmin(low, value);
    high = std::fmax(high, value);
  }
  return QuantOfRange(low, high, O2M_S8);
}

// ---- Cost -----------------------------------------------------------------------------------------------------------

// A kernel over Elements that is quicker, four values at a time, where those of a row lie side by side in all operands.
inline void ElementTerms(const Elements &e, int32_t operands, const char *kernel, int32_t steps, TermList &list) {
  const int64_t count = e.rows.steps == 1 ? 1 : steps, calls = KernelCalls(e.rows, count);
  const int64_t rows = calls * e.rows.RowCount(count);
  bool dense = true;
  for (int32_t o = 0; o < operands; ++o) dense &= e.steps[o] == 1;
  list.Add(kernel, "kernel calls", calls - 1);
  list.Add(kernel, dense ? "rows" : "strided rows", rows);
  list.Add(kernel, dense ? "fours" : "strided values", dense ? rows * (e.count / 4) : rows * e.count);
  list.Add(kernel, "tails", dense ? rows * (e.count % 4) : 0);
}

// ---- Constant operands ----------------------------------------------------------------------------------------------

// The scale with which s8 or s16 holds a float constant's largest magnitude, symmetrically; `fallback` where it is all
// zeros, or has no data since only a price is asked.
inline float SymmetricScale(const o2m_tensor &constant, o2m_dtype dtype, double fallback) {
  const float *values = Floats(constant);
  double largest = 0;
  for (int64_t i = 0; values && i < ElementCount(constant); ++i) {
    largest = std::fmax(largest, std::fabs(static_cast<double>(values[i])));
  }
  return static_cast<float>(largest > 0 ? largest / HighOf(dtype) : fallback);
}
// How s16 holds a float constant: as the quantised model that it comes from does, or symmetrically.
inline OwnQuant WideQuant(const o2m_tensor &constant, double fallback) {
  OwnQuant own = {SymmetricScale(constant, O2M_S16, fallback), 0};
  if (Floats(constant)) WideGrid(Floats(constant), ElementCount(constant), &own.scale, &own.zero_point);
  return own;
}
template <class T>
void Quantise(const float *values, int64_t count, double scale, int32_t zero_point, o2m_dtype dtype, T *out) {
  const double low = dtype == O2M_S32 ? INT32_MIN : LowOf(dtype), high = dtype == O2M_S32 ? INT32_MAX : HighOf(dtype);
  for (int64_t i = 0; i < count; ++i) out[i] = static_cast<T>(RoundToInt(values[i] / scale + zero_point, low, high));
}
// `values` as dtype into `out`.
inline void QuantiseAs(o2m_dtype dtype, const float *values, int64_t count, double scale, int32_t zero_point,
                       void *out) {
  if (dtype == O2M_S8) return Quantise(values, count, scale, zero_point, dtype, static_cast<int8_t *>(out));
  if (dtype == O2M_U8) return Quantise(values, count, scale, zero_point, dtype, static_cast<uint8_t *>(out));
  if (dtype == O2M_S32) return Quantise(values, count, scale, zero_point, dtype, static_cast<int32_t *>(out));
  Quantise(values, count, scale, zero_point, dtype, static_cast<int16_t *>(out));
}

// A constant operand as pack() lays it out: dense, in its own shape.
inline o2m_tensor Packed(const o2m_tensor &constant, o2m_dtype dtype, const OwnQuant &quant) {
  o2m_tensor t = constant;
  t.dtype = dtype;
  t.quant = PerTensor(&quant.scale, &quant.zero_point);
  SetDenseStrides(t);
  return t;
}
// "name + first * stride + i0 * stride": operand o of the loops, which call() does not move to the first step.
inline std::string ConstantOperand(const o2m_emitter *e, int32_t slot, const Rows &rows, int o) {
  std::string text = ConstantName(e, slot);
  if (rows.steps > 1 && StepStride(rows, o) != 0) text += Str(" + ", e->first(e), " * ", StepStride(rows, o));
  for (size_t l = 0; l < rows.loops.size(); ++l) {
    if (rows.loops[l].strides[o]) text += Str(" + i", l, " * ", rows.loops[l].strides[o]);
  }
  return text;
}

// A pointer moved by elements of dtype.
inline const void *At(const void *p, int64_t elements, o2m_dtype dtype) {
  return static_cast<const char *>(p) + elements * BytesOf(dtype);
}
inline void *At(void *p, int64_t elements, o2m_dtype dtype) {
  return static_cast<char *>(p) + elements * BytesOf(dtype);
}

}  // namespace o2m
