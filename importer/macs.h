// importer/macs.h - the work of a model, counted on its float half.
#pragma once
#include <cstdint>

#include "importer/ir/graph.h"

namespace onnx2mcu {

// Multiply-accumulates of matrix products, convolutions and attention, from the dims of their operands; everything
// element-wise counts nothing. Precondition: every tensor has its static dims (after FoldConstants).
int64_t CountMacs(const Graph &graph);
int64_t MacsOf(const Graph &graph, const FloatNode &node);

}  // namespace onnx2mcu
