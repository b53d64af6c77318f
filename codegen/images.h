// codegen/images.h - a folder of PNG/JPEG as u8 arrays; sub-folders are classes, in name order.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "importer/ir/status.h"

namespace onnx2mcu {

struct ImageFolder {
  int64_t count = 0;
  std::vector<uint8_t> chw;     // [count, channels, height, width]
  std::vector<int64_t> labels;  // empty without sub-folders
};
// Every image must have the model's height and width; grey and colour are converted to `channels` (1 or 3).
absl::StatusOr<ImageFolder> ReadImages(const std::string &folder, int channels, int height, int width, int64_t limit);

}  // namespace onnx2mcu
