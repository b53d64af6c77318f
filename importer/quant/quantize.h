// importer/quant/quantize.h - post-training quantisation: from float ranges to dtype and QuantParams of every tensor.
#pragma once
#include <string>
#include <vector>

#include "importer/evaluate.h"
#include "importer/ir/graph.h"
#include "importer/ir/op_node.h"
#include "importer/ir/status.h"
#include "importer/quant/preprocessing.h"

namespace onnx2mcu {

struct QuantOptions {
  std::string residual = "auto";  // auto | s8 | s16
  std::vector<TensorId> wide;     // s16 as well, with all that shares their storage, where every op takes that
  bool shapes_only = false;       // no calibration: made-up scales, right dtypes; for pricing without running the model
  bool pixels = false;            // input 0 is u8, scale 1 (after ApplyPreprocessing)
  std::vector<std::vector<Value>> samples;  // calibration: [sample][graph input]; empty: the synthetic default, with a
                                            // warning in graph.warnings
};

// "quantize". Calibrates with the float evaluator (MSE over percentiles 99.9, 99.99, 99.999, 100; one scale per
// storage: all views of a base share it), presets dtype and quant of every tensor that ops touch, obeying
// "o2m.quant/1", then infers all nodes. Activations s8 asymmetric per tensor; weights stay float here, pack() quantises
// them.
absl::Status Quantize(Graph &graph, const QuantOptions &options, Host &host, const o2m_target &target);

// "fuse". Moves a node that offers "o2m.unary_table/1" into the epilogue of its producer where that has
// O2M_TAKES_EPILOGUE and nobody else reads the producer's output. Exact.
absl::Status FuseEpilogues(Graph &graph, Host &host, const o2m_target &target);

}  // namespace onnx2mcu
