// planner/overwrite.h - the distance between two tensors, from every node that writes the one and reads the other.
#pragma once
#include <cstdint>
#include <vector>

#include "planner/distance.h"

namespace onnx2mcu {

// One touch of a base at a time (the position of the node in the schedule).
struct Use {
  int32_t time = 0;
  const Touch *touch = nullptr;
  bool in_place = false;
};

// The least x - y at which the writes may pass over what the reads still need, within one loop of `steps` steps.
int64_t OverwriteDistance(int32_t steps, int32_t rows, const std::vector<Use> &x_reads,
                          const std::vector<Use> &y_writes);

}  // namespace onnx2mcu
