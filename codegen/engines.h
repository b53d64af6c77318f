// codegen/engines.h - runs a model over many samples: float, host integer, or generated C on the target.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "codegen/compiler.h"
#include "codegen/emulator.h"
#include "codegen/progress.h"
#include "importer/data/inputs.h"

namespace onnx2mcu {

// Per sample and graph output: the values, dequantised where the engine is an integer one.
struct EngineRun {
  std::vector<std::vector<std::vector<float>>> outputs;  // [sample][output][element]
  std::vector<std::vector<std::vector<uint8_t>>> bytes;  // [sample][output]; empty for float
};

// The samples [0, count) on every core of the host; results are in sample order whatever the number of threads.
absl::StatusOr<EngineRun> RunFloat(const Graph &graph, const std::vector<InputSet> &sets, int64_t count,
                                   Progress *progress = nullptr);
EngineRun RunInteger(const Compilation &compilation, const std::vector<InputSet> &sets, int64_t count,
                     Progress *progress = nullptr);
absl::StatusOr<EngineRun> RunTarget(const Compilation &compilation, const std::vector<GeneratedFile> &files,
                                    const std::vector<InputSet> &sets, int64_t count, EmulatorRun &raw);

// Fills the values from the bytes.
void DequantizeRun(const Graph &graph, EngineRun &run);

// Share of samples, 0..1, whose output 0 has its largest value at the same place.
double Agreement(const EngineRun &a, const EngineRun &b);

// All inputs of sample n, quantised, in graph order.
std::vector<uint8_t> SampleBytes(const Graph &graph, const std::vector<InputSet> &sets, int64_t n);
std::vector<float> DequantizeBytes(const Tensor &tensor, const std::vector<uint8_t> &bytes);
std::vector<int32_t> IntegersOf(const Tensor &tensor, const std::vector<uint8_t> &bytes);

}  // namespace onnx2mcu
