// planner/rewrites.h - what the search does to a graph besides Rewrites().
#pragma once
#include <vector>

#include "planner/plan.h"

namespace onnx2mcu {

// The graph without what only execution needs: constants' data and the float half. Ids stay.
Graph WithoutData(const Graph &graph);

// By node: the first node that computes the same from the same operands, or itself. Clones of a clone count as well.
std::vector<NodeId> FirstOfDuplicates(const Graph &graph);

// Merges nodes of one stage that compute the same (op, operands, attributes): recomputation that ended up in one loop
// is done once. Exact. Ids of tensors stay; ids of later nodes move up.
Graph MergeDuplicates(const Graph &graph, const std::vector<Stage> &stages, bool *changed);

}  // namespace onnx2mcu
