// planner/lower_bound.h - what no placement can go below.
#pragma once
#include <cstdint>
#include <vector>

#include "planner/plan.h"

namespace onnx2mcu {

// The most, over all moments, that the buffers alive then must cover where every offset is a multiple of `align`.
// Buffers that may lie over each other, directly or through others, are solved exactly up to seven at a time; of more,
// the bound leaves some out. (LowerBound() of plan.h is this one at the alignment of tensors.)
int64_t LowerBound(const std::vector<Buffer> &buffers, const std::vector<Overwrite> &overwrites, int64_t align);

}  // namespace onnx2mcu
