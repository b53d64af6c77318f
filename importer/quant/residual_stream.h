// importer/quant/residual_stream.h - which tensors are s16 since a residual stream runs through them.
#pragma once
#include <vector>

#include "importer/ir/graph.h"
#include "importer/quant/given.h"

namespace onnx2mcu {

// An operand that is computed on the target.
inline bool IsActivation(const Graph &graph, TensorId id) { return id != kNone && !graph.tensors[id].is_constant; }

struct StreamOptions {
  // Also what is summed on the way there: branches, and what a position embedding is added to. A byte is coarse for
  // tokens that are small beside others, such as a class token before the first blocks, and LayerNorm, which comes
  // next, makes them large.
  bool addends = false;
  // Everything that is not refused, as in a model with scales of its own, which was made to round nowhere else.
  bool all = false;
};

// By group: what a sum of two activations writes, and what it reads that others read as well. `refused`: groups that
// stay bytes, as inputs and outputs of the graph do.
std::vector<bool> ResidualStream(const Graph &graph, const GroupOf &group_of, std::vector<bool> refused,
                                 const StreamOptions &options);

}  // namespace onnx2mcu
