#include "planner/segments.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "planner/cost.h"

namespace onnx2mcu {
namespace {

// Positions at which a segment begins: one base lives across, and it would be whole even in one run.
std::vector<int32_t> CutPoints(const Spans &spans) {
  const int32_t count = static_cast<int32_t>(spans.order.size());
  std::vector<int32_t> across(count + 1), loose(count + 1);  // by position: bases alive before and at it
  for (const Span &span : spans.all)
    for (int32_t k = span.first + 1; k <= span.last; k++) across[k]++, loose[k] += span.one_loop;
  std::vector<int32_t> cuts = {0};
  for (int32_t k = 1; k < count; k++)
    if (across[k] == 1 && loose[k] == 0) cuts.push_back(k);
  if (count > 0) cuts.push_back(count);
  return cuts;
}

struct Extractor {
  const Graph &graph;
  Segment &segment;
  std::vector<TensorId> local;  // by TensorId of the graph
};

TensorId Take(Extractor &e, TensorId id) {
  if (id == kNone || e.local[id] != kNone) return id == kNone ? kNone : e.local[id];
  const TensorId base = Take(e, e.graph.tensors[id].base);
  e.local[id] = static_cast<TensorId>(e.segment.whole.size());
  e.segment.whole.push_back(id);
  e.segment.graph.tensors.push_back(e.graph.tensors[id]);
  e.segment.graph.tensors.back().base = base;
  return e.local[id];
}

Segment Extract(const Graph &graph, const Spans &spans, int32_t begin, int32_t end) {
  Segment segment;
  segment.begin = begin, segment.end = end;
  segment.graph.name = graph.name, segment.graph.file = graph.file, segment.graph.opset = graph.opset;
  Extractor e{graph, segment, std::vector<TensorId>(graph.tensors.size(), kNone)};
  for (int32_t k = begin; k < end; k++) {
    Node node = graph.nodes[k];
    for (TensorId &id : node.inputs) id = Take(e, id);
    for (TensorId &id : node.outputs) id = Take(e, id);
    segment.graph.nodes.push_back(std::move(node));
  }
  for (TensorId id : graph.inputs)
    if (e.local[id] != kNone) segment.graph.inputs.push_back(e.local[id]);
  for (TensorId id : graph.outputs)
    if (e.local[id] != kNone) segment.graph.outputs.push_back(e.local[id]);
  for (const Span &span : spans.all) {
    if (e.local[span.base] == kNone) continue;
    if (span.first < begin) segment.border.in.push_back(e.local[span.base]);
    if (span.last >= end) segment.border.out.push_back(e.local[span.base]);
  }
  return segment;
}

}  // namespace

std::vector<Segment> CutIntoSegments(const Graph &graph, const Contracts &contracts) {
  std::vector<NodeId> order(graph.nodes.size());
  std::iota(order.begin(), order.end(), 0);
  const Spans spans = SpansOf(contracts, std::move(order), {});
  const std::vector<int32_t> cuts = CutPoints(spans);
  std::vector<Segment> segments;
  for (size_t i = 0; i + 1 < cuts.size(); i++) segments.push_back(Extract(graph, spans, cuts[i], cuts[i + 1]));
  return segments;
}

std::vector<TensorId> AppendSegment(Graph &graph, const Segment &segment) {
  std::vector<TensorId> ids = segment.whole;
  for (size_t i = ids.size(); i < segment.graph.tensors.size(); i++)
    ids.push_back(AddTensor(graph, segment.graph.tensors[i]));
  for (size_t i = 0; i < ids.size(); i++) {
    const Tensor &tensor = segment.graph.tensors[i];
    Tensor &to = graph.tensors[ids[i]];
    to.base = tensor.base == kNone ? kNone : ids[tensor.base];
    to.dims = tensor.dims, to.strides = tensor.strides, to.view_offset = tensor.view_offset;
  }
  for (const Node &node : segment.graph.nodes) {
    Node &copy = graph.nodes.emplace_back(node);
    for (TensorId &id : copy.inputs) id = id == kNone ? kNone : ids[id];
    for (TensorId &id : copy.outputs) id = id == kNone ? kNone : ids[id];
  }
  return ids;
}

namespace {

template <class... Values>
void Put(std::string &text, const Values &...values) {
  (..., text.append(reinterpret_cast<const char *>(&values), sizeof values));
}

void PutTouch(std::string &text, const Contracts &contracts, const Touch &touch) {
  Put(text, touch.tensor, touch.base, touch.write, touch.whole, touch.operand, touch.offset, touch.element, touch.rows,
      touch.row_stride, touch.step, touch.extent, touch.before, contracts.base_bytes[touch.base],
      contracts.homes[touch.base].place, touch.inner.size());
  for (const ByteAxis &axis : touch.inner) Put(text, axis.dim, axis.stride);
}

// What "o2m.split/1" offers, since a rewrite depends on it.
void PutSplits(std::string &text, const Graph &graph, const Node &node) {
  const std::vector<o2m_split> splits = SplitsOf(graph, node);
  Put(text, splits.size());
  for (const o2m_split &split : splits) Put(text, split);
}

void PutNode(std::string &text, const Graph &graph, const Contract &contract, const Node &node,
             const o2m_target &target) {
  const Work one = WorkOf(graph, node, target, contract.steps, 1);
  const Work all = WorkOf(graph, node, target, contract.steps, std::max(contract.steps, 1));
  Put(text, node.op, node.variant, contract.steps, contract.state_bytes, one.instructions, one.flash_bytes_read,
      all.instructions, all.flash_bytes_read, all.macs, contract.scratch.size(), node.inputs.size());
  for (const auto &[rows, bytes] : contract.scratch) Put(text, rows, bytes);
  for (bool in_place : contract.in_place) Put(text, in_place);
  for (TensorId id : node.inputs) {
    Put(text, id);
    if (id == kNone) continue;
    const Tensor &tensor = graph.tensors[id];
    Put(text, tensor.is_constant, tensor.dtype, tensor.dims.size());
    for (int64_t dim : tensor.dims) Put(text, dim);
  }
  PutSplits(text, graph, node);
}

}  // namespace

std::string SignatureOf(const Segment &segment, const Contracts &contracts, const o2m_target &target) {
  std::string text;
  for (const Tensor &tensor : segment.graph.tensors) {
    Put(text, tensor.base, tensor.dims.size());
    for (int64_t dim : tensor.dims) Put(text, dim);
  }
  for (size_t i = 0; i < segment.graph.nodes.size(); i++) {
    const Contract &contract = contracts.nodes[i];
    PutNode(text, segment.graph, contract, segment.graph.nodes[i], target);
    for (const Touch &touch : contract.touches) PutTouch(text, contracts, touch);
  }
  for (TensorId id : segment.border.in) Put(text, id);
  Put(text, kNone);
  for (TensorId id : segment.border.out) Put(text, id);
  return text;
}

}  // namespace onnx2mcu
