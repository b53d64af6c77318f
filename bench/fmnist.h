// bench/fmnist.h - Fashion-MNIST as a Vit takes it. FASHION_MNIST is the folder of the data set.
#pragma once
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "importer/data/arrays.h"
#include "importer/ir/status.h"
#include "nas/forward.h"

namespace onnx2mcu {

struct LabelledImages {
  Images images;  // normalised
  std::vector<int64_t> labels;
};

// Images [first, first + count) of `split`, "train" (60,000) or "t10k" (10,000).
inline absl::StatusOr<LabelledImages> ReadFmnist(const std::string &split, int64_t first, int64_t count) {
  const char *folder = std::getenv("FASHION_MNIST");
  const std::string path = std::string(folder ? folder : "/usr/share/datasets/fashion-mnist") + "/" + split;
  O2M_ASSIGN_OR_RETURN(const auto pixels, ReadArrays(path + "-images-idx3-ubyte.gz"));
  O2M_ASSIGN_OR_RETURN(const auto labels, ReadArrays(path + "-labels-idx1-ubyte.gz"));
  count = std::min<int64_t>(count, pixels[0].dims[0] - first);
  LabelledImages read{Images(count, 784), {}};
  for (int64_t i = 0; i < count * 784; i++)
    read.images.data()[i] = (static_cast<float>(pixels[0].u8[first * 784 + i]) / 255 - 0.2860f) / 0.3530f;
  read.labels.assign(labels[0].u8.begin() + first, labels[0].u8.begin() + first + count);
  return read;
}

}  // namespace onnx2mcu
