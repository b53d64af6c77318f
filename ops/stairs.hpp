// stairs.hpp - a function of one value where the input or the output is s32: a staircase from s32 to bytes, 256 entries
// of s32 for a byte. Kernels: ops/unary/o2m_unary_s32.h.
#pragma once
#include <string>
#include <vector>

#include "o2m_unary_s32.h"
#include "table_op.hpp"

namespace o2m {

struct Stair {
  int32_t start;
  int8_t value;
};

inline bool IsWidest(const o2m_node *node) {
  return node->inputs[0]->dtype == O2M_S32 || node->outputs[0]->dtype == O2M_S32;
}
inline bool HasStairs(const o2m_node *node) { return node->inputs[0]->dtype == O2M_S32; }

// f(x) as y holds it; where f has no value, y's zero.
template <class Function>
int32_t HeldValue(const o2m_tensor &x, const o2m_tensor &y, const Function &f, int64_t q) {
  const double value =
      f(static_cast<double>(ScaleOf(x)) * static_cast<double>(q - ZeroPointOf(x))) / ScaleOf(y) + ZeroPointOf(y);
  if (std::isnan(value)) return ZeroPointOf(y);
  if (y.dtype == O2M_S32) return RoundToInt(value);
  return RoundToInt(value, LowOf(y.dtype), HighOf(y.dtype));
}

// Stairs that begin above `low`, up to `high`: halved until the value changes nowhere or between neighbours.
template <class Value>
void AddStairs(int64_t low, int32_t low_value, int64_t high, int32_t high_value, const Value &value,
               std::vector<Stair> &stairs) {
  if (low_value == high_value) return;
  if (high - low == 1) return stairs.push_back({static_cast<int32_t>(high), static_cast<int8_t>(high_value)});
  const int64_t middle = low + (high - low) / 2;
  const int32_t middle_value = value(middle);
  AddStairs(low, low_value, middle, middle_value, value, stairs);
  AddStairs(middle, middle_value, high, high_value, value, stairs);
}

// Places between two of which f is taken to be monotone, upward: every one near zero, then 1024 in an octave, since the
// scale says little of where f turns.
inline std::vector<int64_t> StairSamples() {
  std::vector<int64_t> upward;
  for (int64_t q = 0; q < 1024; ++q) upward.push_back(q);
  for (int64_t octave = 1024; octave < int64_t{1} << 31; octave *= 2)
    for (int64_t i = 0; i < 1024; ++i) upward.push_back(octave + octave / 1024 * i);
  std::vector<int64_t> samples = {INT32_MIN};
  for (size_t i = upward.size(); i-- > 1;) samples.push_back(-upward[i]);
  samples.insert(samples.end(), upward.begin(), upward.end());
  samples.push_back(INT32_MAX);
  return samples;
}

template <class Function>
std::vector<Stair> StairsOf(const o2m_tensor &x, const o2m_tensor &y, const Function &f) {
  const auto value = [&](int64_t q) { return HeldValue(x, y, f, q); };
  int64_t low = INT32_MIN;
  int32_t low_value = value(low);
  std::vector<Stair> stairs = {{INT32_MIN, static_cast<int8_t>(low_value)}};
  for (const int64_t high : StairSamples()) {
    const int32_t high_value = value(high);
    AddStairs(low, low_value, high, high_value, value, stairs);
    low = high, low_value = high_value;
  }
  return stairs;
}

// The bytes that just hold f over all of an s32's values.
template <class Function>
OwnQuant QuantOfStairs(const o2m_tensor &x, const Function &f) {
  double low = 0, high = 0;
  for (const int64_t q : StairSamples()) {
    const double value = f(static_cast<double>(ScaleOf(x)) * static_cast<double>(q));
    if (!std::isfinite(value)) continue;
    low = std::fmin(low, value), high = std::fmax(high, value);
  }
  return QuantOfRange(low, high, O2M_S8);
}

// How many stairs there are, and what they were counted for: infer() is called again and again. In params.
struct StairCount {
  float x_scale, y_scale;
  int32_t y_zero, stairs;
};

enum StairSlot { kStairStart, kStairValue, kWidestTable = 0 };
inline constexpr int32_t kMostStairs = 8192;

// The constants; y is settled.
template <class Function>
o2m_status SetWidestConstants(const o2m_host *host, o2m_node *node, StairCount &known, const Function &f) {
  const o2m_tensor &x = *node->inputs[0], &y = *node->outputs[0];
  if (x.dtype == O2M_S16) return Reject(host, "from s16 the output cannot be s32; s8 or s16 would work");
  if (!HasStairs(node)) return SetConstants(node, {{"table", O2M_S32, 256, nullptr}}), O2M_OK;
  if (y.dtype != O2M_S8) return Reject(host, Str("from s32 the output cannot be ", NameOf(y.dtype), "; s8 would work"));
  if (known.stairs == 0 || known.x_scale != ScaleOf(x) || known.y_scale != ScaleOf(y) || known.y_zero != ZeroPointOf(y))
    known = {ScaleOf(x), ScaleOf(y), ZeroPointOf(y), static_cast<int32_t>(StairsOf(x, y, f).size())};
  if (known.stairs > kMostStairs)
    return Reject(host, Str("the function of an s32 has ", known.stairs, " stairs; an s16 input would work"));
  SetConstants(node, {{"stair starts", O2M_S32, known.stairs, nullptr}, {"stairs", O2M_S8, known.stairs, nullptr}});
  return O2M_OK;
}

template <class Function>
void PackWidest(o2m_node *node, const Function &f) {
  const o2m_tensor &x = *node->inputs[0], &y = *node->outputs[0];
  if (!HasStairs(node)) {
    auto *table = ConstantData<int32_t>(node, kWidestTable);
    for (int32_t q = LowOf(x.dtype); q <= HighOf(x.dtype); ++q) *table++ = HeldValue(x, y, f, q);
    return;
  }
  auto *start = ConstantData<int32_t>(node, kStairStart);
  auto *value = ConstantData<int8_t>(node, kStairValue);
  for (const Stair &stair : StairsOf(x, y, f)) *start++ = stair.start, *value++ = stair.value;
}

inline o2m_unary_s32_params StairParams(const o2m_node *node) {
  o2m_unary_s32_params p = {};
  SetTableSteps(TableLoops(node), p);
  p.stairs = static_cast<int32_t>(node->constants[kStairStart].count);
  for (int32_t next = 1; next < p.stairs; next *= 2) p.leap = next;
  p.start = ConstantData<const int32_t>(node, kStairStart);
  p.value = ConstantData<const int8_t>(node, kStairValue);
  return p;
}

inline o2m_unary_s8_s32_params WidestTableParams(const o2m_node *node) {
  o2m_unary_s8_s32_params p = {};
  SetTableSteps(TableLoops(node), p);
  p.flip = node->inputs[0]->dtype == O2M_S8 ? 128 : 0;
  p.table = ConstantData<const int32_t>(node, kWidestTable);
  return p;
}

inline void RunWidest(const o2m_node *node, const o2m_call *call) {
  const o2m_tensor &x = *node->inputs[0], &y = *node->outputs[0];
  const Elements e = TableLoops(node);
  const int32_t steps = StepCount(call, e.rows), rows = static_cast<int32_t>(e.rows.RowCount(steps));
  ForEachRowBlock(e.rows, steps, [&](const int64_t *at) {
    const void *const from = At(call->inputs[0], at[1], x.dtype);
    void *const to = At(call->outputs[0], at[0], y.dtype);
    if (!HasStairs(node)) {
      const o2m_unary_s8_s32_params p = WidestTableParams(node);
      return O2M_SYM(o2m_unary_s8_s32)(from, static_cast<int32_t *>(to), rows, &p);
    }
    const o2m_unary_s32_params p = StairParams(node);
    O2M_SYM(o2m_unary_s32)(static_cast<const int32_t *>(from), static_cast<int8_t *>(to), rows, &p);
  });
}

inline std::string WidestParamsText(const o2m_node *node, const o2m_emitter *e) {
  if (!HasStairs(node)) {
    const o2m_unary_s8_s32_params p = WidestTableParams(node);
    return TableSteps(p).Field("flip", p.flip).Field("table", ConstantName(e, kWidestTable)).text();
  }
  const o2m_unary_s32_params p = StairParams(node);
  return TableSteps(p)
      .Field("stairs", p.stairs)
      .Field("leap", p.leap)
      .Field("start", ConstantName(e, kStairStart))
      .Field("value", ConstantName(e, kStairValue))
      .text();
}

template <class SourceFile>
o2m_status EmitWidest(const o2m_host *host, const o2m_node *node, const o2m_emitter *e, const SourceFile *files,
                      int count) {
  const Rows rows = TableLoops(node).rows;
  const std::string name = HasStairs(node) ? "o2m_unary_s32" : "o2m_unary_s8_s32", source = name + ".c";
  const std::string object = Object(e, (name + "_params").c_str(), WidestParamsText(node, e));
  LineInLoops(e, rows,
              Call(Str("O2M_SYM(", name, ")"),
                   {RowOperand(e, 0, rows, 1), RowOperand(e, 1, rows, 0), RowCountText(e, rows), object}));
  return EmitSources(host, e, files, count, {"o2m_fixedpoint.h", "o2m_unary_s32.h", source.c_str()});
}

inline o2m_cost WidestCost(const o2m_node *node, int32_t rows) {
  const int64_t values = ElementCount(*node->outputs[0]) / TableLoops(node).rows.steps * rows;
  if (!HasStairs(node)) return {"unary_s8_s32", 0, values, values, 1024, 8 * values};
  int64_t halvings = 0;
  for (int64_t left = node->constants[kStairStart].count; left > 1; left /= 2) ++halvings;
  return {"unary_s32", 0, values, values, 5 * node->constants[kStairStart].count, values * (20 + 9 * halvings)};
}

}  // namespace o2m
