// planner/over_budget.h - the answer to a budget that cannot be met.
#pragma once
#include "planner/plan.h"

namespace onnx2mcu {

// ResourceExhausted: the least that could be, the stage that binds it, and what would help. `least`: the schedule with
// the smallest arena.
absl::Status OverBudget(const Alternative &least, const PlanOptions &options);

}  // namespace onnx2mcu
