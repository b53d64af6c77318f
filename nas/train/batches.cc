#include "nas/train/batches.h"

#include <algorithm>
#include <numeric>

#include "nas/train/random.h"

namespace onnx2mcu {
namespace {

// What is done to one image: its pixel (r, c) is (r + down, c + right) of the original, mirrored first or not.
struct Move {
  int64_t down = 0, right = 0;
  bool mirrored = false;
};

Move DrawMove(const TrainOptions &options, int64_t position) {
  std::mt19937_64 random = RandomOf(options.seed, Purpose::kAugment, position);
  Move move;
  move.down = Below(random, 2 * options.shift + 1) - options.shift;
  move.right = Below(random, 2 * options.shift + 1) - options.shift;
  move.mirrored = Below(random, 2) == 1 && options.flip;
  return move;
}

// Source coordinates by destination coordinate; -1 outside.
std::vector<int64_t> Source(int64_t side, int64_t shift, bool mirrored) {
  std::vector<int64_t> source(side);
  for (int64_t i = 0; i < side; i++) {
    const int64_t j = (mirrored ? side - 1 - i : i) + shift;
    source[i] = j < 0 || j >= side ? -1 : j;
  }
  return source;
}

float ValueOf(const ImageSet &set, int64_t channel, float pixel) {
  const auto c = static_cast<size_t>(channel);
  return (pixel / 255 - set.mean[set.mean.size() == 1 ? 0 : c]) / set.std[set.std.size() == 1 ? 0 : c];
}

// One image after a move; what it uncovers is black, or 0 among floats.
void Write(const ImageSet &set, int64_t image, const Move &move, float *to) {
  const std::vector<int64_t> rows = Source(set.side, move.down, false);
  const std::vector<int64_t> columns = Source(set.side, move.right, move.mirrored);
  const bool pixels = !set.pixels.empty();
  int64_t plane = image * set.ImageSize();
  for (int64_t c = 0; c < set.channels; c++, plane += set.side * set.side) {
    const float outside = pixels ? ValueOf(set, c, 0) : 0;
    for (const int64_t row : rows)
      for (const int64_t column : columns) {
        const int64_t at = plane + row * set.side + column;
        const bool inside = row >= 0 && column >= 0;
        *to++ = !inside ? outside : pixels ? ValueOf(set, c, set.pixels[at]) : set.floats[at];
      }
  }
}

// Blends each row with the next, the last with the first: rows[i] = share rows[i] + (1 - share) rows[i + 1].
void Blend(std::vector<float> &rows, int64_t count, float share) {
  const int64_t width = static_cast<int64_t>(rows.size()) / count;
  const std::vector<float> first(rows.begin(), rows.begin() + width);
  for (int64_t i = 0; i < count; i++) {
    const float *next = i + 1 < count ? rows.data() + (i + 1) * width : first.data();
    for (int64_t j = 0; j < width; j++) rows[i * width + j] = share * rows[i * width + j] + (1 - share) * next[j];
  }
}

}  // namespace

Batches::Batches(const ImageSet &set, int64_t classes, const TrainOptions &options)
    : set_(set), classes_(classes), options_(options) {}

int64_t Batches::ImageAt(int64_t position) {
  const int64_t epoch = position / set_.count;
  if (epoch != epoch_) {
    std::mt19937_64 random = RandomOf(options_.seed, Purpose::kOrder, epoch);
    order_.resize(set_.count);
    std::iota(order_.begin(), order_.end(), 0);
    for (int64_t i = set_.count - 1; i > 0; i--) std::swap(order_[i], order_[Below(random, i + 1)]);
    epoch_ = epoch;
  }
  return order_[position % set_.count];
}

Batch Batches::At(int64_t step) {
  Batch batch;
  batch.count = options_.batch;
  batch.images.resize(batch.count * set_.ImageSize());
  const auto smoothing = static_cast<float>(options_.label_smoothing);
  if (!set_.labels.empty()) batch.targets.assign(batch.count * classes_, smoothing / static_cast<float>(classes_));
  for (int64_t i = 0; i < batch.count; i++) {
    const int64_t position = step * batch.count + i, image = ImageAt(position);
    Write(set_, image, DrawMove(options_, position), batch.images.data() + i * set_.ImageSize());
    if (!set_.labels.empty()) batch.targets[i * classes_ + set_.labels[image]] += 1 - smoothing;
  }
  std::mt19937_64 random = RandomOf(options_.seed, Purpose::kMixing, step);
  if (Uniform(random) < options_.mixing) {
    const auto share = static_cast<float>(Uniform(random));
    Blend(batch.images, batch.count, share);
    if (!batch.targets.empty()) Blend(batch.targets, batch.count, share);
  }
  return batch;
}

std::vector<float> ImagesOf(const ImageSet &set, int64_t first, int64_t count) {
  std::vector<float> images(count * set.ImageSize());
  for (int64_t i = 0; i < count; i++) Write(set, first + i, {}, images.data() + i * set.ImageSize());
  return images;
}

}  // namespace onnx2mcu
