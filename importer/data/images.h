// importer/data/images.h - a folder of PNG/JPEG as u8 arrays; sub-folders are classes, in name order.
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
// What to read: height and width of every image; grey and colour are converted to `channels` (1 or 3). scaled: an image
// of another size is scaled, the middle of it in these proportions; else it is refused.
struct ImageSize {
  int channels, height, width;
  bool scaled;
};
absl::StatusOr<ImageFolder> ReadImages(const std::string &folder, const ImageSize &size, int64_t limit);

}  // namespace onnx2mcu
