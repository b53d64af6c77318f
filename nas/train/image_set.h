// nas/train/image_set.h - images to train on and to hold out.
#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "importer/ir/status.h"
#include "nas/vit.h"

namespace onnx2mcu {

// [count, channels, side, side]: pixels, of which a network is fed (pixel / 255 - mean) / std, or floats, fed as they
// are; the other is empty. mean and std: one, or one by channel.
struct ImageSet {
  int64_t count = 0, channels = 1, side = 28;
  std::vector<uint8_t> pixels;
  std::vector<float> floats;
  std::vector<float> mean = {0}, std = {1};
  std::vector<int64_t> labels;  // by image; empty where there are none
  int64_t ImageSize() const { return channels * side * side; }
};

// `images` and `labels` as the command line takes them (importer/data/inputs.h); labels may be "", which leaves those
// of a folder. Of `config` only image, channels and classes count.
absl::StatusOr<ImageSet> ReadImageSet(const std::string &images, const std::string &labels, const VitConfig &config);

// Mean and std of all pixels, for networks that state none; nothing where the set is floats.
void NormalizeByItself(ImageSet &set);

// `count` images, drawn evenly by the seed, leave the set: {rest, drawn}, both in the order they had. Precondition:
// count <= set.count.
std::pair<ImageSet, ImageSet> HoldOut(const ImageSet &set, int64_t count, uint64_t seed);

}  // namespace onnx2mcu
