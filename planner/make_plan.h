// planner/make_plan.h - the steps of MakePlan(), for the search, which takes them many times.
#pragma once
#include <vector>

#include "planner/contract.h"
#include "planner/place.h"
#include "planner/plan.h"

namespace onnx2mcu {

// Lower bound, offsets and arena for given buffers, distances and boundaries. `known` saves time only.
void PlaceBuffers(Plan &plan, Placements *known = nullptr);
Problem ProblemOf(const std::vector<Buffer> &buffers, const std::vector<Overwrite> &overwrites);

// Lifetimes, distances and placement for given stages.
Plan PlanStages(const Graph &graph, const o2m_target &target, Contracts &contracts, std::vector<Stage> stages,
                const std::vector<int64_t> &boundaries = {});

}  // namespace onnx2mcu
