// importer/onnx_writer.h - the float half of a graph as an ONNX file, for graphs that are built here.
#pragma once
#include <string>

#include "importer/ir/graph.h"
#include "importer/ir/status.h"

namespace onnx2mcu {

// Inputs, outputs, float nodes in their order, constants that they read, metadata. Outputs have dims. Nodes are of the
// ONNX domain, of the graph's opset. The same graph gives the same bytes. InvalidArgument: the model is beyond the 2
// GiB of an ONNX file.
absl::StatusOr<std::string> OnnxBytes(const Graph &graph);

}  // namespace onnx2mcu
