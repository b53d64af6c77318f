// planner/prefetch.h - weights that are brought from slow flash into the arena one stage ahead.
#pragma once
#include "planner/plan.h"

namespace onnx2mcu {

// Gives constants of every stage but the first a buffer that lives from the start of the stage before to the end of the
// stage that reads them: of two stages in a row both exist, a double buffer that lies wherever the plan has room. At
// most `limit` bytes for one stage, in the order of its nodes; a constant that does not fit is read in place. Where the
// arena would exceed `arena_budget` (0: none) the stages that take most go without. Precondition: constants are packed,
// the plan is no streamed one.
void AddPrefetch(const Graph &graph, int64_t limit, int64_t arena_budget, Plan *plan);

// The constants of all stages that are read in place although they are worth a transfer.
struct ReadInPlace {
  int64_t bytes = 0, largest = 0;
  NodeId node = kNone;  // of the largest
};
ReadInPlace LeftInPlace(const Graph &graph, const Plan &plan);

}  // namespace onnx2mcu
