// planner/rewrites.h - what the search does to a graph besides Rewrites().
#pragma once
#include <vector>

#include "planner/plan.h"

namespace onnx2mcu {

// The graph without what only execution needs: constants' data and the float half. Ids stay.
Graph WithoutData(const Graph &graph);

// Merges nodes of one stage that compute the same (op, operands, attributes): recomputation that ended up in one loop
// is done once. Exact. Ids of tensors stay; ids of later nodes move up.
Graph MergeDuplicates(const Graph &graph, const std::vector<Stage> &stages, bool *changed);

}  // namespace onnx2mcu
