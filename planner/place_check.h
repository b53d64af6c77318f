// planner/place_check.h - the independent check of a placement. It shares the problem's types with the placer, no code.
#pragma once
#include "planner/place.h"

namespace onnx2mcu {

// Every pair of blocks, as the header of the problem states it. Internal names the two blocks that are in each other's
// way, or the one that lies wrong.
absl::Status CheckSolution(const Problem &problem, const Solution &solution);

}  // namespace onnx2mcu
