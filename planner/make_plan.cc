#include "planner/make_plan.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "planner/buffers.h"
#include "planner/loops.h"
#include "planner/order.h"
#include "planner/place.h"

namespace onnx2mcu {
namespace {

Problem ProblemOf(const Plan &plan) {
  Problem problem;
  problem.lower_bound = plan.lower_bound_bytes;
  for (const Buffer &buffer : plan.buffers) {
    const int64_t align = buffer.kind == BufferKind::kTensor ? kTensorAlign : kBlockAlign;
    problem.blocks.push_back({"", buffer.bytes, align, buffer.first, buffer.last});
  }
  for (const Overwrite &o : plan.overwrites) problem.distances.push_back({o.x, o.y, o.distance});
  return problem;
}

}  // namespace

void PlaceBuffers(Plan &plan) {
  plan.lower_bound_bytes = LowerBound(plan.buffers, plan.overwrites);
  const Solution solution = Place(ProblemOf(plan));
  for (size_t i = 0; i < plan.buffers.size(); i++) plan.buffers[i].offset = solution.offsets[i];
  plan.arena_bytes = solution.bytes;
}

Plan PlanStages(const Graph &graph, const o2m_target &target, Contracts &contracts, std::vector<Stage> stages) {
  Plan plan;
  plan.stages = std::move(stages);
  AddBuffers(graph, target, contracts, plan);
  PlaceBuffers(plan);
  return plan;
}

absl::StatusOr<Plan> MakePlan(const Graph &graph, const o2m_target &target, const PlanOptions &options) {
  O2M_ASSIGN_OR_RETURN(Contracts contracts, ContractsOf(graph, target));
  const StageSpace space = StageSpaceOf(graph, target, contracts, OrderNodes(graph, contracts), {}, options.rows);
  return PlanStages(graph, target, contracts, StagesOf(space, CutStages(space, options.live_limit)));
}

}  // namespace onnx2mcu
