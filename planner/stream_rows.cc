#include "planner/stream_rows.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace onnx2mcu {
namespace {

// The index along each axis of a dense tensor of the place `offset` elements behind its start.
std::vector<int64_t> IndexOf(int64_t offset, const std::vector<int64_t> &dims) {
  std::vector<int64_t> index(dims.size());
  for (size_t i = dims.size(); i-- > 0; offset /= dims[i]) index[i] = offset % dims[i];
  return index;
}

// A view's start and the way along each of its axes, as indices into the tensor behind it.
struct Walk {
  std::vector<int64_t> start;
  std::vector<std::vector<int64_t>> along;  // by axis of the view; zeros where the axis has one element
};

// False where the view cannot be told by indices: it runs backwards, or past the end of an axis into the next one.
bool WalkOf(const Tensor &base, const Tensor &view, Walk *walk) {
  const std::vector<int64_t> strides = StridesOf(view);
  std::vector<int64_t> last = walk->start = IndexOf(view.view_offset, base.dims);
  for (size_t i = 0; i < strides.size(); i++) {
    if (view.dims[i] > 1 && (strides[i] < 0 || strides[i] >= ElementCount(base.dims))) return false;
    walk->along.push_back(IndexOf(view.dims[i] > 1 ? strides[i] : 0, base.dims));
    for (size_t j = 0; j < last.size(); j++) last[j] += (view.dims[i] - 1) * walk->along[i][j];
  }
  for (size_t j = 0; j < last.size(); j++)
    if (last[j] >= base.dims[j]) return false;
  return true;
}

int64_t Dot(const std::vector<int64_t> &index, const std::vector<int64_t> &strides) {
  int64_t sum = 0;
  for (size_t i = 0; i < index.size(); i++) sum += index[i] * strides[i];
  return sum;
}

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
  const Tensor input = graph->tensors[id];
  for (size_t i = 0; i < graph->tensors.size(); i++) {
    Tensor &tensor = graph->tensors[i];
    Walk walk;
    if (BaseOf(*graph, static_cast<TensorId>(i)) != id || !WalkOf(input, tensor, &walk)) continue;
    tensor.view_offset = Dot(walk.start, stream.strides);
    std::vector<int64_t> strides = StridesOf(tensor);
    for (size_t axis = 0; axis < walk.along.size(); axis++)
      if (tensor.dims[axis] > 1) strides[axis] = Dot(walk.along[axis], stream.strides);
    tensor.strides = std::move(strides);
  }
  graph->tensors[id].in_arena = true;
}

}  // namespace onnx2mcu
