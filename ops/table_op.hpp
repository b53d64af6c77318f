// table_op.hpp - what the elementwise ops share that look each byte of input 0 up in a table of 256, constant slot 0.
#pragma once
#include <string>

#include "elementwise.hpp"

namespace o2m {

inline Elements TableLoops(const o2m_node *node) { return ElementsOf({node->outputs[0], node->inputs[0]}); }

// The walk over x and y in a kernel's own parameters.
template <class Params>
void SetTableSteps(const Elements &e, Params &p) {
  p.count = static_cast<int32_t>(e.count);
  p.x_row = static_cast<int32_t>(e.rows.rows.strides[1]);
  p.x_step = static_cast<int32_t>(e.steps[1]);
  p.y_row = static_cast<int32_t>(e.rows.rows.strides[0]);
  p.y_step = static_cast<int32_t>(e.steps[0]);
}
// The fields that SetTableSteps() sets.
template <class Params>
Initializer TableSteps(const Params &p) {
  return Initializer()
      .Field("count", p.count)
      .Field("x_row", p.x_row)
      .Field("x_step", p.x_step)
      .Field("y_row", p.y_row)
      .Field("y_step", p.y_step);
}

// X: as the kernel takes a pointer to bytes.
template <class X, class Params>
void RunTable(const o2m_node *node, const o2m_call *call, const Params &p,
              void (*kernel)(const X *x, int8_t *y, int32_t rows, const int8_t *table, const Params *p)) {
  const Elements e = TableLoops(node);
  const int32_t steps = StepCount(call, e.rows);
  ForEachRowBlock(e.rows, steps, [&](const int64_t *at) {
    kernel(static_cast<const X *>(At(call->inputs[0], at[1], O2M_S8)), Out<int8_t>(call) + at[0],
           static_cast<int32_t>(e.rows.RowCount(steps)), ConstantData<int8_t>(node, 0), &p);
  });
}

// The call of kernel `name`, whose parameters are `params`, the text of an initializer of `params_type`.
inline void EmitTableCall(const o2m_emitter *e, const o2m_node *node, const char *name, const char *params_type,
                          const std::string &params) {
  const Rows rows = TableLoops(node).rows;
  const std::string object = Object(e, params_type, params);
  LineInLoops(e, rows,
              Call(Str("O2M_SYM(", name, ")"), {RowOperand(e, 0, rows, 1), RowOperand(e, 1, rows, 0),
                                                RowCountText(e, rows), ConstantName(e, 0), object}));
}

inline o2m_cost TableCost(const o2m_node *node, int32_t rows, const char *kernel) {
  const int64_t values = ElementCount(*node->outputs[0]) / TableLoops(node).rows.steps * rows;
  return {kernel, 0, values, values, 256, -1};
}

// Any shape, strides and scales; half of the outputs have the quant that the op chooses.
template <class Params>
void RandomTableCase(CaseList &list, Random &r, const std::string &name, o2m_dtype x_type, o2m_dtype y_type,
                     const Params &params) {
  std::vector<int32_t> dims;
  for (int32_t i = 1 + r.Below(4); i > 0; --i) dims.push_back(r.Size(i > 2 ? 4 : 20));
  const double finer_x = x_type == O2M_S16 ? 256 : 1, finer_y = y_type == O2M_S16 ? 256 : 1;
  CaseOperand y = r.Operand(y_type == O2M_ANY ? O2M_S8 : y_type, dims, r.Scale(0.005 / finer_y, 0.5 / finer_y));
  if (y_type != O2M_S16 && r.OneIn(2)) y = {O2M_ANY, dims};
  list.Add(name, {r.Operand(x_type, dims, r.Scale(0.002 / finer_x, 0.2 / finer_x))}, {y}, params);
}

}  // namespace o2m
