// importer/data/arrays.h - arrays in files: .npy, .npz (stored or deflated), MNIST idx (.gz or not).
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "importer/ir/status.h"

namespace onnx2mcu {

// Row-major; `f32` holds every type but u8, int values included.
struct Array {
  std::string name;  // in an .npz; else empty
  bool is_u8 = false;
  int64_t total = 0;  // rows in the file: dims[0], or more where fewer were asked for
  std::vector<int64_t> dims;
  std::vector<uint8_t> u8;
  std::vector<float> f32;
};

// Every array of the file. InvalidArgument: not an array file, damaged, or a dtype we do not read (says which).
// Of an idx array the first `rows` rows are enough (0: all).
absl::StatusOr<std::vector<Array>> ReadArrays(const std::string &path, int64_t rows = 0);

}  // namespace onnx2mcu
