#include "planner/make_plan.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "planner/buffers.h"
#include "planner/loops.h"
#include "planner/order.h"

namespace onnx2mcu {
Problem ProblemOf(const std::vector<Buffer> &buffers, const std::vector<Overwrite> &overwrites) {
  Problem problem;
  problem.blocks.reserve(buffers.size());
  for (const Buffer &buffer : buffers) {
    const int64_t align = buffer.kind == BufferKind::kTensor ? kTensorAlign : kBlockAlign;
    problem.blocks.push_back({"", buffer.bytes, align, buffer.first, buffer.last});
  }
  for (const Overwrite &o : overwrites) problem.distances.push_back({o.x, o.y, o.distance});
  return problem;
}

void PlaceBuffers(Plan &plan, Placements *known) {
  plan.lower_bound_bytes = LowerBound(plan.buffers, plan.overwrites);
  Problem problem = ProblemOf(plan.buffers, plan.overwrites);
  problem.lower_bound = plan.lower_bound_bytes, problem.boundaries = plan.boundaries;
  const Solution solution = PlaceBlocks(problem, known);
  for (size_t i = 0; i < plan.buffers.size(); i++) plan.buffers[i].offset = solution.offsets[i];
  plan.arena_bytes = solution.bytes, plan.arena_optimal = solution.optimal;
}

Plan PlanStages(const Graph &graph, const o2m_target &target, Contracts &contracts, std::vector<Stage> stages,
                const std::vector<int64_t> &boundaries) {
  Plan plan;
  plan.stages = std::move(stages), plan.boundaries = boundaries;
  AddBuffers(graph, target, contracts, plan);
  PlaceBuffers(plan);
  return plan;
}

absl::StatusOr<Plan> MakePlan(const Graph &graph, const o2m_target &target, const PlanOptions &options) {
  O2M_ASSIGN_OR_RETURN(Contracts contracts, ContractsOf(graph, target));
  const StageSpace space = StageSpaceOf(graph, target, contracts, OrderNodes(graph, contracts), {}, options.rows);
  return PlanStages(graph, target, contracts, StagesOf(space, CutStages(space, options.live_limit)),
                    options.boundaries);
}

}  // namespace onnx2mcu
