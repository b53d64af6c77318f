// op_cases.hpp - the cases of an op: operands and parameters to run it on, listed by hand or made at random.
#pragma once
#include <cmath>
#include <cstdint>
#include <deque>
#include <string>
#include <type_traits>
#include <vector>

#include "onnx2mcu_op.h"
#include "op_tensor.hpp"

namespace o2m {

// One operand of a case. scale 0: unquantised. Values in `constant` make it a F32 constant, in `integers` an S64 one.
// strides: elements, dense if empty.
struct CaseOperand {
  o2m_dtype dtype = O2M_S8;
  std::vector<int32_t> dims;
  float scale = 0;
  int32_t zero_point = 0;
  std::vector<float> constant = {};
  std::vector<int64_t> strides = {};
  std::vector<int64_t> integers = {};
};

// Values in [-amplitude, amplitude], the same everywhere (a 64-bit linear congruential generator, Knuth's MMIX).
inline std::vector<float> RandomFloats(int64_t count, uint64_t seed, float amplitude) {
  std::vector<float> values(static_cast<size_t>(count));
  for (float &v : values) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    v = amplitude * (static_cast<float>(seed >> 40) / 8388608.0f - 1.0f);
  }
  return values;
}

// Owns the cases of an op and everything they point at.
class CaseList {
 public:
  template <class Params>
  void Add(const std::string &name, const std::vector<CaseOperand> &inputs, const std::vector<CaseOperand> &outputs,
           const Params &params) {
    static_assert(std::is_trivially_copyable_v<Params>);
    Item &item = items_.emplace_back();
    item.name = name;
    for (const CaseOperand &o : inputs) item.inputs.push_back(Make(item, o));
    for (const CaseOperand &o : outputs) item.outputs.push_back(Make(item, o));
    const auto *bytes = reinterpret_cast<const uint8_t *>(&params);
    item.params.assign(bytes, bytes + sizeof params);
    item.c = {item.name.c_str(),
              static_cast<int32_t>(inputs.size()),
              static_cast<int32_t>(outputs.size()),
              item.inputs.data(),
              item.outputs.data(),
              item.params.data()};
  }
  int32_t count() const { return static_cast<int32_t>(items_.size()); }
  const o2m_case *get(int32_t i) const { return i >= 0 && i < count() ? &items_[static_cast<size_t>(i)].c : nullptr; }

 private:
  struct Item {
    std::string name;
    std::vector<o2m_tensor> inputs, outputs;
    std::vector<uint8_t> params;
    std::deque<CaseOperand> operands;
    o2m_case c;
  };
  static o2m_tensor Make(Item &item, const CaseOperand &operand) {
    const CaseOperand &o = item.operands.emplace_back(operand);
    o2m_tensor t = {};
    t.struct_size = sizeof t;
    t.name = "";
    t.dtype = !o.constant.empty() ? O2M_F32 : !o.integers.empty() ? O2M_S64 : o.dtype;
    for (int32_t d : o.dims) t.dims[t.rank++] = d;
    SetDenseStrides(t);
    if (!o.strides.empty()) std::copy(o.strides.begin(), o.strides.end(), t.strides);
    t.token_axis = StepAxis(t);
    if (o.scale > 0) t.quant = PerTensor(&o.scale, &o.zero_point);
    if (!o.constant.empty()) t.data = o.constant.data();
    if (!o.integers.empty()) t.data = o.integers.data();
    t.is_constant = t.data != nullptr;
    return t;
  }
  std::deque<Item> items_;
};

// ---- Worst cases ------------------------------------------------------------------------------------------------

// The inputs of a worst case hold the ends of their types. In the first eight runs all of input i is at one end, the
// high one where bit i of the run says so; in the last two the ends take turns, from the one or from the other on.
inline constexpr int32_t kEndRuns = 10;
inline bool IsHighEnd(int32_t run, int32_t input, int64_t index) {
  return run < 8 ? (run >> input % 3 & 1) != 0 : (index + run) % 2 != 0;
}

