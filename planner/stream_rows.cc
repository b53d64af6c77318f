#include "planner/stream_rows.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "importer/ir/walk.h"

namespace onnx2mcu {
namespace {

// The axis of the input that `axis` of the view walks along, and no other; kNone: there is none.
int32_t RowAxis(const Walk &walk, int32_t axis) {
  int32_t found = kNone;
  for (size_t j = 0; j < walk.start.size(); j++) {
    if (walk.along[axis][j] == 0) continue;
    if (found != kNone) return kNone;
    found = static_cast<int32_t>(j);
  }
  return found;
}

// Rows outermost; in a row the axes that follow the row axis, then those before it: [C, H, W] and [H, W, C] both become
// [H][W][C].
std::vector<int64_t> BandStrides(const std::vector<int64_t> &dims, int32_t row) {
  std::vector<int64_t> strides(dims.size());
  int64_t next = 1;
  for (int32_t i = row; i-- > 0; next *= dims[i]) strides[i] = next;
  for (size_t i = dims.size(); i-- > static_cast<size_t>(row) + 1; next *= dims[i]) strides[i] = next;
  strides[row] = next;
  return strides;
}

// What one reader reads: steps [t, u] rows [t*step - before, u*step - before + extent).
struct Window {
  int32_t axis = kNone;
  int64_t step = 0, before = 0, extent = 0;
};

Window WindowOf(const Walk &walk, const Tensor &view, const o2m_access &access) {
  const int32_t row = RowAxis(walk, access.axis);
  if (row == kNone) return {};
  const int64_t scale = walk.along[access.axis][row];
  int64_t inner = 0;  // rows that one row of the view spans
  for (size_t i = 0; i < walk.along.size(); i++)
    if (static_cast<int32_t>(i) != access.axis) inner += (view.dims[i] - 1) * walk.along[i][row];
  return {row, access.step * scale, access.before * scale - walk.start[row], (access.extent - 1) * scale + inner + 1};
}

std::string Where(const Graph &graph, const InputReader &reader) {
  return absl::StrCat("'", graph.nodes[reader.node].name, "'");
}

}  // namespace

std::string FindRows(const Graph &graph, const std::vector<InputReader> &readers, Stream *stream) {
  const Tensor &input = graph.tensors[graph.inputs[0]];
  int32_t axis = kNone;
  int64_t end = 0;  // of all windows, from step * t on
  for (const InputReader &reader : readers) {
    Walk walk;
    const Tensor &view = graph.tensors[reader.tensor];
    if (!WalkOf(input, view, &walk)) return Where(graph, reader) + " reads it in an order that is not by rows";
    const Window window = WindowOf(walk, view, reader.access);
    if (window.axis == kNone) return Where(graph, reader) + " does not walk along its rows";
    const bool first = axis == kNone;
    if (!first && (window.axis != axis || window.step != stream->step))
      return Where(graph, readers[0]) + " and " + Where(graph, reader) + " walk it at different paces";
    axis = window.axis, stream->step = window.step;
    stream->before = first ? window.before : std::max(stream->before, window.before);
    end = first ? window.extent - window.before : std::max(end, window.extent - window.before);
  }
  stream->extent = end + stream->before;
  stream->strides = BandStrides(input.dims, axis);
  stream->image_rows = input.dims[axis];
  stream->row_bytes = stream->strides[axis] * DTypeBytes(input.dtype);
  return "";
}

void MoveToBand(Graph *graph, const Stream &stream) {
  const TensorId id = graph->inputs[0];
  SetBaseStrides(*graph, id, stream.strides);
  graph->tensors[id].in_arena = true;
}

}  // namespace onnx2mcu
