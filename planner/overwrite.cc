#include "planner/overwrite.h"

#include <algorithm>

namespace onnx2mcu {
namespace {

ReadOrder OrderOf(const Use &read, const Use &write) {
  if (read.time < write.time) return ReadOrder::kBefore;
  const bool in_place = read.time == write.time && read.in_place && write.touch->operand == 0;
  return in_place ? ReadOrder::kInPlace : ReadOrder::kAfter;
}

}  // namespace

int64_t OverwriteDistance(int32_t steps, int32_t rows, const std::vector<Use> &x_reads,
                          const std::vector<Use> &y_writes) {
  int64_t distance = 0;
  for (const Use &write : y_writes)
    for (const Use &read : x_reads)
      distance = std::max(distance, MinDistance(steps, rows, *write.touch, *read.touch, OrderOf(read, write)));
  return distance;
}

}  // namespace onnx2mcu
