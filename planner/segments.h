// planner/segments.h - a graph cut where a single tensor is alive that no loop could shrink: between the blocks of a
// transformer, say. No stage gains from crossing such a place, so segments are searched one by one, and what is found
// for one holds for every other that looks the same to the planner.
#pragma once
#include <string>
#include <vector>

#include "planner/contract.h"
#include "planner/spans.h"

namespace onnx2mcu {

// Nodes [begin, end) of the graph, as a graph of their own.
struct Segment {
  Graph graph;
  std::vector<TensorId> whole;  // by TensorId of `graph`: the id in the whole graph
  Border border;                // ids of `graph`
  int32_t begin = 0, end = 0;
};

// Positions of `spans` at which segments begin, and the last one's end.
std::vector<int32_t> CutPoints(const Spans &spans);
// Positions [begin, end) of `spans`. Constants keep the data they have, or none.
Segment Extract(const Graph &graph, const Spans &spans, int32_t begin, int32_t end, bool data);
// Nodes in their order; constants keep the data they have.
std::vector<Segment> CutIntoSegments(const Graph &graph, const Contracts &contracts);

// The nodes of a segment (maybe rewritten) after those that `graph` has. Its own tensors are added; those of the whole
// graph that it changed are changed. Returns by TensorId of the segment: the id in `graph`.
std::vector<TensorId> AppendSegment(Graph &graph, const Segment &segment);

// All that the planner can learn of positions [begin, end), names, weights and scales left out: equal signatures, equal
// schedules. Precondition: contracts.kinds.
std::string SignatureOf(const Graph &graph, const Contracts &contracts, const Spans &spans, int32_t begin, int32_t end);

}  // namespace onnx2mcu
