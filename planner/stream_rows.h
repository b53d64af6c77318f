// planner/stream_rows.h - the input as rows: along which axis they lie, how a band of them lies in memory, which of
// them a step reads.
#pragma once
#include <string>
#include <vector>

#include "planner/stream.h"

namespace onnx2mcu {

// One operand of a node that is the input or a view of it.
struct InputReader {
  NodeId node = kNone;
  int32_t operand = 0;
  TensorId tensor = kNone;
  o2m_access access{};
};

// Fills image_rows, row_bytes, strides and step, before, extent (what all readers read together). Returns why it cannot
// be done, or nothing. Precondition: one input; every reader walks it in the same loop.
std::string FindRows(const Graph &graph, const std::vector<InputReader> &readers, Stream *stream);

}  // namespace onnx2mcu
