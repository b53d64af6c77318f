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

// Nodes in their order; constants keep the data they have.
std::vector<Segment> CutIntoSegments(const Graph &graph, const Contracts &contracts);

// The nodes of a segment (maybe rewritten) after those that `graph` has. Its own tensors are added; those of the whole
// graph that it changed are changed. Returns by TensorId of the segment: the id in `graph`.
std::vector<TensorId> AppendSegment(Graph &graph, const Segment &segment);

// All that the planner can learn of a segment, names, weights and scales left out: equal signatures, equal schedules.
std::string SignatureOf(const Segment &segment, const Contracts &contracts, const o2m_target &target);

}  // namespace onnx2mcu
