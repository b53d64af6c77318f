// importer/ir/walk.h - a view told by indices into the tensor behind it, so that its memory may be laid out otherwise.
#pragma once
#include <vector>

#include "importer/ir/graph.h"

namespace onnx2mcu {

// A view's start and the way along each of its axes, as indices into its base.
struct Walk {
  std::vector<int64_t> start;
  std::vector<std::vector<int64_t>> along;  // by axis of the view; zeros where the axis has one element
};

// False where the view cannot be told by indices: it runs backwards, or past the end of an axis into the next one.
bool WalkOf(const Tensor &base, const Tensor &view, Walk *walk);

// Gives the base other strides, one per dim, and every view of it those that show the same elements. Returns the views
// that WalkOf() cannot tell: they are left as they were, so nobody may read them.
std::vector<TensorId> SetBaseStrides(Graph &graph, TensorId base, const std::vector<int64_t> &strides);

}  // namespace onnx2mcu
