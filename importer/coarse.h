// importer/coarse.h - what bytes are too coarse for although the op that claimed it takes nothing else: found by
// Quantize(), for another LowerToOps() of the same float half, which takes such ops apart.
#pragma once
#include <vector>

#include "importer/passes.h"
#include "importer/quant/quantize.h"

namespace onnx2mcu {

// Float tensors.
struct CoarseTensors {
  std::vector<TensorId> read;    // operands of such ops: set by Quantize()
  std::vector<TensorId> inside;  // of ops that were taken apart: set by LowerToOps(); Quantize() raises them to s16
};
absl::Status LowerToOps(Graph &graph, const Registry &registry, CoarseTensors *coarse);
absl::Status Quantize(Graph &graph, const QuantOptions &options, Host &host, const o2m_target &target,
                      CoarseTensors *coarse);

}  // namespace onnx2mcu
