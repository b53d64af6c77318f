// bench/measure.h - instructions and estimated cycles of the cases of all ops and of whole networks, on one core.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "bench/case_network.h"

namespace onnx2mcu {

// A line of the table. Rows of functions follow that of their case: "attention/50x50x16:o2m_attention_s8".
struct Row {
  std::string name;
  int64_t instructions = 0;
  int64_t cycles = 0;          // an estimate; 0: there is no table for the core
  int64_t ram = 0, flash = 0;  // of whole networks, measured: arena, data, bss, stack; weights, code, constants. Of
                               // cases: flash alone, the packed weights
  int64_t work = 0;            // what a figure per unit refers to
  std::string unit;            // "MAC", "element"
  int64_t estimate = 0;        // of whole networks and their kernels: instructions as the planner priced them
};

// Counted on the emulator, whose output bytes must equal the host's. Internal where they do not.
absl::StatusOr<std::vector<Row>> MeasureCases(const Registry &registry, const CaseOptions &options);

// Instructions alone, by case; bytes are not compared, since cases with gaps in their outputs leave some unwritten.
absl::StatusOr<std::vector<int64_t>> CountCases(const CaseNetwork &network, Host &host);

struct NetworkCase {
  std::string name, model;  // model: the file
  std::string residual = "s8";
  int64_t ram = 0, flash = 0;  // as --ram and --flash; 0: the default schedule
};
// One inference. Rows of kernels follow: "vit_fmnist:linear_s8".
absl::StatusOr<std::vector<Row>> MeasureNetwork(const Registry &registry, const NetworkCase &network,
                                                const std::string &target);

}  // namespace onnx2mcu
