// importer/data/inputs.h - inputs and labels as INTERFACE.md lists them: npy, npz, idx(.gz), a folder of PNG/JPEG.
#pragma once
#include <string>
#include <vector>

#include "importer/evaluate.h"
#include "importer/quant/quantize.h"

namespace onnx2mcu {

// n samples of one graph input: pixels (u8, one byte per element) or floats as fed, in the model's [C, H, W] order.
struct InputSet {
  int64_t count = 0;
  int64_t total = 0;  // in the file, before the limit
  bool pixels = false;
  std::vector<int64_t> dims;  // of one sample: the model's input dims
  std::vector<uint8_t> u8;
  std::vector<float> f32;
  std::vector<int64_t> labels;  // of a folder with sub-folders; else empty
};

// Reads FILE (or FILE.npz:key) for graph input `index`; at most `limit` samples (0: all). With a known preprocessing
// the set is pixels: floats, which are fed after normalisation, are turned back into them. InvalidArgument states both
// shapes where none fits.
absl::StatusOr<InputSet> ReadInputs(const std::string &file, const Graph &graph, int index,
                                    const Preprocessing &preprocessing, int64_t limit);
// --inputs=FILE or NAME=FILE, once per graph input: the sets in graph order, all of one length.
absl::StatusOr<std::vector<InputSet>> ReadAllInputs(const std::vector<std::string> &files, const Graph &graph,
                                                    const Preprocessing &preprocessing, int64_t limit);
// Sample n as the evaluator takes it (pixels as 0..255).
std::vector<Value> SampleOf(const std::vector<InputSet> &sets, int64_t n);
// Sample n of one input as the integers the MCU gets, in the order of the tensor's strides: u8, or quantised by its
// params.
std::vector<uint8_t> QuantizedSample(const InputSet &set, int64_t n, const Tensor &input);

// Labels: .npy, .npz, idx(.gz) or one integer per line; InvalidArgument where the file has not `total`,
// or one that is not in 0 .. classes-1.
absl::StatusOr<std::vector<int64_t>> ReadLabels(const std::string &file, int64_t total, int64_t classes);

// Arrays by name to an uncompressed .npz.
struct NamedArray {
  std::string name;
  std::vector<int64_t> dims;
  std::vector<float> f32;  // one of the two is used
  std::vector<int32_t> i32;
};
absl::Status WriteNpz(const std::string &path, const std::vector<NamedArray> &arrays);

}  // namespace onnx2mcu
