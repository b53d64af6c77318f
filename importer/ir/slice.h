// importer/ir/slice.h - parts of tensors: windows of the same memory, or, for constants, constants of their own.
#pragma once
#include "importer/ir/graph.h"

namespace onnx2mcu {

// Rows [first, first + count) of `axis`. A constant's data is copied where it is there (the search prices graphs
// without); anything else becomes a view. Scales per channel along `axis` are cut as well.
TensorId SliceTensor(Graph &graph, TensorId id, int32_t axis, int64_t first, int64_t count);

// True if the elements of `id` are those of its base, each once, so that cutting it cuts the base.
bool CoversBase(const Graph &graph, TensorId id);

// The strides of `id` when only `count` of the rows of `axis` are kept in memory: what lies outside the axis moves
// together. Precondition: CoversBase().
std::vector<int64_t> CompactStrides(const Tensor &tensor, int32_t axis, int64_t count);

// A base for `count` rows of `axis` of `id`, which covers its base, and a view of all of it that looks as
// SliceTensor(graph, id, axis, any, count) does but for offset and strides.
TensorId AddCompact(Graph &graph, TensorId id, int32_t axis, int64_t count, const std::string &name);

// A view of the same elements with the axes in the order of memory, outermost first, those of one element left out.
TensorId InMemoryOrder(Graph &graph, TensorId id);

}  // namespace onnx2mcu
