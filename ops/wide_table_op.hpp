// wide_table_op.hpp - a function of one value where the input or the output is s16: 256 entries of s16 for a byte,
// segments (segments.hpp) for an s16. Kernels: ops/unary/o2m_unary_s16.h.
#pragma once
#include <string>
#include <vector>

#include "o2m_unary_s16.h"
#include "segments.hpp"
#include "table_op.hpp"

namespace o2m {

// How many segments the function takes, and what they were counted for: infer() is called again and again. In params.
struct SegmentCount {
  float x_scale, y_scale;
  int32_t x_zero, y_zero, y_dtype, segments;
  int32_t fine;  // the host's option "lines"
};

inline bool IsWide(const o2m_node *node) {
  return node->inputs[0]->dtype == O2M_S16 || node->outputs[0]->dtype == O2M_S16;
}
inline bool HasSegments(const o2m_node *node) { return node->inputs[0]->dtype == O2M_S16; }

enum WideSlot { kSegmentStart, kSegmentBase, kSegmentSlope, kWideTable = 0 };

// The constants of a wide function; y is settled.
template <class Function>
void SetWideConstants(const o2m_host *host, o2m_node *node, SegmentCount &known, const Function &f) {
  const o2m_tensor &x = *node->inputs[0], &y = *node->outputs[0];
  if (!HasSegments(node)) return SetConstants(node, {{"table", O2M_S16, 256, nullptr}});
  const int32_t fine = Option(host, "lines", "coarse") == "fine";
  const bool same = known.segments > 0 && known.x_scale == ScaleOf(x) && known.y_scale == ScaleOf(y) &&
                    known.x_zero == ZeroPointOf(x) && known.y_zero == ZeroPointOf(y) && known.y_dtype == y.dtype &&
                    known.fine == fine;
  if (!same) {
    const auto count = static_cast<int32_t>(SegmentsOf(FunctionValues(x, y, f), y.dtype, fine).size());
    known = {ScaleOf(x), ScaleOf(y), ZeroPointOf(x), ZeroPointOf(y), y.dtype, count, fine};
  }
  SetConstants(node, {{"segment starts", O2M_S16, known.segments, nullptr},
                      {"segment bases", O2M_S32, known.segments, nullptr},
                      {"segment slopes", O2M_S32, known.segments, nullptr}});
}

template <class Function>
void PackWide(o2m_node *node, const SegmentCount &known, const Function &f) {
  const std::vector<double> values = FunctionValues(*node->inputs[0], *node->outputs[0], f);
  if (!HasSegments(node)) {
    auto *table = ConstantData<int16_t>(node, kWideTable);
    for (const double value : values) *table++ = static_cast<int16_t>(RoundToInt(value, -32768, 32767));
    return;
  }
  auto *start = ConstantData<int16_t>(node, kSegmentStart);
  auto *base = ConstantData<int32_t>(node, kSegmentBase), *slope = ConstantData<int32_t>(node, kSegmentSlope);
  for (const Segment &segment : SegmentsOf(values, node->outputs[0]->dtype, known.fine != 0)) {
    *start++ = static_cast<int16_t>(segment.start);
    *base++ = segment.base;
    *slope++ = segment.slope;
  }
}

inline int32_t SegmentLeap(int32_t segments) {
  int32_t leap = 0;
  for (int32_t next = 1; next < segments; next *= 2) leap = next;
  return leap;
}

inline o2m_unary_s16_params SegmentParams(const o2m_node *node) {
  o2m_unary_s16_params p = {};
  SetTableSteps(TableLoops(node), p);
  p.y_bytes = static_cast<int32_t>(BytesOf(node->outputs[0]->dtype));
  p.segments = static_cast<int32_t>(node->constants[kSegmentStart].count);
  p.leap = SegmentLeap(p.segments);
  p.start = ConstantData<const int16_t>(node, kSegmentStart);
  p.base = ConstantData<const int32_t>(node, kSegmentBase);
  p.slope = ConstantData<const int32_t>(node, kSegmentSlope);
  return p;
}

inline o2m_unary_s8_s16_params WideTableParams(const o2m_node *node) {
  o2m_unary_s8_s16_params p = {};
  SetTableSteps(TableLoops(node), p);
  p.flip = node->inputs[0]->dtype == O2M_S8 ? 128 : 0;
  p.table = ConstantData<const int16_t>(node, kWideTable);
  return p;
}

inline void RunWide(const o2m_node *node, const o2m_call *call) {
  const o2m_tensor &x = *node->inputs[0], &y = *node->outputs[0];
  const Elements e = TableLoops(node);
  const int32_t steps = StepCount(call, e.rows), rows = static_cast<int32_t>(e.rows.RowCount(steps));
  const o2m_unary_s16_params segments = HasSegments(node) ? SegmentParams(node) : o2m_unary_s16_params{};
  const o2m_unary_s8_s16_params table = HasSegments(node) ? o2m_unary_s8_s16_params{} : WideTableParams(node);
  ForEachRowBlock(e.rows, steps, [&](const int64_t *at) {
    const void *const from = At(call->inputs[0], at[1], x.dtype);
    void *const to = At(call->outputs[0], at[0], y.dtype);
    if (HasSegments(node)) return O2M_SYM(o2m_unary_s16)(static_cast<const int16_t *>(from), to, rows, &segments);
    O2M_SYM(o2m_unary_s8_s16)(from, static_cast<int16_t *>(to), rows, &table);
  });
}

inline std::string WideParamsText(const o2m_node *node, const o2m_emitter *e) {
  if (!HasSegments(node)) {
    const o2m_unary_s8_s16_params p = WideTableParams(node);
    return TableSteps(p).Field("flip", p.flip).Field("table", ConstantName(e, kWideTable)).text();
  }
  const o2m_unary_s16_params p = SegmentParams(node);
  return TableSteps(p)
      .Field("y_bytes", p.y_bytes)
      .Field("segments", p.segments)
      .Field("leap", p.leap)
      .Field("start", ConstantName(e, kSegmentStart))
      .Field("base", ConstantName(e, kSegmentBase))
      .Field("slope", ConstantName(e, kSegmentSlope))
      .text();
}

template <class SourceFile>
o2m_status EmitWide(const o2m_host *host, const o2m_node *node, const o2m_emitter *e, const SourceFile *files,
                    int count) {
  const Rows rows = TableLoops(node).rows;
  const std::string name = HasSegments(node) ? "o2m_unary_s16" : "o2m_unary_s8_s16", source = name + ".c";
  const std::string object = Object(e, (name + "_params").c_str(), WideParamsText(node, e));
  LineInLoops(e, rows,
              Call(Str("O2M_SYM(", name, ")"),
                   {RowOperand(e, 0, rows, 1), RowOperand(e, 1, rows, 0), RowCountText(e, rows), object}));
  return EmitSources(host, e, files, count, {"o2m_fixedpoint.h", "o2m_unary_s16.h", source.c_str()});
}

// Steps of the search for a segment.
inline int64_t Halvings(const o2m_node *node) {
  int64_t halvings = 0;
  for (int64_t leap = SegmentLeap(static_cast<int32_t>(node->constants[kSegmentStart].count)); leap > 0; leap /= 2)
    ++halvings;
  return halvings;
}

// What a value takes on a 32-bit core until terms are known: a look-up, or the search for its segment.
inline o2m_cost WideCost(const o2m_node *node, int32_t rows) {
  const int64_t values = ElementCount(*node->outputs[0]) / TableLoops(node).rows.steps * rows;
  if (!HasSegments(node)) return {"unary_s8_s16", 0, values, values, 512, 8 * values};
  return {
      "unary_s16", 0, values, values, 10 * node->constants[kSegmentStart].count, values * (24 + 9 * Halvings(node))};
}

inline void WideTerms(const o2m_node *node, int32_t rows, TermList &list) {
  const o2m_cost cost = WideCost(node, rows);
  const Elements e = TableLoops(node);
  const int64_t count = e.rows.steps == 1 ? 1 : rows;
  list.Add(cost.kernel, "kernel calls", KernelCalls(e.rows, count) - 1);
  list.Add(cost.kernel, "rows", KernelCalls(e.rows, count) * e.rows.RowCount(count));
  list.Add(cost.kernel, "values", cost.elements);
  if (HasSegments(node)) list.Add(cost.kernel, "halvings", cost.elements * Halvings(node));
}

}  // namespace o2m
