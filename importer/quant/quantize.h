// importer/quant/quantize.h - post-training quantisation: from float ranges to dtype and QuantParams of every tensor.
#pragma once
#include <string>
#include <vector>

#include "importer/evaluate.h"
#include "importer/ir/graph.h"
#include "importer/ir/op_node.h"
#include "importer/ir/status.h"

namespace onnx2mcu {

// mean and std in units of pixel/255, one entry or one per channel; empty: the input is not pixels.
struct Preprocessing {
  std::vector<float> mean, std;
  bool known() const { return !std.empty(); }
};
// From --mean/--std, else from the ONNX metadata "onnx2mcu.mean" / "onnx2mcu.std" (comma separated).
absl::StatusOr<Preprocessing> PreprocessingOf(const Graph &graph, const std::string &mean, const std::string &std);
// Makes u8 pixels the graph's input: input' in 0..255, real = (input'/255 - mean)/std as float nodes that
// Canonicalize() then folds into the first layer. Call before Canonicalize().
absl::Status ApplyPreprocessing(Graph &graph, const Preprocessing &preprocessing);

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
