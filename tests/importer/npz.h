// tests/importer/npz.h - reads uncompressed .npz files of little-endian arrays.
#pragma once
#include <map>
#include <string>

#include "importer/evaluate.h"

namespace onnx2mcu {

// Arrays by name, without ".npy"; floats of any width become F32, integers S64. Empty where the file is no such
// archive.
std::map<std::string, Value> ReadNpz(const std::string &path);

}  // namespace onnx2mcu
