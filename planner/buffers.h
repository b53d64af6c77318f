// planner/buffers.h - from stages to blocks of memory: who lives when, and what may be written over what.
#pragma once
#include "planner/contract.h"
#include "planner/plan.h"

namespace onnx2mcu {

// Fills buffers (without offsets), overwrites and the indices of `plan` from its stages.
void AddBuffers(const Graph &graph, const o2m_target &target, Contracts &contracts, Plan &plan);

}  // namespace onnx2mcu
