// codegen/inputs.h - inputs and labels as INTERFACE.md lists them: npy, npz, idx(.gz), a folder of PNG/JPEG.
#pragma once
#include <string>
#include <vector>

#include "importer/evaluate.h"
#include "importer/quant/quantize.h"

namespace onnx2mcu {

// n samples of one graph input. u8 data keeps its bytes in `i` (dtype kU8); floats are as fed.
struct InputSet {
  int64_t count = 0;
  DType dtype = DType::kF32;
  std::vector<int64_t> dims;  // of one sample: the model's input dims
  std::vector<uint8_t> u8;
  std::vector<float> f32;
};

// Reads FILE (or FILE.npz:key) for graph input `index`. InvalidArgument states both shapes where none fits.
absl::StatusOr<InputSet> ReadInputs(const std::string &file, const Graph &graph, int index, int64_t limit);
// Sample `n` as the evaluator's value for the graph's input. u8 samples of a graph whose input is pixels are 0..255.
Value SampleOf(const InputSet &set, int64_t n);
// Labels: .npy, .npz, idx(.gz) or one integer per line; InvalidArgument where the length differs from `count`.
absl::StatusOr<std::vector<int64_t>> ReadLabels(const std::string &file, int64_t count);
// Arrays by name to .npz (uncompressed).
struct NamedArray {
  std::string name;
  std::vector<int64_t> dims;
  std::vector<float> f32;  // one of the two is used
  std::vector<int32_t> i32;
};
absl::Status WriteNpz(const std::string &path, const std::vector<NamedArray> &arrays);

}  // namespace onnx2mcu
