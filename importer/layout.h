// importer/layout.h - movement nodes (Reshape, Transpose, Slice, Split, Gather, Concat, Expand) as arithmetic on
// strides.
#pragma once
#include <optional>
#include <vector>

#include "importer/ir/graph.h"

namespace onnx2mcu {

// Where a tensor lies: element (i0, i1, ...) is element offset + sum(i * stride) of base's memory.
struct StridedView {
  TensorId base = kNone;
  int64_t offset = 0;
  std::vector<int64_t> strides;  // one per dim of the tensor
};

// Strides that `to` needs so that it names the same elements in the same row-major order as (from, strides); nothing
// where one stride per dim cannot say it. Both dims must have the same element count.
std::optional<std::vector<int64_t>> ReshapeStrides(const std::vector<int64_t> &from,
                                                   const std::vector<int64_t> &strides, const std::vector<int64_t> &to);

// Gather with constant indices start + sum(i * step) over the dims of the index tensor.
struct AffineIndex {
  int64_t start = 0;
  std::vector<int64_t> steps;  // one per dim of the index tensor
};
std::optional<AffineIndex> AffineIndexOf(const Tensor &indices, int64_t axis_size);

// True for nodes that only move elements and whose parameters are constants that strides can say; and for a rounding
// that shares its operand's memory.
bool IsMovement(const Graph &graph, const FloatNode &node);
// True for movement with one data input whose elements all appear once in the output: it can be walked backwards.
bool IsBijective(const Graph &graph, const FloatNode &node);

// StridedView of output `out` given that of input 0. Nothing: not a matter of strides (or a Concat).
std::optional<StridedView> Forward(const Graph &graph, const FloatNode &node, int out, const StridedView &input);
// StridedView of input `in` given that of output 0, for Concat and bijective nodes.
std::optional<StridedView> Backward(const Graph &graph, const FloatNode &node, int in, const StridedView &output);

}  // namespace onnx2mcu
