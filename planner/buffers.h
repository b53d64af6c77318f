// planner/buffers.h - from stages to blocks of memory: who lives when, and what may be written over what.
#pragma once
#include "planner/contract.h"
#include "planner/plan.h"
#include "planner/spans.h"

namespace onnx2mcu {

// Fills buffers (without offsets), overwrites and the indices of `plan` from its stages. Bases beyond the border live
// from the first time or to the last.
void AddBuffers(const Graph &graph, const o2m_target &target, Contracts &contracts, Plan &plan,
                const Border &border = {});

// Past the last byte of a base that the nodes write.
int64_t WrittenEnd(const Contracts &contracts, TensorId base);

}  // namespace onnx2mcu
