// importer/quant/residual_stream.h - which tensors are s16 since a residual stream runs through them.
#pragma once
#include <vector>

#include "importer/ir/graph.h"
#include "importer/quant/given.h"

namespace onnx2mcu {

// An operand that is computed on the target.
inline bool IsActivation(const Graph &graph, TensorId id) { return id != kNone && !graph.tensors[id].is_constant; }

// By group: what a sum of two activations writes, and what is summed on the way there: branches, and what a position
// embedding is added to. A byte would be coarse for tokens that are small beside others, such as a class token before
// the first blocks, and LayerNorm, which comes next, makes them large. `refused`: groups that stay bytes, as inputs and
// outputs of the graph do. all: everything that is not refused, as in a model with scales of its own, which was made to
// round nowhere else.
std::vector<bool> ResidualStream(const Graph &graph, const GroupOf &group_of, std::vector<bool> refused, bool all);

}  // namespace onnx2mcu
