// importer/sha256.h - FIPS 180-4, for naming the model file that the generated C came from.
#pragma once
#include <string>

namespace onnx2mcu {

std::string Sha256Hex(const std::string &bytes);

}  // namespace onnx2mcu
