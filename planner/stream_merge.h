// planner/stream_merge.h - one loop for all nodes that read the input.
#pragma once
#include <vector>

#include "planner/contract.h"
#include "planner/plan.h"

namespace onnx2mcu {

// The stages of `plan` with all readers of the input in one loop, and with them what lies between (it reads one and is
// read by another); what they wait for runs before, what waits for them behind. Empty where their steps differ, or
// where they share a loop already. Whether the loop computes the same is for ValidatePlan() to say.
std::vector<Stage> MergeReaders(const Graph &graph, const Contracts &contracts, const Plan &plan);

}  // namespace onnx2mcu
