// importer/dialect.h - integerised models: the QuantLib/Deeploy dialect, whose tensors are typed float and hold
// integers.
//
// A node of the dialect becomes an integer node, domain "onnx2mcu", with everything spelled out; ops claim those, and
// the evaluator computes them exactly, in int64. Semantics: RequantShift etc. as quantlib's forward functions define
// them.
//
//   requantise(v) = clip(floor((v mul + add) / div + round / 2), low, high), mul and add broadcast to the output
//
// | node                                          | attributes                                | computes              |
// |---|---|---|
// | IntegerElementwise(a[, b][, mul, add])        | kind: identity add sub mul div gelu       | f(a, b), requantised  |
// |                                               | hard_swish, and what the kind needs       |                       |
// | IntegerMatMul(a, b[, bias][, mul, add])       | bias                                      | a b + bias            |
// | IntegerConv(x, w[, bias][, mul, add])         | bias, strides, pads, dilations, group     | as Conv               |
// | IntegerTable(x, table)                        | first: the x of table[0]                  | table[x - first]      |
// | IntegerSoftmax(x)                             | kind: i_softmax ita_max ita_partial_max   | over the last axis    |
// | IntegerNorm(x, w[, bias])                     | kind: layer rms; div, low, high           | over the last axis    |
// | IntegerReduce(x)                              | kind: mean sum max; axes, keepdims        | mean: round half up   |
// | IntegerMaxPool(x)                             | as MaxPool                                |                       |
//
// requant, binary: 1 where those operands are there. wide: 1 where values may be beyond 2^24, which float cannot hold;
// the evaluator then keeps them as integers.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "importer/ir/graph.h"
#include "importer/ir/status.h"

namespace onnx2mcu {

inline constexpr char kDialectDomain[] = "PACTOps";   // as quantlib exports it
inline constexpr char kIntegerDomain[] = "onnx2mcu";  // of the nodes above

// "RequantShift", "iGELU" ...: names that ONNX does not have, so that the domain they are filed under does not matter.
bool IsDialectOp(const std::string &op_type);
std::vector<std::string> DialectOps();  // sorted

// Nodes of the dialect as integer nodes; says in graph.integerised whether there are any. Call before FoldConstants().
// InvalidArgument: an attribute is missing or no integer.
absl::Status ReadDialect(Graph &graph);

// The rest of an integerised model: MatMul, Conv, Add ... as integer nodes, with what follows them fused into them, and
// functions of one byte as tables. Call after FoldConstants(). Nothing happens to other models. Unimplemented lists all
// nodes that have no integer meaning.
absl::Status Integerise(Graph &graph);

// The shape, of as many axes as `dims`, with which factors broadcast to a tensor of `dims`: a number per channel,
// written [C], lies along axis 1 of anything that has more axes than two. InvalidArgument where they do not fit.
absl::StatusOr<std::vector<int64_t>> FactorDims(const std::vector<int64_t> &factor, const std::vector<int64_t> &dims);

// The parts of Integerise(). A bias, then a requantisation, moves into the node whose sums nobody else reads.
void FuseIntegers(Graph &graph);
// Chains of functions of one value, where that is of one byte, become one table. Says of every node whether it is wide.
absl::Status TabulateIntegers(Graph &graph);

// ---- Ranges: what integers a tensor may hold ----
struct IntegerRange {
  int64_t low = 0, high = -1;  // low > high: not known
  bool known() const { return low <= high; }
};
inline constexpr IntegerRange kUndeclaredInput = {-32768, 32767};

// By TensorId, from those of the graph's inputs (by position; missing: kUndeclaredInput).
absl::StatusOr<std::vector<IntegerRange>> IntegerRanges(const Graph &graph, const std::vector<IntegerRange> &inputs);
// Of the sums that an IntegerMatMul or IntegerConv adds up, before they are requantised.
IntegerRange SumRange(const Graph &graph, const FloatNode &node, const std::vector<IntegerRange> &ranges);

// The smallest of s8, u8, s16, s32 that holds the range; kAny where none does.
DType TypeOf(const IntegerRange &range);

}  // namespace onnx2mcu
