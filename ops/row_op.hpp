// row_op.hpp - what ops share that turn each row of input 0, s8 or s16, into a row of output 0. A row is the last dim.
#pragma once
#include <string>

#include "op.hpp"

namespace o2m {

// ---- Checks ---------------------------------------------------------------------------------------------------------

// What kernels take for granted: no value lies further from its zero point than its type is wide. s32 is stored from an
// s16 zero point.
inline o2m_status CheckZeroPoint(const o2m_host *host, const o2m_tensor &t, const std::string &what) {
  const o2m_dtype of = t.dtype == O2M_S32 ? O2M_S16 : t.dtype;
  if (ZeroPointOf(t) >= LowOf(of) && ZeroPointOf(t) <= HighOf(of)) return O2M_OK;
  return Reject(host,
                Str(what, " has zero point ", ZeroPointOf(t), "; ", LowOf(of), " to ", HighOf(of), " would work"));
}

// wide: s32 will do as well.
inline o2m_status CheckRowInput(const o2m_host *host, const o2m_node *node, bool wide = false) {
  const o2m_tensor &x = *node->inputs[0];
  if (x.dtype != O2M_S8 && x.dtype != O2M_S16 && !(wide && x.dtype == O2M_S32)) {
    return Reject(host, Str("input 0 is ", NameOf(x.dtype), "; s8 or s16 would work"));
  }
  if (x.rank < 2) return Reject(host, Str("input 0 is ", Shape(x), "; it needs rows, rank 2 or more"));
  if (x.quant.count != 1) return Reject(host, "input 0 needs one scale for the whole tensor");
  return CheckZeroPoint(host, x, "input 0");
}

// For ops that read whole rows.
inline o2m_status CheckFeatures(const o2m_host *host, const o2m_node *node, int32_t most) {
  const int32_t features = Dim(*node->inputs[0], 1);
  if (features <= most) return O2M_OK;
  return Reject(host, Str("input 0 has ", features, " features; at most ", most, " would work"));
}

// An output in input 0's shape, s8 unless preset; `quant` where the host preset none.
inline o2m_status SettleRowOutput(const o2m_host *host, o2m_node *node, const o2m_quant &quant, bool wide = false) {
  o2m_tensor &y = *node->outputs[0];
  SetShapeLike(y, *node->inputs[0]);
  y.token_axis = node->inputs[0]->token_axis;
  if (y.dtype == O2M_ANY) y.dtype = O2M_S8;
  if (y.quant.count == 0) y.quant = quant;
  if (y.dtype != O2M_S8 && y.dtype != O2M_S16 && !(wide && y.dtype == O2M_S32)) {
    return Reject(host, Str("output 0 cannot be ", NameOf(y.dtype), "; s8 or s16 would work"));
  }
  if (y.quant.count != 1) return Reject(host, "output 0 needs one scale for the whole tensor");
  return CheckZeroPoint(host, y, "output 0");
}

// ---- Memory ---------------------------------------------------------------------------------------------------------

inline Rows RowsOf(const o2m_node *node) { return RowsOf({node->inputs[0], node->outputs[0]}); }

// One step is one index of the first leading dim that is longer than one.
inline void RowMemory(const o2m_node *node, o2m_memory *memory) {
  memory->steps = static_cast<int32_t>(RowsOf(node).steps);
  memory->inputs[0] = {O2M_ANY_STRIDES, StepAxis(*node->inputs[0]), 1, 1, 0};
  memory->outputs[0] = {O2M_ANY_STRIDES, StepAxis(*node->outputs[0]), 1, 1, 0};
}

// Whether a kernel that writes a row upward, while it reads that row for the last time, may write over it. The rows of
// a step must lie in one order, or a row would be written over others that are still to be read.
inline bool WritesUpward(const o2m_node *node) {
  const o2m_tensor &x = *node->inputs[0], &y = *node->outputs[0];
  const Rows rows = RowsOf(node);
  bool same = x.dtype == y.dtype;
  for (const Loop &loop : rows.loops) same &= loop.strides[0] == loop.strides[1];
  same &= rows.rows.strides[0] == rows.rows.strides[1];
  if (!rows.merged() && !same) return false;
  return Stride(x, 1) == 1 && Stride(y, 1) == 1 && BytesOf(y.dtype) <= BytesOf(x.dtype);
}

// ---- Kernels --------------------------------------------------------------------------------------------------------

template <class Params>
void SetRowStrides(const o2m_node *node, Params &p) {
  const o2m_tensor &x = *node->inputs[0], &y = *node->outputs[0];
  const Rows rows = RowsOf(node);
  p.x_row = static_cast<int32_t>(rows.rows.strides[0]);
  p.x_column = static_cast<int32_t>(Stride(x, 1));
  p.y_row = static_cast<int32_t>(rows.rows.strides[1]);
  p.y_column = static_cast<int32_t>(Stride(y, 1));
  p.y_bytes = static_cast<int32_t>(BytesOf(y.dtype));
}

// An op's two kernels, by the type of input 0: void (const int8_t *x, void *y, int32_t rows, const Params *p).
template <class Params, class S8, class S16>
void RunRows(const o2m_node *node, const o2m_call *call, const Params &p, const S8 &s8, const S16 &s16) {
  const Rows rows = RowsOf(node);
  const auto count = static_cast<int32_t>(rows.RowCount(call->rows));
  ForEachRowBlock(rows, call->rows, [&](const int64_t *offsets) {
    int8_t *out = Out<int8_t>(call) + offsets[1] * BytesOf(node->outputs[0]->dtype);
    if (node->inputs[0]->dtype == O2M_S8) return s8(In<int8_t>(call, 0) + offsets[0], out, count, &p);
    s16(In<int16_t>(call, 0) + offsets[0], out, count, &p);
  });
}

// The kernel `name`_s8 or `name`_s16 for the target with its files, and the call; `params` is its initializer, a
// `name`_params; `more` arguments follow.
template <class SourceFile>
o2m_status EmitRows(const o2m_host *host, const o2m_target *target, const o2m_node *node, const o2m_emitter *e,
                    const SourceFile *files, int file_count, const std::string &name, const std::string &params,
                    const std::vector<std::string> &more = {}) {
  const std::string scalar = name + (node->inputs[0]->dtype == O2M_S8 ? "_s8" : "_s16");
  const std::string kernel = scalar + IsaSuffix(files, file_count, scalar, target);
  const std::string header = name + ".h", source = kernel + ".c", type = name + "_params";
  if (o2m_status s = EmitSources(host, e, files, file_count, {"o2m_fixedpoint.h", header.c_str(), source.c_str()})) {
    return s;
  }
  const Rows rows = RowsOf(node);
  std::vector<std::string> arguments = {RowOperand(e, 0, rows, 0), RowOperand(e, node->input_count, rows, 1),
                                        RowCountText(e, rows), Object(e, type.c_str(), params)};
  arguments.insert(arguments.end(), more.begin(), more.end());
  LineInLoops(e, rows, Call(Str("O2M_SYM(", kernel, ")"), arguments));
  return O2M_OK;
}

// ---- Cost -----------------------------------------------------------------------------------------------------------

// A kernel that walks each row: quickly where x and y are s8 and their values lie side by side, `dense`.
inline void RowTerms(const o2m_node *node, const char *kernel, int32_t steps, bool dense, TermList &list) {
  const Rows r = RowsOf(node);
  const int64_t features = Dim(*node->inputs[0], 1), calls = KernelCalls(r, steps), rows = calls * r.RowCount(steps);
  list.Add(kernel, "kernel calls", calls - 1);
  list.Add(kernel, dense ? "rows" : "general rows", rows);
  list.Add(kernel, dense ? "fours" : "general values", rows * (dense ? (features + 3) / 4 : features));
  list.Add(kernel, "tails", dense ? rows * (features % 4) : 0);
}

}  // namespace o2m