// +-1 for column n of a matrix of constants at its ends, k < depth: all high, all low, in turns from the one and from
// the other end, high to the middle and low from there.
inline float EndSign(int64_t n, int64_t k, int64_t depth) {
  const bool high[] = {true, false, k % 2 == 0, k % 2 != 0, 2 * k < depth};
  return high[n % 5] ? 1.0f : -1.0f;
}

// ---- Random cases -----------------------------------------------------------------------------------------------

// The choices of one random case, the same everywhere (splitmix64, Steele et al. 2014). Ends of ranges, tails and
// extremes are drawn far more often than an even draw would.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15u + 1) {}
  uint64_t Next() {
    uint64_t z = state_ += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  int32_t Below(int32_t bound) { return static_cast<int32_t>(Next() >> 33) % bound; }
  int32_t Between(int32_t low, int32_t high) { return low + Below(high - low + 1); }
  bool OneIn(int32_t n) { return Below(n) == 0; }
  double Unit() { return static_cast<double>(Next() >> 11) / 9007199254740992.0; }
  // Evenly by magnitude.
  float Scale(double low, double high) { return static_cast<float>(low * std::pow(high / low, Unit())); }
  // 1 .. most: any, or a multiple of four to sixteen, exactly, one less or one more.
  int32_t Size(int32_t most) {
    const int32_t unit = 4 << Below(3), tail = Below(3) - 1;
    const int32_t size = OneIn(3) || most < unit ? 1 + Below(most) : unit * (1 + Below(most / unit)) + tail;
    return size > most ? most : size;
  }
  int32_t ZeroPoint(o2m_dtype dtype) {
    const int32_t low = LowOf(dtype), high = HighOf(dtype), kind = Below(6);
    return kind == 0 ? low : kind == 1 ? high : kind == 2 ? low + (high - low + 1) / 2 : Between(low, high);
  }
  // Strides for `dims`: dense, rows with gaps, the last two axes exchanged, or every other element; images also with
  // their channels last.
  std::vector<int64_t> Strides(const std::vector<int32_t> &dims) {
    const int32_t kind = Below(6), rank = static_cast<int32_t>(dims.size());
    if (rank == 4 && OneIn(4)) {
      const int64_t c = dims[1], w = dims[3];
      return {c * dims[2] * w, 1, w * c, c};
    }
    if (kind < 3) return {};
    std::vector<int64_t> strides(dims.size());
    int64_t stride = kind == 5 ? 2 : 1;
    for (int32_t i = rank - 1; i >= 0; --i) {
      const int32_t axis = kind == 4 && rank > 1 && i >= rank - 2 ? 2 * rank - 3 - i : i;
      strides[static_cast<size_t>(axis)] = stride;
      stride = stride * dims[static_cast<size_t>(axis)] + (kind == 4 ? 0 : Below(4));
    }
    return strides;
  }
  // How many values a type has.
  static double Levels(o2m_dtype dtype) { return dtype == O2M_S16 ? 65536 : dtype == O2M_S32 ? 1048576 : 256; }
  // A quantised operand with a zero point and strides of its own.
  CaseOperand Operand(o2m_dtype dtype, const std::vector<int32_t> &dims, double scale) {
    return {dtype, dims, static_cast<float>(scale), ZeroPoint(dtype), {}, Strides(dims)};
  }
  // Constants within +-amplitude: any, the two ends at random, one end, or zeros with a few others.
  std::vector<float> Floats(int64_t count, float amplitude) {
    std::vector<float> values(static_cast<size_t>(count));
    const int32_t kind = Below(6);
    for (float &v : values) {
      const auto any = static_cast<float>(2 * Unit() - 1);
      const float end = any < 0 ? -1.0f : 1.0f;
      v = amplitude * (kind == 0 ? end : kind == 1 ? 1.0f : kind == 2 ? -1.0f : kind == 3 && !OneIn(8) ? 0.0f : any);
    }
    return values;
  }
  CaseOperand Constant(const std::vector<int32_t> &dims, float amplitude) {
    int64_t count = 1;
    for (int32_t d : dims) count *= d;
    return {O2M_F32, dims, 0, 0, Floats(count, amplitude)};
  }

 private:
  uint64_t state_;
};

}  // namespace o2m
