#include "planner/segments.h"

#include <algorithm>
#include <utility>

#include "planner/answers.h"
#include "planner/rewrites.h"

namespace onnx2mcu {

// One base lives across, and it would be whole even in one run.
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

namespace {

struct Extractor {
  const Graph &graph;
  Segment &segment;
  bool data;
  std::vector<TensorId> local;  // by TensorId of the graph
};

TensorId Take(Extractor &e, TensorId id) {
  if (id == kNone || e.local[id] != kNone) return id == kNone ? kNone : e.local[id];
  const TensorId base = Take(e, e.graph.tensors[id].base);
  e.local[id] = static_cast<TensorId>(e.segment.whole.size());
  e.segment.whole.push_back(id);
  e.segment.graph.tensors.push_back(e.data ? e.graph.tensors[id] : WithoutData(e.graph.tensors[id]));
  e.segment.graph.tensors.back().base = base;
  return e.local[id];
}

}  // namespace

Segment Extract(const Graph &graph, const Spans &spans, int32_t begin, int32_t end, bool data) {
  Segment segment;
  segment.begin = begin, segment.end = end;
  segment.graph.name = graph.name, segment.graph.file = graph.file, segment.graph.opset = graph.opset;
  Extractor e{graph, segment, data, std::vector<TensorId>(graph.tensors.size(), kNone)};
  for (int32_t k = begin; k < end; k++) {
    Node node = graph.nodes[spans.order[k]];
    for (Constant &constant : node.constants)
      if (!data) constant.data.clear();
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

std::vector<Segment> CutIntoSegments(const Graph &graph, const Contracts &contracts) {
  const Spans spans = SpansOfAll(graph, contracts, {});
  const std::vector<int32_t> cuts = CutPoints(spans);
  std::vector<Segment> segments;
  for (size_t i = 0; i + 1 < cuts.size(); i++) segments.push_back(Extract(graph, spans, cuts[i], cuts[i + 1], true));
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

struct Signer {
  const Graph &graph;
  const Contracts &contracts;
  std::vector<TensorId> local;  // by TensorId of the graph: numbered as they are met
  int32_t met = 0;
  std::string text;
};

bool IsInput(const Graph &graph, TensorId id) {
  return std::find(graph.inputs.begin(), graph.inputs.end(), id) != graph.inputs.end();
}

int32_t Sign(Signer &s, TensorId id) {
  if (id == kNone || s.local[id] != kNone) return id == kNone ? kNone : s.local[id];
  const Tensor &tensor = s.graph.tensors[id];
  const int32_t base = Sign(s, tensor.base);
  PutBytes(s.text, base, tensor.dims.size(), s.contracts.base_bytes[id], s.contracts.homes[id].place,
           IsInput(s.graph, id));
  for (const int64_t dim : tensor.dims) PutBytes(s.text, dim);
  return s.local[id] = s.met++;
}

}  // namespace

std::string SignatureOf(const Graph &graph, const Contracts &contracts, const Spans &spans, int32_t begin,
                        int32_t end) {
  Signer s{graph, contracts, std::vector<TensorId>(graph.tensors.size(), kNone), 0, {}};
  for (int32_t k = begin; k < end; k++) {
    const Node &node = graph.nodes[spans.order[k]];
    PutBytes(s.text, contracts.kinds[spans.order[k]]);
    for (const auto *operands : {&node.inputs, &node.outputs})
      for (const TensorId id : *operands) PutBytes(s.text, Sign(s, id));
  }
  for (const Span &span : spans.all) {
    if (s.local[span.base] == kNone || (span.first >= begin && span.last < end)) continue;
    PutBytes(s.text, s.local[span.base], span.first < begin, span.last >= end);
  }
  return s.text;
}

}  // namespace onnx2mcu
