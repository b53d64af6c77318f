// codegen/layer_profile.h - what one inference on the emulator spends on each layer: `validate --profile`.
#pragma once
#include <string>
#include <vector>

#include "codegen/emulator.h"

namespace onnx2mcu {

// A node of the schedule: all its calls in one inference.
struct LayerCount {
  int stage = kNone;                                // kNone: what NAME_run does beside its nodes
  std::string kernel, name;                         // as report.json has them
  int64_t calls = 0, instructions = 0, cycles = 0;  // cycles: an estimate, 0 where there is no table
  int64_t macs = 0, elements = 0, outputs = 0;      // as the op states them
  int64_t estimate = 0;                             // instructions, as the planner priced them
};

// In the order of the schedule; they add up to profile.instructions.
std::vector<LayerCount> LayersOf(const Compilation &compilation, const Profile &profile);

// Runs one sample on the target with a mark before every call. InvalidArgument on the host, which is not emulated.
// sample: all inputs' bytes in graph order.
absl::StatusOr<std::vector<LayerCount>> ProfileLayers(const Compilation &compilation, CompileOptions options,
                                                      const std::vector<uint8_t> &sample, Host &host);

void PrintLayers(const std::vector<LayerCount> &layers);

}  // namespace onnx2mcu
