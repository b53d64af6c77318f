// integer_op.hpp - what the ops of integerised models share: operands of scale 1 and zero point 0, whose integers are
// meant as they are, and the requantisation at the end of a node (importer/dialect.h names the nodes).
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "elementwise.hpp"
#include "o2m_integers.h"

namespace o2m {

inline constexpr uint32_t kMaskIntegers32 = kMaskIntegers | Mask(O2M_S32);
inline constexpr char kIntegerDomain[] = "onnx2mcu";

// ---- Operands -------------------------------------------------------------------------------------------------------

inline o2m_status CheckInteger(const o2m_host *host, const o2m_tensor &t, const std::string &what) {
  if (!(kMaskIntegers32 & Mask(t.dtype)))
    return Reject(host, Str(what, " is ", NameOf(t.dtype), "; ", NamesOf(kMaskIntegers32), " would work"));
  if (t.quant.count != 1 || ScaleOf(t) != 1 || ZeroPointOf(t) != 0)
    return Reject(host, Str(what, " is no plain integer; scale 1 and zero point 0 would work"));
  if (ElementCount(t) < 1 || ElementCount(t) > INT32_MAX)
    return Reject(host, Str(what, " has shape ", Shape(t), "; between 1 and 2^31 - 1 elements would work"));
  return O2M_OK;
}

inline int32_t IntegerType(o2m_dtype dtype) {
  return dtype == O2M_S8    ? O2M_INTEGER_S8
         : dtype == O2M_U8  ? O2M_INTEGER_U8
         : dtype == O2M_S16 ? O2M_INTEGER_S16
                            : O2M_INTEGER_S32;
}

// The smallest type of both ends.
inline o2m_dtype TypeOfRange(int64_t low, int64_t high) {
  if (low >= -128 && high <= 127) return O2M_S8;
  if (low >= 0 && high <= 255) return O2M_U8;
  return low >= -32768 && high <= 32767 ? O2M_S16 : O2M_S32;
}
inline bool Holds(o2m_dtype dtype, int64_t low, int64_t high) {
  if (dtype == O2M_S32) return true;
  return low >= LowOf(dtype) && high <= HighOf(dtype);
}

inline const int64_t *Integers(const o2m_tensor &t) {
  return t.is_constant && t.dtype == O2M_S64 ? static_cast<const int64_t *>(t.data) : nullptr;
}
inline o2m_status CheckConstant(const o2m_host *host, const o2m_tensor &t, const std::string &what) {
  if (t.is_constant && t.dtype == O2M_S64) return O2M_OK;
  return Reject(host, Str(what, " is not a constant of s64"));
}

// The type that holds the constant's values; s8 where it is none.
inline o2m_dtype TypeOfConstant(const o2m_tensor &t) {
  const int64_t *values = Integers(t);
  if (!values) return O2M_S8;
  const auto [low, high] = std::minmax_element(values, values + ElementCount(t));
  const o2m_dtype type = TypeOfRange(*low, *high);
  return type == O2M_U8 ? O2M_S16 : type;
}

inline void StoreIntegers(const o2m_tensor &constant, o2m_dtype dtype, void *out) {
  const int64_t *values = Integers(constant);
  for (int64_t i = 0; i < ElementCount(constant); ++i)
    o2m_integer_put(out, static_cast<int32_t>(i), IntegerType(dtype), static_cast<int32_t>(values[i]));
}

// An output of dtype as preset, else the smallest that holds the range.
inline o2m_status SettleInteger(const o2m_host *host, o2m_tensor &y, OwnQuant &own, int64_t low, int64_t high) {
  SettleOutput(y, TypeOfRange(low, high), own, 1, 0);
  if (o2m_status s = CheckInteger(host, y, "the output")) return s;
  if (Holds(y.dtype, low, high)) return O2M_OK;
  return Reject(host, Str("the output is ", NameOf(y.dtype), ", which does not hold ", low, " .. ", high));
}

// ---- Requantisation -------------------------------------------------------------------------------------------------

// As match() finds it. Factors are the last two operands, mul and add.
struct RequantParams {
  int32_t on, round, narrow;
  int64_t div, low, high;
};

inline RequantParams RequantOf(const GraphView &g, int32_t node) {
  const auto i32 = [&](const char *key) { return static_cast<int32_t>(g.Int(node, key, 0)); };
  return {i32("requant"),
          i32("round"),
          i32("narrow"),
          g.Int(node, "div", 1),
          g.Int(node, "low", INT32_MIN),
          g.Int(node, "high", INT32_MAX)};
}

// Where the halves of an odd divisor would not be whole, all is taken twice.
inline bool IsDoubled(const RequantParams &p) { return p.round && p.div % 2 != 0 && p.div != 1; }
inline int64_t DivisorOf(const RequantParams &p) { return IsDoubled(p) ? 2 * p.div : p.div; }
inline int64_t MulOf(const RequantParams &p, int64_t mul) { return IsDoubled(p) ? 2 * mul : mul; }
inline int64_t AddOf(const RequantParams &p, int64_t add) {
  if (IsDoubled(p)) return 2 * add + p.div;
  return p.round && p.div > 1 ? add + p.div / 2 : add;
}

inline o2m_integer_requant KernelRequant(const RequantParams &p) {
  const int64_t div = DivisorOf(p);
  int32_t shift = 0;
  while (int64_t{1} << shift < div) ++shift;
  if (int64_t{1} << shift != div) shift = -1;
  return {p.on,
          shift,
          static_cast<int32_t>(shift < 0 ? div : 1),
          static_cast<int32_t>(p.low),
          static_cast<int32_t>(p.high),
          p.narrow && shift >= 0};
}

inline std::string RequantText(const o2m_integer_requant &p) {
  const std::string low = p.low == INT32_MIN ? "INT32_MIN" : std::to_string(p.low);  // C has no literal for it
  return Str("{.on = ", p.on, ", .shift = ", p.shift, ", .div = ", p.div, ", .low = ", low, ", .high = ", p.high,
             ", .narrow = ", p.narrow, "}");
}

inline bool Fits32(int64_t v) { return v >= INT32_MIN && v <= INT32_MAX; }

// Checks the factors, where their data is there: mul and add, operands `at` and `at` + 1, each of one value or `count`.
inline o2m_status CheckRequant(const o2m_host *host, const o2m_node *node, const RequantParams &p, int32_t at) {
  if (!p.on) return O2M_OK;
  if (p.div < 1 || DivisorOf(p) > (int64_t{1} << 30))
    return Reject(host, Str("the divisor is ", p.div, "; one from 1 to 2^30 would work"));
  if (!Fits32(p.low) || !Fits32(p.high) || p.low > p.high)
    return Reject(host, "the ends of the range are out of order");
  for (int32_t i = at; i < at + 2; ++i) {
    if (o2m_status s = CheckConstant(host, *node->inputs[i], Str("input ", i))) return s;
    const int64_t *values = Integers(*node->inputs[i]);
    for (int64_t k = 0; values && k < ElementCount(*node->inputs[i]); ++k) {
      if (Fits32(i == at ? MulOf(p, values[k]) : AddOf(p, values[k]))) continue;
      return Reject(host, Str("a factor of ", values[k], " does not fit 32 bits"));
    }
  }
  return O2M_OK;
}

// mul and add as vectors of `count` for the kernel; one value repeats.
inline void PackRequant(const o2m_node *node, const RequantParams &p, int32_t at, int64_t count, int32_t *mul,
                        int32_t *add) {
  const o2m_tensor &m = *node->inputs[at], &a = *node->inputs[at + 1];
  for (int64_t k = 0; k < count; ++k) {
    mul[k] = static_cast<int32_t>(MulOf(p, Integers(m)[ElementCount(m) == 1 ? 0 : k]));
    add[k] = static_cast<int32_t>(AddOf(p, Integers(a)[ElementCount(a) == 1 ? 0 : k]));
  }
}

// ---- Sums of products: IntegerMatMul, IntegerConv -------------------------------------------------------------------

struct SumParams {
  RequantParams requant;
  int32_t bias, wide;  // wide: sums need 64 bits
  o2m_dtype weights;   // the type that holds the constant operand
};

inline SumParams SumParamsOf(const GraphView &g, int32_t node) {
  const o2m_tensor &w = g.Tensor(g.Input(node, 1));
  return {RequantOf(g, node), static_cast<int32_t>(g.Int(node, "bias", 0)),
          static_cast<int32_t>(g.Int(node, "wide_sum", 0)), TypeOfConstant(w)};
}

// The derived constants in order: weights, bias, mul, add, as far as they are there; -1 else.
struct SumSlots {
  int32_t weights = -1, bias = -1, mul = -1, add = -1;
};
inline SumSlots SlotsOf(const o2m_node *node, const SumParams &p) {
  SumSlots slots;
  int32_t next = 0;
  if (node->inputs[1]->is_constant) slots.weights = next++;
  if (p.bias) slots.bias = next++;
  if (p.requant.on) slots.mul = next++, slots.add = next++;
  return slots;
}
inline int32_t RequantOperand(const SumParams &p) { return p.bias ? 3 : 2; }

// Operands, factors and the derived constants of `channels` outputs each.
inline o2m_status InferSums(const o2m_host *host, o2m_node *node, const SumParams &p, int64_t channels) {
  const int32_t operands = RequantOperand(p) + (p.requant.on ? 2 : 0);
  if (node->input_count != operands) return Reject(host, Str("has ", node->input_count, " inputs, not ", operands));
  if (o2m_status s = CheckRequant(host, node, p.requant, RequantOperand(p))) return s;
  if (p.bias) {
    if (o2m_status s = CheckConstant(host, *node->inputs[2], "the bias")) return s;
  }
  for (int32_t i = 2; i < operands; ++i) {
    const int64_t count = ElementCount(*node->inputs[i]);
    if (count != channels && (count != 1 || (p.bias && i == 2)))
      return Reject(host, Str("input ", i, " has ", count, " values for ", channels, " channels"));
  }
  std::vector<o2m_constant> list;
  const o2m_tensor &w = *node->inputs[1];
  if (w.is_constant) list.push_back({"weights", p.weights, ElementCount(w), nullptr});
  if (p.bias) list.push_back({"bias", O2M_S32, channels, nullptr});
  if (p.requant.on) {
    list.push_back({"mul", O2M_S32, channels, nullptr});
    list.push_back({"add", O2M_S32, channels, nullptr});
  }
  for (int32_t slot = 0; slot < O2M_MAX_CONSTANTS; ++slot)
    node->constants[slot] = slot < static_cast<int32_t>(list.size()) ? list[static_cast<size_t>(slot)] : o2m_constant{};
  return O2M_OK;
}

// All but the weights.
inline void PackSums(const o2m_node *node, const SumParams &p, int64_t channels) {
  const SumSlots slots = SlotsOf(node, p);
  if (p.bias) StoreIntegers(*node->inputs[2], O2M_S32, node->constants[slots.bias].data);
  if (p.requant.on)
    PackRequant(node, p.requant, RequantOperand(p), channels, ConstantData<int32_t>(node, slots.mul),
                ConstantData<int32_t>(node, slots.add));
}

inline std::string SlotName(const o2m_emitter *e, int32_t slot) { return slot < 0 ? "0" : ConstantName(e, slot); }
inline const int32_t *SlotData(const o2m_node *node, int32_t slot) {
  return slot < 0 ? nullptr : ConstantData<const int32_t>(node, slot);
}

// The range of an output: what requantisation clips to, else of 32 bits.
inline int64_t LowestOutput(const RequantParams &p) { return p.on ? p.low : INT32_MIN; }
inline int64_t HighestOutput(const RequantParams &p) { return p.on ? p.high : INT32_MAX; }

// ---- Cases ----------------------------------------------------------------------------------------------------------

inline CaseOperand IntegerOperand(o2m_dtype dtype, const std::vector<int32_t> &dims,
                                  const std::vector<int64_t> &strides = {}) {
  return {dtype, dims, 1, 0, {}, strides};
}
// A constant with values in [low, high].
inline CaseOperand IntegerConstant(const std::vector<int32_t> &dims, Random &random, int64_t low, int64_t high) {
  CaseOperand operand = {O2M_S64, dims};
  int64_t count = 1;
  for (int32_t d : dims) count *= d;
  for (int64_t i = 0; i < count; ++i)
    operand.integers.push_back(low + static_cast<int64_t>(random.Next() % static_cast<uint64_t>(high - low + 1)));
  return operand;
}
inline RequantParams CaseRequant(Random &random, o2m_dtype y) {
  RequantParams p = {1, random.OneIn(2) ? 1 : 0, 0, int64_t{1} << (8 + random.Below(8)), LowOf(y), HighOf(y)};
  if (random.OneIn(8)) p.div = 1 + random.Below(40000);
  return p;
}
inline o2m_dtype CaseType(Random &random) {
  const o2m_dtype types[] = {O2M_S8, O2M_U8, O2M_S8, O2M_S16};
  return types[random.Below(4)];
}

}  // namespace o2m
