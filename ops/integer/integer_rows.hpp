// integer_rows.hpp - what the ops of integerised models share that turn each row of input 0 into a row of output 0. A
// row is the last dim.
#pragma once
#include <string>

#include "integer_op.hpp"
#include "row_op.hpp"

namespace o2m {

// Strides and types, of a Params with the fields named below.
template <class Params>
void SetIntegerRows(const o2m_node *node, Params &p) {
  const o2m_tensor &x = *node->inputs[0], &y = *node->outputs[0];
  const Rows rows = RowsOf(node);
  p.features = Dim(x, 1);
  p.x_row = static_cast<int32_t>(rows.rows.strides[0]);
  p.x_column = static_cast<int32_t>(Stride(x, 1));
  p.y_row = static_cast<int32_t>(rows.rows.strides[1]);
  p.y_column = static_cast<int32_t>(Stride(y, 1));
  p.x_type = IntegerType(x.dtype);
  p.y_type = IntegerType(y.dtype);
}
template <class Params>
Initializer IntegerRowsText(const Params &p) {
  Initializer text;
  text.Field("features", p.features)
      .Field("x_row", p.x_row)
      .Field("x_column", p.x_column)
      .Field("y_row", p.y_row)
      .Field("y_column", p.y_column)
      .Field("x_type", p.x_type)
      .Field("y_type", p.y_type);
  return text;
}

// An output in input 0's shape that holds [low, high].
inline o2m_status InferIntegerRows(const o2m_host *host, o2m_node *node, OwnQuant &own, int64_t low, int64_t high) {
  const o2m_tensor &x = *node->inputs[0];
  if (o2m_status s = CheckInteger(host, x, "input 0")) return s;
  if (x.rank < 1) return Reject(host, "input 0 has no axis");
  SetShapeLike(*node->outputs[0], x);
  node->outputs[0]->token_axis = x.token_axis;
  return SettleInteger(host, *node->outputs[0], own, low, high);
}

inline void IntegerRowsMemory(const o2m_node *node, int64_t scratch, o2m_memory *memory) {
  if (node->inputs[0]->rank > 1) {
    RowMemory(node, memory);
  } else {
    memory->inputs[0] = memory->outputs[0] = AnyStrides();
  }
  memory->scratch_bytes = scratch;
}

// kernel(x, y, rows) for every block of rows.
template <class Kernel>
void RunIntegerRows(const o2m_node *node, const o2m_call *call, const Kernel &kernel) {
  const Rows rows = RowsOf(node);
  const int32_t steps = StepCount(call, rows);
  ForEachRowBlock(rows, steps, [&](const int64_t *at) {
    kernel(At(call->inputs[0], at[0], node->inputs[0]->dtype), At(call->outputs[0], at[1], node->outputs[0]->dtype),
           static_cast<int32_t>(rows.RowCount(steps)));
  });
}

// The call of `kernel`: x, y, rows, then `more`.
inline void EmitIntegerRows(const o2m_node *node, const o2m_emitter *e, const std::string &kernel,
                            const std::vector<std::string> &more) {
  const Rows rows = RowsOf(node);
  std::vector<std::string> arguments = {RowOperand(e, 0, rows, 0), RowOperand(e, node->input_count, rows, 1),
                                        RowCountText(e, rows)};
  arguments.insert(arguments.end(), more.begin(), more.end());
  LineInLoops(e, rows, Call(Str("O2M_SYM(", kernel, ")"), arguments));
}

inline int64_t RowsPerCall(const o2m_node *node, int32_t steps) {
  const Rows rows = RowsOf(node);
  return ElementCount(*node->outputs[0]) / Dim(*node->outputs[0], 1) / rows.steps * steps;
}

}  // namespace o2m
