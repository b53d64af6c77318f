// nas/cost.h - what a network costs on a board, without training or compiling it: from the real planner.
#pragma once
#include <cstdint>
#include <memory>
#include <string>

#include "importer/ir/status.h"
#include "nas/vit.h"
#include "plugins/registry.h"

namespace onnx2mcu {

struct Cost {
  int64_t arena_bytes = 0, stack_bytes = 0;                      // RAM
  int64_t weight_bytes = 0, constant_bytes = 0, code_bytes = 0;  // flash
  int64_t instructions = 0;                                      // per inference, estimated
  int64_t ram_bytes() const { return arena_bytes + stack_bytes; }
  int64_t flash_bytes() const { return weight_bytes + constant_bytes + code_bytes; }
};

// 0: no limit.
struct Limits {
  int64_t ram_bytes = 0, flash_bytes = 0, instructions = 0;
};
inline bool Within(const Cost &cost, const Limits &limits) {
  const auto fits = [](int64_t value, int64_t limit) { return limit == 0 || value <= limit; };
  return fits(cost.ram_bytes(), limits.ram_bytes) && fits(cost.flash_bytes(), limits.flash_bytes) &&
         fits(cost.instructions, limits.instructions);
}

}  // namespace onnx2mcu
