// nas/train/batches.h - the images of a step, shifted, flipped and mixed, and what a network should say of them.
#pragma once
#include <cstdint>
#include <vector>

#include "nas/train/image_set.h"
#include "nas/train/trainer.h"

namespace onnx2mcu {

struct Batch {
  int64_t count = 0;
  std::vector<float> images;   // [count, channels, side, side], as a network takes them
  std::vector<float> targets;  // [count, classes] probabilities; empty without labels
};

// The batches of a training: every image once per epoch, in another order each. The set must outlive it.
class Batches {
 public:
  Batches(const ImageSet &set, int64_t classes, const TrainOptions &options);
  Batch At(int64_t step);  // a function of the seed and the step

 private:
  int64_t ImageAt(int64_t position);  // counted over all epochs
  const ImageSet &set_;
  const int64_t classes_;
  const TrainOptions options_;
  int64_t epoch_ = -1;
  std::vector<int64_t> order_;  // of this epoch
};

// Images first .. first + count - 1 as a network takes them.
std::vector<float> ImagesOf(const ImageSet &set, int64_t first, int64_t count);

}  // namespace onnx2mcu
