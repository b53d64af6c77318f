// importer/ir/print.h - the graph as stable text, for --dump and for reading in tests.
#pragma once
#include <string>

#include "importer/ir/graph.h"

namespace onnx2mcu {

// One line per node in order, float half then op half: outputs with dtype and dims, op, attributes, inputs; constants
// are shown by name, dims and first values. No paths, no addresses: equal graphs give equal text.
std::string PrintGraph(const Graph &graph);

}  // namespace onnx2mcu
