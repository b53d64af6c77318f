#include "nas/train/image_set.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "importer/data/inputs.h"
#include "nas/train/random.h"

namespace onnx2mcu {
namespace {

// Graph with nothing but the network's input: what ReadInputs() asks for its shape.
Graph InputOf(const VitConfig &config) {
  Graph graph;
  Tensor input;
  input.name = "input", input.dims = {1, config.channels, config.image, config.image};
  graph.tensors.push_back(input);
  graph.inputs.push_back(0);
  return graph;
}

// Floats are read as they are first; only pixels need to be told how they are normalised.
absl::StatusOr<InputSet> ReadEither(const std::string &images, const VitConfig &config) {
  const Graph graph = InputOf(config);
  auto floats = ReadInputs(images, graph, 0, {}, 0);
  if (floats.ok() || floats.status().code() != absl::StatusCode::kInvalidArgument) return floats;
  Preprocessing plain;
  plain.mean = {0}, plain.std = {1};
  return ReadInputs(images, graph, 0, plain, 0);
}

// The rows of x, each of `width`, that `chosen` names.
template <typename T>
std::vector<T> Rows(const std::vector<T> &x, const std::vector<int64_t> &chosen, int64_t width) {
  if (x.empty()) return {};
  std::vector<T> rows;
  rows.reserve(chosen.size() * width);
  for (const int64_t i : chosen) rows.insert(rows.end(), x.begin() + i * width, x.begin() + (i + 1) * width);
  return rows;
}

ImageSet Chosen(const ImageSet &set, std::vector<int64_t> chosen) {
  std::sort(chosen.begin(), chosen.end());
  ImageSet some;
  some.count = static_cast<int64_t>(chosen.size()), some.channels = set.channels, some.side = set.side;
  some.pixels = Rows(set.pixels, chosen, set.ImageSize()), some.floats = Rows(set.floats, chosen, set.ImageSize());
  some.mean = set.mean, some.std = set.std;
  some.labels = Rows(set.labels, chosen, 1);
  return some;
}

}  // namespace

absl::StatusOr<ImageSet> ReadImageSet(const std::string &images, const std::string &labels, const VitConfig &config) {
  O2M_ASSIGN_OR_RETURN(InputSet read, ReadEither(images, config));
  ImageSet set;
  set.count = read.count, set.channels = config.channels, set.side = config.image;
  set.pixels = std::move(read.u8), set.floats = std::move(read.f32), set.labels = std::move(read.labels);
  if (!labels.empty()) {
    O2M_ASSIGN_OR_RETURN(set.labels, ReadLabels(labels, read.total, config.classes));
  }
  for (const int64_t label : set.labels)
    if (label >= config.classes)
      return absl::InvalidArgumentError(absl::StrCat(images, ": holds a class ", label, ", but the network has ",
                                                     config.classes, " classes, from 0; set classes"));
  return set;
}

void NormalizeByItself(ImageSet &set) {
  if (set.pixels.empty()) return;
  int64_t sum = 0, squares = 0;  // exact below 1e14 pixels
  for (const int64_t pixel : set.pixels) sum += pixel, squares += pixel * pixel;
  const auto n = static_cast<double>(set.pixels.size());
  const double mean = static_cast<double>(sum) / n, variance = static_cast<double>(squares) / n - mean * mean;
  set.mean = {static_cast<float>(mean / 255)};
  set.std = {static_cast<float>(std::max(std::sqrt(variance), 1.0) / 255)};
}

std::pair<ImageSet, ImageSet> HoldOut(const ImageSet &set, int64_t count, uint64_t seed) {
  std::vector<int64_t> order(set.count);
  std::iota(order.begin(), order.end(), 0);
  std::mt19937_64 random = RandomOf(seed, Purpose::kHoldOut, 0);
  for (int64_t i = 0; i < count; i++) std::swap(order[i], order[i + Below(random, set.count - i)]);
  return {Chosen(set, {order.begin() + count, order.end()}), Chosen(set, {order.begin(), order.begin() + count})};
}

}  // namespace onnx2mcu
