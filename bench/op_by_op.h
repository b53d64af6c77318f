// bench/op_by_op.h - what a network needs without a planner, for comparison: from the imported graph alone.
#pragma once
#include <cstdint>
#include <vector>

#include "importer/ir/graph.h"

namespace onnx2mcu {

// What an interpreter places: a tensor, whole, from the op that writes it to the last that reads it.
struct WholeTensor {
  int64_t bytes = 0;
  int32_t first = 0, last = 0;  // positions of ops, inclusive
};

// The tensors between the ops of the float half, an int8 each value. As interpreters have it, a bias is part of its
// layer and reshaping is free; nothing else is fused or done in place. Inputs and outputs of the graph are the
// caller's.
std::vector<WholeTensor> WholeTensors(const Graph &graph);

// Greedy by size (Pisarchyk, Lee: "Efficient Memory Management for Deep Neural Net Inference", 2020; TensorFlow Lite
// Micro's planner): the largest first, each at the lowest offset that is free all its life. Bytes of the arena.
int64_t GreedyBySize(std::vector<WholeTensor> tensors);

// MCUFormer's eq. 5: max over layers of weights + max(in, out), an int8 each value and int32 biases.
int64_t WeightsAndLargerSide(const Graph &graph);

}  // namespace onnx2mcu
