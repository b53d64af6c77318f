// op_tensor.hpp - the part of op.hpp that knows neither graph nor host plumbing: messages, tensors, loops over rows,
// quantised factors.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <string>
#include <type_traits>
#include <vector>

#include "onnx2mcu_op.h"

namespace o2m {

// ---- Messages -------------------------------------------------------------------------------------------------------

inline std::string ToText(const std::string &s) { return s; }
inline std::string ToText(const char *s) { return s ? s : ""; }
template <class T>
requires std::is_arithmetic_v<T> std::string ToText(T value) { return std::to_string(value); }
template <class... T>
std::string Str(const T &...parts) {
  return (std::string() + ... + ToText(parts));
}

// Tells the host why, and returns the status to return. One sentence: what, which operand, what would work.
inline o2m_status Fail(const o2m_host *host, o2m_status status, const std::string &message) {
  if (host && host->error) host->error(host, message.c_str());
  return status;
}
inline o2m_status Reject(const o2m_host *host, const std::string &message) {
  return Fail(host, O2M_INVALID_ARGUMENT, message);
}

// The value of a compile option, or `fallback` where it was not given or the host has no options.
inline std::string Option(const o2m_host *host, const char *key, const std::string &fallback) {
  if (!host || !host->get_extension) return fallback;
  const auto *options = static_cast<const o2m_options *>(host->get_extension(host, "o2m.options/1"));
  const char *value = options && options->get ? options->get(host, key) : nullptr;
  return value ? value : fallback;
}

// ---- Tensors --------------------------------------------------------------------------------------------------------

inline int64_t BytesOf(o2m_dtype dtype) {
  constexpr int64_t kBytes[] = {0, 4, 1, 2, 4, 8, 1, 1};
  return dtype >= 0 && dtype <= O2M_BOOL ? kBytes[dtype] : 0;
}
inline const char *NameOf(o2m_dtype dtype) {
  constexpr const char *kNames[] = {"any", "f32", "s8", "s16", "s32", "s64", "u8", "bool"};
  return dtype >= 0 && dtype <= O2M_BOOL ? kNames[dtype] : "?";
}
inline int32_t LowOf(o2m_dtype dtype) { return dtype == O2M_S8 ? -128 : dtype == O2M_S16 ? -32768 : 0; }
inline int32_t HighOf(o2m_dtype dtype) {
  return dtype == O2M_S8 ? 127 : dtype == O2M_U8 ? 255 : dtype == O2M_S16 ? 32767 : 0;
}

inline int64_t ElementCount(const o2m_tensor &t) {
  int64_t n = 1;
  for (int32_t i = 0; i < t.rank; ++i) n *= t.dims[i];
  return n;
}
// Dimension i from the end: Dim(t, 1) is the last. 1 where the tensor has fewer.
inline int32_t Dim(const o2m_tensor &t, int32_t from_end) { return t.rank >= from_end ? t.dims[t.rank - from_end] : 1; }
inline int64_t Stride(const o2m_tensor &t, int32_t from_end) {
  return t.rank >= from_end ? t.strides[t.rank - from_end] : 0;
}
inline std::string Shape(const o2m_tensor &t) {
  std::string s = "[";
  for (int32_t i = 0; i < t.rank; ++i) s += Str(i ? ", " : "", t.dims[i]);
  return s + "]";
}
inline float ScaleOf(const o2m_tensor &t) { return t.quant.count > 0 ? t.quant.scale[0] : 0.0f; }
inline int32_t ZeroPointOf(const o2m_tensor &t) { return t.quant.count > 0 ? t.quant.zero_point[0] : 0; }
inline const float *Floats(const o2m_tensor &t) {
  return t.is_constant && t.dtype == O2M_F32 ? static_cast<const float *>(t.data) : nullptr;
}
inline o2m_quant PerTensor(const float *scale, const int32_t *zero_point) { return {scale, zero_point, 1, O2M_NONE}; }

inline void SetShape(o2m_tensor &t, std::initializer_list<int32_t> dims) {
  t.rank = 0;
  for (int32_t d : dims) t.dims[t.rank++] = d;
}
inline void SetShapeLike(o2m_tensor &t, const o2m_tensor &like) {
  t.rank = like.rank;
  std::memcpy(t.dims, like.dims, sizeof t.dims);
}
inline void SetDenseStrides(o2m_tensor &t) {
  int64_t stride = 1;
  for (int32_t i = t.rank - 1; i >= 0; --i) {
    t.strides[i] = stride;
    stride *= t.dims[i];
  }
}

// The axis that steps walk along: the first of the first `leading` dims that is longer than one, else axis 0.
inline int32_t StepAxis(const o2m_tensor &t, int32_t leading) {
  for (int32_t i = 0; i < leading; ++i) {
    if (t.dims[i] > 1) return i;
  }
  return 0;
}
// Matrix tensors: all but the last dim lead.
inline int32_t StepAxis(const o2m_tensor &t) { return StepAxis(t, t.rank - 1); }

// ---- Rows: operands of equal leading dims as loops over rows --------------------------------------------------------

inline constexpr int kMaxRowOperands = 4;
struct Loop {
  int64_t count = 1;
  int64_t strides[kMaxRowOperands] = {};  // elements, one per operand
};
// `for loops[0] .. for loops.back(): kernel(rows.count rows at rows.strides)`. The steps are `rows` itself, times
// rows_per_step, where everything merges into one loop (the usual case, loops is empty); else they are loops[0].
struct Rows {
  std::vector<Loop> loops;
  Loop rows;
  int64_t rows_per_step = 1;
  int64_t steps = 1;
  bool merged() const { return loops.empty(); }
  int64_t RowCount(int64_t step_count) const { return merged() ? step_count * rows_per_step : rows.count; }
};

// Leading dims > 1 of `t` without its last `inner` dims.
inline std::vector<int32_t> LeadingDims(const o2m_tensor &t, int32_t inner = 1) {
  std::vector<int32_t> dims;
  for (int32_t i = 0; i < t.rank - inner; ++i) {
    if (t.dims[i] > 1) dims.push_back(t.dims[i]);
  }
  return dims;
}

// The loops shared by `operands`, whose leading dims > 1 must be equal (infer() checks it). A loop is merged into the
// next outer one where every operand's memory continues.
inline Rows RowsOf(const std::vector<const o2m_tensor *> &operands, int32_t inner = 1) {
  std::vector<Loop> loops(LeadingDims(*operands[0], inner).size());
  for (size_t o = 0; o < operands.size(); ++o) {
    size_t loop = 0;
    for (int32_t i = 0; i < operands[o]->rank - inner; ++i) {
      if (operands[o]->dims[i] == 1) continue;
      loops[loop].count = operands[o]->dims[i];
      loops[loop++].strides[o] = operands[o]->strides[i];
    }
  }
  Rows result;
  if (loops.empty()) loops.emplace_back();  // one row
  result.steps = loops[0].count;
  result.rows = loops.back();
  loops.pop_back();
  int64_t inner_count = 1;  // of the rows below the step axis, once it is reached by merging
  while (!loops.empty()) {
    const Loop &outer = loops.back();
    bool continues = true;
    for (int o = 0; o < kMaxRowOperands; ++o)
      continues &= outer.strides[o] == result.rows.strides[o] * result.rows.count;
    if (!continues) break;
    if (loops.size() == 1) inner_count = result.rows.count;
    result.rows.count *= outer.count;
    loops.pop_back();
  }
  result.loops = loops;
  if (loops.empty()) result.rows_per_step = inner_count;
  return result;
}

// Calls body(offsets) for every combination of the outer loops; `offsets` in elements, one per operand.
template <class Body>
void ForEachRowBlock(const Rows &rows, int64_t step_count, const Body &body) {
  std::vector<int64_t> index(rows.loops.size(), 0);
  for (;;) {
    int64_t offsets[kMaxRowOperands] = {};
    for (size_t l = 0; l < index.size(); ++l) {
      for (int o = 0; o < kMaxRowOperands; ++o) offsets[o] += index[l] * rows.loops[l].strides[o];
    }
    body(offsets);
    size_t l = index.size();
    while (l > 0 && ++index[l - 1] == (l == 1 ? step_count : rows.loops[l - 1].count)) index[--l] = 0;
    if (l == 0) return;
  }
}

// ---- Quantised factors ----------------------------------------------------------------------------------------------

// The shift that one layer uses: 31 when every factor is below one, less otherwise, so that multipliers stay int32.
inline int32_t ShiftFor(double largest_factor) {
  int32_t shift = 31;
  while (shift > 1 && largest_factor * std::ldexp(1.0, shift) > 2147483647.0) --shift;
  return shift;
}
// factor * 2^shift as the nearest odd integer, so that no tie can occur, 1 .. 2^31 - 1 in magnitude.
inline int32_t Multiplier(double factor, int32_t shift) {
  const double half = std::floor(std::fabs(factor) * std::ldexp(1.0, shift) / 2);
  const double odd = std::fmin(std::fmax(2 * half + 1, 1.0), 2147483647.0);
  return static_cast<int32_t>(factor < 0 ? -odd : odd);
}
// Whether the target's kernels round acc * multiplier / 2^32 in one instruction. Layers whose factors are all below 1/2
// take shift 32 there: 2 m / 2^32 for m / 2^31, the same bits.
inline bool WantsShift32(const o2m_target *target) {
  const uint32_t which = O2M_FEATURE_DSP | O2M_FEATURE_ARMV7M | O2M_FEATURE_RV32;
  return (target->features & which) != 0 && (target->features & O2M_FEATURE_MVE) == 0;
}
// The multiplier for a shift of up to 32.
inline int32_t LayerMultiplier(double factor, int32_t shift) {
  return shift > 31 ? 2 * Multiplier(factor, 31) : Multiplier(factor, shift);
}
inline int32_t RoundToInt(double x, double low = -2147483648.0, double high = 2147483647.0) {
  return static_cast<int32_t>(std::fmin(std::fmax(std::floor(x + 0.5), low), high));
}

}  // namespace o2m
