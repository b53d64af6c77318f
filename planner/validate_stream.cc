// The independent check of streamed input: walks every element that every step reads, in the input and in the band.
#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "planner/rewrites.h"
#include "planner/stream.h"

namespace onnx2mcu {
namespace {

absl::Status BadStream(const std::string &what) { return absl::InternalError(absl::StrCat("streamed input: ", what)); }

// Calls visit(index) for every index of a tensor of these dims, the last axis fastest.
template <typename Visit>
void ForEachIndex(const std::vector<int64_t> &dims, const Visit &visit) {
  std::vector<int64_t> index(dims.size());
  for (int64_t n = ElementCount(dims); n > 0; n--) {
    visit(index);
    for (size_t i = dims.size(); i-- > 0 && ++index[i] == dims[i];) index[i] = 0;
  }
}

int64_t ElementPlaceOf(const std::vector<int64_t> &index, const std::vector<int64_t> &strides) {
  int64_t place = 0;
  for (size_t i = 0; i < index.size(); i++) place += index[i] * strides[i];
  return place;
}

struct StreamChecker {
  const Graph &graph, &moved;
  const Plan &plan;  // streamed
  const Stream &stream;
  const Tensor &input;
  std::vector<int64_t> in_band;  // by element of the input: the element of the band, were it all rows
  int64_t row = 1;               // elements
};

// The band's strides give every element of the input a place of its own, no row apart.
absl::Status CheckLayout(StreamChecker &c) {
  c.row = c.stream.row_bytes / DTypeBytes(c.input.dtype);
  const int64_t count = ElementCount(c.input.dims);
  if (c.row * c.stream.image_rows != count) return BadStream("its rows are not the input");
  const std::vector<int64_t> dense = StridesOf(c.input);
  c.in_band.assign(count, kNone);
  std::vector<bool> taken(count);
  absl::Status status;
  ForEachIndex(c.input.dims, [&](const std::vector<int64_t> &index) {
    const int64_t place = ElementPlaceOf(index, c.stream.strides);
    if (place < 0 || place >= count || taken[place])
      return void(status = BadStream("two elements share a place in the band"));
    taken[place] = true;
    c.in_band[ElementPlaceOf(index, dense)] = place;
  });
  return status;
}

// While steps [t, last] run the band holds rows [first, end).
absl::Status CheckStep(const StreamChecker &c, const Tensor &from, const Tensor &to, const o2m_access &access,
                       int64_t step, int64_t first, int64_t end) {
  std::vector<int64_t> dims = from.dims;
  const int64_t low = std::max<int64_t>(step * access.step - access.before, 0);
  dims[access.axis] = std::min(step * access.step - access.before + access.extent, dims[access.axis]) - low;
  if (dims[access.axis] <= 0) return absl::OkStatus();
  const int64_t skip_from = from.view_offset + low * StridesOf(from)[access.axis],
                skip_to = to.view_offset + low * StridesOf(to)[access.axis];
  absl::Status status;
  ForEachIndex(dims, [&](const std::vector<int64_t> &index) {
    const int64_t place = skip_to + ElementPlaceOf(index, StridesOf(to));
    if (place != c.in_band[skip_from + ElementPlaceOf(index, StridesOf(from))])
      status = BadStream(absl::StrCat("'", to.name, "' is not where the input is"));
    if (place / c.row < first || place / c.row >= end)
      status = BadStream(absl::StrCat("'", to.name, "' is read from a row that is not there"));
  });
  return status;
}

absl::Status CheckReader(const StreamChecker &c, const o2m_target &target, const Node &node, size_t operand) {
  const Stage &stage = c.plan.stages[c.stream.stage];
  const o2m_access access = MemoryOf(c.moved, node, target, stage.rows).inputs[operand];
  if (access.extent == 0) return BadStream("a node reads it whole");
  int64_t before = 0;
  for (int32_t t = 0; t < stage.steps; t += stage.rows) {
    const int32_t last = std::min(t + stage.rows, stage.steps) - 1;
    const int64_t first = FirstRow(c.stream, t), end = EndRow(c.stream, last);
    if (first < before || end - first > c.stream.band_rows) return BadStream("a band with too few rows");
    before = first;
    for (int32_t step = t; step <= last; step++)
      O2M_RETURN_IF_ERROR(CheckStep(c, c.graph.tensors[node.inputs[operand]], c.moved.tensors[node.inputs[operand]],
                                    access, step, first, end));
  }
  return absl::OkStatus();
}

absl::Status CheckReaders(const StreamChecker &c, const o2m_target &target) {
  for (size_t s = 0; s < c.plan.stages.size(); s++) {
    for (NodeId id : c.plan.stages[s].nodes) {
      const Node &node = c.moved.nodes[id];
      for (size_t i = 0; i < node.inputs.size(); i++) {
        if (node.inputs[i] == kNone || BaseOf(c.moved, node.inputs[i]) != c.graph.inputs[0]) continue;
        if (static_cast<int32_t>(s) != c.stream.stage) return BadStream("it is read outside of its loop");
        O2M_RETURN_IF_ERROR(CheckReader(c, target, node, i));
      }
      for (TensorId output : node.outputs)
        if (static_cast<int32_t>(s) <= c.stream.stage && BaseOf(c.graph, output) == output &&
            std::find(c.graph.outputs.begin(), c.graph.outputs.end(), output) != c.graph.outputs.end())
          return BadStream("an output is written before the end");
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ValidateStream(const Graph &graph, const o2m_target &target, const Plan &plan, const Stream &stream) {
  if (!stream.possible()) return absl::OkStatus();
  Graph moved = WithoutData(graph);
  MoveToBand(&moved, stream);
  const Plan streamed = StreamedPlan(graph, plan, stream);
  O2M_RETURN_IF_ERROR(ValidatePlan(moved, target, streamed));
  const Buffer &band = plan.buffers[stream.band];
  const int64_t rows = stream.band_rows * stream.row_bytes;
  if (band.offset % 8 || stream.count_at % 4 || stream.count_at < rows || band.bytes < stream.count_at + 4)
    return BadStream("the band's count has no place");
  StreamChecker c{graph, moved, streamed, stream, graph.tensors[graph.inputs[0]], {}, 1};
  O2M_RETURN_IF_ERROR(CheckLayout(c));
  return CheckReaders(c, target);
}

}  // namespace onnx2mcu
